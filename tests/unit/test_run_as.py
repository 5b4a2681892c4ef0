"""As which users of the system tasks may run, and who may say so; what their commands can do is in tests/process/test_run_as.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.form_fields import FIELDS, edit_fields
from tests.web_fixtures import Enter
from watchbell.config import Config
from watchbell.control import own_user
from watchbell.control.diagnosis import place
from watchbell.domain import run_as
from watchbell.domain.permissions import Right
from watchbell.errors import ConfigError, InputError
from watchbell.services import bulk, calendars, ownership, revisions, tasks, triggers, undoing
from watchbell.services.ownership import Doer, NotYours
from watchbell.store.session import Database

USERS = ("jobs", "backup", "web:editor")
HERE = dataclasses.replace(DEFAULTS, users=tuple(run_as.parse(USERS)))
HOW: dict[str, Any] = {"now": NOW, "actor": "ed"}
EDITOR, ADMIN = (Doer(name, role, users=run_as.parse(USERS)) for name, role in (("ed", "editor"), ("root", "admin")))


def test_settings_name_users_with_the_least_role_that_may_let_tasks_run_as_them() -> None:
    assert dict(run_as.parse(Config.load({"run_as": " jobs, backup,web:editor,jobs "}, {}).run_as)) == {
        "jobs": "editor",
        "backup": "admin",
        "web": "editor",
    }
    assert Config.load({}, {}).run_as == ()
    for wrong in (",", "a b", "jobs:", "jobs:owner", "jobs:viewer", "-x", "a/b", "ä", "x" * 33, "jobs;id"):
        with pytest.raises(ConfigError, match="names of users"):
            Config.load({"run_as": wrong}, {})


def test_where_the_settings_name_nobody_no_task_names_anybody(db: Database) -> None:
    with pytest.raises(InputError, match="the settings name none"):
        tasks.create(
            db, {"name": "a", "command": "b", "as_user": "backup"}, defaults=dataclasses.replace(HERE, users=()), **HOW
        )
    with pytest.raises(InputError, match="there are: jobs, backup, web"):
        tasks.create(db, {"name": "a", "command": "b", "as_user": "root"}, defaults=HERE, **HOW)
    for wrong in ("a b", "../root", "a\nb", "0"):
        with pytest.raises(InputError, match="as_user"):
            tasks.create(db, {"name": "a", "command": "b", "as_user": wrong}, defaults=HERE, **HOW)
    kept = add_task(db, "kept", as_user="gone")
    assert tasks.update(db, kept.id, {"comment": "x"}, defaults=HERE, **HOW).comment == "x"


def test_an_editor_says_nothing_of_what_runs_as_a_user_for_administrators(db: Database) -> None:
    theirs, free = add_task(db, "theirs", as_user="backup"), add_task(db, "free", as_user="web")
    tasks.update(db, free.id, {"as_user": "backup"}, defaults=HERE, **HOW)
    tasks.update(db, free.id, {"as_user": "web"}, defaults=HERE, **HOW)
    gone = add_task(db, "gone", as_user="backup")
    tasks.delete(db, gone.id, **HOW)
    earlier = add_run(db, tasks.get(db, free.id), task_version=2)
    deeds: list[Callable[[], object]] = [
        lambda: tasks.create(db, {"name": "n", "command": "id", "as_user": "backup"}, defaults=HERE, **HOW),
        lambda: tasks.update(db, theirs.id, {"command": "id"}, defaults=HERE, **HOW),
        lambda: tasks.update(db, theirs.id, {"as_user": ""}, defaults=HERE, **HOW),
        lambda: tasks.update(db, free.id, {"as_user": "backup"}, defaults=HERE, **HOW),
        lambda: revisions.restore(db, free.id, 2, **HOW),
        lambda: tasks.copy(db, theirs.id, **HOW),
        lambda: tasks.delete(db, theirs.id, **HOW),
        lambda: undoing.restore(db, gone.id, **HOW),
        lambda: triggers.run_exactly(db, earlier, **HOW),
        lambda: bulk.carry_out(db, bulk.Order(bulk.Action.TAG, [theirs.id], tags=["x"]), defaults=HERE, **HOW),
    ]
    with ownership.acting_for(EDITOR):
        for number, deed in enumerate(deeds):
            with pytest.raises(NotYours, match="runs as the user backup"):
                print(number, deed())
        # To run it as it stands is a right of its own, and so is everything about other tasks.
        triggers.run_now(db, theirs.id, **HOW)
        tasks.set_enabled(db, theirs.id, False, **HOW)
        tasks.update(db, free.id, {"command": "id"}, defaults=HERE, **HOW)
        assert [ownership.may_task(db, Right.EDIT, one.id) for one in (theirs, free)] == [False, True]
        assert [ownership.judge(db, Right.EDIT)(tasks.get(db, one.id)) for one in (theirs, free)] == [False, True]
    with ownership.acting_for(ADMIN):
        for deed in deeds[:6]:
            deed()


def test_a_calendar_of_such_a_task_is_for_those_who_may_edit_it(db: Database) -> None:
    made = calendars.create(db, {"name": "off", "days": "2030-01-01"}, **HOW)
    defaults = dataclasses.replace(HERE, calendars=calendars.finder(db))
    fields = {"name": "a", "command": "b", "cron": "0 9 * * *", "calendar": "off", "as_user": "backup"}
    tasks.create(db, fields, defaults=defaults, **HOW)
    with ownership.acting_for(EDITOR), pytest.raises(NotYours):
        calendars.update(db, made.row.id, {"days": "2030-01-02"}, **HOW)
    assert calendars.get(db, made.row.id).row.version == 1


def test_pages_offer_the_users_there_are_and_refuse_the_others(
    app: Flask, web_config: Config, db: Database, enter: Enter
) -> None:
    editor = enter("editor")
    assert not editor.see("/tasks/new").select("[name=as_user]")
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, run_as=USERS)
    page = editor.see("/tasks/new")
    assert [option["value"] for option in page.select("[name=as_user] option")] == ["", "jobs", "backup", "web"]
    assert "jobs, as usual" in page.text

    assert editor.post("/tasks/new", {**FIELDS, "as_user": "web"}).status_code == 303
    task = tasks.find_by_name(db, FIELDS["name"])
    assert task.policies["as_user"] == "web"
    assert "Run as" in editor.see(f"/tasks/{task.id}").text
    fields = {**edit_fields(editor, task.id), "as_user": "backup"}
    refused = editor.post(f"/tasks/{task.id}/edit", fields)
    assert refused.status_code == 403
    assert editor.post(f"/tasks/{task.id}/edit", {**fields, "as_user": "nobody"}).status_code == 422
    assert enter("admin").post(f"/tasks/{task.id}/edit", fields).status_code == 303
    assert editor.get(f"/tasks/{task.id}/edit").status_code == 403
    assert not editor.see(f"/tasks/{task.id}").select(f'[href="/tasks/{task.id}/edit"]')


def test_whoever_starts_it_is_told_as_whom_commands_run(tmp_path: Any) -> None:
    (tmp_path / "secret.key").write_text("x")
    config = Config.load({"home": tmp_path, "run_as": "jobs,backup"}, {})
    assert own_user.warnings(config, uid=0) == [
        "commands run as one of jobs, backup; as the first where their task names none"
    ]
    assert list(place.look_at_user(config, uid=0)) == []
    # Who names root has said so.
    assert own_user.warnings(Config.load({"home": tmp_path, "run_as": "root,jobs"}, {}), uid=0)[0] == own_user.AS_ROOT


def test_commands_do_not_inherit_the_password_of_our_own_database() -> None:
    given = {"PGPASSWORD": "x", "PATH": "/bin"}
    ours = Config.load({"database_url": "postgresql://watchbell@db.example/watchbell"}, given)

    assert "PGPASSWORD" not in ours.child_environment
    assert Config.load({}, given).child_environment["PGPASSWORD"] == "x"
