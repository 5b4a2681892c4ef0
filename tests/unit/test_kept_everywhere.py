"""Every address that changes something of a task, asked by somebody whose task it is not where the settings keep it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.form_fields import FIELDS
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.run_state import RunState
from watchbell.services import accounts, blackouts, bulk, calendars, environment_sets, tasks, tokens
from watchbell.services.bulk_parts import RunAction
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: Tables in which anything about a task is written down that somebody could have changed.
TABLES = (
    *("task", "task_revision", "run", "run_event", "pause", "mute", "run_verdict", "run_expected"),
    *("blackout", "named_calendar", "environment_set"),
)
#: What is free with a task of somebody else: a copy is one's own.
FREE = {"tasks.copy", "native.copy_task", "task_templates.save", "native.save_task_template"}
#: What names a task or a run in an address.
NAMING = {"task_id", "run_id"}
Asked = tuple[str, Mapping[str, Any], Mapping[str, Any]]


@dataclasses.dataclass
class Theirs:
    """What belongs to ann."""

    task: Task
    gone: Task
    off: Task
    queued: Run
    failed: Run
    lost: Run
    calendar_id: int
    blackout_id: int


@pytest.fixture
def theirs(db: Database, app: Flask, web_config: Config) -> Theirs:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, own_tasks_only="run", cron_task="theirs")
    accounts.add(db, "ann", role="editor", password=None, now=NOW)
    how: dict[str, Any] = {"now": NOW, "actor": "ann"}
    calendar = calendars.create(db, {"name": "holidays", "days": "2027-01-01"}, **how)
    environment_sets.create(db, {"name": "shared", "variables": {"A": "1"}}, **how)
    defaults = dataclasses.replace(
        DEFAULTS, calendars=calendars.finder(db), environment_sets=environment_sets.finder(db)
    )
    task = tasks.create(
        db,
        {
            "name": "theirs",
            "command": "true",
            "owner": "ann",
            "cron": "0 2 * * *",
            "calendar": "holidays",
            "parameters": [{"name": "day"}],
            "parameter_sets": {"monday": {"day": "1"}},
            "uncertain": "ask",
            "environment_sets": ["shared"],
        },
        defaults=defaults,
        **how,
    )
    gone, off = add_task(db, "gone", owner="ann"), add_task(db, "off", owner="ann", enabled=False)
    tasks.update(db, task.id, {"comment": "second"}, defaults=DEFAULTS, **how)
    tasks.delete(db, gone.id, **how)
    window = {"name": "freeze", "starts": "2027-01-01 00:00", "ends": "2027-01-02 00:00", "tasks": ["theirs"]}
    blackout = blackouts.create(db, window, default_zone="UTC", **how)
    return Theirs(
        task=task,
        gone=gone,
        off=off,
        queued=add_run(db, task),
        failed=add_run(db, task, RunState.FAILED),
        lost=add_run(db, task, RunState.LOST, decision="open"),
        calendar_id=calendar.row.id,
        blackout_id=blackout.row.id,
    )


def told(db: Database) -> dict[str, list[Any]]:
    """Return all rows that somebody else must not have changed."""
    with db.read() as session:
        return {
            table: [tuple(row) for row in session.connection().exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1")]
            for table in TABLES
        }


def asked(theirs: Theirs, mine: Task) -> list[Asked]:
    """Return (endpoint, what stands in its address, what it is sent) of what is refused with somebody else's task."""
    here, off = {"task_id": theirs.task.id}, {"task_id": theirs.off.id}
    task, version = theirs.task.id, {"task_id": theirs.task.id, "version": 1}
    queued, failed, lost = ({"run_id": run.id} for run in (theirs.queued, theirs.failed, theirs.lost))
    window = {"starts": "2027-01-01 00:00", "ends": "2027-01-02 00:00"}
    holidays, freeze = {"calendar_id": theirs.calendar_id}, {"blackout_id": theirs.blackout_id}
    edit = {"id": task, "ids": str(task), "change": "host", "host": "x"}
    both = [{"id": mine.id, "version": mine.version}, {"id": task, "version": 2}]
    return [
        ("tasks.run", here, {"asked": "1", "param.day": "2"}),
        ("tasks.soon", here, {}),
        ("tasks.enable", off, {}),
        ("tasks.disable", here, {}),
        ("tasks.update", here, {**FIELDS, "name": "theirs", "version": 2}),
        ("tasks.delete", here, {"sure": "1"}),
        ("tasks.restore", {"task_id": theirs.gone.id}, {}),
        ("tasks.keep_set", here, {"set_name": "x", "param.day": "1"}),
        ("tasks.drop_set", here, {"set": "monday"}),
        ("revisions.restore", version, {}),
        ("bulk_edits.change", {}, {**edit, "act": "look"}),
        ("bulk_edits.change", {}, {**edit, "act": "apply"}),
        ("pauses.create", {}, {"scope": f"task:{task}"}),
        ("pauses.end", {}, {"scope": f"task:{task}"}),
        ("overview.mute", {}, {"run": theirs.failed.id}),
        ("overview.unmute", {}, {"task": task}),
        ("runs.cancel", queued, {}),
        ("runs.exactly", failed, {}),
        ("runs.decide", lost, {"choice": "run_again"}),
        ("runs.decide", lost, {"choice": "leave"}),
        ("native.change_tasks", {}, {"action": "delete", "ids": [mine.id, task]}),
        ("native.edit_tasks", {}, {"tasks": both, "set": {"host": "x"}}),
        ("native.edit_tasks", {}, {"tasks": both, "set": {"host": "x"}, "dry_run": True}),
        ("native.edit_tasks", {}, {"tasks": both[:1], "set": {"owner": "ann"}}),
        ("native.run_task", here, {}),
        ("native.enable_task", off, {}),
        ("native.disable_task", here, {}),
        ("native.pause_task", here, {}),
        ("native.resume_task", here, {}),
        ("native.update_task", here, {"command": "false"}),
        ("native.update_task", here, {"owner": "bob"}),
        ("native.update_task", {"task_id": mine.id}, {"owner": "ann"}),
        ("native.delete_task", here, {}),
        ("native.restore_revision", version, {}),
        ("native.create_task", {}, {"name": "gift", "command": "true", "owner": "ann"}),
        ("native.cancel_run", queued, {}),
        ("native.rerun", failed, {}),
        ("native.rerun", failed, {"exactly": True}),
        ("native.decide", lost, {"choice": "leave"}),
        ("native.update_environment_set", {"name": "shared"}, {"variables": {"A": "2"}}),
        ("native.update_calendar", holidays, {"days": ["2027-01-02"]}),
        ("day_calendars.update", holidays, {"name": "holidays", "days": "2027-01-02", "version": 1}),
        ("native.create_blackout", {}, {"name": "mine", **window, "tasks": ["theirs"]}),
        ("blackouts.create", {}, {"name": "mine", **window, "tasks": "theirs"}),
        ("native.update_blackout", freeze, {"description": "x"}),
        ("native.update_blackout", freeze, {"tasks": []}),
        ("blackouts.update", freeze, {"name": "freeze", **window, "tasks": "", "version": 1}),
        ("blackouts.remove", freeze, {"version": 1}),
        ("native.delete_blackout", freeze, {}),
        ("gateway.update_job", {"name": "theirs"}, {"command": "false"}),
        ("gateway.delete_job", {"name": "theirs"}, {}),
        ("gateway.enable_job", {"name": "off"}, {}),
        ("gateway.disable_job", {"name": "theirs"}, {}),
        ("gateway.trigger_job", {"name": "theirs"}, {}),
        ("task_dashboard.update_task", here, {"Comment": "x"}),
        ("task_dashboard.update_task", here, {"ToRunAsap": 1}),
        ("task_dashboard.delete_task", here, {}),
        ("cron_manager.start", {}, {"interval_seconds": 60}),
    ]


def left(theirs: Theirs) -> list[Asked]:
    """Return what is answered otherwise, and changes nothing: of many, those that are kept are left and told."""
    task, queued = theirs.task.id, theirs.queued.id
    file = "watchbell: 1\ntasks:\n- {name: theirs, command: 'false'}\n"
    all_of = {"ids": str(task), "id": task, "sure": "1", "tags": "x"}
    return [
        *(("tasks.bulk", {}, {"action": action, **all_of}) for action in bulk.Action),
        *(("runs.bulk", {}, {"action": action, "ids": str(queued), "id": queued, "sure": "1"}) for action in RunAction),
        ("bulk_edits.undo", {}, {"undo": f"{task}:1:1:2"}),
        (
            "native.undo_edit",
            {},
            {"items": [{"task_id": task, "version_before": 1, "version": 2, "was_enabled": True}]},
        ),
        ("transfer.create", {}, {"text": file, "act": "import", "pick": "task:theirs"}),
        ("tasks.run", {"task_id": task}, {}),
        ("runs.again", {"run_id": theirs.failed.id}, {}),
        ("runs.expect", {"run_id": theirs.failed.id}, {}),
    ]


def the_rest(app: Flask, theirs: Theirs, known: set[str]) -> list[Asked]:
    """Return every other way to change something that names a task or a run in its address, asked without anything."""
    values = {"task_id": theirs.task.id, "run_id": theirs.failed.id, "version": 1}
    return [
        (rule.endpoint, {name: values.get(name, 1) for name in rule.arguments}, {})
        for rule in app.url_map.iter_rules()
        if rule.arguments & NAMING and rule.endpoint not in known and changing(rule)
    ]


def changing(rule: Rule) -> str:
    """Return the method by which an address changes something, empty for one that is only looked at."""
    return min((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}, default="")


def test_no_address_changes_anything_of_somebody_elses_task(db: Database, app: Flask, theirs: Theirs) -> None:
    accounts.add(db, "bob", role="editor", password=None, now=clock.now())
    secret = tokens.create(db, "bob", "t", scope="edit", lifetime=timedelta(days=1), now=clock.now()).secret
    client, adapter = app.test_client(), app.url_map.bind("localhost")
    refused, others = asked(theirs, add_task(db, "mine", owner="bob")), left(theirs)
    others += the_rest(app, theirs, FREE | {endpoint for endpoint, *_ in (*refused, *others)})
    before = told(db)
    for endpoint, parts, body in (*refused, *others):
        rule = next(rule for rule in app.url_map.iter_rules(endpoint) if changing(rule))
        answer = client.open(
            adapter.build(endpoint, dict(parts), method=changing(rule)),
            method=changing(rule),
            json=body if rule.rule.startswith("/api") else None,
            data=None if rule.rule.startswith("/api") else body,
            headers={"Authorization": f"Bearer {secret}", "If-Match": "*"},
        )
        if (endpoint, parts, body) in refused:
            assert (answer.status_code, endpoint) == (403, endpoint), (body, answer.text[:500])
        assert told(db) == before, (endpoint, parts, body, answer.status)
