"""The agent in trouble: full disks, answers of others, results that are too large; nothing is done twice and no result is lost."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.database import NOW
from tests.waiting import wait_until
from watchbell.agent import leftover, reports
from watchbell.agent import main as program
from watchbell.agent.client import Server
from watchbell.agent.identity import Credentials, keep_credentials, place_of
from watchbell.agent.journal import Journal
from watchbell.agent.loop import Agent
from watchbell.domain import agent_protocol
from watchbell.domain.agent_protocol import Assignment, Told

CREDENTIALS = Credentials("8479359e-dbeb-4858-813c-e8a9008dde04", "wbd_key", "signing")
SCRIPT = "#!/bin/sh\necho handled\n"
WRONG = {"error": "no", "request_id": "r"}


class Peer:
    """What an agent speaks to: it gives one job until that is reported, under a fence, as long as nobody holds it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.job: Assignment | None = None
        self.reported: list[dict[str, Any]] = []
        #: Answers instead of the server, by path and body; None leaves it to the server.
        self.between: Callable[[str, dict[str, Any]], tuple[int, bytes] | None] = lambda _path, _body: None
        self.begun_by = ""

    def give(self, command: str, fence: int = 1, **more: Any) -> None:
        self.give_document([{"type": "runCommand", "input": {"command": command}, **more}], fence)

    def give_document(self, steps: list[dict[str, Any]], fence: int = 1, **more: Any) -> None:
        payload = {"document": {"version": "1.0", "steps": steps}, "timeout_seconds": 60, "handlers": [], **more}
        self.job, self.begun_by = Assignment(f"job-{fence}", 1, fence, payload), ""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        said = self.between(path, body)
        return said if said is not None else self.serve(path, body)

    def serve(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if "/handlers/" in path:
            return 200, json.dumps({"name": "h", "sha256": "x", "script_content": SCRIPT}).encode()
        if path.endswith("/poll"):
            is_free = not self.begun_by or (self.begun_by == body["incarnation"] and body["holds"] is None)
            told = Told(self.job if is_free else None, ())
            how = {"key": CREDENTIALS.signing_key, "device": CREDENTIALS.uuid, "nonce": body["nonce"], "now": NOW}
            return 200, json.dumps(agent_protocol.seal(told, **how)).encode()
        if body["status"] == "IN_PROGRESS":
            self.begun_by = body["incarnation"]
        else:
            self.reported.append(body)
            self.job = None
        return 200, json.dumps({"job_id": body["job_id"], "status": body["status"], "version_number": 2}).encode()


@pytest.fixture
def peer() -> Iterator[Peer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = made.answer(self.path, json.loads(body or b"{}"))
            if not status:
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Peer(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()


def agent_of(peer: Peer, folder: Path) -> Agent:
    folder.mkdir(exist_ok=True)
    return Agent(Server(peer.url), CREDENTIALS, folder)


def work(agent: Agent) -> None:
    """Let it ask, do what it is given, and ask again."""
    agent.step()
    if agent._worker is not None:
        agent._worker.join()
    agent.step()


def breaking(folder: Path) -> str:
    """Return the command that lets nothing be written into a folder any more, also by root, once the job is noted there."""
    noted = f"until grep -q process {folder}/journal.json; do sleep 0.02; done"
    return f"{noted}; rm -r {folder}/spool; touch {folder}/spool; mkdir -p {folder}/journal.part/x || true"


def break_disk(folder: Path) -> None:
    (folder / "spool").rmdir()
    (folder / "spool").touch()
    (folder / "journal.part" / "x").mkdir(parents=True)


def mend_disk(folder: Path) -> None:
    shutil.rmtree(folder / "journal.part")
    (folder / "spool").unlink()


def test_a_job_whose_result_cannot_be_written_down_is_told_and_not_done_again(peer: Peer, tmp_path: Path) -> None:
    mark, folder = tmp_path / "count", tmp_path / "state"
    agent = agent_of(peer, folder)
    peer.give(f"echo x >> {mark}; echo out; {breaking(folder)}")

    for _ in range(4):
        work(agent)

    assert [(one["status"], one["stdout"]) for one in peer.reported] == [("SUCCEEDED", "out\n")], peer.reported
    assert mark.read_text() == "x\n"


def test_a_job_is_held_while_its_result_can_neither_be_written_down_nor_told(peer: Peer, tmp_path: Path) -> None:
    mark, folder, held = tmp_path / "count", tmp_path / "state", []
    agent = agent_of(peer, folder)
    peer.give(f"echo x >> {mark}; {breaking(folder)}")
    peer.between = lambda _path, body: (404, b"") if body.get("status") == "SUCCEEDED" else None

    for _ in range(3):
        work(agent)
        held.append(agent._is_busy())
    mend_disk(folder)
    work(agent)

    assert not peer.reported
    assert (held, agent._is_busy()) == ([True] * 3, False)
    peer.between = lambda _path, _body: None
    work(agent_of(peer, folder))
    assert [one["status"] for one in peer.reported] == ["SUCCEEDED"]
    assert mark.read_text() == "x\n"


def test_a_full_disk_begins_nothing_and_ends_no_agent(peer: Peer, tmp_path: Path) -> None:
    mark, folder = tmp_path / "count", tmp_path / "state"
    agent = agent_of(peer, folder)
    break_disk(folder)
    peer.give(f"echo x >> {mark}")

    waits = [agent.step() for _ in range(2)]

    assert waits[1] > 0
    assert not mark.exists()
    mend_disk(folder)
    work(agent)
    assert [one["status"] for one in peer.reported] == ["SUCCEEDED"]


def test_an_agent_that_cannot_write_at_its_start_may_be_started_again(tmp_path: Path) -> None:
    keep_credentials(tmp_path, CREDENTIALS)
    (tmp_path / "processes.part").mkdir()

    code = program.main(["--url", "http://127.0.0.1:9", "--state", str(tmp_path)])

    assert code == 75


def test_an_error_of_the_agent_itself_is_told_of_the_job(peer: Peer, tmp_path: Path) -> None:
    agent = agent_of(peer, tmp_path)
    peer.give_document([{"type": "runCommand", "input": {"command": "true"}}], timeout_seconds="soon")

    work(agent)

    assert [(one["status"], one["reason"][:8]) for one in peer.reported] == [("FAILED", "unknown:")]


def test_a_report_is_as_small_as_the_server_takes_it_whatever_is_in_it() -> None:
    for char in ("\x00", "x", "ü", "\N{PILE OF POO}"):
        given = {
            "status": "FAILED",
            "reason": char * 900_000,
            "stdout": "a" + char * 900_000 + "z",
            "stderr": char * 10,
        }

        found = reports.fitted(given)

        assert len(json.dumps(found)) <= reports.MOST_BYTES
        assert (found["status"], found["stderr"]) == ("FAILED", char * 10)
        assert (found["stdout"][0], found["stdout"][-1]) == ("a", "z")
        assert "characters were not kept" in found["stdout"]


def test_steps_that_write_what_grows_on_its_way_are_reported(peer: Peer, tmp_path: Path) -> None:
    step = {"type": "runCommand", "input": {"command": "head -c 30000 /dev/zero | tr '\\0' '\\1' | tee /dev/stderr"}}
    peer.between = lambda path, body: (413, b"") if path.endswith("/report") and len(json.dumps(body)) > 2**20 else None
    peer.give_document([{**step, "name": f"s{number}"} for number in range(8)])

    work(agent_of(peer, tmp_path))

    (one,) = peer.reported
    assert one["status"] == "SUCCEEDED"
    assert one["stdout"].startswith("== s0\n\x01")


@pytest.mark.parametrize("status", [413, 422])
def test_a_report_that_is_refused_as_too_large_goes_without_its_outputs(
    peer: Peer, tmp_path: Path, status: int
) -> None:
    refusal = (status, json.dumps({**WRONG, "code": "invalid_input"}).encode())
    peer.between = lambda _path, body: refusal if body.get("stdout") else None
    peer.give("echo out; exit 3")

    work(agent_of(peer, tmp_path))

    (one,) = peer.reported
    assert (one["status"], one["exit_code"], one.get("stdout")) == ("FAILED", 3, None)


@pytest.mark.parametrize("answer", [(404, b"<h1>no backend</h1>"), (400, b"{}"), (200, b"log in first"), (409, b"[]")])
def test_what_another_than_the_server_answers_costs_no_result(
    peer: Peer, tmp_path: Path, answer: tuple[int, bytes]
) -> None:
    peer.between = lambda _path, body: answer if body.get("status") == "SUCCEEDED" else None
    agent = agent_of(peer, tmp_path)
    peer.give("true")
    work(agent)
    assert not peer.reported

    peer.between = lambda _path, _body: None
    work(agent)

    assert [one["status"] for one in peer.reported] == ["SUCCEEDED"]


def test_what_another_answers_to_a_beginning_begins_nothing(peer: Peer, tmp_path: Path) -> None:
    mark = tmp_path / "count"
    peer.between = lambda _path, body: (200, b"{}") if body.get("status") == "IN_PROGRESS" else None
    agent = agent_of(peer, tmp_path / "state")
    peer.give(f"echo x >> {mark}")
    work(agent)
    assert not mark.exists()

    peer.between = lambda _path, _body: None
    work(agent)

    assert mark.read_text() == "x\n"


def test_a_refusal_of_the_server_itself_ends_a_report(peer: Peer, tmp_path: Path) -> None:
    refusal = json.dumps({**WRONG, "code": "conflict"}).encode()
    peer.between = lambda _path, body: (409, refusal) if body.get("status") == "SUCCEEDED" else None
    agent = agent_of(peer, tmp_path)
    peer.give("true")

    work(agent)

    assert not list((tmp_path / "spool").iterdir())


def test_a_handler_that_another_refuses_is_fetched_later(peer: Peer, tmp_path: Path) -> None:
    told = [{"name": "h", "sha256": hashlib.sha256(SCRIPT.encode()).hexdigest()}]
    peer.between = lambda path, _body: (404, b"<h1>no backend</h1>") if "/handlers/" in path else None
    agent = agent_of(peer, tmp_path)
    peer.give_document([{"type": "runHandler", "input": {"handler": "h"}}], handlers=told)
    work(agent)
    assert not peer.reported

    peer.between = lambda _path, _body: None
    work(agent)

    assert [(one["status"], one["stdout"]) for one in peer.reported] == [("SUCCEEDED", "handled\n")]


def test_a_handler_that_the_server_itself_refuses_is_told(peer: Peer, tmp_path: Path) -> None:
    refusal = json.dumps({**WRONG, "code": "not_found"}).encode()
    peer.between = lambda path, _body: (404, refusal) if "/handlers/" in path else None
    told = [{"name": "h", "sha256": "0" * 64}]
    peer.give_document([{"type": "runHandler", "input": {"handler": "h"}}], handlers=told)

    work(agent_of(peer, tmp_path))

    assert [one["status"] for one in peer.reported] == ["REJECTED"]


def test_a_job_of_which_it_was_not_heard_that_it_may_begin_is_told_by_the_next_process(
    peer: Peer, tmp_path: Path
) -> None:
    def lose(path: str, body: dict[str, Any]) -> tuple[int, bytes] | None:
        if body.get("status") != "IN_PROGRESS":
            return None
        peer.serve(path, body)
        return 0, b""

    mark = tmp_path / "count"
    peer.between = lose
    peer.give(f"echo x >> {mark}")
    agent_of(peer, tmp_path / "state").step()
    peer.between = lambda _path, _body: None

    work(agent_of(peer, tmp_path / "state"))

    assert [(one["status"], one["reason"][:9]) for one in peer.reported] == [("FAILED", "not begun")]
    assert not mark.exists()


def test_a_job_of_which_the_server_has_not_heard_that_it_begins_is_begun_by_the_next_process(
    peer: Peer, tmp_path: Path
) -> None:
    peer.between = lambda _path, body: (503, b"") if body.get("status") == "IN_PROGRESS" else None
    peer.give("true")
    agent_of(peer, tmp_path).step()
    peer.between = lambda _path, _body: None

    work(agent_of(peer, tmp_path))

    assert [one["status"] for one in peer.reported] == ["SUCCEEDED"]


def test_an_answer_that_is_no_answer_ends_no_agent(peer: Peer, tmp_path: Path) -> None:
    agent = agent_of(peer, tmp_path)
    for answer in (b"[" * 2_000_000, b'{"a":' * 400_000, b"\xff\xfe", b"1" * 10_000):
        peer.between = lambda _path, _body, answer=answer: (200, answer)  # type: ignore[misc]
        assert agent.step() > 0


@pytest.mark.parametrize("held", ["{}", '{"fence": 1, "held": {}, "seen": []}', "[" * 100_000, '{"fence": "x"}'])
def test_a_journal_that_is_damaged_is_put_aside(tmp_path: Path, held: str) -> None:
    (tmp_path / "journal.json").write_text(held)

    assert Journal(tmp_path).held() is None
    assert (tmp_path / "journal.damaged").read_text() == held


def test_what_an_agent_that_was_killed_has_left_is_ended_by_the_next(peer: Peer, tmp_path: Path) -> None:
    left = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)
    try:
        journal, job = Journal(tmp_path), Assignment("job-1", 1, 1, {})
        journal.ask(job)
        journal.begin(job)
        journal.note_process(leftover.mark(left.pid, place_of(tmp_path)))

        work(agent_of(peer, tmp_path))

        assert left.poll() == -signal.SIGTERM
    finally:
        # It has ended, unless the test fails.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(left.pid, signal.SIGKILL)
        left.wait()
    (one,) = peer.reported
    assert one["reason"].endswith("what was still going of it was ended")


def test_a_process_that_was_given_the_number_of_another_is_left_alone() -> None:
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        mark = leftover.mark(other.pid, "a/b")
        for wrong in ({**mark, "began": mark["began"] - 1}, {**mark, "boot_id": "x"}, {}, None, {"pid": "self"}):
            assert not leftover.end(wrong, "a/b")
        # Of another folder, of which this agent has a copy.
        assert not leftover.end(mark, "a/c")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_job_that_goes_is_known_to_the_journal_by_its_process(peer: Peer, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    agent = agent_of(peer, tmp_path / "state")
    peer.give(f"while ! [ -e {gate} ]; do sleep 0.05; done")
    agent.step()

    wait_until(lambda: (Journal(tmp_path / "state").held() or {}).get("process"), 20, "its process")
    process = (Journal(tmp_path / "state").held() or {})["process"]

    assert os.getpgid(process["pid"]) == process["pid"]
    gate.touch()
    agent.finish()
    assert [one["status"] for one in peer.reported] == ["SUCCEEDED"]
