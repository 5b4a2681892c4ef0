"""The bundles of active attempts: where their files lie, what is in them, and who may claim one.

A bundle is three to five files, ``<run_id>.<attempt>.status``, ``.out``, ``.err`` and ``.order``, in one of two folders:

``status``  made exclusively by the keeper before it starts the command, so it is the mark that forbids a second start; it
            says when, on which boot and under which limits the attempt was started, and at the end how it ended
``out``, ``err``   what the command wrote
``status.steps``   made only for steps that run as another user: what their runner notes
``status.script``   the script of a task with an interpreter, or a link to where the user of the run finds it; see scripts.py
``order``   made only if it uses both: in which order, see order.py

Bundles lie on tmpfs, where making files costs microseconds, while the bytes that they hold there stay below a bound,
else on disk. Nothing in them outlives a reboot, and no process of a run does either; the boot id tells. Note that
systemd-logind removes a person's files in /dev/shm and /run/user at their last logout unless lingering is on for them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from watchbell.domain.concealing import Concealer
from watchbell.errors import ConfigError
from watchbell.execution.record import Meta, read_record

#: The variable by which every process of a run is found again, wherever it has moved in the process tree.
MARKER = "WATCHBELL_RUN_TOKEN"
#: Behind the name of a record: the steps of an attempt that ran as somebody else, who must not write into the record.
STEPS = ".steps"
#: Behind the name of a record: the script of an attempt, with a number from the second one on, or links to them.
SCRIPT = ".script"
#: Where every user of the system may look for a file whose name it knows; else it is where files for a while are made.
_PUBLIC = "/dev/shm"
_NAME = re.compile(
    r"(?P<run>[A-Za-z0-9_-]{1,64})\.(?P<attempt>[0-9]{1,9})\.(?:status|status.steps|status.script[0-9]{0,2}|out|err|order)"
)


class Bundle:
    """The files of one attempt. What is asked for again and again is worked out once."""

    __slots__ = (
        "attempt", "concealer", "err", "is_unmasked", "name", "on_tmpfs", "order", "out", "path", "root", "run_id", "status", "token",
    )  # fmt: skip

    def __init__(self, run_id: str, attempt: int, root: str, on_tmpfs: bool, token: str) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.root = root
        self.on_tmpfs = on_tmpfs
        #: The value of the marker variable; it names the data directory too, so that two installations never meet.
        self.token = token
        #: What its files are named after, and what their paths begin with.
        self.name = f"{run_id}.{attempt}"
        self.path = f"{root}/{self.name}"
        #: Standard output, standard error, their order, and the record.
        self.out = f"{self.path}.out"
        self.err = f"{self.path}.err"
        self.order = f"{self.path}.order"
        self.status = f"{self.path}.status"
        #: Masks the secrets in what is kept of its output, if the command was given any.
        self.concealer: Concealer | None = None
        #: It was given some that cannot be known at the moment, so that its output is kept as it is.
        self.is_unmasked = False

    def __repr__(self) -> str:
        return f"Bundle({self.path!r})"

    def read_meta(self) -> Meta | None:
        """Return what was written at the start, or None when nothing was started or the writer died in the middle of it."""
        record = read_record(self.status)
        return record.meta if record is not None else None


class Bundles:
    """Claims, finds, lists and removes bundles. Safe to use from several threads."""

    def __init__(self, runtime_root: Path | None, disk_root: Path, runtime_limit_bytes: int) -> None:
        self._disk = str(disk_root)
        self._runtime = str(runtime_root) if runtime_root is not None else None
        self._limit = runtime_limit_bytes
        self._prefix = hashlib.sha256(os.fsencode(self._disk)).hexdigest()[:12]
        self._lock = threading.Lock()
        #: Names whose mark was set in both folders, because it was not known where they were to be started.
        self._refused: set[str] = set()
        self._charges: dict[str, int] = {}
        self._charged = 0

    @property
    def prefix(self) -> str:
        """Return what the tokens of this installation's runs begin with."""
        return self._prefix

    def prepare(self) -> None:
        """Make the roots, for their owner alone; a runtime root that is not ours is left alone and the disk is used.

        Raises ConfigError when the disk root cannot be made or belongs to somebody else.
        """
        refusal = _claim_root(self._disk)
        if refusal:
            raise ConfigError(f"run folders cannot be kept in {self._disk}: {refusal}")
        if self._runtime is not None and _claim_root(self._runtime):
            self._runtime = None
        for bundle in self.list():
            if bundle.on_tmpfs:
                self.charge(bundle, sum(_allocated(path) for path in (bundle.out, bundle.err)))

    def claim(self, run_id: str, attempt: int, *, on_disk: bool = False) -> Bundle:
        """Return the bundle of an attempt that is to be started; its keeper makes the files.

        Nothing is looked at here: that no attempt is started twice is the mark's business.
        """
        has_room = self._runtime is not None and self._charged < self._limit
        return self._bundle(run_id, attempt, on_tmpfs=has_room and not on_disk)

    def move_to_disk(self, bundle: Bundle) -> Bundle:
        """Return where an attempt that could not be started on tmpfs is to be started instead."""
        self.note_refused(bundle)
        found = self.claim(bundle.run_id, bundle.attempt, on_disk=True)
        found.concealer = bundle.concealer
        return found

    def places(self, run_id: str, attempt: int) -> list[Bundle]:
        """Return where an attempt may have been started: on tmpfs, if there is any, and on disk."""
        there = [True, False] if self._runtime is not None else [False]
        return [self._bundle(run_id, attempt, on_tmpfs=on_tmpfs) for on_tmpfs in there]

    def note_refused(self, bundle: Bundle) -> None:
        """Remember that a bundle is to be removed wherever it may be."""
        self._refused.add(bundle.name)

    def find(self, run_id: str, attempt: int) -> Bundle | None:
        """Return the bundle of an attempt that was started, or refused, while its files exist."""
        return next((place for place in self.places(run_id, attempt) if os.path.lexists(place.status)), None)

    def list(self) -> Iterator[Bundle]:
        """Yield every bundle there is."""
        for root, on_tmpfs in ((self._runtime, True), (self._disk, False)):
            if root is None or not os.path.isdir(root):
                continue
            matches = map(_NAME.fullmatch, sorted(os.listdir(root)))
            for run_id, attempt in dict.fromkeys((match["run"], match["attempt"]) for match in matches if match):
                yield self._bundle(run_id, int(attempt), on_tmpfs=on_tmpfs)

    def remove(self, bundle: Bundle) -> None:
        """Remove a bundle whose result is stored for good."""
        self.charge(bundle, 0)
        if bundle.name in self._refused:
            self._refused.discard(bundle.name)
            for place in self.places(bundle.run_id, bundle.attempt):
                self.remove(place)
        self._remove_scripts(f"{bundle.status}{SCRIPT}")
        # The mark goes last: while it is there, nothing can start under this name.
        for path in (bundle.out, bundle.err, bundle.order, f"{bundle.status}{STEPS}", bundle.status):
            try:
                os.unlink(path)
            except FileNotFoundError:
                # An attempt that never started has no output, and few have an order of it.
                continue

    def _remove_scripts(self, first: str) -> None:
        """Remove the scripts of a bundle, most of which have none, and what is where links lead to."""
        path, number = first, 1
        while True:
            try:
                place = os.readlink(path)
            except FileNotFoundError:
                # That was the last one, or there was none at all.
                return
            except OSError:
                # It is no link: the script lies here itself.
                place = ""
            if place:
                # A reboot in between has taken it away.
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(place)
            os.unlink(path)
            number += 1
            path = f"{first}{number}"

    def leave(self) -> None:
        """Give back the folders on tmpfs if nothing is in them; the next start makes them again."""
        # Few have such a folder, and what is in it belongs to runs that go on.
        with contextlib.suppress(OSError):
            os.rmdir(shared_folder(self._prefix))
        if self._runtime is not None and os.path.isdir(self._runtime) and not os.listdir(self._runtime):
            os.rmdir(self._runtime)

    def charge(self, bundle: Bundle, allocated: int) -> None:
        """Note how many bytes a bundle holds on tmpfs; new bundles go to disk while the sum is above the bound."""
        if not bundle.on_tmpfs or (allocated == 0 and bundle.name not in self._charges):
            return
        with self._lock:
            self._charged += allocated - self._charges.pop(bundle.name, 0)
            if allocated:
                self._charges[bundle.name] = allocated

    def _bundle(self, run_id: str, attempt: int, *, on_tmpfs: bool) -> Bundle:
        root = self._runtime if on_tmpfs and self._runtime is not None else self._disk
        return Bundle(str(run_id), attempt, root, on_tmpfs, f"{self._prefix}.{run_id}.{attempt}")


def shared_folder(prefix: str) -> str:
    """Return where the scripts of runs as other users lie, by what the tokens of an installation begin with."""
    parent = _PUBLIC if os.access(_PUBLIC, os.W_OK | os.X_OK) else tempfile.gettempdir()
    return os.path.join(parent, f"watchbell-scripts-{os.geteuid()}-{prefix}")


def runtime_root(home: Path, configured: str = "") -> Path | None:
    """Return where the bundles of a data directory lie on tmpfs, or None when there is no tmpfs to use.

    Every process of an installation must find the same place, so it depends on the data directory, the user and the
    setting only.
    """
    home_hash = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    for parent in (configured,) if configured else ("/dev/shm", f"/run/user/{os.geteuid()}"):
        if os.access(parent, os.W_OK | os.X_OK) and (configured or _is_tmpfs(parent)):
            return Path(parent) / f"watchbell-{os.geteuid()}-{home_hash}"
    return None


def _is_tmpfs(path: str) -> bool:
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
        kinds = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    return kinds.get(path) in ("tmpfs", "ramfs")


def _claim_root(root: str) -> str:
    """Make a root folder and return why it must not be used, or nothing."""
    try:
        os.makedirs(os.path.dirname(root), exist_ok=True)
        try:
            os.mkdir(root, 0o700)
        except FileExistsError:
            pass  # It is looked at below, whoever made it.
        found = os.lstat(root)
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & 0o077:
        os.chmod(root, 0o700)
    return ""


def _allocated(path: str) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except FileNotFoundError:
        return 0
