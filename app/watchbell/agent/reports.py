"""What becomes of reports: they are made so small that the server takes them, sent, and kept until it has said so."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from watchbell.agent.client import Answer, Offline, Server
from watchbell.agent.identity import Process
from watchbell.agent.journal import Journal
from watchbell.agent.steps import Done

#: The server takes 1 MiB at once; the rest is for what else stands in a report.
MOST_BYTES = 1000 * 1024
#: Of each output the server keeps no more characters.
_MOST_CHARACTERS = 64 * 1024
_MOST_REASON = 4096
_OUTPUTS = ("stdout", "stderr")
#: A key that was taken away may come back, and what is to be reported waits for that.
_NOT_ALLOWED = frozenset({401, 403})
#: With which word the server says that a report is to come again.
_NOT_YET = "not_yet"
_TOO_LARGE = frozenset({413, 422})
#: What is said of a job in place of what was said when it began, which would stay.
_ENDINGS = {"SUCCEEDED": "Job completed successfully", "FAILED": "Job failed"}

log = logging.getLogger(__name__)


def of(done: Done) -> dict[str, Any]:
    """Return what is reported of steps that have ended."""
    return {
        "status": "SUCCEEDED" if done.succeeded else "FAILED",
        "exit_code": done.exit_code,
        "stdout": done.stdout,
        "stderr": done.stderr,
        "executed_steps": done.executed_steps,
        **({"reason": done.reason, "failed_step": done.failed_step} if not done.succeeded else {}),
    }


def fitted(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report of a size that the server takes, as it is sent: of long texts the beginning and the end."""
    most = _MOST_CHARACTERS
    while True:
        limits = {
            **dict.fromkeys(_OUTPUTS, most),
            **dict.fromkeys(("reason", "failure", "failed_step"), min(most, _MOST_REASON)),
        }
        found = {name: _cut(value, limits[name]) if name in limits else value for name, value in report.items()}
        if most < 2 or len(json.dumps(found)) <= MOST_BYTES:
            return found
        most //= 2


def _cut(text: object, most: int) -> object:
    if not isinstance(text, str) or len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters were not kept]\n{text[len(text) - half :]}"


class Later(Exception):
    """The server does not know yet whether this agent speaks for its device alone; what was to be reported is kept."""


class Reports:
    """The way of the reports of one process of an agent to the server."""

    def __init__(self, server: Server, journal: Journal, process: Process) -> None:
        self._server = server
        self._journal = journal
        self._process = process
        #: Whether the server did not want to know yet of some at the last try.
        self.has_waiting = False

    def send_kept(self) -> None:
        """Send what is kept, oldest first; raises Offline at the first that the server has not answered."""
        self.has_waiting = False
        for file, kept in self._journal.reports():
            job_id, fence, report = kept["job_id"], kept["fence"], kept["report"]
            try:
                if not self.deliver(job_id, fence, report):
                    report = bare(report)
                    self._journal.replace(file, job_id, fence, report)
                    self.deliver(job_id, fence, report)
            except Later as why:
                log.info("The report of job %s waits: %s", job_id, why)
                self.has_waiting = True
                continue
            file.unlink(missing_ok=True)

    def deliver(self, job_id: str, fence: int, report: dict[str, Any]) -> bool:
        """Send the result of a job, and return False if it has to go without its outputs; raises Offline and Later.

        What the server refuses for good is delivered: it knows better what has become of the job, and keeps ours beside it.
        """
        answer = self.send(job_id, fence, report)
        if answer.status in _TOO_LARGE and any(report.get(name) for name in _OUTPUTS):
            log.warning("The report of job %s is refused with its outputs: %s", job_id, answer.error)
            return False
        if answer.status == 409 and answer.body.get("code") == _NOT_YET:
            raise Later(answer.error)
        if answer.is_refusal:
            log.warning("The report of job %s was refused: %s", job_id, answer.error)
        elif answer.status != 200:
            raise Offline(f"the report of job {job_id} is not taken: {answer.error}")
        return True

    def send(self, job_id: str, fence: int, report: dict[str, Any]) -> Answer:
        """Report of a job and return what the server says; raises Offline if it is not the server that says it."""
        who = {"incarnation": self._process.number, "place": self._process.place}
        answer = self._server.report({**report, "job_id": job_id, "fence": fence, **who})
        if answer.status in _NOT_ALLOWED:
            raise Offline(f"the server refuses this device: {answer.error}")
        if answer.status < 400 and (answer.status != 200 or answer.body.get("job_id") != job_id):
            raise Offline("something else than the server has answered a report")
        return answer


def numbered(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report of a size that is taken, with a number of its own, the same each time it is sent: it is taken once."""
    said = {"status_details": {"message": _ENDINGS[report["status"]]}} if report["status"] in _ENDINGS else {}
    return {**said, **fitted(report), "report_id": os.urandom(12).hex()}


def bare(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without its outputs, as another one."""
    without = {name: value for name, value in report.items() if name not in _OUTPUTS}
    return numbered({**without, "status_details": {"message": "What it has written was too large for the server"}})
