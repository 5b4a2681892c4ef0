"""Forty tasks and 160 runs of a few of them, as lists are looked at, and what one does with their rows."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Page

from tests.browser.installations import Installation
from tests.database import add_run
from watchbell import clock
from watchbell.domain.run_state import RunState

RUN_ROWS = "#runs-list tbody tr"
HOSTILE = "<img src=x onerror=alert(1)>"


def fill(house: Installation) -> None:
    """Make tasks of which every fourth has a tag, and runs of three of them, most of one that fails."""
    made = [
        house.add(f"task-{number:02}", "true", cron=f"{number} 3 * * *", tags=["nightly"] if number % 4 == 0 else [])
        for number in range(40)
    ]
    now = clock.now()
    for number in range(160):
        task = made[1] if number % 4 else made[number % 8]
        state = RunState.FAILED if number % 4 else RunState.SUCCEEDED
        at = now - timedelta(minutes=160 - number)
        reason = f"{HOSTILE} {number}" if state is RunState.FAILED else "exit code 0"
        values = {"due_at": at, "created_at": at, "started_at": at, "ended_at": at, "reason": reason}
        add_run(house.db, task, state, exit_code=int(state is RunState.FAILED), **values)


def tick(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()


def ticked(page: Page) -> int:
    return page.locator("tbody input[name=id]:checked").count()


def names(page: Page) -> list[str]:
    return page.locator("td.wb-cell--main a").all_inner_texts()


def ids(page: Page) -> list[int]:
    numbers = page.locator(RUN_ROWS).evaluate_all("rows => rows.map(row => Number(row.id.replace('run-', '')))")
    return list(numbers)
