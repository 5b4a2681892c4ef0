"""What the scheduler does when it has nothing better to do: making something of runs that have ended, deleting old ones.

A pass begins when the clock says so and is made in small steps between the turns of the loop. A step is left out when a
task is about to be due, and made now and then even when the loop is never idle: what comes in must not outgrow what goes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from watchbell import clock
from watchbell.errors import LeaseLost, Unavailable
from watchbell.services import audit, calendars, environment_sets, secrets, tasks
from watchbell.services.digest import Digest
from watchbell.services.output_files import Sweep
from watchbell.services.retention import BATCH, Pass, Rules
from watchbell.store.session import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How often a pass begins, and how long after the start the first one does.
PASS_SECONDS = 1800.0
FIRST_SECONDS = 20.0
#: What a transaction of a step may take; the number of its rows follows from how long the last ones took.
STEP_SECONDS = 0.05
_LEAST_BATCH = 20
#: Between two steps there is a pause of this length, in which others can write.
PAUSE_SECONDS = 0.05
#: While the loop is never idle, a step is made this often all the same.
BUSY_SECONDS = 2.0
#: No step begins so shortly before a task is due.
_AHEAD = timedelta(seconds=0.15)
#: How often what has ended is looked at, at the most, and in how many steps before others have their turn.
DIGEST_SECONDS = 5.0
_MOST_DIGESTS = 200
#: After a step that found the database locked or full.
_RETRY_SECONDS = 10.0


class Chores:
    """The passes and their steps; ``step`` belongs to the thread of the loop, ``ask`` to any."""

    def __init__(
        self,
        db: Database,
        rules: Rules,
        output_root: Path,
        *,
        actor: str,
        own: Database | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """``leads`` tells whether what is done once for all schedulers is done here, by ``db``; what is this one's alone by ``own``."""
        self._db = db
        self._own = own or db
        self._leads = leads
        self._rules = rules
        self._output_root = output_root
        self._follow = Digest(db, output_root)
        self._actor = actor
        self._asked = True
        self._has_ended = False
        self._digested_at = -math.inf
        self._steps: Iterator[None] | None = None
        self._next_at = clock.monotonic() + FIRST_SECONDS
        self._stepped_at = clock.monotonic()
        self._batch = BATCH // 5
        self._anchored_on: date | None = None
        self._has_followed = False

    def ask(self) -> None:
        """Let a pass begin as soon as there is time for it; returns at once."""
        self._asked = True

    def note_ended(self, count: int) -> None:
        """Let so many runs that have ended be looked at soon."""
        self._has_ended = self._has_ended or count > 0

    def step(self, now: datetime, *, busy: bool, due_at: datetime | None) -> float:
        """Make a step if this is the time for one, and return for how long the loop may wait for all that matters here."""
        at = clock.monotonic()
        if self._steps is None and not self._asked:
            if not (self._has_ended and self._leads()):
                return math.inf
            if at - self._digested_at < DIGEST_SECONDS:
                return DIGEST_SECONDS - (at - self._digested_at)
        if at < self._next_at:
            return self._next_at - at
        if busy and at - self._stepped_at < BUSY_SECONDS:
            return math.inf
        if due_at is not None and due_at - now < _AHEAD and at - self._stepped_at < BUSY_SECONDS:
            return math.inf
        if self._steps is None:
            # Before anything is deleted, it is made sure that nothing is still to be made of it.
            is_pass, self._asked, self._has_ended = self._asked, False, False
            self._steps = self._work(now) if is_pass else self._digest(now)
        has_more = self._advance(self._steps)
        self._stepped_at = clock.monotonic()
        # As long as the step took, or longer: others have their turn.
        self._next_at = max(self._next_at, self._stepped_at + max(PAUSE_SECONDS, self._stepped_at - at))
        return self._next_at - self._stepped_at if has_more else math.inf

    def _advance(self, steps: Iterator[None]) -> bool:
        """Make a step and return whether there are more."""
        try:
            next(steps)
        except StopIteration:
            self._steps = None
        except Unavailable as error:
            log.info("Housekeeping waits: %s", error)
            self._drop()
        except LeaseLost:
            # It is the new leader's, who begins from the start.
            self._steps = None
            raise
        except Exception:
            # Old rows that stay a while harm nobody; a scheduler that ends does.
            log.exception("Housekeeping has failed and is tried again later")
            self._drop()
        else:
            return True
        return False

    def _drop(self) -> None:
        """Give a pass up; the next one begins from the start, which costs little where nothing is left to do."""
        self._steps = None
        self._asked = True
        self._next_at = clock.monotonic() + _RETRY_SECONDS

    def _digest(self, now: datetime) -> Iterator[None]:
        """Yield after each step of looking at what has ended."""
        self._digested_at = clock.monotonic()
        for _ in range(_MOST_DIGESTS):
            if not self._timed(lambda limit: self._follow.step(now=now, limit=limit)):
                break
            yield
        self._has_ended = self._has_ended or self._follow.is_behind()

    def _work(self, now: datetime) -> Iterator[None]:
        """Yield after each step of a pass."""
        if not self._leads():
            yield from self._sweep(now)
            return
        self._anchor(now)
        yield from self._digest(now)
        while tasks.finish_some_deletions(self._db, now=now, actor=self._actor):
            yield
        if not self._has_followed:
            # Whoever changed a calendar or a set may have been killed before all of its tasks had followed.
            calendars.follow_all(self._db, now=now, actor=self._actor)
            environment_sets.follow_all(self._db, now=now, actor=self._actor)
            self._has_followed = True
            yield
        prune = Pass(self._db, self._rules, now=now, output_root=self._output_root)
        runs = files = orders = 0
        while True:
            done = self._timed(prune.step)
            runs, files, orders = runs + done.runs, files + done.files, orders + done.executions
            if not done.more:
                break
            yield
        if orders:
            log.info("Deleted %d old order(s) to devices", orders)
        if runs or files:
            log.info("Deleted %d old run(s) and %d file(s) of theirs", runs, files)
        yield from self._sweep(now)
        while self._timed(lambda limit: secrets.sweep(self._db, limit)):
            yield

    def _sweep(self, now: datetime) -> Iterator[None]:
        """Yield after each step of looking at the outputs in this scheduler's own folder."""
        sweep = Sweep(self._own, self._output_root, self._rules.output_bytes, now=now)
        files = given_up = 0
        while True:
            swept = self._timed(sweep.step)
            files, given_up = files + swept.orphans, given_up + swept.given_up
            if not swept.more:
                break
            yield
        if files or given_up:
            log.info("Deleted %d file(s) without a run; %d output(s) gave way to newer ones", files, given_up)

    def _anchor(self, now: datetime) -> None:
        """Write the digest of the audit's newest entry into the log once a day, which an audit cut short would contradict."""
        if self._anchored_on == now.date():
            return
        number, digest = audit.anchor_of(self._db)
        self._anchored_on = now.date()
        if number:
            log.info("Audit: the digest of entry %d is %s", number, digest)

    def _timed(self, step: Callable[[int], T]) -> T:
        """Make a step with as many rows as fit into the time that it may take."""
        begin = clock.monotonic()
        done = step(self._batch)
        took = clock.monotonic() - begin
        if took > STEP_SECONDS:
            self._batch = max(_LEAST_BATCH, self._batch // 2)
        elif took < STEP_SECONDS / 2:
            self._batch = min(BATCH, self._batch + self._batch // 4)
        return done
