"""Which paths lie where a look may never return: on network and user-space file systems, whose server may be gone.

Nobody who serves many runs may touch such a path, not even to see whether it is there: the kernel holds whoever does,
beyond any signal. The command's own process goes there instead, and if it hangs, it hangs alone.
"""

from __future__ import annotations

import contextlib
import os

from watchbell import clock
from watchbell.execution.command import SHELL, Command

_KINDS = frozenset(
    """
    9p acfs afs autofs beegfs ceph cifs coda davfs gfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs panfs
    pvfs2 smb3 smbfs virtiofs vboxsf
    """.split()
)
_FUSE = "fuse"
#: How long what was seen of the mounts and of a path is believed.
_REMEMBERED_SECONDS = 1.0
_REMEMBERED_PATHS = 4096
_MOST_LINKS = 40
#: What a shell does first: its own way to the directory, and to the program.
_TEXT = 'if [ -n "$1" ];then cd -- "$1"||exit 126;fi;shift;unset PWD OLDPWD SHLVL;exec "$@"'


class Mounts:
    """The mount points of such file systems, looked up again after a moment."""

    def __init__(self, table: str = "/proc/self/mounts") -> None:
        self._table = table
        self._points: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._known: dict[str, bool] = {}

    def hold(self, path: str) -> bool:
        """Return whether an absolute path, or what a link on the way points to, lies below one of them."""
        now = clock.monotonic()
        if now - self._read_at >= _REMEMBERED_SECONDS or len(self._known) > _REMEMBERED_PATHS:
            self._points, self._read_at = _far_points(self._table), now
            self._known.clear()
        if not self._points:
            return False
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._leads_there(path)
        return found

    def _leads_there(self, path: str) -> bool:
        """Walk a path step by step, and look only at what lies on this machine."""
        todo, current = path.split("/")[::-1], "/"
        links = 0
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            current = os.path.normpath(os.path.join(current, name))
            if current in self._points:
                return True
            target = _read_link(current)
            if target is None:
                continue
            links += 1
            if links > _MOST_LINKS:
                return False
            todo += target.split("/")[::-1]
            current = "/" if target.startswith("/") else os.path.dirname(current)
        return False


def _read_link(path: str) -> str | None:
    # Most names are no links, and one that is not there leads nowhere.
    with contextlib.suppress(OSError):
        return os.readlink(path)
    return None


def _far_points(table: str) -> tuple[str, ...]:
    with open(table, encoding="utf-8", errors="surrogateescape") as mounts:
        found = [line.split(" ")[1:3] for line in mounts]
    far = {_unescape(point) for point, kind in found if kind in _KINDS or kind.startswith(_FUSE)}
    # Where everything lies there, nothing is gained by going around it.
    return tuple(far - {"/"})


def _unescape(point: str) -> str:
    """Return a mount point as it is: the kernel writes blanks and backslashes in octal."""
    if "\\" not in point:
        return point
    return (
        point.encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
    )


_mounts = Mounts()


def leads_far(path: str, mounts: Mounts = _mounts) -> bool:
    """Return whether the way to a path leads over such a file system."""
    return path.startswith("/") and mounts.hold(path)


def is_far(command: Command, mounts: Mounts = _mounts) -> bool:
    """Return whether the way to a command's directory or program leads over such a file system."""
    name = command.argv[0] if command.argv else ""
    base = command.directory or ""
    if leads_far(base, mounts):
        return True
    if name == SHELL or not name:
        return False
    if "/" in name:
        candidates = [os.path.join(base, name)]
    else:
        candidates = (command.variable("PATH") or "").split(":")
    return any(leads_far(candidate, mounts) for candidate in candidates)


def go_there_itself(directory: str | None, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments of a shell that goes to a directory and becomes a command."""
    return (SHELL, "-c", _TEXT, "watchbell-far", directory or "", *argv)
