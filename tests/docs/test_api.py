"""The page on the API: its lines run against a real server, and it speaks of every address."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from flask import Flask

from tests.docs.pages import blocks, text_of
from tests.process.conftest import empty_database, lab, make_lab, nursery  # noqa: F401
from tests.process.page import Page
from tests.process.programs import end_scheduler, watchbell
from tests.unit.conftest import made_app  # noqa: F401
from tests.waiting import wait_until
from watchbell import clock
from watchbell.control import process
from watchbell.domain.presence import SchedulerState

PAGE = "docs/api.md"


def status(lab) -> process.SchedulerStatus:  # noqa: F811
    return process.status(lab.config, lab.db, now=clock.now())


@pytest.mark.process
def test_every_line_of_the_page_does_what_it_says(lab, tmp_path) -> None:  # noqa: F811
    page = Page(lab, auth="on")
    try:
        made = watchbell(lab.home, "token", "create", "script", "--scope", "admin", "--user", "admin")
        lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines() if line.startswith("curl ")]
        environment = {**os.environ, "URL": f"{page.url}/api/v2", "TOKEN": made.stdout.strip()}
        for line in lines:
            done = subprocess.run(
                ["bash", "-euc", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr, page.words.read_text()[-2000:])
            if "/scheduler/start" in line or "/scheduler/restart" in line:
                # On a busy machine that is answered before it runs, and whoever reads on would look.
                wait_until(lambda: status(lab).state is SchedulerState.RUNNING, 60, "the scheduler to run")
    finally:
        page.stop()
        end_scheduler(lab.home)


def test_the_page_speaks_of_every_address(made_app: Flask) -> None:  # noqa: F811
    text = text_of(PAGE)
    told = [re.sub(r"/\d+(?=[/?\"]|$)", "/N", path) for path in re.findall(r'\$URL([^"?]*)', text)]
    # Nothing waits for a decision, no run is unusual, and none began a chain, where the lines are tried.
    unsaid = {"/runs/N/decide", "/runs/N/expect", "/runs/N/retract", "/run-groups/N"}
    for rule in made_app.url_map.iter_rules():
        if rule.endpoint.startswith("native."):
            path = re.sub(r"<(?:number:)?(?:\w+_id|version)>", "N", rule.rule.removeprefix("/api/v2")).replace(
                "<name>", "nightly"
            )
            assert path in {*told, *unsaid, ""}, path
