"""Doing the steps of a job document: each a command with a time limit, bounded output and an end of its whole group."""

from __future__ import annotations

import contextlib
import os
import pwd
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from watchbell import clock
from watchbell.domain import secret_names
from watchbell.domain.job_document import Document, Step

if TYPE_CHECKING:
    from watchbell.domain.concealing import Concealer

#: So much of each stream of a step is kept, half of it from the beginning and half from the end.
OUTPUT_LIMIT = 16 * 1024
GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.2
_READ_BYTES = 65536
#: Variables that say of the one who has started the agent what is not so of another user.
_OF_OWNER = ("SUDO_", "XDG_", "MAIL", "DBUS_", "SSH_")


class Done(NamedTuple):
    """How a job has ended."""

    succeeded: bool
    exit_code: int
    reason: str
    stdout: str
    stderr: str
    executed_steps: int
    failed_step: str | None


class _Ended(NamedTuple):
    exit_code: int
    #: Why it was ended before it ended by itself; empty otherwise.
    why: str
    stdout: str
    stderr: str


class Output:
    """The beginning and the end of what a stream has said, with secrets masked."""

    def __init__(self, concealer: Concealer | None = None) -> None:
        self._concealer = concealer
        # So much more is read at each edge as decides whether what is kept is part of a secret.
        self._half = OUTPUT_LIMIT // 2 + (concealer.reach if concealer is not None else 0)
        self._head = b""
        self._tail = b""
        self._dropped = 0

    def add(self, data: bytes) -> None:
        """Take more of it."""
        room = self._half - len(self._head)
        self._head += data[:room]
        tail = self._tail + data[room:] if room < len(data) else self._tail
        self._dropped += max(len(tail) - self._half, 0)
        self._tail = tail[-self._half :]

    @property
    def text(self) -> str:
        """All that is kept of it."""
        half = OUTPUT_LIMIT // 2
        if self._dropped:
            head = self._masked(self._head, is_cut_behind=True)
            tail = self._masked(self._tail, is_cut_before=True, is_end=True)
        else:
            whole = self._masked(self._head + self._tail, is_end=True)
            head, tail = whole[:half], whole[half:]
        dropped = self._dropped + max(len(head) - half, 0) + max(len(tail) - half, 0)
        gap = f"\n[{dropped} bytes were not kept]\n" if dropped else ""
        return head[:half].decode("utf-8", "replace") + gap + tail[-half:].decode("utf-8", "replace")

    def _masked(self, data: bytes, **edges: bool) -> bytes:
        return self._concealer.conceal(data, **edges) if self._concealer is not None else data


class Secrets:
    """The secrets of one job: they go into the environment of the steps that name them, and are masked in what those say."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.concealer: Concealer | None = None
        if values:
            # Only a device that is given secrets takes the memory for it.
            from watchbell.domain.concealing import Concealer

            self.concealer = Concealer(values.values())

    def environment_of(self, step: Step) -> dict[str, str]:
        """Return the variables of a step as its command gets them; raises LookupError for a secret that was not given."""
        missing = [name for name in secret_names.names_of(step.environment) if name not in self._values]
        if missing:
            raise LookupError(f"the server has not given the secret {', '.join(missing)}")
        return secret_names.fill(step.environment, self._values)


def _nothing(_pid: int) -> None:
    """Take note of nothing."""


def run(
    document: Document,
    *,
    handlers: Path,
    seconds: float,
    stop: threading.Event,
    started: Callable[[int], None] = _nothing,
    secrets: Mapping[str, str] | None = None,
) -> Done:
    """Do the steps of a document one after the other, and the final step if all went well.

    ``secrets`` are the values of those that the environments of its steps name; in what any step says they are masked.

    The first failure that is not ignored ends it, and so do the end of its time and ``stop``. ``started`` is called with the
    number of the process of each step, which leads a group of its own, as soon as it is there.
    """
    until = clock.monotonic() + seconds
    told: list[tuple[str, _Ended]] = []
    held = Secrets(secrets or {})
    for step in document.every_step:
        ended = _run_step(step, handlers, until, stop, started, held)
        # What it is not to send leaves the device in no report.
        told.append((step.name, ended if step.includes_stdout else ended._replace(stdout="")))
        reason = _failure(step, ended)
        if reason and (not step.ignores_failure or stop.is_set() or clock.monotonic() >= until):
            code = ended.exit_code or 1
            return _done(told, f"{step.name}: {reason}", exit_code=code, failed_step=step.name)
    return _done(told, "", exit_code=0, failed_step=None)


def _done(told: Sequence[tuple[str, _Ended]], reason: str, *, exit_code: int, failed_step: str | None) -> Done:
    stdout = _joined([(name, ended.stdout) for name, ended in told])
    stderr = _joined([(name, ended.stderr) for name, ended in told])
    return Done(failed_step is None, exit_code, reason, stdout, stderr, len(told), failed_step)


def _joined(parts: Sequence[tuple[str, str]]) -> str:
    if len(parts) == 1:
        return parts[0][1]
    return "\n".join(f"== {name}\n{text}" for name, text in parts if text)


def _failure(step: Step, ended: _Ended) -> str:
    if ended.why:
        return ended.why
    if ended.exit_code:
        return f"exit code {ended.exit_code}"
    lines = sum(bool(line.strip()) for line in ended.stderr.splitlines())
    if step.allow_stderr is not None and lines > step.allow_stderr:
        return f"{lines} line(s) on its standard error, and {step.allow_stderr} allowed"
    return ""


def _run_step(
    step: Step, handlers: Path, until: float, stop: threading.Event, started: Callable[[int], None], held: Secrets
) -> _Ended:
    limit = until if step.timeout_seconds is None else min(until, clock.monotonic() + step.timeout_seconds)
    with contextlib.ExitStack() as until_ended:
        try:
            process = _start(step, _reachable(step, handlers, until_ended), held.environment_of(step))
        except (OSError, subprocess.SubprocessError, LookupError) as error:
            return _Ended(127, f"could not be started: {error}", "", "")
        started(process.pid)
        return _watch(process, limit, stop, held.concealer)


def _reachable(step: Step, handlers: Path, until_ended: contextlib.ExitStack) -> Path:
    """Return the folder of the handlers, or one with a copy of the handler where another user can execute it.

    What the agent keeps is for its own user alone. The copy goes when the step has ended.
    """
    user = step.run_as_user
    if step.handler is None or step.path is not None or not user or not _is_another(user):
        return handlers
    folder = Path(until_ended.enter_context(tempfile.TemporaryDirectory(prefix="watchbell-handler-")))
    copy = folder / step.handler
    shutil.copyfile(handlers / step.handler, copy)
    if os.geteuid() == 0:
        # For that user alone.
        copy.chmod(0o700)
        shutil.chown(copy, user)
        shutil.chown(folder, user)
    else:
        copy.chmod(0o755)
        folder.chmod(0o755)
    return folder


def _is_another(user: str) -> bool:
    """Return whether a user is not this process's own, whatever its environment says; raises KeyError for one that is not."""
    return pwd.getpwnam(user).pw_uid != os.geteuid()


def _start(step: Step, handlers: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    argv = list(step.argv)
    if step.handler is not None:
        folder = Path(step.path) if step.path is not None else handlers
        # The first argument of a handler is the user of its step, named or not.
        argv = [str(folder / step.handler), step.run_as_user or "", *step.args]
    options: dict[str, Any] = {"env": {**os.environ, **variables}} if variables else {}
    if step.run_as_user and _is_another(step.run_as_user):
        if os.geteuid() == 0:
            options = _identity(step.run_as_user)
            options["env"].update(variables)
        else:
            # Their names alone: a value among the arguments could be read by everybody on the machine.
            kept = [f"--preserve-env={','.join(variables)}"] if variables else []
            argv = ["sudo", "-n", *kept, "-u", step.run_as_user, "--", *argv]
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def _identity(user: str) -> dict[str, Any]:
    """Return what lets root start a process as another user wholly: groups and home are that user's, too."""
    entry = pwd.getpwnam(user)
    own = {"HOME": entry.pw_dir, "USER": user, "LOGNAME": user, "SHELL": entry.pw_shell or "/bin/sh"}
    return {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(user, entry.pw_gid),
        "env": {**{name: value for name, value in os.environ.items() if not name.startswith(_OF_OWNER)}, **own},
    }


def _watch(
    process: subprocess.Popen[bytes], limit: float, stop: threading.Event, concealer: Concealer | None
) -> _Ended:
    """Read what a process says until it ends, and end its whole group when its time is over or nobody wants it any more."""
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = {process.stdout: Output(concealer), process.stderr: Output(concealer)}
    why = ""
    with selectors.DefaultSelector() as selector:
        for stream, output in outputs.items():
            selector.register(stream, selectors.EVENT_READ, output)
        while process.poll() is None:
            _read(selector)
            if stop.is_set() or clock.monotonic() >= limit:
                why = "cancelled" if stop.is_set() else "its time was over"
                _end(process, lambda: _read(selector))
        # What it has left behind in its group goes, too, or would hold the streams open.
        _signal(process, signal.SIGKILL)
        _read(selector, wait=0.0)
    for stream in outputs:
        stream.close()
    code = process.returncode
    # Death by a signal is a failure, under the number that shells give it.
    code = 128 - code if code < 0 else code
    return _Ended(code, why, outputs[process.stdout].text, outputs[process.stderr].text)


def _read(selector: selectors.BaseSelector, wait: float = _LOOK_SECONDS) -> None:
    """Take what is there to be read, waiting a moment for the first of it."""
    if not selector.get_map():
        # All streams are closed; the process may still go on.
        threading.Event().wait(wait)
        return
    while ready := selector.select(wait):
        for key, _events in ready:
            data = os.read(key.fd, _READ_BYTES)
            if data:
                key.data.add(data)
            else:
                selector.unregister(key.fileobj)
        if wait or not selector.get_map():
            return


def _end(process: subprocess.Popen[bytes], read: Callable[[], None]) -> None:
    _signal(process, signal.SIGTERM)
    until = clock.monotonic() + GRACE_SECONDS
    while process.poll() is None and clock.monotonic() < until:
        read()
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Nobody is left in the group, or another user's process that only its own user may end.
        os.killpg(process.pid, number)
