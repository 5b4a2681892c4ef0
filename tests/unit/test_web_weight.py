"""What travels when a page is opened, in bytes: at first with all that it is made of, and again without what the browser keeps."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.database import add_run, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.store.session import Database

FIRST_BYTES = 300_000
AGAIN_BYTES = 30_000
ZIPPED = {"Accept-Encoding": "gzip"}
#: What a style sheet or a module loads besides.
IMPORTED = re.compile(r"""(?:from\s*|import\s*|import\(|url\()["']?([./][^"')\s]+\.(?:js|css|woff2|svg|png))""")


@pytest.fixture
def busy(db: Database) -> Database:
    """Give a page of tasks with thirty runs each, some of which failed and say why."""
    now = clock.now()
    for number in range(25):
        task = add_task(db, f"nightly-export-{number}", now=now, cron=f"{number} 3 * * *", tags=["nightly", "export"])
        for run in range(30):
            state = RunState.FAILED if (run + number) % 9 == 0 else RunState.SUCCEEDED
            reason = f"exit code 3 after {run} of {number} parts" if state is RunState.FAILED else "exit code 0"
            add_run(db, task, state, reason=reason, due_at=now, created_at=now, started_at=now, ended_at=now)
    return db


def fetched(admin: Person, path: str, seen: dict[str, int]) -> str:
    """Ask for a file as a browser does, note how many bytes its body has, and return it."""
    answer = admin.client.get(path, headers=ZIPPED)
    assert answer.status_code == 200, path
    assert ("immutable" in answer.headers["Cache-Control"]) is path.startswith("/static/")
    seen[path] = len(answer.data)
    body = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
    return body.decode("utf-8", "replace")


def follow(admin: Person, path: str, seen: dict[str, int]) -> None:
    """Fetch a file and all that it imports."""
    if path in seen:
        return
    text = fetched(admin, path, seen)
    for found in IMPORTED.findall(text) if path.endswith((".js", ".css")) else ():
        parts = path.rsplit("/", 1)[0].split("/")
        for step in found.split("/"):
            if step == "..":
                parts.pop()
            elif step != ".":
                parts.append(step)
        follow(admin, "/".join(parts), seen)


PAGES = ("/", "/tasks?view=all", "/runs?view=all", "/next-runs?view=all", "/tasks/1", "/audit?view=all")


def test_a_page_is_light_at_first_and_lighter_with_what_the_browser_keeps(admin: Person, busy: Database) -> None:
    for page in PAGES:
        seen: dict[str, int] = {}
        html = fetched(admin, page, seen)
        for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', html):
            follow(admin, path, seen)

        assert len(seen) > 15
        assert sum(seen.values()) < FIRST_BYTES, (page, sorted(seen.items(), key=lambda item: -item[1])[:8])
        assert seen[page] < AGAIN_BYTES, page


def test_what_is_compressed_is_the_same_and_only_for_those_who_take_it(admin: Person, busy: Database) -> None:
    # A page without anything that is made anew each time.
    plain, packed = (admin.client.get("/views?x=1", headers=headers) for headers in ({}, ZIPPED))
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"] and "Accept-Encoding" in plain.headers["Vary"]
    assert gzip.decompress(packed.data).count(b"<a ") == plain.data.count(b"<a ") > 10
    assert len({len(admin.client.get("/views", headers=ZIPPED).data) for _ in range(12)}) > 1

    for path in ("/tasks.json", "/tasks.csv", "/api/v1/tasks"):
        assert "Content-Encoding" not in admin.client.get(path, headers=ZIPPED).headers
