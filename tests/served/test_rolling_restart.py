"""A new version comes onto the machine while everything works: page and scheduler are started anew, one after the other.

It takes its time, and so runs in the long lane only (`make fault`).
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.fault.scale import rounds
from tests.process.lives import ROOT
from tests.process.programs import watchbell
from tests.waiting import wait_until
from watchbell import resources

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)
#: How systemd hands a port over that it holds itself.
HANDED = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "--config", sys.argv[2]])
"""


def start_page(lab, held, settings):
    """Start the web server on a port that somebody else holds, as a unit with a socket does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app"), "WATCHBELL_HOME": str(lab.home)}
    with (lab.home / "web.txt").open("ab") as words:
        return subprocess.Popen(
            [sys.executable, "-c", HANDED, str(held.fileno()), str(settings)], pass_fds=[held.fileno()], env=environment,
            cwd=lab.home, stdout=words, stderr=words,
        )  # fmt: skip


class Visitors:
    """Several who ask all the time, and note each answer."""

    def __init__(self, port, count=4):
        self.answers = []
        self._port = port
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._visit) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _visit(self):
        while not self._ended.wait(0.02):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
                try:
                    connection.request("GET", "/health/live")
                    self.answers.append(connection.getresponse().status)
                except OSError as error:
                    self.answers.append(repr(error))

    def end(self):
        self._ended.set()
        for thread in self._threads:
            thread.join(90)


def restart_scheduler(lab, life):
    assert life.stop() == 0
    new = lab.start()
    new.wait_for_beat()
    return new


def test_nothing_is_lost_when_page_and_scheduler_are_started_anew_under_load(lab):
    settings = lab.home / "gunicorn.conf.py"
    settings.write_text(watchbell(lab.home, "deploy", "--print", "gunicorn", "--workers", "2").stdout)
    ticking = [lab.add_task(f"tick-{number}", every="1s", catch_up="all", overlap="allow") for number in range(5)]
    lasting = [lab.add_task(f"lasting-{number}", 20, every="1h") for number in range(5)]
    runs = [watchbell(lab.home, "task", "trigger", task.name) for task in lasting]
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as held, contextlib.ExitStack() as stack:
        port = held.getsockname()[1]
        stack.callback(lambda: page.kill())
        page, life = start_page(lab, held, settings), lab.start()
        life.wait_for_beat()
        visitors = Visitors(port)
        stack.callback(visitors.end)
        wait_until(lambda: len(visitors.answers) > 10, 60, "the page")
        lab.wait(lambda: len(lab.effect_lines()) >= len(lasting), "the commands that last")
        for _round in rounds("ROLLING", 1, 5):
            page.terminate()
            assert page.wait(60) == 0
            assert watchbell(lab.home, "db", "upgrade").returncode == 0
            page, before = start_page(lab, held, settings), len(visitors.answers)
            wait_until(lambda before=before: len(visitors.answers) > before + 10, 60, "the page")
            life = restart_scheduler(lab, life)
        visitors.end()
        page.terminate()
        page.wait(60)

    assert all(run.returncode == 0 for run in runs)
    names = "SELECT count(*) FROM run JOIN task ON task.id = run.task_id WHERE task.name LIKE 'lasting%' AND run.state = 'succeeded'"
    lab.wait(lambda: lab.rows(names)[0][0] == len(lasting), "the commands that went on", timeout=90)
    # No moment comes any more, so that all that came can be counted.
    assert all(watchbell(lab.home, "task", "disable", task.name).returncode == 0 for task in ticking)
    lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "the last runs", timeout=60)
    assert life.stop() == 0
    lost = [answer for answer in visitors.answers if answer != 200]
    due = {task.id: [row[0] for row in lab.rows("SELECT due_at FROM run WHERE task_id = ? ORDER BY due_at", task.id)]
           for task in ticking}  # fmt: skip
    gaps = [(one, two) for moments in due.values() for one, two in itertools.pairwise(moments)
            if seconds_between(one, two) != 1]  # fmt: skip
    print(f"{len(lost)} of {len(visitors.answers)} requests, {len(gaps)} of {sum(map(len, due.values()))} moments lost")
    assert lost == [] and gaps == []
    assert {row[0] for row in lab.rows("SELECT DISTINCT state FROM run")} == {"succeeded"}
    assert len(lab.effect_lines("START")) == lab.rows("SELECT count(*) FROM run")[0][0]


def seconds_between(one, two):
    first, second = (time.mktime(time.strptime(moment[:19], "%Y-%m-%d %H:%M:%S")) for moment in (one, two))
    return round(second - first)
