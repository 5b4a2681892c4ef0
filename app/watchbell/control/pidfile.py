"""The lock that makes a scheduler the only one of its data directory, and the PID file that tells who holds it.

The lock decides: it is an flock that the kernel gives up with the process, however that ends. The PID file is
information beside it. What it names is believed only together with the start time and the boot, since a number alone
may belong to anybody by now.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from watchbell import clock
from watchbell.config import Config
from watchbell.errors import AlreadyRunning, ConfigError
from watchbell.execution import proc
from watchbell.execution.identity import Process
from watchbell.execution.process import current_boot_id, open_process

#: Those who look at the lock take it shared for an instant, so one refusal does not yet mean that it is held.
_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 0.02
#: The kernel's own highest bound of a PID.
_PID_MAX = 4_194_304


class DamagedPIDFile(ConfigError):
    """The PID file holds something else than a PID."""


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """Who wrote the PID file."""

    pid: int
    #: None in a file that names a PID only: such an owner can be shown, but nothing can be proven of it.
    start_ticks: int | None
    boot_id: str

    @classmethod
    def myself(cls) -> Owner:
        """Return the running process."""
        found = proc.read_stat(os.getpid())
        if found is None:
            raise ConfigError("/proc is not there, without which processes cannot be told apart")
        return cls(os.getpid(), found.start_ticks, current_boot_id())

    def open(self) -> int | None:
        """Return a pidfd of exactly this process, or None if it is gone or cannot be proven to be the same."""
        if self.start_ticks is None:
            return None
        return open_process(Process(self.pid, self.start_ticks, self.boot_id))


@contextlib.contextmanager
def hold(config: Config) -> Iterator[Owner]:
    """Be the scheduler of this data directory for the length of the block.

    Raises AlreadyRunning naming the owner's PID, and DamagedPIDFile if the PID file holds garbage: somebody must look
    at what wrote there before a scheduler replaces it.
    """
    descriptor = _lock(config)
    try:
        find_owner(config)
        me = Owner.myself()
        _write(config.pid_path, f"{me.pid}\n{me.start_ticks} {me.boot_id}\n")
        try:
            yield me
        finally:
            _remove(config, me)
    finally:
        os.close(descriptor)


def is_held(config: Config) -> bool | None:
    """Return whether a scheduler of this data directory lives; None if this user may not know."""
    try:
        descriptor = os.open(config.lock_path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def find_owner(config: Config) -> Owner | None:
    """Return who the PID file names, or None if there is none; raises DamagedPIDFile."""
    path = config.pid_path
    try:
        text = path.read_bytes()[:1024].decode("ascii")
        number, _, rest = text.partition("\n")
        ticks, _, boot = rest.strip().partition(" ")
        if not number.strip().isdecimal() or (rest.strip() and not (ticks.isdecimal() and boot)):
            raise ValueError(text)
        owner = Owner(int(number), int(ticks) if ticks else None, boot.strip())
        if not 0 < owner.pid <= _PID_MAX:
            raise ValueError(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedPIDFile(f"PID file {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise DamagedPIDFile(
            f"PID file {path} holds something else than a PID; look at it and remove it if nothing needs it"
        ) from None
    return owner


def is_alive(owner: Owner) -> bool:
    """Return whether this very process lives; one that belongs to somebody else is alive, too."""
    if owner.start_ticks is None or owner.boot_id != current_boot_id():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Not permitted means that there is such a process; whether it is the same one is told below.
        pass
    found = proc.read_stat(owner.pid)
    # A system may hide the processes of others; then the answer of the signal is all there is.
    return found is None or (found.start_ticks == owner.start_ticks and found.state != "Z")


def _lock(config: Config) -> int:
    """Return a descriptor that holds the lock; raises AlreadyRunning."""
    deadline = clock.monotonic() + _RETRY_SECONDS
    while True:
        descriptor = _open_lock(config.lock_path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(descriptor, config.lock_path):
                return descriptor
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            if clock.monotonic() >= deadline:
                raise AlreadyRunning(_owner_sentence(config)) from None
            clock.pause(_LOOK_SECONDS)
        except OSError as error:
            os.close(descriptor)
            raise ConfigError(f"{config.lock_path} cannot be locked: {error.strerror}") from None


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise ConfigError(f"{path} cannot be opened: {reason}") from None


def _is_still_there(descriptor: int, path: Path) -> bool:
    """Return whether the locked file is the one that others will find under this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _owner_sentence(config: Config) -> str:
    try:
        owner = find_owner(config)
    except DamagedPIDFile as error:
        return f"the scheduler of {config.home} is running already; {error.message}"
    who = f" (PID {owner.pid})" if owner else ""
    return f"the scheduler of {config.home} is running already{who}"


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigError(f"PID file {path} cannot be written: {error.strerror}") from None


def _remove(config: Config, me: Owner) -> None:
    try:
        if find_owner(config) == me:
            config.pid_path.unlink(missing_ok=True)
    except DamagedPIDFile:
        # Somebody wrote into it meanwhile; it stays for them to see, and the next start says so.
        return
