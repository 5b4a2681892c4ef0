"""Letting a machine start its agent by itself: a unit for systemd, and all of it taken away again."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from watchbell.agent import files
from watchbell.agent.joining import Options, join_once
from watchbell.errors import ConfigError, NotAllowed, WatchbellError

NAME = "watchbell-agent"
#: What the agent is called in its folder, if it came as one file.
PROGRAM = "watchbell-agent.pyz"
UNITS = Path("/etc/systemd/system")
_UNIT = """\
[Unit]
Description=Watchbell agent: does the jobs of {url} on this machine
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
ExecStart={command}
Restart=always
RestartSec=5
# One that was started twice, or is set up wrongly, does not become right by starting it again.
RestartPreventExitStatus=4 77 78
# It waits for the job that goes; only what is still there after that is killed.
KillMode=mixed
TimeoutStopSec=15min
OOMPolicy=continue
# Jobs may change this machine, become other users and take what time they need; what no job has to do is taken away here.
LockPersonality=yes
KeyringMode=private
UMask=0022

[Install]
WantedBy=multi-user.target
"""


class StepFailed(WatchbellError):
    """A step of setting an agent up has failed."""

    code = "step_failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where an agent is set up on this machine."""

    units: Path = UNITS
    #: The program that speaks to systemd; None on a machine without it.
    systemctl: str | None = None

    @classmethod
    def here(cls) -> Place:
        """Return the place that this machine has; without a running systemd nothing is asked of it."""
        found = shutil.which("systemctl") if Path("/run/systemd/system").is_dir() else None
        return cls(systemctl=found)

    @property
    def unit(self) -> Path:
        """The file of the unit."""
        return self.units / f"{NAME}.service"


def set_up(options: Options, user: str, place: Place, *, is_dry: bool = False) -> Iterator[str]:
    """Join unless that was done, and install; yield a sentence for each thing that was done, or that would be.

    Raises ConfigError, NotAllowed without the right to do it or for a code that is refused, and StepFailed.
    """
    if is_dry:
        yield f"Would join {options.url}, unless that was done, and keep the credentials in {options.folder}"
    else:
        check(options, user, place)
        yield f"This machine is the device {join_once(options).uuid}"
    yield from install(options, user, place, is_dry=is_dry)


def check(options: Options, user: str, place: Place) -> None:
    """Raise ConfigError or NotAllowed if an agent cannot be set up here, before a code is used up by it."""
    unit_text(options, user)
    _require_folder(options.folder)
    _require_user(user)
    _require_rights(place)


def _require_rights(place: Place) -> None:
    """Raise NotAllowed unless this user may set an agent up here."""
    folder = place.units if place.units.exists() else place.units.parent
    if not os.access(folder, os.W_OK):
        raise NotAllowed(f"{folder} may not be written by this user; be root, or look first with --dry-run")


def unit_text(options: Options, user: str) -> str:
    """Return the unit that starts an agent; raises ConfigError for what cannot stand in one."""
    words = [sys.executable, *_program(options), "--url", options.url, "--state", str(options.folder)]
    words += ["--ca-file", str(options.ca_file)] if options.ca_file is not None else []
    words += ["--plain-http"] if options.is_plain_allowed else []
    for word in (*words, user):
        if not word.isprintable():
            raise ConfigError(f"{word!r} cannot stand in a unit")
    return _UNIT.format(url=_escaped(options.url), user=user, command=" ".join(map(_quoted, words)))


def _archive() -> Path | None:
    """Return the one file that this program runs from, None if it is installed."""
    spec = sys.modules[__name__].__spec__
    found = getattr(spec.loader, "archive", None) if spec is not None else None
    return Path(found) if found is not None else None


def _program(options: Options) -> list[str]:
    """Return what Python is told to run."""
    return ["-m", "watchbell.agent"] if _archive() is None else [str(options.folder / PROGRAM)]


def _keep_program(options: Options) -> None:
    """Keep the one file that this program runs from in the folder of the agent, from where it is started from now on."""
    archive = _archive()
    kept = options.folder / PROGRAM
    if archive is None or (kept.exists() and archive.samefile(kept)):
        return
    # The one that runs may be read from while another one takes its place.
    part = kept.with_suffix(".part")
    # Nor is a link followed that another user, whose folder this is, has put there.
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(archive.read_bytes())
        os.fchmod(out.fileno(), 0o644)
    part.replace(kept)


def install(options: Options, user: str, place: Place, *, is_dry: bool = False) -> Iterator[str]:
    """Write the unit and start it, and yield a sentence for each thing that was done, or that would be.

    The agent must have joined. Raises ConfigError, NotAllowed without the right to do it, and StepFailed.
    """
    text = unit_text(options, user)
    _require_folder(options.folder)
    if _archive() is not None:
        yield f"{'Would keep' if is_dry else 'Keeping'} this program as {options.folder / PROGRAM}"
    yield f"{'Would write' if is_dry else 'Writing'} {place.unit}"
    if not is_dry:
        _keep_program(options)
        _put(place.unit, text)
        files.give(options.folder, pwd.getpwnam(user).pw_uid)
    yield from _systemctl(place, is_dry, ("daemon-reload",), ("enable", "--now", NAME))
    if place.systemctl is None:
        words = "would not be started" if is_dry else "is not started"
        yield f"There is no systemd that runs here: the unit {words}. By hand: {_command_of(text)}"


def uninstall(folder: Path, place: Place, *, keeps_state: bool = False, is_dry: bool = False) -> Iterator[str]:
    """Stop the agent and remove its unit and its files, and yield a sentence for each thing that was done, or would be."""
    is_there = place.unit.exists()
    if is_there:
        yield from _systemctl(place, is_dry, ("disable", "--now", NAME))
        yield f"{'Would remove' if is_dry else 'Removing'} {place.unit}"
        if not is_dry:
            _remove(place.unit)
        yield from _systemctl(place, is_dry, ("daemon-reload",))
    else:
        yield f"{place.unit} is not there"
    if keeps_state or not folder.exists():
        yield f"{folder} is kept" if folder.exists() else f"{folder} is not there"
        return
    _require_folder(folder)
    if not (folder / "lock").exists():
        raise ConfigError(f"{folder} is no folder of an agent, and is left as it is")
    yield f"{'Would remove' if is_dry else 'Removing'} {folder} with the credentials of this device"
    if not is_dry:
        _remove(folder)
    yield "The server still knows the device; delete it there"


def _systemctl(place: Place, is_dry: bool, *calls: tuple[str, ...]) -> Iterator[str]:
    if place.systemctl is None:
        return
    for call in calls:
        yield f"{'Would run' if is_dry else 'Running'} systemctl {' '.join(call)}"
        if not is_dry:
            done = subprocess.run([place.systemctl, *call], check=False, capture_output=True, text=True)
            if done.returncode:
                raise StepFailed(f"systemctl {' '.join(call)} has failed: {done.stderr.strip() or done.returncode}")


def _require_folder(folder: Path) -> None:
    """Raise ConfigError for a link in the place of the folder, by which another user could choose what is changed."""
    if folder.is_symlink():
        raise ConfigError(f"{folder} is a symbolic link; name the folder itself with --state")


def _require_user(user: str) -> None:
    try:
        pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"there is no user {user!r} on this machine") from None


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o644)


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except PermissionError:
        raise NotAllowed(f"{path} may not be removed by this user; be root, or look first with --dry-run") from None


def _command_of(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")


def _quoted(word: str) -> str:
    """Return a word as systemd reads it as one, with nothing in it that it would replace."""
    return '"' + _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
