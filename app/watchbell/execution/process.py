"""Getting one command ready to be started, and telling our processes from strangers that got their number."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from watchbell import clock
from watchbell.errors import WatchbellError
from watchbell.execution import proc
from watchbell.execution.bundle import Bundle
from watchbell.execution.command import SHELL, Command
from watchbell.execution.identity import Process
from watchbell.execution.kernel import boot_id

_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class SpawnFailed(WatchbellError):
    """The command could not be started, and it is certain that nothing of it ran."""

    code = "spawn_failed"

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        #: What a shell would answer: 127 not found, 126 not permitted, 1 anything else.
        self.exit_code = exit_code


_boot = boot_id()


def find_program(command: Command) -> str:
    """Return the file that a command runs.

    Raises SpawnFailed when it, or the working directory, is not there or may not be used.
    """
    _check_directory(command.directory)
    return _programs.find(command)


def fail_start(step: str, number: int, command: Command) -> SpawnFailed:
    """Return why a command could not be started, from the keeper's word: what was being done, and the error's number."""
    name = command.argv[0] if command.argv else ""
    if step == "directory":
        missing = number in (errno.ENOENT, errno.ENOTDIR)
        reason = "does not exist" if missing else "may not be entered"
        return SpawnFailed(f"the working directory {command.directory} {reason}", 127 if missing else 126)
    if step == "become":
        who = command.user.name if command.user is not None else "somebody else"
        return SpawnFailed(f"it could not be run as {who} under its limits: {os.strerror(number)}", 126)
    if step == "mark":
        return SpawnFailed(f"nothing could be recorded: {os.strerror(number)}", 1)
    if number == errno.ENOENT:
        return SpawnFailed(f"{name}: command not found, or its interpreter is not there", 127)
    if number in (errno.EACCES, errno.EPERM):
        return SpawnFailed(f"{name}: permission denied", 126)
    if number == errno.E2BIG:
        return SpawnFailed("the command and its environment are too long for this system", 1)
    if number == errno.EAGAIN:
        return SpawnFailed("no more processes are allowed at the moment", 1)
    return SpawnFailed(f"the command could not be started: {os.strerror(number)}", 1)


def open_process(process: Process) -> int | None:
    """Return a pidfd of exactly this process, or None when it is gone.

    The descriptor is opened first and the identity compared afterwards: it then stays bound to what was compared.
    """
    if process.boot_id != _boot:
        return None
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    found = proc.read_stat(process.pid)
    if found is None or found.start_ticks != process.start_ticks:
        os.close(descriptor)
        return None
    return descriptor


class Census:
    """The processes that lead a session and carry a run's marker, from one look at all processes when first asked for.

    Taken after the marks are set that keep anything from starting, one look does for many runs. One that has not become
    its program yet, because the disk that holds that does not answer, is known by the output that is open already.
    """

    def __init__(self) -> None:
        self._leaders: dict[str, Process] | None = None

    def find(self, bundle: Bundle) -> Process | None:
        """Return the living process of a bundle's command, or None."""
        if self._leaders is None:
            self._leaders = {}
            for pid, state in proc.read_all().items():
                if state.session == pid and state.state != "Z":
                    name = proc.read_marker(pid) or proc.read_output_of_unborn(pid)
                    if name is not None:
                        self._leaders[name] = Process(pid, state.start_ticks, _boot)
        return self._leaders.get(bundle.token) or self._leaders.get(bundle.out)


def find_leader(bundle: Bundle, pid: int, start_ticks: int | None = None) -> Process | None:
    """Return the living process of a bundle's command; ``pid`` and ``start_ticks`` are what its record says.

    Both together are proof enough. Else the marker in the environment is the proof, and that it leads its session tells
    it from its descendants.
    """
    found = proc.read_stat(pid)
    if found is None or found.session != pid or found.state == "Z":
        return None
    is_it = found.start_ticks == start_ticks if start_ticks else proc.read_marker(pid) == bundle.token
    return Process(pid, found.start_ticks, _boot) if is_it else None


def current_boot_id() -> str:
    """Return the boot that this process lives in."""
    return _boot


def _check_directory(directory: str | None) -> None:
    if directory is None:
        return
    if not os.path.isabs(directory):
        raise SpawnFailed(f"the working directory {directory} is not absolute", 1)
    try:
        found = os.stat(directory)
    except (FileNotFoundError, NotADirectoryError):
        raise SpawnFailed(f"the working directory {directory} does not exist", 127) from None
    except PermissionError:
        raise SpawnFailed(f"the working directory {directory} may not be entered", 126) from None
    except (OSError, ValueError) as error:
        raise SpawnFailed(f"the working directory {directory[:200]!r} cannot be used: {error}", 1) from None
    if not stat.S_ISDIR(found.st_mode):
        raise SpawnFailed(f"the working directory {directory} is not a directory", 1)
    if not os.access(directory, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise SpawnFailed(f"the working directory {directory} may not be entered", 126)


def _find_program(command: Command) -> str:
    """Return the program's file as a shell would find it; raise SpawnFailed when it is not there or not executable."""
    argv = command.interpreter or command.argv
    if not argv or not argv[0]:
        raise SpawnFailed("the command is empty", 127)
    name = argv[0]
    if name == SHELL:
        return name
    base = command.directory or os.getcwd()
    if "/" in name:
        candidates = [os.path.join(base, name)]
    else:
        search = command.variable("PATH") or _DEFAULT_PATH
        candidates = [os.path.join(base, place or ".", name) for place in search.split(":")]
    found_any = False
    for candidate in candidates:
        # A folder of PATH that does not exist or may not be read holds nothing, as for a shell.
        with contextlib.suppress(OSError, ValueError):
            if stat.S_ISREG(os.stat(candidate).st_mode):
                if os.access(candidate, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                    return candidate
                found_any = True
            elif "/" in name:
                found_any = True
    if command.interpreter and found_any:
        raise SpawnFailed(f"the interpreter {name} may not be executed", 126)
    if command.interpreter:
        raise SpawnFailed(f"the interpreter {name} was not found", 127)
    if found_any:
        raise SpawnFailed(f"{name}: permission denied", 126)
    raise SpawnFailed(f"{name}: command not found", 127)


class _Programs:
    """Remembers for a moment which programs are there: many runs of the same second ask for the same few.

    Should one vanish within that moment, the keeper finds out.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None, str | None], tuple[str, float]] = {}

    def find(self, command: Command) -> str:
        """Return the file of a command's program; raises SpawnFailed when it is not there or may not be executed."""
        argv = command.interpreter or command.argv
        name = argv[0] if argv else ""
        key = (name, command.directory, command.variable("PATH"))
        now = clock.monotonic()
        known = self._found.get(key)
        if known is not None and now < known[1]:
            return known[0]
        file = _find_program(command)
        if len(self._found) > _REMEMBERED_PROGRAMS:
            self._found.clear()
        self._found[key] = (file, now + _REMEMBERED_SECONDS)
        return file


_REMEMBERED_PROGRAMS = 4096
_REMEMBERED_SECONDS = 1.0
_programs = _Programs()
