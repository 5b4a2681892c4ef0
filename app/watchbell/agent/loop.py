"""The agent's loop: report what is left to report, ask, do one job at a time, and never do one twice by itself."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
from pathlib import Path
from typing import Any

from watchbell import clock
from watchbell.agent import handlers, leftover, reports, steps
from watchbell.agent.carrying import Carrying
from watchbell.agent.client import LONGEST_WAIT, Offline, Server
from watchbell.agent.facts import Facts
from watchbell.agent.identity import Credentials, Process
from watchbell.agent.journal import Journal
from watchbell.agent.reports import Later, Reports, bare, numbered
from watchbell.domain import agent_protocol, job_document
from watchbell.domain.agent_protocol import Assignment, NotTrusted, Told
from watchbell.errors import InputError

log = logging.getLogger(__name__)

#: So often it asks, a little sooner or later, so that a fleet does not ask at once.
POLL_SECONDS = 30.0
_JITTER = 0.2
#: While a job goes it asks this often whether it is still wanted.
BUSY_SECONDS = 5.0
#: With which word the server says that the credentials of this device are in two places.
_TWO_AGENTS = "duplicate_identity"
_UNKNOWN = "unknown: the agent ended while the job was going, and does not do it again by itself"
_LEFT = "; what was still going of it was ended"
_NOT_BEGUN = "not begun: the agent has not heard in time that it may"
_TROUBLE = "unknown: the agent could not do the job to its end: "


class Agent:
    """One device; ``step`` is called again and again by one thread."""

    def __init__(
        self,
        server: Server,
        credentials: Credentials,
        folder: Path,
        *,
        poll_seconds: float = POLL_SECONDS,
        handlers: Path | None = None,
    ) -> None:
        self._server = server
        self._credentials = credentials
        server.use(credentials.key)
        self._process = Process(folder)
        self._journal = Journal(folder)
        self._facts = Facts(folder, server.place)
        self._round_trip_ms: int | None = None
        self._handlers = handlers or folder / "handlers"
        self._handlers.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._poll_seconds = poll_seconds
        self._failures = 0
        #: What was wrong at the last try.
        self._told = ""
        self._seq = 0
        #: Why an answer was not trusted, until the server has heard of it.
        self._distrust = ""
        self._reports = Reports(server, self._journal, self._process)
        self._carrying = Carrying(server, credentials, folder, self._process)
        self._worker: threading.Thread | None = None
        self._job: Assignment | None = None
        #: The result of the job, while it could not be written down.
        self._unkept: tuple[str, int, dict[str, Any]] | None = None
        self._stop = threading.Event()
        held = self._journal.held()
        if held is not None and held["is_begun"]:
            log.warning("Job %s was going when the agent ended", held["job_id"])
            reason = _UNKNOWN + (_LEFT if leftover.end(held.get("process"), self._process.place) else "")
            self._finish(held["job_id"], held["fence"], {"status": "FAILED", "reason": reason, "exit_code": 1})

    def step(self) -> float:
        """Do what there is to do and return for how many seconds to wait."""
        try:
            self._send_reports()
            self._ask()
            if self._reports.has_waiting:
                # Now the server has heard which process speaks for this device.
                self._send_reports()
            self._carrying.tell()
        except (Offline, OSError) as error:
            # A disk that is full, or does not answer, is waited for as a server that does not.
            self._failures += 1
            asked = error.wait_seconds if isinstance(error, Offline) else None
            wait = asked or min(self._poll_seconds * 2 ** min(self._failures - 1, 6), LONGEST_WAIT)
            # The same again and again is told once.
            level = logging.DEBUG if str(error) == self._told else logging.WARNING
            log.log(level, "%s; trying again in about %.0f s", error, wait)
            self._told = str(error)
            return _jittered(wait)
        if self._told:
            log.info("The server answers")
        self._failures, self._told = 0, ""
        is_at_work = self._is_busy() or self._carrying.is_at_work
        return min(BUSY_SECONDS, self._poll_seconds) if is_at_work else _jittered(self._poll_seconds)

    def finish(self) -> None:
        """Wait for the job that goes, and report what can be reported."""
        if self._worker is not None:
            self._worker.join()
        self._carrying.finish()
        try:
            self._send_reports()
            self._carrying.tell()
        except (Offline, OSError) as error:
            log.warning("%s; what is left is reported at the next start", error)

    def _is_busy(self) -> bool:
        return self._unkept is not None or self._is_working()

    def _send_reports(self) -> None:
        self._keep_unkept()
        self._reports.send_kept()
        if self._unkept is not None and not self._is_working():
            # It cannot be written down, and is told all the same.
            with contextlib.suppress(Later):
                self._tell_unkept(*self._unkept)
                self._unkept = None

    def _tell_unkept(self, job_id: str, fence: int, report: dict[str, Any]) -> None:
        if not self._reports.deliver(job_id, fence, report):
            self._unkept = (job_id, fence, bare(report))
            self._reports.deliver(*self._unkept)
        self._journal.forget(job_id, fence)

    def _is_working(self) -> bool:
        return self._worker is not None and self._worker.is_alive()

    def _ask(self) -> None:
        told = self._poll()
        if self._job is not None and self._job.job_id in told.cancelled and self._is_busy():
            self._stop.set()
        if told.carried is not None:
            self._carrying.follow(told.carried)
        if self._is_busy():
            return
        self._give_up_unbegun(told.assignment)
        if told.assignment is not None:
            if self._journal.is_new(told.assignment):
                self._take(told.assignment)
            else:
                log.warning("Job %s was given before and is not begun again", told.assignment.job_id)

    def _give_up_unbegun(self, offered: Assignment | None) -> None:
        """Report of a job that was about to be begun, and that the server, which may have it for begun, gives no more."""
        held = self._journal.held()
        if held is None or (offered is not None and (offered.job_id, offered.fence) == (held["job_id"], held["fence"])):
            return
        log.warning("Job %s was not begun, and is not given again", held["job_id"])
        self._finish(held["job_id"], held["fence"], {"status": "FAILED", "reason": _NOT_BEGUN, "exit_code": 1})

    def _poll(self) -> Told:
        """Ask, and return what the server says, if it is the server that says it."""
        self._seq += 1
        nonce = os.urandom(16).hex()
        job = self._job if self._is_busy() else None
        facts = self._facts.due()
        asked: dict[str, Any] = {
            "incarnation": self._process.number,
            "earlier": self._process.earlier,
            "seq": self._seq,
            "nonce": nonce,
            "holds": {"job_id": job.job_id, "fence": job.fence} if job is not None else None,
            "distrust": self._distrust,
            "clock": clock.now().isoformat(),
            "round_trip_ms": self._round_trip_ms,
            "facts": facts,
            "knows": [agent_protocol.STEP_ENVIRONMENT],
            **self._carrying.said(),
        }
        asked_at = clock.boot_time()
        answer = self._server.poll(asked)
        self._round_trip_ms = int((clock.boot_time() - asked_at) * 1000)
        self._carrying.rest(answer.body.get("code") == _TWO_AGENTS)
        if answer.status == 403 and answer.body.get("code") == "device_inactive":
            raise Offline("this device waits until somebody lets it take part", self._poll_seconds)
        if answer.status == 422 and facts is not None:
            # A machine that is stranger than the server can imagine still does its jobs.
            self._facts.note_told()
        if answer.status != 200:
            raise Offline(f"the server refuses this device: {answer.error}")
        try:
            told = agent_protocol.unseal(
                answer.body,
                key=self._credentials.signing_key,
                device=self._credentials.uuid,
                nonce=nonce,
                elapsed_seconds=clock.boot_time() - asked_at,
            )
        except NotTrusted as error:
            self._distrust = str(error)[:200]
            raise Offline(f"nothing is done: {error}") from None
        self._distrust = ""
        self._process.confirm()
        if facts is not None:
            self._facts.note_told()
        return told

    def _take(self, job: Assignment) -> None:
        """Begin a job, or report why that cannot be; while something goes that is carried, it waits."""
        if not self._carrying.turn.acquire(timeout=1.0):
            return
        has_begun = False
        try:
            has_begun = self._begin(job)
        finally:
            if not has_begun:
                self._carrying.turn.release()

    def _begin(self, job: Assignment) -> bool:
        """Return whether a job was begun."""
        try:
            document = job_document.read(job.payload.get("document"), is_filled=True)
            for handler in job.payload["handlers"]:
                handlers.fetch(self._server, handler, self._handlers)
        except (InputError, handlers.HandlerWrong) as error:
            self._finish(job.job_id, job.fence, {"status": "REJECTED", "reason": str(error)})
            return False
        # From here on the server may hold it for begun, whether its answer comes or not.
        self._journal.ask(job)
        answer = self._reports.send(job.job_id, job.fence, self._begun(job))
        if answer.is_refusal:
            self._journal.drop()
            log.warning("Job %s is not to be begun: %s", job.job_id, answer.error)
            return False
        if answer.status != 200:
            raise Offline(f"job {job.job_id} is not begun: {answer.error}")
        # And from here on it may have had an effect, whatever happens to the agent.
        self._journal.begin(job)
        self._job, self._stop = job, threading.Event()
        self._worker = threading.Thread(target=self._work, args=(job, document, self._stop), name="job", daemon=True)
        self._worker.start()
        return True

    def _begun(self, job: Assignment) -> dict[str, Any]:
        return {
            "status": "IN_PROGRESS",
            "status_details": {"message": "Job execution started"},
            # Of this process: what another one with the same credentials has begun is not begun by this one.
            "report_id": f"begin-{self._process.number}-{job.fence}",
        }

    def _work(self, job: Assignment, document: job_document.Document, stop: threading.Event) -> None:
        try:
            self._work_on(job, document, stop)
        finally:
            self._carrying.turn.release()

    def _work_on(self, job: Assignment, document: job_document.Document, stop: threading.Event) -> None:
        try:
            report = self._do(job, document, stop)
        except Exception as error:
            log.exception("Job %s", job.job_id)
            report = {"status": "FAILED", "reason": f"{_TROUBLE}{error!r}", "exit_code": 1}
        self._unkept = (job.job_id, job.fence, numbered(report))
        try:
            self._journal.finish(*self._unkept)
        except OSError as error:
            # The loop goes on trying, and says as long that the device is at this job.
            log.error("The result of job %s cannot be written down: %s", job.job_id, error)
            return
        self._unkept = None
        log.info("Job %s: %s %s", job.job_id, report["status"], report.get("reason", ""))

    def _do(self, job: Assignment, document: job_document.Document, stop: threading.Event) -> dict[str, Any]:
        seconds = float(job.payload["timeout_seconds"])
        # They are kept nowhere but here: whoever follows after a crash does not begin the job again, or is given them anew.
        given = job.payload.get("secrets") or {}
        done = steps.run(
            document, handlers=self._handlers, seconds=seconds, stop=stop, started=self._note_process, secrets=given
        )
        return reports.of(done)

    def _note_process(self, pid: int) -> None:
        try:
            self._journal.note_process(leftover.mark(pid, self._process.place))
        except OSError as error:
            # It is for the case that the agent is killed, and no reason to end the step.
            log.warning("It cannot be written down which process the job is: %s", error)

    def _keep_unkept(self) -> None:
        if self._unkept is not None and not self._is_working():
            try:
                self._journal.finish(*self._unkept)
            except OSError as error:
                log.debug("The result of job %s cannot be written down yet: %s", self._unkept[0], error)
            else:
                self._unkept = None

    def _finish(self, job_id: str, fence: int, report: dict[str, Any]) -> None:
        self._journal.finish(job_id, fence, numbered(report))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret.
