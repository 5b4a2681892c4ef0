"""Where the embedded database lies, whether it may be made there, and whether it is still the file that was opened."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from watchbell.errors import ConfigError, DatabaseTrouble, Unavailable

_NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph"})
#: Device and number of a file: what makes it this one, wherever it is moved to.
Identity = tuple[int, int]
_POSTGRESQL = frozenset({"postgresql", "postgres"})
#: What lies beside the file while it is in use, or after a crash; to be written by whoever writes the file.
COMPANIONS = ("-wal", "-shm")


def parsed(url: str) -> URL:
    """Return a URL in its parts; raises ConfigError for one that cannot be used."""
    try:
        found = make_url(url)
    except ArgumentError:
        # The text itself is not repeated: it may hold a password.
        raise ConfigError(
            "the database URL cannot be understood; an example: sqlite:////var/lib/watchbell.db"
        ) from None
    if found.get_backend_name() == "sqlite" and found.database in {None, "", ":memory:"}:
        raise ConfigError("the database URL names no file, and several programs cannot share a database in memory")
    # The name that other programs use, too, means the one driver that we know.
    return found.set(drivername="postgresql+psycopg") if found.drivername in _POSTGRESQL else found


def file_of(url: URL) -> Path | None:
    """Return the file of the embedded database; None for a server, or for a name with options of its own."""
    name = url.database or ""
    if url.get_backend_name() != "sqlite" or name.startswith("file:"):
        return None
    return Path(name).absolute()


def uri_of(file: Path, *, makes: bool) -> str:
    """Return the name under which a file is opened: without ``makes`` one that is not there stays away."""
    return f"{file.as_uri()}?mode={'rwc' if makes else 'rw'}"


def marker_of(file: Path) -> Path:
    """Return the mark that says that there was a database here, made with its first schema."""
    return file.with_name(f"{file.name}.made")


def remains_of(home: Path, file: Path) -> list[Path]:
    """Return what says that there was a database at a place: an empty one beside it has lost its rows."""
    # The scheduler makes the folder of outputs only after the database.
    left = (home / "output", marker_of(file))
    return [path for path in left if path.parent == file.parent and path.exists()]


def set_marker(file: Path) -> None:
    """Mark that there is a database here; a disk without room for it costs only the mark."""
    # The next start tries again.
    with contextlib.suppress(OSError):
        marker_of(file).touch(mode=0o600)


def identity(file: Path) -> Identity | None:
    """Return which file lies at a place now, or None."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def require_same(file: Path, opened: Identity) -> None:
    """Raise Unavailable unless the file that was opened still lies where it was.

    A file that is deleted or moved goes on to take what is written to it, which nobody would ever find again.
    """
    found = identity(file)
    if found is None:
        raise Unavailable("the database file is not there any more; put it back", DatabaseTrouble.GONE)
    if found != opened:
        raise Unavailable("another file has been put in the place of the database", DatabaseTrouble.REPLACED)


def prepare_home(home: Path, url: str) -> None:
    """Make the data directory, private to its owner, and refuse places where the embedded database would be harmed.

    A directory that holds other things keeps its mode. Raises ConfigError with one line that says what is wrong.
    """
    url_parts = parsed(url)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid == os.geteuid() and not any(home.iterdir()):
            home.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"data directory {home} cannot be made: {error.strerror}") from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise ConfigError(f"data directory {home} is not writable by this user")
    file = file_of(url_parts)
    if file is not None:
        _prepare_file(home, file)


def _prepare_file(home: Path, file: Path) -> None:
    for path in (file, *(file.with_name(file.name + end) for end in COMPANIONS)):
        if path.exists() and not os.access(path, os.W_OK):
            raise ConfigError(f"database {path} is not writable by this user")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"database {file} is not writable by this user")
    kind = network_kind(file)
    if kind:
        raise ConfigError(f"database {file} lies on a network file system ({kind}), where SQLite can be damaged")
    is_empty = not file.exists() or file.stat().st_size == 0
    left = remains_of(home, file)
    if is_empty and left:
        raise ConfigError(
            f"database {file} is missing or empty, but there was one, with outputs of its runs; restore a backup, or "
            f"remove {' and '.join(map(str, left))} to begin anew"
        )
    if not file.exists():
        file.touch(mode=0o600)


def network_kind(file: Path) -> str:
    """Return the type of the network file system that a file lies on, empty for one on a local disk."""
    kind = _file_system(file.resolve().parent, _mounts())
    return kind if kind in _NETWORK_FILE_SYSTEMS else ""


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _file_system(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds a path, empty where the kernel's list does not tell."""
    best, kind = "", ""
    for line in mounts.splitlines():
        _source, escaped, found, *_rest = line.split(" ")
        # The kernel writes blanks in octal.
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
        inside = mount == "/" or path == Path(mount) or Path(mount) in path.parents
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind
