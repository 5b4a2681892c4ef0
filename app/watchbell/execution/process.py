"""Starting one command under its shim, and telling our processes from strangers that got their number."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
import stat
import threading

from watchbell import clock
from watchbell.errors import Conflict, WatchbellError
from watchbell.execution import proc, shim
from watchbell.execution.bundle import MARKER, Bundle
from watchbell.execution.command import SHELL, Command
from watchbell.execution.kernel import boot_id

_ALL_SIGNALS = tuple(sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
_REAL_SHELL = os.path.realpath(SHELL)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class SpawnFailed(WatchbellError):
    """The command could not be started, and it is certain that nothing of it ran."""

    code = "spawn_failed"

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.reason = reason
        #: What a shell would answer: 127 not found, 126 not permitted, 1 anything else.
        self.exit_code = exit_code


class AlreadyStarted(Conflict):
    """This attempt was started before; it may be running."""


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """The identity of a shim, which leads the session of its command. A pid alone may be anybody's."""

    pid: int
    #: Field 22 of /proc/PID/stat.
    start_ticks: int
    boot_id: str


class Children:
    """The shims that this process has spawned and not yet waited for.

    Held while spawning, so that whoever looks at the list of our children never takes a shim that is just being born
    for an orphan.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pids: set[int] = set()


#: One process has one list of children, so this is one per process too.
children = Children()
_boot = boot_id()


def launch(bundle: Bundle, command: Command) -> Process:
    """Start a command under its shim and return the shim's identity.

    Raises SpawnFailed when it is known that nothing ran, and AlreadyStarted when the bundle has its mark already.
    """
    _check_directory(command.directory)
    program = _programs.find(command)
    spawn = shim.prepare(
        command.argv,
        command.environment,
        command.directory,
        f"{MARKER}={bundle.token}",
        is_shell=program.is_shell,
    )
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    files = (
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, bundle.out, writing, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, bundle.status, writing | os.O_EXCL, 0o600),
        (os.POSIX_SPAWN_OPEN, 3, bundle.err, writing, 0o600),
    )
    try:
        with children.lock:
            pid = os.posix_spawn(
                SHELL,
                spawn.arguments,
                spawn.environment,
                file_actions=files,
                setsid=True,
                setsigmask=(),
                setsigdef=_ALL_SIGNALS,
            )
            children.pids.add(pid)
    except FileExistsError:
        raise AlreadyStarted from None
    except (OSError, ValueError) as error:
        raise SpawnFailed(_spawn_reason(error), 1) from error
    # It is our child and not waited for, so the number is its own even if it has ended already.
    found = proc.read_stat(pid)
    return Process(pid, found.start_ticks if found is not None else 0, _boot)


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


def find_shim(bundle: Bundle, pid: int | None) -> Process | None:
    """Return the living shim of a bundle; ``pid`` is where its status file says that it is.

    The marker in the environment is the proof, and that it leads its session tells it from the command's processes. A
    status file without a pid was made by a shim that is only just starting, so all processes are looked at.
    """
    for candidate in (pid,) if pid is not None else proc.list_pids():
        found = proc.read_stat(candidate)
        if found is None or found.session != candidate or found.state == "Z":
            continue
        if proc.read_marker(candidate) == bundle.token:
            return Process(candidate, found.start_ticks, _boot)
    return None


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
    if not command.argv or not command.argv[0]:
        raise SpawnFailed("the command is empty", 127)
    name = command.argv[0]
    if name == SHELL:
        return name
    base = command.directory or os.getcwd()
    if "/" in name:
        candidates = [os.path.join(base, name)]
    else:
        search = command.environment.get("PATH", _DEFAULT_PATH)
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
    if found_any:
        raise SpawnFailed(f"{name}: permission denied", 126)
    raise SpawnFailed(f"{name}: command not found", 127)


@dataclasses.dataclass(frozen=True, slots=True)
class _Program:
    """What a name on a command line stands for."""

    is_shell: bool
    until: float


class _Programs:
    """Remembers for a moment which programs are there: many runs of the same second ask for the same few.

    Should one vanish within that moment, the shell inside the shim finds out, and its exit code 127 or 126 says so.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None, str], _Program] = {}

    def find(self, command: Command) -> _Program:
        """Return the program of a command; raises SpawnFailed when it is not there or may not be executed."""
        name = command.argv[0] if command.argv else ""
        key = (name, command.directory, command.environment.get("PATH", _DEFAULT_PATH))
        now = clock.monotonic()
        known = self._found.get(key)
        if known is not None and now < known.until:
            return known
        file = _find_program(command)
        is_shell = file == SHELL or (name == "sh" and os.path.realpath(file) == _REAL_SHELL)
        if len(self._found) > _REMEMBERED_PROGRAMS:
            self._found.clear()
        found = self._found[key] = _Program(is_shell, now + _REMEMBERED_SECONDS)
        return found


_REMEMBERED_PROGRAMS = 4096
_REMEMBERED_SECONDS = 1.0
_programs = _Programs()


def _spawn_reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.E2BIG:
            return "the command and its environment are too long for this system"
        if error.errno == errno.EAGAIN:
            return "no more processes are allowed at the moment"
        return f"the command could not be started: {error.strerror}"
    return f"the command could not be started: {error}"
