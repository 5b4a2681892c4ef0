"""The named points at which a scheduler can be made to kill itself, or to fail once, without any hook in the product.

Each point replaces one function of the imported scheduler by one that kills the process before, or right after, the real
one has done its work. ``SIGKILL`` to itself cannot be caught, so nothing of the product runs afterwards.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchbell.errors import Unavailable
from watchbell.execution import bundle, telling, watcher
from watchbell.execution.keeping import HasEnded, HasStarted, Keeping
from watchbell.scheduler import chores, clockwork, loop, main, recovery, watchdog
from watchbell.services import births, following, retention, turns


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str, when: Callable[..., bool] = lambda *_args, **_named: True) -> None:
    real = getattr(owner, name)

    @functools.wraps(real)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            die()
        return real(*args, **kwargs)

    setattr(owner, name, replaced)


def _after(owner: Any, name: str, when: Callable[[Any], bool] = lambda _answer: True) -> None:
    real = getattr(owner, name)

    @functools.wraps(real)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        if when(answer):
            die()
        return answer

    setattr(owner, name, replaced)


def _has_results(_db: object, turn: Any, *_more: object) -> bool:
    return bool(turn.results)


def _is_first_word(_watcher: object, _run: object, *, answer: object, **_more: object) -> bool:
    # A command that ends at once may be told of only then.
    return isinstance(answer, HasStarted | HasEnded)


def _killed_before_the_pid_is_committed() -> None:
    real = turns.store.set_attempts_started

    def replaced(session: Any, rows: Any) -> None:
        real(session, rows)
        if rows:
            die()

    turns.store.set_attempts_started = replaced


def _fails_once(owner: Any, name: str) -> None:
    """Let the database fail once while something is read, as soon as the test says so by a file."""
    real = getattr(owner, name)

    def replaced(db: Any, *args: Any) -> Any:
        order = Path(db.engine.url.database).with_name(FAIL_NOW)
        if order.exists():
            order.unlink()
            raise Unavailable("the disk of the database is full")
        return real(db, *args)

    setattr(owner, name, replaced)


#: The name of that file in the data directory, and of the one at which a loop breaks for good.
FAIL_NOW = "fail-now"
BREAK_NOW = "break-now"


def _breaks(how: Callable[[], object]) -> None:
    """Do something to the loop's thread as soon as the test says so by a file."""
    real = loop.Loop.step

    def replaced(self: loop.Loop) -> float:
        if (self._tools.output_root.parent / BREAK_NOW).exists():
            how()
        return real(self)

    loop.Loop.step = replaced  # type: ignore[method-assign]


def _raise_for_want_of_memory() -> None:
    raise MemoryError("no room left")


def _end_thread(name: str) -> None:
    """Let a thread end at its next step of Python, as an error that nobody caught does."""
    for thread in threading.enumerate():
        if name in thread.name or name in type(thread).__name__:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def _housekeeping_at_once() -> None:
    chores.FIRST_SECONDS = 0.0


def _killed_at_the_third_removal() -> None:
    numbers = itertools.count(1)
    _before(Path, "unlink", lambda path, **_more: path.parent.name == "output" and next(numbers) == 3)


def _while_deleting(arm_it: Callable[[], None]) -> Callable[[], None]:
    """Begin to delete old runs at once, and arm a point of that."""

    def armed() -> None:
        _housekeeping_at_once()
        arm_it()

    return armed


def _loses_the_processor_after_its_clock() -> None:
    """Let the loop go on after its clock has stopped only when the watchdog has had the time to look, as a busy machine may."""
    real = clockwork.Clockwork.stop

    def replaced(self: clockwork.Clockwork) -> None:
        real(self)
        threading.Event().wait(2.5)

    clockwork.Clockwork.stop = replaced  # type: ignore[method-assign]


def _the_end_hangs() -> None:
    """Let a loop that was asked to end never come to it, on a scheduler that is watched with less patience."""
    watchdog.END_SECONDS = 2.0
    loop.Loop.finish = lambda _self: threading.Event().wait(600)  # type: ignore[method-assign,assignment,return-value]


#: By name: how to arm it.
POINTS: dict[str, Callable[[], None]] = {
    "before the ticket is committed": lambda: _after(births.store, "add_attempts", bool),
    "after the ticket is committed": lambda: _after(loop, "take_turn", lambda turned: bool(turned.tickets)),
    "before the keeper is asked": lambda: _before(Keeping, "ask"),
    "after the keeper is asked": lambda: _after(Keeping, "ask", lambda _answer: True),
    "before its start is heard": lambda: _before(watcher.Watcher, "_act", _is_first_word),
    "before the pid is committed": _killed_before_the_pid_is_committed,
    "after the command has ended": lambda: _before(watcher.Watcher, "_finish"),
    "after the output is kept": lambda: _after(telling, "capture"),
    "before the child of a chain is committed": lambda: _after(
        following.Follower, "follow", lambda followed: followed.has_queued
    ),
    "after the result is collected": lambda: _before(loop, "take_turn", _has_results),
    "before the result is committed": lambda: _before(turns.store, "add_outputs", lambda _session, rows: bool(rows)),
    "after the result is committed": lambda: _before(bundle.Bundles, "remove"),
    "in the middle of removing its files": lambda: _before(
        os, "unlink", lambda path, **_more: str(path).endswith(".status")
    ),
    "before runs are taken over": lambda: _before(main.adoption, "take_over"),
    "after runs are taken over": lambda: _before(recovery, "adopt"),
    "in the middle of adopting": lambda: _after(watcher.Watcher, "adopt"),
    "reading changed tasks fails once": lambda: _fails_once(loop.tasks, "list_changed"),
    "reading runs to be ended fails once": lambda: _fails_once(loop.adoption, "list_cancelling"),
    "the loop raises": lambda: _breaks(_raise_for_want_of_memory),
    "the loop hangs": lambda: _breaks(lambda: threading.Event().wait(600)),
    "the watcher dies": lambda: _breaks(lambda: _end_thread("watcher")),
    "the clock dies": lambda: _breaks(lambda: _end_thread("APScheduler")),
    "the clock ends long before the rest": _loses_the_processor_after_its_clock,
    "the end hangs": _the_end_hangs,
    "housekeeping at once": _housekeeping_at_once,
    "before a deletion is committed": _while_deleting(
        lambda: _after(retention.store, "delete_runs", lambda gone: gone.runs > 0)
    ),
    "before files of deleted runs are removed": _while_deleting(
        lambda: _before(retention.output_files, "remove", lambda _root, files: bool(files))
    ),
    "in the middle of removing files of deleted runs": _while_deleting(_killed_at_the_third_removal),
    "in the middle of stopping": lambda: _before(loop.Loop, "finish"),
}


def arm(name: str) -> None:
    """Make this process kill itself when it comes to a point; no name arms nothing."""
    if name:
        POINTS[name]()
