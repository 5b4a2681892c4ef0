"""What a person decides per task about starting, waiting and ending, with defaults that are safe."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from enum import StrEnum

from watchbell.errors import InputError, Problem


class Overlap(StrEnum):
    """What happens when a task is due while an earlier run of it is still active."""

    SKIP = "skip"
    """The new run is not started; a row says so."""
    QUEUE_ONE = "queue_one"
    """One run waits for its turn; further ones are skipped."""
    ALLOW = "allow"
    """Both run."""


class CatchUp(StrEnum):
    """What happens to the moments that passed while no scheduler worked."""

    SKIP = "skip"
    """None is run; they stand as missed."""
    LAST = "last"
    """The newest one within the window is run; the others stand as missed."""
    ALL = "all"
    """All within the window are run, oldest first, up to the limit; the others stand as missed."""


class Uncertain(StrEnum):
    """What happens when nobody can know whether a started run finished."""

    LOST = "lost"
    """The run is marked lost; the command is never started twice (at most once)."""
    RUN_AGAIN = "run_again"
    """The command is started again; it must be safe to repeat (at least once)."""


DAY_SECONDS = 86_400
#: The default for the time limit of a run.
DEFAULT_TIME_LIMIT_SECONDS = DAY_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class Policies:
    """The decisions of one task."""

    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    catch_up_limit: int = 100
    catch_up_window_seconds: int = DAY_SECONDS
    uncertain: Uncertain = Uncertain.LOST
    #: None stands for the task's own interval, at most an hour.
    latest_start_seconds: int | None = None
    time_limit_seconds: int = DEFAULT_TIME_LIMIT_SECONDS
    grace_seconds: int = 10
    #: Per stream; None stands for the server's setting.
    output_limit_mib: int | None = None
    spread_seconds: int = 0

    def to_json(self) -> dict[str, object]:
        """Return a form that ``from_json`` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Policies:
        """Return the policies that were stored; entries that this version does not know are left out."""
        return _from_items(tuple(data.items()))


@functools.lru_cache(maxsize=1024)
def _from_items(items: tuple[tuple[str, object], ...]) -> Policies:
    """Return the policies of stored entries; thousands of tasks share the same few."""
    known = {field.name for field in dataclasses.fields(Policies)}
    kept = {name: value for name, value in items if name in known}
    for name, kind in _WORDS.items():
        if name in kept:
            kept[name] = kind(str(kept[name]))
    return Policies(**kept)  # type: ignore[arg-type]


#: Range of each number: lowest, highest, an example.
_RANGES: dict[str, tuple[int, int, str]] = {
    "catch_up_limit": (1, 1000, "100"),
    "catch_up_window_seconds": (0, 366 * DAY_SECONDS, "86400"),
    "latest_start_seconds": (1, 31 * DAY_SECONDS, "300"),
    "time_limit_seconds": (1, 31 * DAY_SECONDS, "3600"),
    "grace_seconds": (0, 3600, "10"),
    "output_limit_mib": (1, 10_240, "20"),
    "spread_seconds": (0, DAY_SECONDS, "0"),
}
_OPTIONAL = frozenset({"latest_start_seconds", "output_limit_mib"})
_WORDS: dict[str, type[StrEnum]] = {"overlap": Overlap, "catch_up": CatchUp, "uncertain": Uncertain}


def build_policies(fields: Mapping[str, object], base: Policies | None = None) -> Policies:
    """Return policies from what a person gave, on top of a base; entries that are None or absent keep the base.

    An empty text gives an optional number up. Raises InputError that names each wrong field.
    """
    base = base or Policies()
    changes: dict[str, object] = {}
    problems: list[Problem] = []
    for name, value in fields.items():
        if value is None:
            continue
        try:
            changes[name] = _read(name, value)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def _read(name: str, value: object) -> object:
    if name in _WORDS:
        kind = _WORDS[name]
        try:
            return kind(str(value))
        except ValueError:
            words = ", ".join(kind)
            raise InputError.of(name, f"must be one of {words}", next(iter(kind))) from None
    if name not in _RANGES:
        raise InputError.of(name, "is not a policy of a task", "overlap")
    low, high, example = _RANGES[name]
    text = str(value).strip()
    if not text and name in _OPTIONAL:
        return None
    if isinstance(value, bool) or not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise InputError.of(name, "must be a whole number", example)
    number = int(text[:20])
    if not low <= number <= high:
        unit = " seconds" if name.endswith("_seconds") else ""
        raise InputError.of(name, f"must be between {low} and {high}{unit}", example)
    return number
