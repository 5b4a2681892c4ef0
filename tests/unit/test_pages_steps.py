"""Tasks of steps on the pages: their rows in the form, and what became of them on the page of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.domain.steps import Step
from watchbell.services import tasks
from watchbell.store import ledger
from watchbell.store import steps as step_store
from watchbell.store.session import Database

BY_HAND = {**FIELDS, "kind": "manual", "cron": "", "command": "", "what": "steps"}
NOTHING = "\N{EN DASH}"
EVIL = "<b>&\"'{{7*7}}"


def _rows(*rows: tuple[str, str, str, str]) -> dict[str, object]:
    names, commands, limits, failures = zip(*rows, strict=True)
    return {
        "step_name": list(names),
        "step_command": list(commands),
        "step_limit": list(limits),
        "step_failure": list(failures),
    }


TWO = _rows(("fetch", "./fetch.sh", "10m", "stop"), ("load", "./load.sh\r\nend", "", "go_on"))


def _shown(text: str) -> list[tuple[str, ...]]:
    """Return what stands in the rows of a form."""
    found = []
    for row in soup(text).select("[data-step]"):
        chosen = row.select_one("option[selected]")
        command = row.select_one("textarea")
        assert chosen and command
        name, limit = (str(field.get("value", "")) for field in row.select("input"))
        found.append((name, command.text.removeprefix("\n"), limit, str(chosen["value"])))
    return found


def _only_task(db: Database) -> Any:
    return tasks.definition_of(tasks.list_page(db).tasks[0])


def test_a_task_of_steps_is_saved_in_the_order_of_its_rows(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/new", {**BY_HAND, **TWO})

    assert answer.status_code == 303, answer.text
    assert _only_task(db).steps == (
        Step("fetch", "./fetch.sh", 600),
        Step("load", "./load.sh\nend", None, continue_on_failure=True),
    )


def test_what_stands_in_the_part_that_is_not_chosen_is_not_saved(admin: Person, db: Database) -> None:
    admin.post("/tasks/new", {**BY_HAND, **TWO, "what": "command", "command": "true"})

    assert (_only_task(db).command, _only_task(db).steps) == ("true", ())


def test_rows_left_empty_are_left_out(admin: Person, db: Database) -> None:
    blank = ("", " ", "", "go_on")
    admin.post("/tasks/new", {**BY_HAND, **_rows(blank, ("a", "true", "", "stop"), blank)})

    assert _only_task(db).steps == (Step("a", "true"),)


def test_the_form_of_a_stored_task_saves_it_unchanged(admin: Person, db: Database) -> None:
    task = add_task(db, command="", steps=[{"name": EVIL, "command": f"\n{EVIL}", "timeout_seconds": 90}])
    page = admin.get(f"/tasks/{task.id}/edit").text
    fields = {key: value for key, value in edit_fields(admin, task.id).items() if not key.startswith("step_")}

    assert _shown(page) == [(EVIL, f"\n{EVIL}", "90s", "stop")]
    admin.post(f"/tasks/{task.id}/edit", {**fields, **_rows(*_shown(page))})  # type: ignore[arg-type]
    assert tasks.get(db, task.id).version == 1


@pytest.mark.parametrize(
    ("act", "order"),
    [
        ("add", ["fetch", "load", ""]),
        ("up:2", ["load", "fetch"]),
        ("down:1", ["load", "fetch"]),
        ("up:1", ["fetch", "load"]),
        ("down:2", ["fetch", "load"]),
        ("remove:1", ["load"]),
        ("remove:9", ["fetch", "load"]),
        ("up:x", ["fetch", "load"]),
        ("\x00", ["fetch", "load"]),
    ],
)
def test_without_scripts_the_server_changes_the_rows_and_saves_nothing(
    admin: Person, db: Database, act: str, order: list[str]
) -> None:
    answer = admin.post("/tasks/new", {**BY_HAND, **TWO, "comment": "kept", "step_act": act})

    assert answer.status_code == 200
    assert [row[0] for row in _shown(answer.text)] == order
    assert "kept" in answer.text
    assert tasks.list_page(db).total == 0


@pytest.mark.parametrize(
    ("fields", "said", "wrong"),
    [
        (_rows(("a", "true", "", "stop"), ("b", "", "", "stop")), "Step 2: its command must not be empty.", [2]),
        (_rows(("a", "true", "soon", "stop")), "Step 1: its time limit must be a whole number of seconds.", [1]),
        (_rows(("a", "true", "", "perhaps")), "Step 1: continue_on_failure must be true or false.", [1]),
        (_rows(("a", "true", "", "stop"), ("a", "x", "", "stop")), "Two steps are called 'a'", []),
        (_rows(("", "", "", "stop")), "Must not be empty.", []),
        ({}, "Must not be empty.", []),
    ],
)
def test_wrong_steps_are_told_at_the_steps_and_nothing_typed_is_lost(
    admin: Person, fields: dict[str, object], said: str, wrong: list[int]
) -> None:
    answer = admin.post("/tasks/new", {**BY_HAND, **fields})
    page = soup(answer.text)

    assert answer.status_code == 422
    assert said in page.select_one("#steps-error").text  # type: ignore[union-attr]
    assert page.select_one('.wb-notice a[href="#steps"]') is not None
    numbers = [index for index, row in enumerate(page.select("[data-step]"), 1) if "wb-step--wrong" in row["class"]]
    assert numbers == wrong
    assert page.select_one("#what-steps[checked]") is not None


def test_a_pasted_crontab_line_does_not_take_the_place_of_steps(admin: Person) -> None:
    answer = admin.post("/tasks/new", {**BY_HAND, **TWO, "kind": "cron", "cron": "1 2 * * * ./other.sh"})

    assert answer.status_code == 422
    assert [row[0] for row in _shown(answer.text)] == ["fetch", "load"]
    assert "its command went" not in answer.text


def test_somebody_elses_change_of_the_steps_is_shown_beside_ones_own(admin: Person, db: Database) -> None:
    task = add_task(db, command="", steps=[{"name": "a", "command": "one"}])
    fields = {key: value for key, value in edit_fields(admin, task.id).items() if not key.startswith("step_")}
    tasks.update(db, task.id, {"steps": [{"name": "a", "command": "two"}]}, now=NOW, actor="bob", defaults=DEFAULTS)

    answer = admin.post(f"/tasks/{task.id}/edit", {**fields, **_rows(("a", "three", "", "stop"))})

    assert answer.status_code == 409
    cells = [cell.get_text(" ", strip=True) for cell in soup(answer.text).select('[aria-label="Differences"] td')]
    assert cells == ["Steps both changed it", "a: one", "Take theirs a: two", "Keep mine a: three"]

    chosen = {**fields, **_rows(("a", "three", "", "stop")), "version": "2", "take-what": "theirs"}
    assert admin.post(f"/tasks/{task.id}/edit", chosen).status_code == 303
    assert tasks.get(db, task.id).steps[0]["command"] == "two"


def test_the_page_of_a_task_tells_its_steps(admin: Person, db: Database) -> None:
    steps = [
        {"name": EVIL, "command": f"echo {EVIL}", "timeout_seconds": 300, "continue_on_failure": True},
        {"name": "b", "command": "true"},
    ]
    task = add_task(db, command="", steps=steps)
    page = admin.see(f"/tasks/{task.id}")

    told = [" ".join(step.text.split()) for step in page.select("#definition .wb-step")]
    assert told == [f"1{EVIL} at most 5 min goes on after a failure echo {EVIL}", "2b true"]
    assert page.select_one("#definition h3").text == "Steps"  # type: ignore[union-attr]
    twin = admin.get("/tasks.json").json
    assert twin[0]["steps"][0]["name"] == EVIL
    assert "2 steps: " in admin.get("/tasks.csv").text


def _run_of_steps(db: Database) -> int:
    task = add_task(db, command="", steps=[{"name": name, "command": "x"} for name in ("=fetch", EVIL, "never")])
    run = add_run(db, task, RunState.FAILED, attempts=1, started_at=NOW, exit_code=3)
    with db.write() as session:
        attempt = {"run_id": run.id, "number": 1, "fence": 1, "holder": "h", "folder": "", "reason": ""}
        (attempt_id,) = ledger.add_attempts(session, [attempt]).values()
        ended = {"new_ended_at": NOW + timedelta(seconds=9), "new_started_at": NOW, "new_folder": "", "new_reason": ""}
        columns = {f"new_{name}": None for name in ledger.RESULT_COLUMNS}
        ledger.set_attempts_ended(session, [{"attempt": attempt_id, **columns, **ended}])
        out = {"attempt_id": attempt_id, "stream": "stdout", "size": 12, "head_size": 0, "dropped": 0, "file": None}
        ledger.add_outputs(session, [{**out, "content": b"firstsecond!"}])
        row = {"attempt_id": attempt_id, "stderr_from": 0, "stderr_to": 0}
        step_store.add_steps(
            session,
            [
                {**row, "number": 1, "name": "=fetch", "state": "succeeded", "started_at": NOW, "exit_code": 0,
                 "ended_at": NOW + timedelta(seconds=1.5), "stdout_from": 0, "stdout_to": 5},
                {**row, "number": 2, "name": EVIL, "state": "failed", "started_at": NOW + timedelta(seconds=1.5),
                 "ended_at": NOW + timedelta(seconds=9), "exit_code": 3, "stdout_from": 5, "stdout_to": 12},
                {**row, "number": 3, "name": "never", "state": "not_run", "started_at": None, "ended_at": None,
                 "exit_code": None, "stdout_from": None, "stdout_to": None, "stderr_from": None, "stderr_to": None},
            ],
        )  # fmt: skip
    return run.id


def test_the_page_of_a_run_lists_what_became_of_its_steps(admin: Person, db: Database) -> None:
    page = admin.see(f"/runs/{_run_of_steps(db)}")

    told = [[" ".join(cell.text.split()) for cell in row.select("td")] for row in page.select(".wb-run-steps tbody tr")]
    assert [row[:3] for row in told] == [
        ["1 =fetch", "succeeded", "1s"],
        [f"2 {EVIL}", "failed exit 3", "7s"],
        ["3 never", "not run", NOTHING],
    ]
    assert [a["href"] for a in page.select(".wb-run-steps table a")] == ["/runs/1?step=1", "/runs/1?step=2"]


def test_each_step_leads_to_its_part_of_the_output(admin: Person, db: Database) -> None:
    run_id = _run_of_steps(db)
    page = admin.see(f"/runs/{run_id}?step=2")

    assert page.select_one("[data-output-text]").text == "second!"  # type: ignore[union-attr]
    assert admin.get(f"/runs/{run_id}/output?step=1&offset=2").json == {
        "text": "rst", "next_offset": 5, "size": 5, "dropped": None, "done": True,
    }  # fmt: skip
    assert admin.get(f"/runs/{run_id}/download/stdout?step=2").data == b"second!"
    assert admin.get(f"/runs/{run_id}/output").json["text"] == "firstsecond!"


@pytest.mark.parametrize(("step", "status"), [("3", 404), ("4", 404), ("51", 422), ("x", 422)])
def test_a_step_that_wrote_nothing_or_does_not_exist_has_no_output(
    admin: Person, db: Database, step: str, status: int
) -> None:
    assert admin.get(f"/runs/{_run_of_steps(db)}/output?step={step}").status_code == status


def test_the_twins_tell_the_steps_exactly(admin: Person, db: Database) -> None:
    run_id = _run_of_steps(db)
    first, second, third = admin.get(f"/runs/{run_id}/steps.json").json

    assert (first["state"], first["started_at"], first["duration_seconds"]) == (
        "succeeded",
        "2026-11-22T13:00:00.000+01:00",
        1.5,
    )
    assert (second["exit_code"], second["stdout_from"], third["state"]) == (3, 5, "not_run")
    lines = admin.get(f"/runs/{run_id}/steps.csv").text.splitlines()
    assert lines[1].startswith("1,'=fetch,succeeded,2026-11-22T13:00:00.000+01:00")


def test_a_run_of_a_command_has_no_steps(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED)

    assert admin.see(f"/runs/{run.id}").select(".wb-run-steps") == []
    assert admin.get(f"/runs/{run.id}/steps.json").json == []


def test_a_run_that_has_not_begun_shows_the_steps_that_wait(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db, command="", steps=[{"name": "a", "command": "x"}]))

    assert [step["state"] for step in admin.get(f"/runs/{run.id}/steps.json").json] == ["waiting"]
