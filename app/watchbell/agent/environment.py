"""The words of the older adapter: what its environment says counts for this agent, where no option says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from watchbell.errors import ConfigError

_OFF = frozenset({"false", "0", "no", "off"})
#: Where its addresses begin, which ours do not.
_PREFIX = "/api/v1"


class Adapter(NamedTuple):
    """What the environment of the older adapter says; None where it says nothing."""

    is_on: bool
    url: str | None
    poll_seconds: float | None
    handlers: Path | None


def read(environment: Mapping[str, str]) -> Adapter:
    """Return what an environment says in the adapter's words; raises ConfigError."""
    switches = [environment.get(name, "").strip().lower() for name in ("ENABLE_CLOUD_JOBS", "ENABLE_JOB_ENGINE")]
    url = environment.get("CLOUD_API_URL", "").strip().rstrip("/").removesuffix(_PREFIX)
    every = environment.get("CLOUD_JOBS_POLLING_INTERVAL", "").strip()
    if every and not (every.isascii() and every.isdigit() and 100 <= int(every) <= 86_400_000):
        raise ConfigError("CLOUD_JOBS_POLLING_INTERVAL must be milliseconds, from 100 to a day, such as 30000")
    folder = environment.get("JOB_HANDLER_DIR", "").strip()
    return Adapter(
        is_on=not _OFF.intersection(switches),
        url=url or None,
        poll_seconds=int(every) / 1000 if every else None,
        handlers=Path(folder) if folder else None,
    )
