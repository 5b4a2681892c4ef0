"""What the machine gives us: libraries, clock, files, processes, control groups, the port."""

from __future__ import annotations

import errno
import json
import resource
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from watchbell import clock, resources
from watchbell.config import Config
from watchbell.control.diagnosis.finding import Finding, Level, ok
from watchbell.execution import cgroups
from watchbell.execution.keeping import KeeperGone, Keeping
from watchbell.execution.limits import describe_limits
from watchbell.store.session import sqlite_version

#: What the first of these lacks can damage a log that several programs work off at the same moment; the others have it.
_SOUND_SQLITE = (3, 51, 3)
_REPAIRED_SQLITE = {(3, 44): 6, (3, 50): 7}
_OWN_FILES, _FILES_PER_RUN = 32, 4
_FIRST_YEAR = 2025
_ANSWER_SECONDS = 2.0


def look_at_sqlite(config: Config) -> Iterator[Finding]:
    """Look whether the library is one without the flaw that matters here."""
    if not config.database_url.startswith("sqlite"):
        return
    version = sqlite_version()
    is_sound = version >= _SOUND_SQLITE or version[2] >= _REPAIRED_SQLITE.get(version[:2], 1000)
    shown = ".".join(map(str, version))
    if is_sound:
        yield ok("sqlite", f"SQLite {shown}")
    else:
        yield Finding("sqlite-old", Level.NOTE, f"SQLite {shown} can, very seldom, damage a database that several programs write at once",
                      "use a Python with SQLite 3.51.3 or later, and keep backups")  # fmt: skip


def look_at_clock(config: Config) -> Iterator[Finding]:
    """Look whether the clock shows a time of these years, and whether the zone is the machine's."""
    now = clock.now()
    if now.year < _FIRST_YEAR:
        yield Finding(
            "clock-wrong", Level.PROBLEM, f"the clock says {now:%Y-%m-%d}", "set it, and keep it right by NTP"
        )
    if config.zone == "UTC" and now.astimezone().utcoffset():
        yield Finding("zone-unknown", Level.WARNING, "times are shown and tasks are made for UTC, but the machine has another time",
                      "say which it is: WATCHBELL_ZONE=Europe/Berlin")  # fmt: skip
    else:
        yield ok("clock", f"the clock says {now:%Y-%m-%d %H:%M} UTC, and times are shown for {config.zone}")


def look_at_assets(_config: Config) -> Iterator[Finding]:
    """Look whether the browser libraries of the page are there."""
    if resources.have_assets():
        yield ok("assets", "the browser libraries are there")
        return
    remedy = "make assets" if resources.is_checkout() else "install the package again"
    yield Finding(
        "assets-missing", Level.PROBLEM, "the browser libraries are missing, so the page cannot be served", remedy
    )


def look_at_keeper(_config: Config) -> Iterator[Finding]:
    """Look whether the small program can be started that starts commands."""
    keeping = Keeping()
    try:
        keeping.start()
    except (KeeperGone, OSError) as error:
        yield Finding("keeper-fails", Level.PROBLEM, f"no keeper of commands can be started here ({type(error).__name__}: {error})",
                      "see whether this user may start processes: ulimit -u, and memory")  # fmt: skip
        return
    keeping.close()
    yield ok("keeper", "a keeper of commands can be started")


def look_at_groups(_config: Config) -> Iterator[Finding]:
    """Look whether limits can hold for all processes of a run together."""
    found = cgroups.controllers()
    if {cgroups.MEMORY, cgroups.PIDS} <= set(found):
        yield ok("cgroups", describe_limits())
    else:
        yield Finding("cgroups-missing", Level.NOTE, f"no control groups can be made here: {describe_limits()}",
                      "run the scheduler as a systemd service with Delegate=yes")  # fmt: skip


def look_at_handles(config: Config) -> Iterator[Finding]:
    """Look whether so many files may be open as so many runs need."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _OWN_FILES + _FILES_PER_RUN * config.max_running
    if soft >= needed:
        yield ok("file-handles", f"{soft:,} files may be open, and {needed:,} are needed")
    else:
        possible = max(1, (soft - _OWN_FILES) // _FILES_PER_RUN)
        yield Finding("file-handles-few", Level.WARNING, f"{soft:,} files may be open, so {possible} commands run at a time instead of {config.max_running}",
                      f"ulimit -n {needed}, or LimitNOFILE={needed} in the unit")  # fmt: skip


def look_at_port(config: Config) -> Iterator[Finding]:
    """Look whether the port of the page is free, or served by us."""
    if config.port == 0:
        return
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family[0], family[1]) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(family[4])
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_ours(config):
            yield ok("port", f"the page answers on port {config.port}")
        elif error.errno == errno.EADDRINUSE:
            yield Finding("port-busy", Level.PROBLEM, f"another program listens on port {config.port}",
                          "stop it, or take another one: watchbell up --port 8080")  # fmt: skip
        else:
            yield Finding("address-unusable", Level.PROBLEM, f"{config.host}:{config.port} cannot be listened on: {error.strerror or error}",
                          "set WATCHBELL_HOST and WATCHBELL_PORT to what this machine has and this user may use")  # fmt: skip
        return
    yield ok("port", f"port {config.port} is free")


def _is_ours(config: Config) -> bool:
    host = "127.0.0.1" if config.host in {"0.0.0.0", ""} else config.host  # noqa: S104 - asked for, not bound.
    shown = f"[{host}]" if ":" in host else host
    try:
        with urllib.request.urlopen(f"http://{shown}:{config.port}/health", timeout=_ANSWER_SECONDS) as answer:
            return "scheduler" in json.load(answer)
    except urllib.error.HTTPError as error:
        # One that is not well says so with another code.
        return b'"scheduler"' in error.read(4096)
    except (OSError, ValueError):
        return False


def has_program(name: str, path: str, directory: str | None) -> bool:
    """Return whether a program is there: in a path, or where its own path says."""
    if "/" in name:
        return (Path(directory or Path.home()) / name).exists()
    return any((Path(folder or ".") / name).is_file() for folder in path.split(":"))
