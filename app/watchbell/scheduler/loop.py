"""The loop: wait for a bell, take a turn against the ledger, start what it permits.

Everything happens in one thread, except the watching of processes. The steps are small and are tried in tests one by one; only
``run`` waits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import select
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from watchbell import clock
from watchbell.domain.policies import Policies, Uncertain
from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound, Unavailable
from watchbell.execution import Bundles, Finished, SpawnFailed
from watchbell.execution.watcher import Watcher
from watchbell.scheduler.beat import Beat
from watchbell.scheduler.clockwork import Clockwork
from watchbell.scheduler.flights import Flight, Flights, Key
from watchbell.scheduler.gate import Gate
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.leadership import Leadership
from watchbell.scheduler.plan import Plan
from watchbell.scheduler.reap import not_started, to_result, unstarted
from watchbell.scheduler.runway import Runway
from watchbell.scheduler.sidework import PASS_SECONDS, Sidework
from watchbell.scheduler.vitals import Vitals
from watchbell.services import adoption, tasks
from watchbell.services.deadlines import NO_PAST, look_back
from watchbell.services.tickets import DueTask, Result, Ticket, Turn, Turned
from watchbell.services.turns import take_turn
from watchbell.store.session import ChangeWatch, Database

log = logging.getLogger(__name__)

#: How often other programs' commits are looked for.
LOOK_SECONDS = 0.1
#: Rows that go into one transaction.
BATCH = 64
#: A start that has not ended after this long is written down as running; most short commands have ended by then.
RUNNING_AFTER_SECONDS = 0.05
#: While turns follow each other, this much time may pass between two, so that they share a transaction.
GATHER_SECONDS = 0.05
GATHER_STEP_SECONDS = 0.005
#: With no room and nothing ending for this long, what is due becomes a queued row, so that it can be seen to wait.
STUCK_SECONDS = 2.0
_ASKED = "ended on request"


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What the loop works with."""

    db: Database
    bundles: Bundles
    watcher: Watcher
    launcher: Launcher
    plan: Plan
    beat: Beat
    lead: Leadership
    chores: Sidework
    vitals: Vitals
    host: str
    max_running: int
    output_root: Path
    role: str = "scheduler"


class Loop:
    """The scheduler at work."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._changes = ChangeWatch(tools.db)
        self._mark, self._has_news = 0, False
        self.flights: Flights = {}
        #: Flights whose rows do not say yet that they run.
        self._fresh: Flights = {}
        self._runway = Runway()
        #: What has ended and is still to be turned into results, those results, and how many of the flights they are of.
        self._finished: deque[Finished] = deque()
        self._results: list[Result] = []
        self._ended = 0
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._clockwork = Clockwork(self.ring)
        self._clockwork.every(PASS_SECONDS, tools.chores.ask, "chores")
        self._gate = Gate(tools.db)
        self._looked_at = self._turned_at = 0.0
        self._room_at = clock.monotonic()
        self._stop_reason = ""

    def ring(self) -> None:
        """Wake the loop; may be called from any thread and from a signal handler."""
        os.eventfd_write(self._bell, 1)

    def stop(self, reason: str) -> None:
        """Ask the loop to end in good order."""
        self._stop_reason = reason
        self.ring()

    def is_clock_alive(self) -> bool:
        """Return whether the thread that rings when something is due lives."""
        return self._clockwork.is_alive()

    @property
    def stop_reason(self) -> str:
        """Return why the loop was asked to end, empty if it was not."""
        return self._stop_reason

    def is_stopping(self) -> bool:
        """Return whether the loop was asked to end."""
        return bool(self._stop_reason)

    def add_results(self, results: Sequence[Result]) -> None:
        """Hand in what taking over from an earlier life gave: results that are known already; flights are in place."""
        self._results += results
        for flight in self.flights.values():
            self._note_fresh(flight)

    def run(self, watched: contextlib.AbstractContextManager[object]) -> None:
        """Turn until asked to stop; the database's absence only delays. ``watched`` is entered while all threads live."""
        poll, bell = select.poll(), select.poll()
        poll.register(self._bell, select.POLLIN)
        bell.register(self._bell, select.POLLIN)
        poll.register(self._tools.watcher.fileno(), select.POLLIN)
        self._clockwork.start()
        try:
            with watched:
                while not self._stop_reason:
                    wait = self.step()
                    if wait > 0:
                        self._clockwork.set(self._tools.plan.next_at())
                        poll.poll(wait * 1000)
                        self._clear_bell()
                    self._gather(bell)
        finally:
            self._clockwork.stop()

    def step(self) -> float:
        """Do all that there is to do now and return for how many seconds the loop may wait."""
        if not self._tools.watcher.is_alive():
            raise RuntimeError("the watcher of processes has ended")
        vitals = self._tools.vitals
        try:
            self._has_news = vitals.turn() or self._has_news
            self._look()
            self._launch()
            busy = self._turn(clock.now(), starts=vitals.may_start)
            if self._tools.lead.beat(len(self.flights), clock.now()):
                self._mark, self._has_news = 0, True
            wait = self._tools.chores.step(clock.now(), busy=busy, due_at=self._tools.plan.next_at())
            vitals.settle()
        except Unavailable as error:
            return vitals.put_off(error)
        return 0.0 if busy else min(LOOK_SECONDS, wait)

    def finish(self) -> None:
        """Store the results that have come in; what still runs goes on under its keeper, what does not runs later."""
        self._collect()
        self._give_back(self._runway.give_back(0.0), "the scheduler was stopped before it was started")
        while self._finished or self._results or self._unrecorded(0.0):
            self._turn(clock.now(), starts=False)

    def _gather(self, bell: select.poll) -> None:
        """Let more results come in before the next turn while many runs come and go: a transaction costs the same for all.

        Only the bell ends a wait early: to be woken by each run that ends would cost more than is gained.
        """
        until = min(self._turned_at + GATHER_SECONDS, clock.monotonic() + GATHER_SECONDS)
        while not self._stop_reason:
            try:
                self._collect()
                self._launch()
            except Unavailable:
                # The next step meets it, too, and says so.
                return
            left = until - clock.monotonic()
            if left <= 0 or len(self._results) >= min(BATCH, self._in_the_air() + len(self._runway)):
                return
            if bell.poll(min(left, GATHER_STEP_SECONDS) * 1000):
                self._clear_bell()
                return

    def _clear_bell(self) -> None:
        # Something else may have woken the loop, such as a process that has ended.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)

    def _look(self) -> None:
        """Take notice of what others have written: changed tasks, runs asked for, runs to be ended."""
        now = clock.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._has_news = self._changes.changed() or self._has_news
        if self._gate.look(clock.now(), has_news=self._has_news):
            # A pause holds up what is ahead of its seat, too; what may start all the same gets another ticket.
            self._give_back(self._runway.give_back(0.0), self._gate.why_changed())
        if self._has_news:
            self._tools.lead.hear()
            self._tools.chores.note_news()
            changed = tasks.list_changed(self._tools.db, self._mark)
            self._tools.plan.read(changed)
            self._mark = max([self._mark, *(task.change for task in changed)])
            self._end(dict.fromkeys(adoption.list_cancelling(self._tools.db, self._tools.beat.incarnation), _ASKED))
            # Only now: had any of this failed, a change is told of once and would never be read.
            self._has_news = False
        self._looked_at = now

    def _end(self, reasons: Mapping[int, str]) -> None:
        """Bring about the end of runs that are in the air, for reasons by their numbers."""
        if not reasons:
            return
        self._give_back(self._runway.withdraw(reasons), "ended before it was started", RunState.CANCELLING)
        for key, flight in self.flights.items():
            run_id = flight.ticket.run_id
            if run_id in reasons and flight.state is not RunState.CANCELLING:
                flight.state = RunState.CANCELLING
                self._tools.watcher.cancel(key, reasons[run_id])

    def _turn(self, now: datetime, *, starts: bool = True) -> bool:
        """Take one turn against the ledger; return whether there is more to do at once."""
        self._collect()
        self._give_back(self._runway.give_back(), "no other command has made room for it")
        fresh = self._unrecorded(RUNNING_AFTER_SECONDS if starts else 0.0)
        results = self._results[:BATCH]
        room = self._room(len(results)) if starts else 0
        due = self._take_due(now, room) if starts else []
        claims = starts and self._gate.should_claim(room, has_results=bool(results))
        is_time = starts and self._gate.is_time(now)
        if not (due or fresh or results or claims or is_time or self._gate.should_follow(has_results=bool(results))):
            return False
        turn = Turn(
            now=now,
            holder=self._tools.beat.incarnation,
            actor=f"{self._tools.role}@{self._tools.host}",
            room=min(room, BATCH),
            due=due,
            started=[flight.started for flight in fresh if flight.started],
            results=results,
            claims=claims,
            host=self._tools.host,
            holds=self._gate.holds,
            is_time=is_time,
            term=self._tools.lead.term,
            announced=self._gate.take_announced(min(room, BATCH)),
        )
        try:
            turned = take_turn(self._tools.db, turn, self._gate.follower())
        except BaseException:
            for task in due:
                self._tools.plan.restore(task)
            raise
        # First of all: what follows may fail, and a ticket that is forgotten stays "starting" until the next life.
        self._runway.add(turned.tickets)
        self._settle(turn, turned, fresh)
        self._launch()
        return bool(turned.tickets or self._results or due or turned.has_more or turned.is_behind)

    def _in_the_air(self) -> int:
        # A command that has ended takes no room any more, though its result is still to be stored.
        return len(self.flights) - self._ended

    def _room(self, ended: int) -> int:
        """Return how many tickets a turn may give that stores so many ends."""
        room = self._tools.max_running - self._in_the_air() + self._runway.ahead(ended)
        if room > 0:
            self._room_at = clock.monotonic()
        return room

    def _take_due(self, now: datetime, room: int) -> list[DueTask]:
        """Return what is to become rows: no more than there is room for here, unless others have some or nothing moves."""
        lead, is_stuck = self._tools.lead, clock.monotonic() - self._room_at > STUCK_SECONDS
        limit = BATCH if is_stuck or lead.has_company else min(room, BATCH)
        due = self._tools.plan.take_due(now, limit, self._tools.beat.started_at, self._gate.holds.blackouts)
        return lead.share(due, self._in_the_air())

    def _unrecorded(self, age_seconds: float) -> list[Flight]:
        """Return the flights whose rows do not say yet that they run, and which have run for that long."""
        youngest = clock.monotonic() - age_seconds
        return [f for f in self._fresh.values() if f.since <= youngest and f.is_known(self._tools.watcher)]

    def _collect(self) -> None:
        """Turn what the watcher hands over into results."""
        self._finished.extend(self._tools.watcher.drain())
        while self._finished:
            self._add_finished(self._finished[0])
            self._finished.popleft()

    def _add_finished(self, finished: Finished) -> None:
        key: Key = finished.key  # type: ignore[assignment]
        flight = self.flights[key]
        ticket = flight.ticket
        try:
            job = self._tools.launcher.job(ticket.task_id, ticket.task_version)
            policies, steps = job.policies, job.steps
        except NotFound:
            # Without its definition the safe answer is never to start it again.
            policies, steps = Policies(uncertain=Uncertain.LOST), ()
        is_later_try = policies.retries and ticket.number > 1
        past = look_back(self._tools.db, ticket.run_id, ticket.number) if is_later_try else NO_PAST
        self._ended += 1
        # Its row goes straight from starting to the end; saying that it runs would only be late.
        self._fresh.pop(key, None)
        self._results.append(
            to_result(
                ticket,
                flight.state,
                flight.started or flight.started_as(finished.process, finished.started_at),
                finished,
                policies=policies,
                output_root=self._tools.output_root,
                adopted=flight.is_adopted,
                past=past,
                steps=steps,
            )
        )

    def _settle(self, turn: Turn, turned: Turned, fresh: Sequence[Flight]) -> None:
        """Take over what is durable now."""
        for task in turn.due:
            if task.task_id in turned.planned_tasks:
                self._tools.plan.settle(task)
            else:
                # Its change is on the way here: the next look reads the task anew.
                self._tools.plan.restore(task)
                self._looked_at = 0.0
        for flight in fresh:
            self._fresh.pop(flight.key, None)
            if flight.state is RunState.STARTING:
                flight.state = RunState.RUNNING
        self._drop(turn.results)
        self._turned_at = clock.monotonic()
        if turned.is_deposed:
            self._tools.lead.depose()
        self._gate.settle(turn, turned)
        self._end(turned.replaced)
        if turned.surprises:
            self._explain(turned.surprises)

    def _drop(self, results: Sequence[Result]) -> None:
        """Forget runs whose results are durable, and free their folders."""
        del self._results[: len(results)]
        self._tools.chores.note_ended(len(results))
        for result in results:
            flight = self.flights.pop((result.ticket.run_id, result.ticket.number), None)
            if flight is not None:
                self._ended -= 1
                self._tools.bundles.remove(flight.bundle)

    def _explain(self, run_ids: frozenset[int]) -> None:
        """Look at rows that were not as believed: somebody asked for their end, or they are not ours any more."""
        found = adoption.states(self._tools.db, run_ids)
        cancelling = [run_id for run_id, (state, _fence) in found.items() if state is RunState.CANCELLING]
        self._end(dict.fromkeys(cancelling, _ASKED))
        log.warning("Runs %s were moved by somebody else meanwhile", ", ".join(map(str, sorted(run_ids))))

    def _launch(self) -> None:
        """Start the processes of tickets, as far as there are seats; raises Unavailable when one cannot be looked up."""
        seats = min(self._tools.max_running - self._in_the_air(), len(self._runway))
        if seats <= 0:
            return
        try:
            for _ in range(seats):
                self._start(self._runway.first())
                self._runway.drop_first()
        finally:
            self._tools.watcher.flush()

    def _start(self, ticket: Ticket) -> None:
        key = (ticket.run_id, ticket.number)
        try:
            bundle = self._tools.launcher.start(ticket, more=True)
        except SpawnFailed as error:
            self._give_up(ticket, error.reason, error.exit_code)
        except (NotFound, OSError, ValueError, KeyError, TypeError) as error:
            # One definition that cannot be used, such as a row of a newer version, must not end the scheduler.
            self._give_up(ticket, f"it could not be started: {error}", None)
        else:
            self.flights[key] = self._fresh[key] = Flight(ticket, bundle, RunState.STARTING, None)

    def _note_fresh(self, flight: Flight) -> None:
        """Remember that the row of a process that is known does not say yet that it runs."""
        if flight.state is RunState.STARTING and flight.started is not None and flight.started.pid is not None:
            self._fresh[flight.key] = flight

    def _give_back(self, tickets: Sequence[Ticket], reason: str, state: RunState = RunState.STARTING) -> None:
        """Note that nothing was started on tickets, so that their runs wait again, or are over if that was asked for."""
        self._results += [unstarted(ticket, state, reason, clock.now()) for ticket in tickets]

    def _give_up(self, ticket: Ticket, reason: str, exit_code: int | None) -> None:
        """Note that nothing was started on a ticket."""
        self._results.append(not_started(ticket, reason, exit_code, clock.now()))
