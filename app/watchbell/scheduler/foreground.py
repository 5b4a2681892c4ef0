"""One run in the foreground: its row, its attempts and its output, without any scheduler.

The ledger's promise holds as for every run: a row says that it starts before it does, and says in the end what became of
it. The command runs under a keeper that outlives us; should we be killed, whoever comes next, a scheduler or another such
call, takes over what we have left and writes down how it ended.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from watchbell import clock
from watchbell.config import MIB, Config
from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict, NotFound, Unavailable
from watchbell.execution import Bundles, Finished, SpawnFailed, Watcher, cgroups
from watchbell.execution.process import open_process
from watchbell.execution.tree import signal_group
from watchbell.scheduler.abandoned import take_abandoned
from watchbell.scheduler.endings import Endings
from watchbell.scheduler.flights import Flight, Flights
from watchbell.scheduler.launch import Launcher
from watchbell.scheduler.passing import Both
from watchbell.scheduler.reap import not_started, to_result
from watchbell.services import adoption, foreground, runs
from watchbell.services.deadlines import NO_PAST, look_back
from watchbell.services.digest import Digest
from watchbell.services.tickets import Result, Started, Ticket, Turn
from watchbell.services.turns import take_turn
from watchbell.store.runs import Run
from watchbell.store.session import ChangeWatch, Database

T = TypeVar("T")

#: How long a database that does not answer is waited for before the start; nothing has been started then.
START_SECONDS = 60.0
#: How often output is looked for while some comes, and while none does.
_LEAST_SECONDS, _MOST_SECONDS = 0.01, 0.1
#: How often it is looked whether somebody has asked for the end, and how soon a row says that its command runs.
_LOOK_SECONDS = 0.25
_RUNNING_AFTER_SECONDS = 0.05
_RETRY_SECONDS = 0.5
#: How long a row waits for output to be passed on, and how long what others have left is waited for.
_PASS_SECONDS = 2.0
_LEFT_SECONDS = 2.0
#: Ended runs that are looked at afterwards, and in how many steps.
_DIGESTED, _DIGESTS = 200, 25


class _Nothing:
    """Knows no definition, so that each is looked up."""

    def find_definition(self, task_id: int, version: int) -> Mapping[str, object] | None:
        return None


class GivenUp(Unavailable):
    """The end could not be written down; whoever comes next on this data directory does it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run."""

    run: Run
    #: The signal by which somebody has asked for its end; None if nobody has.
    asked: int | None
    #: The signal that ended the command, if one did.
    signal: int | None


class Foreground:
    """Runs a command and stays until it has ended."""

    def __init__(
        self, db: Database, config: Config, call: str, *, actor: str, output: Both, tell: Callable[[str], None]
    ) -> None:
        """``call`` is the name of this call, whose lock is held; ``tell`` says something to whoever looks on."""
        self._db = db
        self._config = config
        self._call = call
        self._actor = actor
        self._output = output
        self._tell = tell
        # On disk: a scheduler that stops gives its folder on tmpfs back, and knows nothing of us.
        self._bundles = Bundles(None, config.home / "active", config.runtime_limit_mib * MIB)
        self._watcher = Watcher(self._bundles, config.output_path, keepers=1, tell=tell)
        self._launcher = Launcher(db, config, self._bundles, self._watcher, _Nothing())
        self._changes = ChangeWatch(db)
        self._flights: Flights = {}
        #: Results of what others have left.
        self._others: list[Result] = []
        self._finished: dict[tuple[int, int], Finished] = {}
        self._asked = Endings(self._end)
        #: What is in the air, and whether its row says that somebody has asked for its end.
        self._flight: Flight | None = None
        self._has_moved = False
        self._looked_at = self._wait = 0.0
        self._signal: int | None = None

    def run(self, fields: Mapping[str, object], defaults: Defaults) -> Ended:
        """Run what ``fields`` say of a task, with its retries, and return what became of it.

        Raises what ``services.foreground.begin`` does, Unavailable with nothing started, and GivenUp.
        """
        self._bundles.prepare()
        cgroups.prepare()
        self._config.output_path.mkdir(mode=0o700, exist_ok=True)
        with self._asked.listening():
            self._watcher.start()
            try:
                ticket: Ticket | None = self._patiently(
                    lambda: foreground.begin(
                        self._db, fields, call=self._call, now=clock.now(), actor=self._actor, defaults=defaults
                    ),
                    until=clock.monotonic() + START_SECONDS,
                )
                while ticket is not None:
                    run = self._attempt(ticket)
                    ticket = self._wait_for_retry(run, ticket) if run.state == RunState.RETRY_WAIT else None
                self._finish()
            finally:
                self._watcher.stop()
        return Ended(self._read(run.id), self._asked.first, self._signal)

    def _attempt(self, ticket: Ticket) -> Run:
        """Make one attempt and return its run as it is then."""
        result = self._start(ticket)
        if result is None:
            self._take_abandoned()
            finished = self._follow(ticket)
            self._signal = finished.outcome.signal
            assert self._flight is not None
            result = self._make_result(self._flight, finished)
        self._store(result)
        if self._flight is not None:
            while not self._output.is_done() and len(self._asked) < 2:
                self._output.step()
                self._output.wait(_MOST_SECONDS)
            self._bundles.remove(self._flight.bundle)
            self._flight = None
        return self._read(ticket.run_id)

    def _start(self, ticket: Ticket) -> Result | None:
        """Have the command started; return the result if it is known at once that it cannot be."""
        self._has_moved = False
        try:
            bundle = self._patiently(lambda: self._launcher.start(ticket, readers=self._output.readers))
        except SpawnFailed as error:
            return not_started(ticket, error.reason, error.exit_code, clock.now())
        except (NotFound, OSError, ValueError) as error:
            return not_started(ticket, f"it could not be started: {error}", None, clock.now())
        self._flight = Flight(ticket, bundle, RunState.STARTING, None)
        self._output.begin(bundle)
        if self._asked:
            self._end()
        return None

    def _follow(self, ticket: Ticket) -> Finished:
        """Pass on what the command writes until it has ended."""
        key = (ticket.run_id, ticket.number)
        while key not in self._finished:
            has_more = self._output.step()
            self._wait = _LEAST_SECONDS if has_more else min(self._wait * 1.3 + 0.001, _MOST_SECONDS)
            self._look()
            self._asked.wait(0.0 if has_more else self._wait, self._watcher.fileno())
            self._hear()
        finished = self._finished.pop(key)
        deadline = clock.monotonic() + _PASS_SECONDS
        self._output.end(finished.stdout, finished.stderr)
        while not self._output.is_done() and clock.monotonic() < deadline:
            self._output.step()
            self._output.wait(_LEAST_SECONDS)
        return finished

    def _hear(self) -> None:
        """Take what the watcher hands over; what others have left is made results of at once."""
        for finished in self._watcher.drain():
            flight = self._flights.pop(finished.key, None)  # type: ignore[call-overload]
            if flight is None:
                self._finished[finished.key] = finished  # type: ignore[index]
            else:
                self._others.append(self._make_result(flight, finished))

    def _look(self) -> None:
        """Write down that the command runs, and look whether somebody has asked for its end; both may wait."""
        now, flight = clock.monotonic(), self._flight
        if now < self._looked_at or flight is None:
            return
        self._looked_at = now + _LOOK_SECONDS
        try:
            self._store_others()
            if flight.state is RunState.STARTING and now - flight.since >= _RUNNING_AFTER_SECONDS:
                self._note_running(flight)
            if self._asked and not self._has_moved:
                self._ask_for_end(flight)
            if self._changes.changed() and flight.ticket.run_id in adoption.list_cancelling(self._db, self._call):
                flight.state, self._has_moved = RunState.CANCELLING, True
                self._watcher.cancel(flight.key, "ended on request")
        except Unavailable:
            # Nothing of this is lost: the next look, or the result, tells it.
            self._looked_at = now + _RETRY_SECONDS

    def _note_running(self, flight: Flight) -> None:
        found = self._watcher.started(flight.key)
        started = flight.started_as(*found) if found is not None else None
        if started is None:
            return
        flight.started = started
        turned = take_turn(self._db, self._turn(started=[started]))
        if flight.ticket.run_id not in turned.surprises:
            flight.state = RunState.RUNNING

    def _turn(self, *, started: Sequence[Started] = (), results: Sequence[Result] = ()) -> Turn:
        now = clock.now()
        return Turn(now, self._call, self._actor, room=0, started=started, results=results, claims=False)

    def _make_result(self, flight: Flight, finished: Finished) -> Result:
        ticket = flight.ticket
        job = self._launcher.job(ticket.task_id, ticket.task_version)
        past = NO_PAST
        if job.policies.retries and ticket.number > 1:
            past = self._patiently(lambda: look_back(self._db, ticket.run_id, ticket.number))
        result = to_result(
            ticket,
            flight.state,
            flight.started or flight.started_as(finished.process, finished.started_at),
            finished,
            policies=job.policies,
            output_root=self._config.output_path,
            adopted=flight.is_adopted,
            past=past,
            steps=job.steps,
        )
        if result.path[-1] is RunState.QUEUED:
            # Nothing was ever tried. To wait in a queue is not what somebody wants who looks on.
            return not_started(ticket, finished.outcome.reason, None, clock.now())
        return result

    def _store(self, result: Result) -> None:
        """Store a result, however long the database takes; raises GivenUp if somebody does not want to wait for that."""
        if result.state is RunState.CANCELLING and not self._has_moved and self._flight is not None:
            self._patiently(lambda: self._ask_for_end(self._flight))
        for _ in range(3):
            again = self._patiently(partial(self._try_to_store, result))
            if again is None:
                return
            result = again

    def _try_to_store(self, result: Result) -> Result | None:
        """Store a result; return what is to be tried instead if its row was not as believed."""
        run_id = result.ticket.run_id
        if run_id not in take_turn(self._db, self._turn(results=[result])).surprises:
            return None
        # A reply was lost, or somebody else has moved it.
        state, fence = adoption.states(self._db, [run_id])[run_id]
        return dataclasses.replace(result, state=state) if fence == result.ticket.fence and state in IN_FLIGHT else None

    def _ask_for_end(self, flight: Flight | None) -> None:
        """Let the row say that somebody has asked for the end."""
        self._has_moved = True
        if flight is None:
            return
        try:
            runs.cancel(self._db, flight.ticket.run_id, now=clock.now(), actor=self._actor)
        except (Conflict, NotFound):
            return
        except BaseException:
            self._has_moved = False
            raise
        flight.state = RunState.CANCELLING

    def _wait_for_retry(self, run: Run, ticket: Ticket) -> Ticket | None:
        """Wait for the moment of the next attempt and return its ticket; None if none is made after all."""
        self._tell(f"run {run.id}: {run.reason}")
        at = run.retry_at or clock.now()
        while (left := (at - clock.now()).total_seconds()) > 0:
            if not self._asked:
                self._asked.wait(min(left, _LOOK_SECONDS))
            if self._asked:
                self._patiently(lambda: self._cancel_waiting(run.id))
                return None
            if self._has_ended(run.id):
                return None
        return self._patiently(
            lambda: foreground.again(self._db, ticket, call=self._call, now=clock.now(), actor=self._actor)
        )

    def _cancel_waiting(self, run_id: int) -> None:
        try:
            runs.cancel(self._db, run_id, now=clock.now(), actor=self._actor)
        except Conflict:
            # Somebody else was faster.
            return

    def _has_ended(self, run_id: int) -> bool:
        try:
            return self._changes.changed() and self._read(run_id, patient=False).state != RunState.RETRY_WAIT
        except Unavailable:
            return False

    def _take_abandoned(self) -> None:
        """Take over what calls that are gone have left."""
        try:
            self._others += take_abandoned(
                self._db,
                self._config,
                holder=self._call,
                actor=self._actor,
                bundles=self._bundles,
                watcher=self._watcher,
                launcher=self._launcher,
                flights=self._flights,
            )
        except Unavailable:
            # The next one does it.
            return

    def _store_others(self) -> None:
        while self._others:
            result = self._others[0]
            take_turn(self._db, self._turn(results=[result]))
            self._others.pop(0)
            for bundle in self._bundles.places(str(result.ticket.run_id), result.ticket.number):
                self._bundles.remove(bundle)

    def _finish(self) -> None:
        """Store what others have left as far as it has ended, and make of all that what is made of every run."""
        deadline = clock.monotonic() + _LEFT_SECONDS
        try:
            while any(self._watcher.started(key) is None for key in self._flights) and clock.monotonic() < deadline:
                clock.pause(_LEAST_SECONDS)
                self._hear()
            self._hear()
            self._store_others()
            digest = Digest(self._db, self._config.output_path)
            for _ in range(_DIGESTS):
                if not digest.step(now=clock.now(), limit=_DIGESTED):
                    break
        except Unavailable:
            # Whoever comes next does it.
            return

    def _read(self, run_id: int, *, patient: bool = True) -> Run:
        return self._patiently(lambda: runs.get(self._db, run_id)) if patient else runs.get(self._db, run_id)

    def _patiently(self, step: Callable[[], T], until: float | None = None) -> T:
        """Take a step, again and again while the database does not answer; raises Unavailable when the time is over.

        Without a time it goes on until somebody asks for the end, or once more: what has been started is safe meanwhile.
        """
        asked, is_told = len(self._asked), False
        while True:
            try:
                return step()
            except Unavailable as error:
                if until is not None and (self._asked or clock.monotonic() >= until):
                    raise Unavailable(f"nothing was started: {error}") from None
                if until is None and len(self._asked) > max(asked, 1):
                    raise GivenUp(
                        "the end of the run is not written down yet, since the database does not answer; the next call of "
                        "watchbell exec, or a scheduler, does it"
                    ) from None
                if not is_told:
                    self._tell(f"waiting for the database: {error}")
                    is_told = True
            clock.pause(_RETRY_SECONDS)

    def _end(self) -> None:
        """Tell the command to end, and end it when it was told before; may be called from a signal handler."""
        if self._flight is None:
            return
        self._watcher.cancel(self._flight.key, f"ended by {signal.Signals(self._asked.numbers[0]).name}")
        found = self._watcher.started(self._flight.key) if len(self._asked) > 1 else None
        pidfd = open_process(found[0]) if found is not None else None
        if pidfd is not None:
            # What has left its group is swept behind it.
            signal_group(pidfd, signal.SIGKILL)
            os.close(pidfd)
