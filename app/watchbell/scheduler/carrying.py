"""The parts of a worker of the engine that differ from a scheduler's: it plans nothing, and starts what it was told of."""

from __future__ import annotations

import dataclasses
import math
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell import clock
from watchbell.config import MIB, Config
from watchbell.control.pidfile import Owner
from watchbell.domain.policies import Uncertain
from watchbell.domain.run_state import RunState
from watchbell.engine.threads import Inbox
from watchbell.errors import NotFound
from watchbell.execution import Finished
from watchbell.execution.capture import read_output
from watchbell.execution.concealed import masked_read
from watchbell.scheduler.beat import Beat
from watchbell.scheduler.flights import Flight
from watchbell.scheduler.gate import Gate
from watchbell.scheduler.launch import Job, Launcher
from watchbell.scheduler.leadership import Leadership
from watchbell.scheduler.loop import Loop, Tools
from watchbell.scheduler.plan import Plan
from watchbell.scheduler.sidework import Sidework
from watchbell.services import engine, pauses
from watchbell.services.lives import name_worker
from watchbell.services.output_sources import STREAMS
from watchbell.services.tickets import Result, Turn, Turned
from watchbell.store.engine import EngineWorker, LiveOutput
from watchbell.store.session import Database
from watchbell.store.tasks import PlannedTask, Task
from watchbell.version import __version__

#: What is kept of each stream: it goes into the database, which is the only place that all machines share.
MOST_OUTPUT_BYTES = MIB
#: How often the end of what commands are writing is brought there, and how much of it.
LIVE_SECONDS = 1.0
LIVE_BYTES = 64 * 1024


class NoPlan(Plan):
    """Plans nothing: what is due is a scheduler's to know."""

    def read(self, tasks: Iterable[PlannedTask | Task]) -> None:
        """Take notice of nothing."""


class WorkerGate(Gate):
    """Lets in what was announced."""

    def __init__(self, db: Database, inbox: Inbox) -> None:
        super().__init__(db)
        self._database = db
        self._inbox = inbox
        self._claims = False

    def look(self, now: datetime, *, has_news: bool) -> bool:
        if has_news:
            self.holds = pauses.load_holds(self._database, now=now)
        return False

    def should_claim(self, room: int, *, has_results: bool) -> bool:
        self._inbox.set_room(room)
        self._claims = room > 0 and len(self._inbox) > 0
        return self._claims

    def take_announced(self, most: int) -> Mapping[int, str]:
        # What comes in between the two questions waits for the next turn.
        claims, self._claims = self._claims, False
        return self._inbox.take(most) if claims else {}

    def should_follow(self, *, has_results: bool) -> bool:
        return False

    def follower(self) -> None:
        return None

    def is_time(self, now: datetime) -> bool:
        return False

    def settle(self, turn: Turn, turned: Turned) -> None:
        return None


class Carrier(Launcher):
    """Starts commands whose output is to travel."""

    def job(self, task_id: int, version: int) -> Job:
        job = super().job(task_id, version)
        if job.limits.output_bytes <= MOST_OUTPUT_BYTES:
            return job
        return dataclasses.replace(job, limits=dataclasses.replace(job.limits, output_bytes=MOST_OUTPUT_BYTES))


class WorkerBeat(Beat):
    """Renews the lease; should that have ended meanwhile, a new life begins."""

    def __init__(self, db: Database, config: Config, owner: Owner, queues: Sequence[str], max_running: int) -> None:
        super().__init__(db, config, owner)
        self._database = db
        self._config = config
        self._queues = list(queues)
        self._max_running = max_running
        self._boot_id = owner.boot_id
        #: Until when nobody else can take this worker's runs for given up, by the clock that never jumps.
        self.trusted_until = -math.inf
        #: Tells what is wrong with the broker; is called when the lease has ended.
        self.trouble: Callable[[], str] = lambda: ""
        self.ended: Callable[[], None] = lambda: None
        self._name()

    def begin(self) -> None:
        at = clock.monotonic()
        engine.begin(
            self._database,
            EngineWorker(
                incarnation=self.incarnation,
                user=self._config.user,
                host=self._config.hostname,
                version=__version__,
                pid=os.getpid(),
                boot_id=self._boot_id,
                queues=self._queues,
                max_running=self._max_running,
                started_at=self.started_at,
                beat_at=clock.now(),
            ),
        )
        self._renewed(at, clock.now())

    def beat(self, running: int, now: datetime) -> None:
        at = clock.monotonic()
        if engine.renew(self._database, self.incarnation, now=now, running=running, trouble=self.trouble()):
            self._renewed(at, now)
            return
        self.ended()
        self._name()
        self.begin()

    def is_trusted(self) -> bool:
        """Return whether the runs of this worker are surely still its own."""
        return clock.monotonic() < self.trusted_until

    def _name(self) -> None:
        self.incarnation = name_worker(uuid.uuid4().hex, self._config.hostname, str(self._config.home))

    def _renewed(self, at: float, now: datetime) -> None:
        self._is_hastened = False
        self._last, self.beaten_at, self.trusted_until = at, now, at + engine.TRUST_SECONDS


def _nothing(count: int = 0) -> None:
    """Do none of what a scheduler does beside its runs."""


class WorkerLead(Leadership):
    """Never leads: that is a scheduler's."""

    def hear(self) -> None:
        return None


class WorkerSide(Sidework):
    """Brings what commands are writing to the database."""

    def __init__(self, db: Database) -> None:
        self._database = db
        self._at = 0.0
        #: How much was written when it was looked last, by attempt and stream.
        self._seen: dict[tuple[int, str], int] = {}
        self.flights: Callable[[], Collection[Flight]] = tuple
        self.ask = _nothing
        self.note_ended = _nothing

    def note_news(self) -> None:
        return None

    def step(self, now: datetime, *, busy: bool, due_at: datetime | None) -> float:
        at = clock.monotonic()
        if at < self._at:
            return self._at - at
        self._at = at + LIVE_SECONDS
        flights = [flight for flight in self.flights() if at - flight.since >= LIVE_SECONDS / 2]
        sizes: dict[tuple[int, str], int] = {}
        rows = [row for flight in flights for row in self._look(flight, sizes)]
        if rows:
            engine.put_live(self._database, rows)
        self._seen = sizes
        return LIVE_SECONDS

    def _look(self, flight: Flight, sizes: dict[tuple[int, str], int]) -> list[LiveOutput]:
        """Return what has become more of the output of a command."""
        rows: list[LiveOutput] = []
        bundle = flight.bundle
        if bundle.is_unmasked:
            return rows
        for stream, path in zip(STREAMS, (bundle.out, bundle.err), strict=True):
            key = (flight.ticket.attempt_id, stream)
            try:
                size = os.stat(path).st_size
                sizes[key] = size
                if size == self._seen.get(key, 0):
                    continue

                def read(offset: int, limit: int, path: str = path) -> Any:
                    return read_output(path, offset, limit)

                found = masked_read(read, bundle.concealer, is_complete=False)(-LIVE_BYTES, LIVE_BYTES)
            except OSError:
                # It has just ended; its result brings all.
                continue
            rows.append(
                LiveOutput(
                    attempt_id=key[0],
                    stream=stream,
                    start=found.offset,
                    size=found.offset + len(found.data),
                    content=found.data,
                )
            )
        return rows


class WorkerLoop(Loop):
    """A worker at work."""

    def __init__(self, tools: Tools, beat: WorkerBeat, inbox: Inbox, drain_seconds: float) -> None:
        super().__init__(tools)
        self._gate = WorkerGate(tools.db, inbox)
        self._inbox = inbox
        self._beat = beat
        self._drain_seconds = drain_seconds
        self._drain_until: float | None = None
        self._drain_reason = ""
        beat.ended = self._let_go
        #: Is called once, in the thread of the loop, when a drain begins.
        self.draining: Callable[[], None] = lambda: None
        self._is_told = False

    def drain(self, reason: str) -> None:
        """Take no more runs and end when those that go on have ended, or after a while; asked again, end at once."""
        if self._drain_until is not None:
            self.stop(reason)
            return
        self._drain_reason, self._drain_until = reason, clock.monotonic() + self._drain_seconds
        self.ring()

    def is_stopping(self) -> bool:
        return super().is_stopping() or self._drain_until is not None

    def step(self) -> float:
        wait = super().step()
        if not self._beat.is_trusted():
            self._end_repeatable()
        if self._drain_until is None:
            return wait
        if not self._is_told:
            self._is_told = True
            self._inbox.close()
            self.draining()
        if not (self.flights or self._runway or self._results) or clock.monotonic() >= self._drain_until:
            self.stop(self._drain_reason)
        return wait

    def _launch(self) -> None:
        # What was claimed before a long standstill may be somebody else's by now; the next beat tells.
        if self._beat.is_trusted():
            super()._launch()

    def _add_finished(self, finished: Finished) -> None:
        super()._add_finished(finished)
        self._results[-1] = self._bring_home(self._results[-1])

    def _bring_home(self, result: Result) -> Result:
        """Return a result whose outputs are in its rows: nobody else reads the files of this machine."""
        if not any(row["file"] for row in result.outputs):
            return result
        outputs = []
        for row in result.outputs:
            if row["file"]:
                path = self._tools.output_root / row["file"]
                row = {**row, "content": path.read_bytes(), "file": None}  # noqa: PLW2901
                path.unlink()
            outputs.append(row)
        return dataclasses.replace(result, outputs=outputs)

    def _end_repeatable(self) -> None:
        """End the commands that somebody else may start again now that this worker may be taken for gone."""
        reasons = {}
        for flight in self.flights.values():
            try:
                job = self._tools.launcher.job(flight.ticket.task_id, flight.ticket.task_version)
            except NotFound:
                # Without its definition nobody starts it again.
                continue
            if job.policies.uncertain is Uncertain.RUN_AGAIN:
                reasons[flight.ticket.run_id] = "its worker has not reached the database for too long"
        self._end({run_id: words for run_id, words in reasons.items() if not self._is_ending(run_id)})

    def _is_ending(self, run_id: int) -> bool:
        return any(f.ticket.run_id == run_id and f.state is RunState.CANCELLING for f in self.flights.values())

    def _let_go(self) -> None:
        """End what was this worker's until its lease ended: what becomes of those runs was decided without it."""
        self._runway.give_back(0.0)
        words = "its run was given up while its worker did not reach the database"
        self._end({flight.ticket.run_id: words for flight in self.flights.values()})
