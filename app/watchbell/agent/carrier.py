"""Doing what is carried when it is due, by the clock of this machine, whether the server is there or not."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from watchbell import clock
from watchbell.agent import facts, leftover, reports, steps
from watchbell.agent.carried import MOST_RESULTS, Carried
from watchbell.domain import carried as rules
from watchbell.domain import job_document
from watchbell.domain.carried import Outcome, Timing, Verdict
from watchbell.domain.policies import CatchUp
from watchbell.errors import InputError

#: So often it is looked whether something is due; a clock that is put right is noticed by then.
LOOK_SECONDS = 20.0
_AGAIN_SECONDS = 5.0
#: A clock that shows less than what was looked at by more than this was wrong before, and is right now.
_WRONG_CLOCK = timedelta(days=1)
_UNKNOWN = "unknown: the agent ended while this was going, and does not do it again by itself"
_LEFT = "; what was still going of it was ended"
_FULL = f"{MOST_RESULTS} results wait to be told, and no more can be kept"

log = logging.getLogger("watchbell.agent")


class Carrier:
    """Looks what is due and does it, one after the other, in a thread of its own.

    ``turn`` is held by whoever does something on this device: a job that the server has given, or a moment.
    """

    def __init__(self, carried: Carried, turn: threading.Lock, place: str) -> None:
        self._carried = carried
        self._turn = turn
        self._place = place
        self._up_since = clock.now()
        self._timings: dict[tuple[str, int], Timing] = {}
        self._wake = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        #: Whether a moment goes.
        self.is_at_work = False
        #: Whether another agent has the same credentials, so that nothing is to be begun.
        self.is_resting = False

    def start(self) -> None:
        """Say what is known of a moment that was going when the agent ended, and begin to look."""
        begun = self._carried.begun()
        if begun is not None:
            log.warning("%s was going when the agent ended", begun.get("name", begun["schedule_id"]))
            reason = _UNKNOWN + (_LEFT if leftover.end(begun.get("process"), self._place) else "")
            self._carried.finish({"status": "FAILED", "failure": reason, "exit_code": 1})
        self._thread = threading.Thread(target=self._loop, name="carrier", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once: what is carried has changed."""
        self._wake.set()

    def finish(self) -> None:
        """Begin nothing more, and wait for what goes."""
        self._is_closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        while not self._is_closing:
            if not self._turn.acquire(timeout=1.0):
                continue
            try:
                wait = LOOK_SECONDS if self.is_resting else self.look(clock.now())
            except OSError as error:
                # A disk that is full, or does not answer; what cannot be written down is not begun.
                log.error("Nothing that is carried can be begun: %s", error)
                wait = _AGAIN_SECONDS
            finally:
                self._turn.release()
            self._wake.wait(wait)
            self._wake.clear()

    def look(self, now: datetime) -> float:
        """Tell what was missed, do what has been due the longest, and return for how many seconds nothing is due."""
        zone, wait = zone_here(), LOOK_SECONDS
        first: tuple[Mapping[str, Any], Verdict] | None = None
        for schedule in self._carried.schedules():
            name, timing = str(schedule["schedule_id"]), self._timing(schedule)
            after = self._carried.looked_until(name)
            if timing is None or after is None:
                continue
            if after - now > _WRONG_CLOCK:
                log.warning("The clock has gone back by %s; %s counts from now on", after - now, schedule["name"])
                self._carried.set_back(name, now)
                after = now
            due = self._due(schedule, timing, zone, after, now)
            if due is not None and (first is None or due.due_at < first[1].due_at):
                first = (schedule, due)
            following = timing.next_after(max(after, now), zone)
            if following is not None:
                wait = min(wait, (following.due_at - now).total_seconds())
        if first is None:
            return max(wait, 0.0)
        self._run(*first)
        return 0.0

    def _due(
        self, schedule: Mapping[str, Any], timing: Timing, zone: str, after: datetime, now: datetime
    ) -> Verdict | None:
        """Write down what was missed of a schedule, and return the first moment that is to be begun."""
        name, choice = str(schedule["schedule_id"]), CatchUp(schedule["catch_up"])
        found = rules.judge(timing, zone, choice, after=after, now=now, up_since=self._up_since)
        missed = [one for one in found if one.outcome is Outcome.MISSED]
        rest = found[len(missed) :]
        if rest and self._carried.waiting_results() >= MOST_RESULTS:
            missed += [Verdict(one.key, one.due_at, Outcome.MISSED, _FULL) for one in rest]
            rest = []
        until = missed[-1].due_at if missed else after
        while rest and self._carried.has_run(name, rest[0].key):
            # A clock that was put back, or another zone, lets a moment come twice.
            until = rest.pop(0).due_at
        if until != after:
            self._carried.note(name, until, [_told(schedule, one) for one in missed])
        return rest[0] if rest else None

    def _timing(self, schedule: Mapping[str, Any]) -> Timing | None:
        mark = (str(schedule["schedule_id"]), int(schedule["version"]))
        if mark not in self._timings:
            try:
                self._timings[mark] = rules.read_told(schedule["timing"])
            except (KeyError, TypeError, ValueError) as error:
                log.error("It is not understood when %s is due: %r", schedule.get("name"), error)
                return None
        return self._timings[mark]

    def _run(self, schedule: Mapping[str, Any], due: Verdict) -> None:
        began_at = clock.now()
        moment = {**_told(schedule, due), "name": schedule["name"], "began_at": began_at.isoformat()}
        # From here on it may have an effect, and is never begun again.
        if not self._carried.begin(moment, due.due_at):
            return
        log.info("%s, due at %s, is begun", schedule["name"], due.due_at.isoformat())
        self.is_at_work = True
        try:
            try:
                result = self._do(schedule)
            except Exception as error:
                log.exception("%s", schedule["name"])
                result = {
                    "status": "FAILED",
                    "failure": f"the agent could not do it to its end: {error!r}",
                    "exit_code": 1,
                }
            self._keep(reports.fitted(result))
        finally:
            self.is_at_work = False
        log.info("%s: %s %s", schedule["name"], result["status"], result.get("failure", ""))

    def _keep(self, result: Mapping[str, Any]) -> None:
        """Write a result down, however long that takes; an agent that ends before says next time that nobody knows it."""
        while True:
            try:
                self._carried.finish(result)
            except OSError as error:
                log.error("A result cannot be written down: %s", error)
                if self._is_closing:
                    return
                self._wake.wait(_AGAIN_SECONDS)
            else:
                return

    def _do(self, schedule: Mapping[str, Any]) -> dict[str, Any]:
        folder = self._carried.handlers_of(schedule)
        try:
            document = job_document.read(schedule["document"], is_filled=True)
            _check_handlers(schedule, folder)
        except InputError as error:
            return {"status": "REJECTED", "failure": str(error)}
        seconds, never = float(schedule["timeout_seconds"]), threading.Event()
        done = steps.run(document, handlers=folder, seconds=seconds, stop=never, started=self._note_process)
        found = reports.of(done)
        return {("failure" if name == "reason" else name): value for name, value in found.items()}

    def _note_process(self, pid: int) -> None:
        try:
            self._carried.note_process(leftover.mark(pid, self._place))
        except OSError as error:
            # It is for the case that the agent is killed, and no reason to end the step.
            log.warning("It cannot be written down which process it is: %s", error)


def zone_here() -> str:
    """Return the zone of this machine; UTC if it says none, or one whose rules it does not know."""
    named = facts.zone()
    try:
        return ZoneInfo(named).key if named else "UTC"
    except (LookupError, OSError, ValueError):
        return "UTC"


def _told(schedule: Mapping[str, Any], found: Verdict) -> dict[str, Any]:
    return {
        "schedule_id": schedule["schedule_id"],
        "version": schedule["version"],
        "key": found.key,
        "due_at": found.due_at.isoformat(),
        "outcome": found.outcome.value,
        "reason": found.reason,
        "stands_for": found.stands_for,
    }


def _check_handlers(schedule: Mapping[str, Any], folder: Path) -> None:
    """Raise InputError for a handler that is not what its digest says."""
    for told in schedule["handlers"]:
        file = folder / str(told["name"])
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != told["sha256"]:
            raise InputError.of("handler", f"{told['name']} is not what its digest says")
