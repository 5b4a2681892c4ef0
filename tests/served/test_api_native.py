"""The native family with real servers and schedulers: answers that are lost, and the scheduler started and stopped."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.process.lives import ROOT
from tests.process.page import Page
from tests.process.programs import end_scheduler
from tests.waiting import wait_until

#: Imported by every Python that is started with its folder on the path; it lets the server kill itself between the commit
#: and the answer of a request with a key, as soon as the file is there.
ARMED = """
import os, signal, sys
if "dashboard" in sys.orig_argv:
    from watchbell.web.api import idempotency
    real = idempotency._at_once
    def killed(asked, make):
        response = real(asked, make)
        if os.path.exists({flag!r}):
            os.unlink({flag!r})
            os.kill(os.getpid(), signal.SIGKILL)
        return response
    idempotency._at_once = killed
"""


def call(
    page: Page, method: str, path: str, body: object = None, key: str = "", family: str = "/api/v2"
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Send a request and return status, body and headers; raises what a client meets whose server dies."""
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
    connection = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request(method, f"{family}{path}", json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None, answer.headers


def wait_for_it(page: Page) -> None:
    """Wait until the scheduler runs: on a busy machine a start is answered before that."""
    wait_until(lambda: call(page, "GET", "/scheduler")[1]["state"] == "running", 60, "the scheduler to run")


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [("/tasks/1/runs", {}, "run"), ("/tasks", {"name": "made", "command": "true"}, "task")],
)
def test_a_server_that_is_killed_before_its_answer_is_heard_does_it_once(lab, tmp_path, path, body, table):
    lab.add_task("job", 0, 0)
    before = lab.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"]
    flag, armed = tmp_path / "die-now", tmp_path / "armed"
    armed.mkdir()
    (armed / "sitecustomize.py").write_text(ARMED.format(flag=str(flag)))
    page = Page(lab, PYTHONPATH=os.pathsep.join([str(armed), str(ROOT / "app")]))
    try:
        flag.touch()
        with pytest.raises((http.client.HTTPException, OSError)):
            call(page, "POST", path, body, "deploy-1")
        assert not flag.exists()
        wait_until(page.is_served, 30, "the next worker")

        status, told, headers = call(page, "POST", path, body, "deploy-1")
    finally:
        page.stop()

    assert (status, headers["Idempotency-Replayed"]) == (201, "true")
    rows = lab.rows(f"SELECT id FROM {table} ORDER BY id")
    assert len(rows) == before + 1 and rows[-1]["id"] == told["id"]
    with closing(sqlite3.connect(lab.file)) as connection:
        assert connection.execute("SELECT count(*) FROM kept_answer").fetchone() == (1,)


def test_the_buttons_of_the_older_families_are_pressed_once_under_a_key(lab):
    page = Page(lab)
    try:
        # There is no pipeline to stop, which leaves the scheduler as it is.
        for path, runs in {"/scheduler/start": True, "/cron/stop": True, "/scheduler/stop": False}.items():
            first, again = (call(page, "POST", path, key="pressed", family="/api") for _ in range(2))

            assert (first[0], again[0]) == (200, 200), (path, first[1], again[1])
            assert again[1] == first[1] and again[2]["Idempotency-Replayed"] == "true"
            if path == "/scheduler/start":
                wait_for_it(page)
            assert call(page, "GET", "/scheduler/status", family="/api")[1]["running"] is runs
    finally:
        page.stop()
        end_scheduler(lab.home)


def test_the_scheduler_is_started_told_of_and_stopped(lab):
    page = Page(lab)
    try:
        first, second = (call(page, "POST", "/scheduler/start", key="start-1") for _ in range(2))
        assert first[0] == second[0] == 200 and first[1]["state"] in {"running", "starting"}
        wait_for_it(page)
        assert second[2]["Idempotency-Replayed"] == "true" and second[1]["pid"] == first[1]["pid"]
        assert call(page, "POST", "/scheduler/start")[0] == 409
        made = call(page, "POST", "/tasks", {"name": "hello", "command": "echo hello"})[1]
        run = call(page, "POST", f"/tasks/{made['id']}/runs")[1]

        ended = call(page, "GET", f"/runs/{run['id']}/wait?timeout=20")[1]
        output = call(page, "GET", f"/runs/{run['id']}/output?wait=5")[1]
        restarted = call(page, "POST", "/scheduler/restart")[1]
        wait_for_it(page)
        stopped = call(page, "POST", "/scheduler/stop")

        assert (ended["state"], output["text"]) == ("succeeded", "hello\n")
        assert restarted["pid"] != first[1]["pid"] and stopped[1]["pid"] == restarted["pid"]
        assert call(page, "GET", "/scheduler")[1]["state"] == "stopped"
        assert call(page, "GET", "/scheduler/log?lines=3")[1]["items"]
    finally:
        page.stop()
        end_scheduler(lab.home)
