"""Control groups: one per attempt that has a memory or process limit, where this machine lets us make them.

Only a group bounds all processes of a run together, tells that a limit was reached, and finds a process that has left
the session, cleared its environment and forked twice: no process can leave its group without the right to.

A group has one manager, so we make ours only inside one that is ours to divide: the top of what we can see (a container, a
machine without a manager), one that systemd has delegated (``Delegate=yes``), or one that was given to our user. Both
versions are known; on version 1 each controller stands for itself, on version 2 one folder holds both. The command moves
itself into its group before anything of it runs, so its keeper stays outside and can tell how it ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import logging
import os
import signal

from watchbell import clock
from watchbell.execution import proc
from watchbell.execution.tree import Member, signal_member

log = logging.getLogger(__name__)

MEMORY, PIDS = "memory", "pids"
#: Inside the group that is ours to divide.
_FOLDER = "watchbell"
#: Where the scheduler itself goes on version 2, which allows no processes in a group that hands controllers down.
_OWN_FOLDER = "watchbell-scheduler"
#: The kernel takes a moment to forget a process that has ended; until then its group cannot be removed.
_REMOVE_SECONDS = 0.02
_TRIES = 5
_V1_MEMORY, _V1_SWAP = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


@dataclasses.dataclass(frozen=True, slots=True)
class Hierarchy:
    """One tree of groups in which we may make our own."""

    version: int
    controllers: frozenset[str]
    #: The group that is ours to divide.
    base: str

    def prepare(self) -> bool:
        """Make room for the groups of runs; False when the system does not allow it after all."""
        try:
            os.makedirs(f"{self.base}/{_FOLDER}", exist_ok=True)
            if self.version == 2:
                self._hand_down()
            return True
        except OSError as error:
            log.info("No control groups can be made in %s: %s", self.base, error.strerror)
            return False

    def _hand_down(self) -> None:
        wanted = self._wanted()
        try:
            _write(f"{self.base}/cgroup.subtree_control", wanted)
        except OSError:
            # Processes stand in the way; the one that we may move is ourselves.
            os.makedirs(f"{self.base}/{_OWN_FOLDER}", exist_ok=True)
            _write(f"{self.base}/{_OWN_FOLDER}/cgroup.procs", "0")
            _write(f"{self.base}/cgroup.subtree_control", wanted)
        _write(f"{self.base}/{_FOLDER}/cgroup.subtree_control", wanted)

    def make(self, home: str, name: str, limits: dict[str, int]) -> str:
        """Make the group of an attempt under its limits and return its folder."""
        folder = self._make_folder(f"{self.base}/{_FOLDER}/{home}", name)
        if MEMORY in limits and MEMORY in self.controllers:
            # Without the second one a run would only be swapped out.
            files = ("memory.max", "memory.swap.max") if self.version == 2 else (_V1_MEMORY, _V1_SWAP)
            _write(f"{folder}/{files[0]}", str(limits[MEMORY]))
            # A kernel that does not account for swap has no such file.
            with contextlib.suppress(FileNotFoundError):
                _write(f"{folder}/{files[1]}", "0" if self.version == 2 else str(limits[MEMORY]))
        if PIDS in limits and PIDS in self.controllers:
            _write(f"{folder}/pids.max", str(limits[PIDS]))
        return folder

    def _make_folder(self, parent: str, name: str) -> str:
        """Make a group below one that goes with the last one in it, at any moment."""
        folder = f"{parent}/{name}"
        for _ in range(_TRIES):
            try:
                os.mkdir(folder)
                return folder
            except FileExistsError:
                return folder  # Its start was interrupted before anything ran.
            except OSError as error:
                # The parent is gone, or on its way, which the kernel calls "no such device".
                if error.errno not in {errno.ENOENT, errno.ENODEV}:
                    raise
                self._make_parent(parent)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)

    def _make_parent(self, parent: str) -> None:
        """Make the group of an installation, which may vanish again at any moment."""
        # Gone in the very look whether it is there, or made by another meanwhile: the next attempt settles both.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            os.makedirs(parent, exist_ok=True)
            if self.version == 2:
                _write(f"{parent}/cgroup.subtree_control", self._wanted())

    def _wanted(self) -> str:
        return " ".join(f"+{name}" for name in sorted(self.controllers))


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The groups of one attempt: one folder on version 2, up to one for each controller on version 1."""

    folders: tuple[str, ...]

    def members(self) -> list[Member]:
        """Return the living processes in the group, wherever they have moved in the process tree."""
        numbers = {pid for folder in self.folders for pid in _list_members(folder)}
        found = [proc.read_stat(pid) for pid in numbers]
        return [Member(s.pid, s.start_ticks, s.group, False) for s in found if s is not None and s.state != "Z"]

    def hinder_forks(self) -> None:
        """Let no new process come into being, or kill all at one stroke where the kernel can."""
        for folder in self.folders:
            for name, text in (("cgroup.kill", "1"), ("pids.max", "0")):
                # Neither is there on every kernel and in every hierarchy; who forks meanwhile is killed in the next round.
                with contextlib.suppress(OSError):
                    _write(f"{folder}/{name}", text)

    def reached(self) -> frozenset[str]:
        """Return which limits were hit."""
        found = set()
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                if _read_field(f"{folder}/{name}", "oom_kill"):
                    found.add(MEMORY)
            if _read_field(f"{folder}/pids.events", "max"):
                found.add(PIDS)
        return frozenset(found)

    def remove(self) -> bool:
        """Remove the group when nothing lives in it any more; False when the kernel still holds it."""
        gone = [folder for folder in self.folders if _remove(folder)]
        _stale.update(set(self.folders) - set(gone))
        for folder in gone:
            # The last one of an installation takes its parent along; others still there refuse that.
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(folder))
        return len(gone) == len(self.folders)


#: Groups that the kernel still held when they were to be removed; they are tried again when the next one is made.
_stale: set[str] = set()


def controllers() -> dict[str, int]:
    """Return which controllers can be used, with the version of each. Changes nothing."""
    # Whether groups can really be made is only known once it was tried, which a mere look must not do.
    trees = _ready_hierarchies() if _ready_hierarchies.cache_info().currsize else _find_hierarchies()
    return {name: tree.version for tree in trees for name in tree.controllers}


def prepare() -> None:
    """Get ready to make groups; done by the scheduler, once, since it may have to move itself out of the way."""
    _ready_hierarchies()


def make(token: str, limits: dict[str, int]) -> Group | None:
    """Make the groups of the attempt with this token; None where this machine does not let us.

    Raises OSError when they should be possible and cannot be made.
    """
    home, _, name = token.partition(".")
    for folder in list(_stale):
        _stale.discard(folder)
        Group((folder,)).remove()
    folders = tuple(tree.make(home, name, limits) for tree in _ready_hierarchies())
    return Group(folders) if folders else None


def find(token: str) -> Group | None:
    """Return the groups of the attempt with this token as far as they are there, whoever made them."""
    home, _, name = token.partition(".")
    folders = (f"{tree.base}/{_FOLDER}/{home}/{name}" for tree in _find_hierarchies())
    found = tuple(folder for folder in folders if os.path.isdir(folder))
    return Group(found) if found else None


def remove_left_over(home: str, kept: set[str]) -> int:
    """Kill what is left in groups of an installation that belong to no attempt, remove them, and return their number."""
    count = 0
    for tree in _find_hierarchies():
        parent = f"{tree.base}/{_FOLDER}/{home}"
        if not os.path.isdir(parent):
            continue
        for entry in list(os.scandir(parent)):
            if entry.is_dir() and entry.name not in kept:
                group = Group((entry.path,))
                kill(group)
                count += group.remove()
    return count


def kill(group: Group) -> None:
    """Kill everything in a group."""
    group.hinder_forks()
    for member in group.members():
        signal_member(member, signal.SIGKILL)


@functools.cache
def _ready_hierarchies() -> tuple[Hierarchy, ...]:
    return tuple(tree for tree in _find_hierarchies() if tree.prepare())


@functools.cache
def _find_hierarchies() -> tuple[Hierarchy, ...]:
    """Return the trees of groups in which one is ours to divide and has what we need."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = dict(line.rstrip("\n").split(":", 2)[1:] for line in file)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        mounts = [line.split() for line in file]
    found = []
    for fields in mounts:
        kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
        if kind == "cgroup2":
            names, version, place = frozenset({MEMORY, PIDS}), 2, own.get("")
        elif kind == "cgroup":
            names, version = frozenset({MEMORY, PIDS} & set(options)), 1
            place = next((path for key, path in own.items() if names & set(key.split(","))), None)
        else:
            continue
        if not names or place is None:
            continue
        base = _find_base(fields[4], fields[3], place.removesuffix(f"/{_OWN_FOLDER}") or "/")
        if base is not None and version == 2:
            names &= set(_read(f"{base}/cgroup.controllers").split())
        if base is not None and names:
            found.append(Hierarchy(version, names, base))
    return tuple(found)


def _find_base(mount: str, root: str, own: str) -> str | None:
    """Return the folder of the group that is ours to divide: our own one or one above it."""
    if os.path.commonpath((root, own)) != root or "/.." in own:
        return None
    inside = os.path.relpath(own, root)
    path = mount if inside == "." else f"{mount}/{inside}"
    if own == "/":
        return path if os.access(path, os.W_OK) else None
    while path != mount:
        if _is_delegated(path) and os.access(path, os.W_OK):
            return path
        path = os.path.dirname(path)
    return None


def _is_delegated(path: str) -> bool:
    """Return whether a group was given away: systemd marks such a one, and others hand it to the user."""
    try:
        if os.geteuid() != 0 and os.stat(path).st_uid == os.geteuid():
            return True
        return any(
            name in ("user.delegate", "trusted.delegate") and os.getxattr(path, name) == b"1"
            for name in os.listxattr(path)
        )
    except OSError:
        # Some versions of the file system know no attributes.
        return False


def _list_members(folder: str) -> list[int]:
    """Return the processes of a group and of the groups that the command may have made inside it."""
    found = []
    for place, _folders, _files in os.walk(folder):
        found += [int(number) for number in _read(f"{place}/cgroup.procs").split()]
    return found


def _remove(folder: str) -> bool:
    deadline = clock.monotonic() + _REMOVE_SECONDS
    while True:
        try:
            for place, _folders, _files in os.walk(folder, topdown=False):
                os.rmdir(place)
            return True
        except FileNotFoundError:
            return True
        except OSError:
            if clock.monotonic() >= deadline:
                return False
            clock.pause(0.005)


def _read(path: str) -> str:
    """Return a file of a group, empty when it is gone or this kernel does not have it."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _read_field(path: str, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _write(path: str, text: str) -> None:
    # Never made: a file that the kernel does not offer must not come into being as an ordinary one.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
