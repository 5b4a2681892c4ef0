"""The folders of active attempts: where they lie, what is in them, and who may claim one.

A bundle is a folder named ``<run_id>.<attempt>`` that holds

``meta``    what an adopter needs: when, on which boot and under which limits the attempt was started
``status``  made exclusively by the kernel when the shim is spawned, so it is the mark that forbids a second start; the
            shim writes its pid and at the end its times, the exit status and an end marker into it
``out``, ``err``   what the command wrote

Bundles lie on tmpfs, where making four files costs microseconds, while the bytes that they hold there stay below a
bound, else on disk. Nothing in them outlives a reboot, and no process of a run does either; the boot id tells. Note that
systemd-logind removes a person's files in /dev/shm and /run/user at their last logout unless lingering is on for them.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from watchbell.errors import ConfigError, Conflict
from watchbell.execution.command import Limits
from watchbell.execution.kernel import boot_id

#: The variable by which every process of a run is found again, wherever it has moved in the process tree.
MARKER = "WATCHBELL_RUN_TOKEN"
_NAME = re.compile(r"(?P<run>[A-Za-z0-9_-]{1,64})\.(?P<attempt>[0-9]{1,9})")
_FILES = ("out", "err", "status", "meta")


class BundleExists(Conflict):
    """The folder of this attempt exists already: it was claimed before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Meta:
    """What was written down when the bundle was claimed."""

    #: Seconds since the epoch.
    started: float
    boot_id: str
    limits: Limits


@dataclasses.dataclass(frozen=True)
class Bundle:
    """The folder of one attempt."""

    run_id: str
    attempt: int
    root: str
    on_tmpfs: bool
    #: The value of the marker variable; it names the data directory too, so that two installations never meet.
    token: str

    @property
    def name(self) -> str:
        return f"{self.run_id}.{self.attempt}"

    @property
    def path(self) -> str:
        return f"{self.root}/{self.name}"

    @property
    def out(self) -> str:
        return f"{self.path}/out"

    @property
    def err(self) -> str:
        return f"{self.path}/err"

    @property
    def status(self) -> str:
        return f"{self.path}/status"

    def read_meta(self) -> Meta | None:
        """Return what was written at the claim, or None when the claimer died in the middle of it."""
        try:
            with open(f"{self.path}/meta", "rb") as file:
                data = json.load(file)
            return Meta(data["started"], data["boot_id"], Limits(*data["limits"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


class Bundles:
    """Claims, finds, lists and removes bundles. Safe to use from several threads."""

    def __init__(self, runtime_root: Path | None, disk_root: Path, runtime_limit_bytes: int) -> None:
        self._disk = str(disk_root)
        self._runtime = str(runtime_root) if runtime_root is not None else None
        self._limit = runtime_limit_bytes
        self._prefix = hashlib.sha256(os.fsencode(self._disk)).hexdigest()[:12]
        self._boot = boot_id()
        self._lock = threading.Lock()
        self._charges: dict[str, int] = {}
        self._charged = 0

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

    def claim(self, run_id: str, attempt: int, limits: Limits, *, started: float) -> Bundle:
        """Make the folder of an attempt. Raises BundleExists when it was made before, by whomever."""
        if self.find(run_id, attempt) is not None:
            raise BundleExists
        bundle = self._bundle(run_id, attempt, on_tmpfs=self._runtime is not None and self._charged < self._limit)
        try:
            self._make(bundle, limits, started)
        except OSError as error:
            if error.errno == errno.EEXIST:
                raise BundleExists from None
            if not bundle.on_tmpfs or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT, errno.EROFS):
                raise
            shutil.rmtree(bundle.path, ignore_errors=True)
            bundle = self._bundle(run_id, attempt, on_tmpfs=False)
            self._make(bundle, limits, started)
        return bundle

    def find(self, run_id: str, attempt: int) -> Bundle | None:
        """Return the bundle of an attempt while its folder exists."""
        for on_tmpfs in (True, False):
            if on_tmpfs and self._runtime is None:
                continue
            bundle = self._bundle(run_id, attempt, on_tmpfs=on_tmpfs)
            if os.path.lexists(bundle.path):
                return bundle
        return None

    def list(self) -> Iterator[Bundle]:
        """Yield every bundle there is."""
        for root, on_tmpfs in ((self._runtime, True), (self._disk, False)):
            if root is None or not os.path.isdir(root):
                continue
            for name in sorted(os.listdir(root)):
                match = _NAME.fullmatch(name)
                if match:
                    yield self._bundle(match["run"], int(match["attempt"]), on_tmpfs=on_tmpfs)

    def remove(self, bundle: Bundle) -> None:
        """Remove a bundle whose result is stored for good."""
        self.charge(bundle, 0)
        try:
            for name in _FILES:
                try:
                    os.unlink(f"{bundle.path}/{name}")
                except FileNotFoundError:
                    # An attempt that never started has no output.
                    continue
            os.rmdir(bundle.path)
        except FileNotFoundError:
            return
        except OSError:
            # A command may have put something of its own there; rmtree does not follow symbolic links.
            shutil.rmtree(bundle.path, ignore_errors=True)

    def leave(self) -> None:
        """Give back the folder on tmpfs if nothing is in it; the next start makes it again."""
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

    def _make(self, bundle: Bundle, limits: Limits, started: float) -> None:
        os.mkdir(bundle.path, 0o700)
        data = {
            "started": started,
            "boot_id": self._boot,
            "limits": (limits.time_seconds, limits.grace_seconds, limits.output_bytes),
        }
        descriptor = os.open(f"{bundle.path}/meta", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, json.dumps(data).encode())
        finally:
            os.close(descriptor)


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
