"""Tasks in the native family: what is made is what is shown, lists lead on, and bulk is all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import RunState
from watchbell.domain.task_definition import PLAIN_FIELDS, SCHEDULE_FIELDS
from watchbell.services import pauses, tasks, triggers
from watchbell.store.session import Database
from watchbell.web.api.native.answers import to_cursor
from watchbell.web.api.native.task_schemas import NewTask, Task

ANY = {"If-Match": "*"}


def test_every_field_of_a_definition_can_be_set_and_is_shown() -> None:
    known = PLAIN_FIELDS | SCHEDULE_FIELDS | set(Policies().to_json())

    assert set(NewTask().fields) == known
    assert known <= set(Task().fields)


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron": "30 2 * * *", "zone": "Europe/Berlin", "dst": "skip"},
        {"cron": "0 1 * * *\n0 2 * * *"},
        {"every": 5, "unit": "minutes", "anchor_at": "2026-11-22T00:00:00+00:00"},
        {"at": ["2999-01-31T09:30:00+00:00"]},
        {"every_word": "weekday", "at_time": "09:30"},
        {},
    ],
)
def test_what_was_shown_makes_the_same_task_again(program: Program, schedule: dict[str, Any]) -> None:
    first = program.want(201, "POST", "/api/v2/tasks", {"name": "one", "command": "true", "retries": 2, **schedule})
    again = {name: value for name, value in first.items() if name in NewTask().fields}

    second = program.want(201, "POST", "/api/v2/tasks", {**again, "name": "two"})

    differ = {name for name in first if first[name] != second[name]}
    assert differ <= {"id", "name", "created_at", "updated_at"}


def test_a_task_of_steps_is_made_without_a_command(program: Program) -> None:
    steps = [{"name": "import", "command": "python import.py", "timeout_seconds": 300}, {"command": "true"}]

    made = program.want(201, "POST", "/api/v2/tasks", {"name": "nightly", "steps": steps})

    assert [step["name"] for step in made["steps"]] == ["import", "step 2"] and not made["command"]


def test_a_change_leaves_what_it_does_not_name(program: Program, db: Database) -> None:
    task = add_task(db, kind="cron", cron="0 2 * * *", retries=2, output_limit_mib=5, tags="a")

    changed = program.want(
        200, "PATCH", f"/api/v2/tasks/{task.id}", {"output_limit_mib": None, "niceness": 5}, headers=ANY
    )

    kept = ("retries", "cron", "tags", "output_limit_mib", "niceness", "version")
    assert [changed[name] for name in kept] == [2, "0 2 * * *", ["a"], None, 5, 2]


def test_a_page_leads_to_the_next_until_all_were_shown_once(program: Program, db: Database) -> None:
    for number in range(7):
        add_task(
            db, f"t{number}", owner="bea" if number % 2 else "ann", **({"cron": "0 2 * * *"} if number % 3 else {})
        )

    for sort in ("name", "-name", "owner", "-owner", "next", "-next", "enabled", "schedule", "id", "-id"):
        shown, path = [], f"/api/v2/tasks?limit=2&sort={sort}"
        while path:
            answer = program.call("GET", path)
            page = answer.get_json()
            shown += [task["name"] for task in page["items"]]
            assert page["total"] == 7 and len(page["items"]) <= 2
            path = answer.headers["Link"].split(";")[0].strip("<>") if page["next"] else ""
        whole = [task["name"] for task in program.get(f"/api/v2/tasks?sort={sort}")["items"]]
        assert shown == whole and len(set(shown)) == 7, sort


@pytest.mark.parametrize(
    "place", [["x"], [1, 2, 3], [None, "a", "b"], [None, "a", True], [[], "a", 1], ["2026-11-22", "a", 1], {"a": 1}, 7]
)
def test_a_cursor_of_ones_own_is_refused(program: Program, place: Any) -> None:
    program.get("/api/v2/tasks", 422, query_string={"after": to_cursor(place), "sort": "next"})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("queue=nightly", ["b"]),
        ("queue=default", ["a", "c"]),
        ("tag=day", ["c"]),
        ("search=100%25", []),
        ("owner=BEA", ["c"]),
    ],
)
def test_a_list_shows_what_the_filters_let_through(
    program: Program, db: Database, asked: str, found: list[str]
) -> None:
    add_task(db, "a")
    add_task(db, "b", queue="nightly")
    add_task(db, "c", tags="day", owner="bea")

    assert [task["name"] for task in program.get(f"/api/v2/tasks?{asked}")["items"]] == found


def test_a_task_tells_that_it_is_paused_and_goes_on(program: Program, db: Database) -> None:
    task = add_task(db)

    program.want(200, "POST", f"/api/v2/tasks/{task.id}/pause", {"reason": "disk"})

    assert program.get(f"/api/v2/tasks/{task.id}")["paused"]["reason"] == "disk"
    assert program.want(200, "POST", f"/api/v2/tasks/{task.id}/resume") == {"was_paused": True}
    assert program.get(f"/api/v2/tasks/{task.id}")["paused"] is None


def test_as_soon_as_possible_is_one_run_however_often_it_is_asked_for(program: Program, db: Database) -> None:
    task = add_task(db)

    first, second = (program.want(201, "POST", f"/api/v2/tasks/{task.id}/runs", {"asap": True}) for _ in range(2))

    assert first["id"] == second["id"] and first["trigger"] == "asap"
    tasks.set_enabled(db, task.id, False, now=NOW, actor="ann")
    program.want(409, "POST", f"/api/v2/tasks/{task.id}/runs", {"asap": True})


def test_no_more_than_a_thousand_runs_of_a_task_wait_because_somebody_asked(
    program: Program, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "MOST_WAITING", 3)
    task, other = add_task(db), add_task(db, "other")
    for _ in range(3):
        program.want(201, "POST", f"/api/v2/tasks/{task.id}/runs")

    refused = program.call("POST", f"/api/v2/tasks/{task.id}/runs")

    assert (refused.status_code, refused.get_json()["type"]) == (429, "/problems/quota-reached")
    assert int(refused.headers["Retry-After"]) > 0 and "cancel" in refused.get_json()["detail"]
    program.want(201, "POST", f"/api/v2/tasks/{other.id}/runs")


def test_revisions_and_outcomes_are_told_newest_first(program: Program, db: Database) -> None:
    task = add_task(db)
    for number in range(4):
        tasks.update(db, task.id, {"comment": f"{number}"}, now=NOW, actor="ann", defaults=DEFAULTS)
    runs = [add_run(db, task, state).id for state in (RunState.SUCCEEDED, RunState.FAILED)]

    page = program.get(f"/api/v2/tasks/{task.id}/revisions?limit=3")
    rest = program.get(f"/api/v2/tasks/{task.id}/revisions?before={page['next']}")

    assert [revision["version"] for revision in page["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    assert [row["run_id"] for row in program.get(f"/api/v2/tasks/{task.id}/outcomes")["items"]] == runs[::-1]


BULK = [
    ({"action": "disable"}, "disabled"),
    ({"action": "enable"}, "unchanged"),
    ({"action": "run"}, "queued"),
    ({"action": "pause", "reason": "disk"}, "paused"),
    ({"action": "resume"}, "unchanged"),
    ({"action": "tag", "tags": ["x"]}, "tagged"),
    ({"action": "untag", "tags": ["day"]}, "untagged"),
    ({"action": "delete"}, "deleted"),
]


@pytest.mark.parametrize(("order", "outcome"), BULK)
@pytest.mark.parametrize("dry_run", [True, False])
def test_one_thing_is_done_with_many_tasks_or_only_told(
    program: Program, db: Database, order: dict[str, Any], outcome: str, dry_run: bool
) -> None:
    one, two = (add_task(db, name, tags="day") for name in ("one", "two"))
    add_task(db, "three")
    before = _everything(db)

    whole = {**order, "filter": {"tag": "day"}, "dry_run": dry_run}
    told = program.want(200, "POST", "/api/v2/tasks/bulk", whole, headers={"Idempotency-Key": "k"})

    assert [(done["task_id"], done["outcome"]) for done in told["items"]] == [(one.id, outcome), (two.id, outcome)]
    assert (_everything(db) == before) is (dry_run or outcome == "unchanged")


def test_bulk_does_nothing_at_all_if_one_task_refuses(
    program: Program, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "MOST_WAITING", 1)
    full = [add_task(db, name) for name in ("one", "two", "three")]
    triggers.run_now(db, full[1].id, now=NOW, actor="ann")
    before = _everything(db)

    for dry_run in (True, False):
        order = {"action": "run", "ids": [task.id for task in full], "dry_run": dry_run}
        assert "'two'" in program.want(429, "POST", "/api/v2/tasks/bulk", order)["detail"]

    assert _everything(db) == before


def test_a_rehearsal_gives_no_number_of_a_run(program: Program, db: Database) -> None:
    task = add_task(db)

    told = program.want(200, "POST", "/api/v2/tasks/bulk", {"action": "run", "ids": [task.id], "dry_run": True})

    assert told["items"][0]["run_id"] is None


def _everything(db: Database) -> list[Any]:
    with db.read() as session:
        connection = session.connection()
        queries = ("SELECT * FROM task", "SELECT * FROM run", "SELECT * FROM pause", "SELECT * FROM outbox")
        return [connection.exec_driver_sql(f"{query} ORDER BY 1").all() for query in queries]


def test_a_preview_says_what_a_schedule_means_and_what_clock_changes_do(program: Program) -> None:
    asked = {"cron": "30 2 * * *", "zone": "Europe/Berlin"}

    found = program.want(200, "POST", "/api/v2/schedules/preview", asked)

    assert found["sentence"].startswith("At 02:30") and len(found["moments"]) == 10
    assert len(found["clock_changes"]) == 2


def test_tasks_that_are_paused_as_a_whole_stay_so_alone(program: Program, db: Database) -> None:
    task = add_task(db)
    pauses.pause(db, pauses.task_scope(task.id), now=NOW, actor="ann")

    program.want(200, "POST", "/api/v2/pause", {"reason": "moving"})

    assert [pause["scope"] for pause in program.get("/api/v2/pauses")["items"]] == ["everything", f"task:{task.id}"]
    program.want(200, "POST", "/api/v2/resume")
    assert [pause["scope"] for pause in program.get("/api/v2/pauses")["items"]] == [f"task:{task.id}"]
