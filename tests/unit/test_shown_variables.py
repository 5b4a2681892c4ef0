"""The values of variables whose names look like secrets: to whom they are given, by pages, programs and files."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from flask import Flask

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.web_fixtures import Enter
from watchbell import clock
from watchbell.domain.masking import MASK
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError
from watchbell.services import task_templates, tasks, tokens
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.store.tasks import Task

VALUE, PLAIN = "hunter2-of-the-task", "said-to-everybody"
ENVIRONMENT = {
    "API_TOKEN": VALUE,
    "DATABASE": f"postgresql://app:{VALUE}@db.example/app",
    "LANG": PLAIN,
    "NAMED": "${secret:deploy}",
}


@pytest.fixture
def task(db: Database) -> Task:
    made = add_task(db, "nightly", environment=ENVIRONMENT, now=clock.now())
    add_run(db, made, RunState.SUCCEEDED, started_at=clock.now(), ended_at=clock.now())
    task_templates.save(db, made.id, now=NOW, actor="ann")
    return made


def readable(app: Flask) -> list[str]:
    """Return all that can be looked at, of the first of everything; but for what would end the login, or listens on."""
    adapter, found = app.url_map.bind("localhost"), set()
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint.split(".")[0] in {"auth", "sockets", "static"}:
            continue
        words = {name: list(getattr(rule._converters[name], "items", None) or "1") for name in rule.arguments}
        for chosen in itertools.product(*words.values()):
            found.add(adapter.build(rule.endpoint, dict(zip(words, chosen, strict=True))))
    return sorted(found)


def test_nothing_tells_them_to_whoever_may_not_edit(app: Flask, enter: Enter, task: Task) -> None:
    """The API, the definitions of runs and versions, templates and exports told all of them to viewers."""
    client = enter("operator").client
    told = {path: client.get(path, buffered=True) for path in readable(app)}

    good = {path: answer.get_data() for path, answer in told.items() if answer.status_code == 200}
    assert [path for path, body in good.items() if VALUE.encode() in body] == []
    saying = [path for path, body in good.items() if PLAIN.encode() in body]
    assert {"/api/v2/tasks/1", "/api/v2/tasks/1/revisions/1", "/api/v2/runs/1"} <= set(saying)
    shown = told["/api/v2/tasks/1"].get_json()["environment"]
    assert shown == {
        **ENVIRONMENT, "API_TOKEN": MASK, "DATABASE": f"postgresql://app:{MASK}@db.example/app"
    }  # fmt: skip


def test_whoever_may_edit_reads_them_where_they_can_be_edited_and_in_files(enter: Enter, task: Task) -> None:
    editor = enter("editor")

    for path in ("/tasks/1/edit", "/tasks/export.yaml", "/api/v2/tasks/1", "/api/v2/task-templates"):
        assert VALUE in editor.get(path).text, path
    # Where nothing is edited, nobody has to have them on a screen.
    for path in ("/tasks/1", "/runs/1"):
        assert VALUE not in editor.get(path).text, path


def test_a_token_reads_them_if_its_scope_may_edit(app: Flask, db: Database, task: Task, admin_account: Account) -> None:
    for scope, reads in (("read", False), ("run", False), ("edit", True)):
        secret = tokens.create(
            db, admin_account.username, scope, scope=scope, lifetime=timedelta(days=1), now=clock.now()
        ).secret
        for path in ("tasks", "tasks/1", "tasks/1/revisions", "tasks/1/revisions/1", "runs/1", "task-templates"):
            answer = app.test_client().get(f"/api/v2/{path}", headers={"Authorization": f"Bearer {secret}"})
            assert (answer.status_code, VALUE in answer.text) == (200, reads), (scope, path)


def test_what_was_masked_does_not_come_in_as_a_value(db: Database, task: Task) -> None:
    with pytest.raises(InputError, match="the value of API_TOKEN is masked here") as told:
        tasks.update(db, task.id, {"environment": {"API_TOKEN": MASK}}, now=NOW, actor="ann", defaults=DEFAULTS)

    assert told.value.problems[0].field == "environment"
