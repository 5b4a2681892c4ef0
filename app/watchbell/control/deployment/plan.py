"""What is to be deployed where: taken from the settings in force and this machine, and changed by what somebody says."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import sys
from pathlib import Path
from typing import Self

from watchbell.config import SETTINGS, UNREPEATED, Config
from watchbell.domain.policies import Policies
from watchbell.errors import InputError
from watchbell.settings_values import as_text, networks

#: Where an installation that has none yet is put.
_HOME, _USER = Path("/var/lib/watchbell"), "watchbell"
_MOST_WORKERS = 8
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_WEB = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
#: Names of queues, as policies have them; none of them needs quotes anywhere.
_QUEUES = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}(,[a-z0-9][a-z0-9._-]{0,49})*")
#: No file format used here needs more than a pair of quotes for these, and none of them needs that much.
_PATH = re.compile(r"/[A-Za-z0-9/._@+-]*")
#: Settings that the files say by themselves, or that are none of a server's.
_OWN = frozenset(
    {"home", "host", "port", "behind_proxy", "proxy_from", "allowed_hosts", "database_url", "url", "token", "user"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One deployment; every value can stand in each of the files as it is."""

    #: By what people and programs call the server.
    name: str
    #: The path of the host below which it stands, "" for the top.
    prefix: str
    https_port: int
    http_port: int
    certificate: Path
    certificate_key: Path
    #: Web processes that the proxy chooses from, each as HOST:PORT.
    web: tuple[str, ...]
    #: Addresses of the proxy, as the web processes see it.
    proxy_from: tuple[str, ...]
    workers: int
    user: str
    #: The queues whose runs a worker of the engine is to carry, comma separated.
    queues: str
    home: Path
    port: int
    #: What loads this package.
    python: Path
    #: Where the files are to lie that others name.
    folder: Path
    log: Path
    login_header: str
    #: Whether the scheduler becomes other users, for which it has to be root.
    becomes_others: bool
    #: Further settings in force that came from the environment, by variable.
    settings: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, config: Config, **given: object) -> Self:
        """Return the plan for this machine; what is given and not None counts instead. Raises InputError."""
        home = config.home if config.sources["home"] or config.home.is_dir() else _HOME
        said = {name: value for name, value in given.items() if value not in (None, ())}
        name = str(said.get("name") or next(iter(config.allowed_hosts), "") or config.hostname.lower())
        port = config.port or 5000
        found = {
            "name": name,
            "prefix": "",
            "https_port": 443,
            "http_port": 80,
            "certificate": Path(f"/etc/ssl/{name}.pem"),
            "certificate_key": Path(f"/etc/ssl/private/{name}.key"),
            "web": (f"127.0.0.1:{port}",),
            "proxy_from": config.proxy_from or ("127.0.0.1",),
            "workers": min(_MOST_WORKERS, max(2, os.cpu_count() or 1)),
            "user": _owner(home),
            "queues": Policies().queue,
            "home": home,
            "port": port,
            "python": Path(sys.executable),
            "folder": Path("/etc/watchbell"),
            "log": Path(config.log_dir or home) / "scheduler.log",
            "login_header": config.login_header,
            "becomes_others": bool(config.run_as),
            "settings": _settings(config),
        }
        plan = cls(**{**found, **said})  # type: ignore[arg-type]
        plan._check()
        return plan

    @property
    def public(self) -> str:
        """Name and port by which browsers call the server."""
        return self.name if self.https_port == 443 else f"{self.name}:{self.https_port}"

    def _check(self) -> None:
        try:
            networks(",".join(self.proxy_from))
        except ValueError as error:
            raise InputError.of("proxy", str(error), "10.0.0.5") from None
        for field, value, pattern, example in (
            ("name", self.name, _NAME, "bell.example.org"),
            ("prefix", self.prefix, _PREFIX, "/bell"),
            ("user", self.user, re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}"), "watchbell"),
            ("queues", self.queues, _QUEUES, "heavy,reports"),
            *(("web", one, _WEB, "10.0.0.5:5000") for one in self.web),
            *((name, str(getattr(self, name)), _PATH, "/etc/ssl/bell.pem")
              for name in ("certificate", "certificate_key", "home", "python", "folder", "log")),
        ):  # fmt: skip
            if pattern.fullmatch(value) is None:
                raise InputError.of(field, f"cannot stand in a configuration file: {value[:80]!r}", example)


def _owner(home: Path) -> str:
    """Return whose the data directory is, or the user that the documentation makes."""
    try:
        return pwd.getpwuid(home.stat().st_uid).pw_name
    except (OSError, KeyError):
        return _USER


def _settings(config: Config) -> tuple[tuple[str, str], ...]:
    """Return what the environment says here and a service would not see; files are read by the service itself."""
    return tuple(
        (setting.env[0], as_text(getattr(config, setting.name)))
        for setting in SETTINGS
        if setting.name not in UNREPEATED | _OWN and config.sources[setting.name] in setting.env
    )
