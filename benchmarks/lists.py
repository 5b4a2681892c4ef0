"""What the list pages cost the server: each page and filter, as a person would ask for it, over a long history.

    python -m benchmarks.lists [--at FOLDER] [--runs 1000000] [--tasks 10000] [--rounds 20] [--only WORD]

The pages are asked for within one process, with a login, so that what is measured is the server's time from the request to the
whole answer; on a machine that others use, too, the time of a processor says more. With ``--at`` the filled database is kept there and used again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient

from benchmarks import history
from benchmarks.lab import Lab, lab_at, percentile, table
from watchbell import clock
from watchbell.services import accounts
from watchbell.web import lasting
from watchbell.web.factory import create_app

_TAGGED = "UPDATE task SET tags = json_array('even', 'tag-' || (id % 50)), host = 'db' || (id % 4), owner = 'user-' || (id % 20)"
#: Tasks of a thousand and a half different minutes of the day, so that what is to come has many schedules and not one.
_SCHEDULES = 1370
_SCHEDULED = f"""
UPDATE task SET
    schedule = json_set(schedule, '$.expressions', json_array(printf('%d %d * * *', id % {_SCHEDULES} % 60, id % {_SCHEDULES} / 60))),
    schedule_words = printf('At %02d:%02d, UTC', id % {_SCHEDULES} / 60, id % {_SCHEDULES} % 60),
    cursor_at = strftime('%Y-%m-%d %H:%M:%S.000000', 'now'),
    next_due_at = strftime('%Y-%m-%d %H:%M:00.000000', 'now', 'start of day',
        (id % {_SCHEDULES} + (id % {_SCHEDULES} * 60 <= strftime('%s', 'now') - strftime('%s', 'now', 'start of day')) * 1440) || ' minutes')
"""


def addresses(place: Lab) -> dict[str, str]:
    """Return what is asked for, by what it is called."""
    middle = int(place.value("SELECT max(id) FROM run")) // 2
    until = clock.now() - timedelta(days=4)
    span = f"from={until - timedelta(days=1):%Y-%m-%dT%H:%M}&to={until:%Y-%m-%dT%H:%M}"
    half_a_day = f"{clock.now() + timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    six_days = f"{clock.now() + timedelta(days=6):%Y-%m-%dT%H:%M:%SZ}"
    some = place.value(
        "SELECT task_id || '/why?at=' || replace(substr(due_at, 1, 19), ' ', 'T') || 'Z' FROM run ORDER BY id LIMIT 1 OFFSET 1000"
    )
    never = f"77/why?at={until:%Y-%m-%dT%H:%M}:07Z"
    table_of = "draw=1&start={start}&length=25&order[0][name]=name&order[0][dir]=asc"
    return {
        "tasks": "/tasks?view=all",
        "tasks, 100 rows": "/tasks?length=100",
        "tasks, 100 rows, all strips full": "/tasks?length=100&last=succeeded",
        "tasks by next run, the last page": f"/tasks?order=-next&page={max(int(place.value('SELECT count(*) FROM task')) // 25, 1)}",
        "tasks, rows alone": f"/tasks/data?{table_of.format(start=0)}",
        "tasks, rows alone, the last page": f"/tasks/data?{table_of.format(start=9975)}",
        "tasks, search": "/tasks?q=77",
        "tasks, search without a match": "/tasks?q=nothing+like+this",
        "tasks, a tag": "/tasks?tag=tag-7",
        "tasks, a host": "/tasks?host=db1",
        "tasks, an owner": "/tasks?user=user-3",
        "tasks, the last run failed": "/tasks?last=failed",
        "tasks, the last run succeeded": "/tasks?last=succeeded",
        "runs": "/runs?view=all",
        "runs, 200 rows": "/runs?length=200",
        "runs, rows alone": "/runs/data?draw=1&start=0&length=50",
        "runs, from the middle": f"/runs?before={middle}",
        "runs, the last page": "/runs?page=last",
        "runs, oldest first": "/runs?order=id",
        "runs, failed": "/runs?state=failed",
        "runs, failed of 7 days": "/runs?state=failed&since=7d",
        "runs, failed, timed out or lost of 30 days": "/runs?state=failed&state=timed_out&state=lost&since=30d",
        "runs, succeeded": "/runs?state=succeeded",
        "runs, of one task": "/runs?task=task-77",
        "runs, a day four days ago": f"/runs?{span}",
        "runs, failed on a day four days ago": f"/runs?state=failed&{span}",
        "runs, by hand": "/runs?trigger=manual",
        "runs, a tag of 200 tasks": "/runs?tag=tag-7",
        "runs, a host of 2,500 tasks": "/runs?host=db1",
        "runs, an owner, failed": "/runs?user=user-3&state=failed",
        "runs, search for a name": "/runs?q=task-77",
        "runs, search without a match": "/runs?q=nothing+like+this",
        "runs, a queue": "/runs?queue=default",
        "next runs": "/next-runs",
        "next runs, 7 days": "/next-runs?within=7d",
        "next runs, every moment": "/next-runs?each=all",
        "next runs, every moment, after 12 hours": f"/next-runs?each=all&after={half_a_day}~",
        "next runs, every moment, before 12 hours": f"/next-runs?each=all&before={half_a_day}~",
        "next runs, three of each, after 12 hours": f"/next-runs?after={half_a_day}~",
        "next runs, every moment of 7 days, after 6 days": f"/next-runs?each=all&within=7d&after={six_days}~",
        "next runs, every moment of 7 days, before 6 days": f"/next-runs?each=all&within=7d&before={six_days}~",
        "next runs, a tag": "/next-runs?tag=tag-7",
        "next runs, 2,000 as JSON": "/next-runs.json",
        "overview": "/",
        "timeline": "/timeline",
        "calendar of runs": "/runs/calendar",
        "calendar of next runs": "/next-runs/calendar",
        "load of next runs": "/next-runs/load",
        "audit": "/audit?view=all",
        "search": "/search?q=task-77",
        "saved views": "/views",
        "why, a moment with a run": f"/tasks/{some}",
        "why, a moment without one": f"/tasks/{never}",
        "why, a moment to come": f"/tasks/77/why?at={half_a_day}",
        "why, a moment with a run, for programs": f"/api/v2/tasks/{some}",
        "why, a moment without one, for programs": f"/api/v2/tasks/{never}",
    }


def asked(client: FlaskClient, address: str) -> Callable[[], tuple[float, float]]:
    """Return a measure of one page: seconds to its whole answer, and those of a processor alone."""

    def ask() -> tuple[float, float]:
        begin, worked = time.perf_counter(), time.process_time()
        answer = client.get(address)
        taken = time.perf_counter() - begin, time.process_time() - worked
        if answer.status_code != 200:
            raise RuntimeError(f"{address} was answered with {answer.status}")
        return taken

    return ask


def measure(place: Lab, rounds: int, asked_for: dict[str, str], title: str) -> None:
    """Print one table of what is asked for, by what it is called."""
    now = clock.now()
    username = accounts.ensure_first(place.db, now=now).username
    app = create_app(place.config)
    # As a server does.
    lasting.settle()
    client = app.test_client()
    client.get(f"/login/link/{accounts.make_link(place.db, username, now=now)}")
    rows: list[tuple[object, ...]] = []
    for name, address in asked_for.items():
        ask = asked(client, address)
        ask()
        taken, worked = zip(*(ask() for _ in range(rounds)), strict=True)
        rows.append(
            (name, *(f"{percentile(some, part) * 1000:.0f}" for some in (taken, worked) for part in (0.5, 0.95)))
        )
    table(title, ("page", "p50 ms", "p95 ms", "CPU p50 ms", "CPU p95 ms"), rows)


def main() -> None:
    """Fill a database unless it is there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="only what is called so, or begins so")
    options = parser.parse_args()
    history.TASKS = options.tasks
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as scratch:
        folder = (options.at or Path(scratch)) / f"history-{options.runs}"
        folder.mkdir(parents=True, exist_ok=True)
        history.make(folder, options.runs)
        with lab_at(folder) as place:
            with place.db.write() as session:
                session.connection().exec_driver_sql(_TAGGED)
                session.connection().exec_driver_sql(_SCHEDULED)
            runs, tasks = place.value("SELECT count(*) FROM run"), place.value("SELECT count(*) FROM task")
            title = f"Lists over {int(runs):,} runs of {int(tasks):,} tasks"
            chosen = {name: address for name, address in addresses(place).items() if name.startswith(options.only)}
            measure(place, options.rounds, chosen, title)


if __name__ == "__main__":
    main()
