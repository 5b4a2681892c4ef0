"""Quotas of accounts: how many tasks one may own, and how many runs it may start within a minute."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.database import DEFAULTS, NOW, add_task
from tests.unit.form_fields import FIELDS, soup
from tests.web_fixtures import Enter
from watchbell import clock
from watchbell.config import Config
from watchbell.services import accounts, bulk_parts, ownership, tasks, tokens, triggers, undoing
from watchbell.services.bulk import Action, Order
from watchbell.services.ownership import Doer
from watchbell.services.quotas import StartQuotaReached, TaskQuotaReached
from watchbell.store.session import Database

HOW: dict[str, Any] = {"now": NOW, "actor": "bob"}
SECOND = timedelta(seconds=1)


@pytest.fixture
def as_bob(db: Database) -> Iterator[Doer]:
    for name, role in (("ann", "editor"), ("bob", "editor"), ("root", "admin")):
        accounts.add(db, name, role=role, password=None, now=NOW)
    doer = Doer("bob", "editor", task_quota=2, start_quota=2)
    with ownership.acting_for(doer):
        yield doer


def test_an_account_has_as_many_tasks_as_it_may(db: Database, as_bob: Doer) -> None:
    first = add_task(db, "a", owner="Bob", actor="bob")
    add_task(db, "b", owner="bob", actor="bob")
    for refused in (
        lambda: add_task(db, "c", owner="bob", actor="bob"),
        # Nobody is called so, or it is an administrator, who has no quota to use up: it is bob's.
        lambda: add_task(db, "c", owner="nobody", actor="bob"),
        lambda: add_task(db, "c", owner="root", actor="bob"),
        lambda: tasks.copy(db, first.id, **HOW),
    ):
        with pytest.raises(TaskQuotaReached, match="bob has 2 tasks"):
            refused()
    tasks.update(db, first.id, {"comment": "still mine", "owner": "nobody"}, defaults=DEFAULTS, **HOW)
    tasks.delete(db, first.id, **HOW)
    add_task(db, "c", owner="bob", actor="bob")
    with pytest.raises(TaskQuotaReached):
        undoing.restore(db, first.id, **HOW)


def test_nobody_fills_somebody_elses_quota_beyond_it(db: Database, as_bob: Doer) -> None:
    given = [add_task(db, name, owner="ann", actor="bob") for name in ("a", "b")]
    with pytest.raises(TaskQuotaReached, match="ann has 2 tasks"):
        add_task(db, "c", owner="ann", actor="bob")
    third = add_task(db, "c", owner="bob", actor="bob")
    with pytest.raises(TaskQuotaReached):
        tasks.update(db, third.id, {"owner": "ann"}, defaults=DEFAULTS, **HOW)
    tasks.update(db, given[0].id, {"owner": "bob"}, defaults=DEFAULTS, **HOW)
    with ownership.acting_for(Doer("root", "admin", task_quota=2)):
        tasks.update(db, given[1].id, {"owner": "bob"}, defaults=DEFAULTS, **HOW)


def test_an_account_starts_as_many_runs_within_a_minute_as_it_may(db: Database, as_bob: Doer) -> None:
    task = add_task(db, owner="bob", actor="bob")
    triggers.run_now(db, task.id, now=NOW, actor="bob", key="k")
    triggers.run_soon(db, task.id, now=NOW + 10 * SECOND, actor="bob")
    # What makes no new run is no start.
    triggers.run_now(db, task.id, now=NOW + 11 * SECOND, actor="bob", key="k")
    triggers.run_soon(db, task.id, now=NOW + 12 * SECOND, actor="bob")
    for seconds, wait in ((20, 40), (59, 1)):
        with pytest.raises(StartQuotaReached) as refused:
            triggers.run_now(db, task.id, now=NOW + seconds * SECOND, actor="bob")
        assert refused.value.retry_seconds == wait
    triggers.run_now(db, task.id, now=NOW + 60 * SECOND, actor="bob")
    with ownership.acting_for(dataclasses.replace(as_bob, username="ann")):
        triggers.run_now(db, task.id, now=NOW + 60 * SECOND, actor="ann")


def test_of_many_tasks_as_many_are_started_as_may_be(db: Database, as_bob: Doer) -> None:
    with ownership.acting_for(None):
        names = {add_task(db, name).id: name for name in "abc"}
    done = bulk_parts.change_tasks(db, Order(Action.RUN), names, defaults=DEFAULTS, **HOW)
    assert [part.outcome for part in done] == ["queued", "queued", ""]
    assert "within a minute" in done[2].reason


def test_quotas_bind_nobody_unless_the_settings_say_so() -> None:
    config = Config.load({}, {})
    assert (config.task_quota, config.start_quota) == (0, 0)


def test_pages_and_families_tell_of_a_quota_in_their_own_shapes(
    db: Database, web_config: Config, app: Any, enter: Enter
) -> None:
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, task_quota=2, start_quota=2)
    editor, admin = enter("editor"), enter("admin")
    task = add_task(db, owner="a-editor")
    assert editor.post("/tasks/new", {**FIELDS, "owner": "a-editor"}).status_code == 303
    refused = editor.post("/tasks/new", {**FIELDS, "name": "third", "owner": "a-editor"})
    assert refused.status_code == 409
    assert "an account may have 2" in soup(refused.text).select_one("#owner-error").text  # type: ignore[union-attr]
    assert soup(refused.text).select_one("input[name=name][value=third]")

    secret = tokens.create(db, "a-editor", "t", scope="edit", lifetime=timedelta(days=1), now=clock.now()).secret
    bearing = {"Authorization": f"Bearer {secret}"}
    made = editor.client.post("/api/v2/tasks", json={"name": "x", "command": "true", "kind": "manual"}, headers=bearing)
    assert (made.status_code, made.get_json()["type"]) == (409, "/problems/task-quota-reached")
    job = {"name": "x", "command": "true", "cron": "* * * * *"}
    assert editor.client.post("/api/jobs", json=job, headers=bearing).status_code == 409

    assert editor.post(f"/tasks/{task.id}/run").status_code == 303
    assert editor.client.post(f"/api/v2/tasks/{task.id}/runs", json={}, headers=bearing).status_code == 201
    page = editor.post(f"/tasks/{task.id}/run")
    assert "as many as an account may start" in page.text
    for answer in (
        page,
        editor.client.post(f"/api/v2/tasks/{task.id}/runs", json={}, headers=bearing),
        editor.client.post(f"/api/jobs/{task.name}/trigger", headers=bearing),
    ):
        assert answer.status_code == 429, answer.text
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    # The task is saved although it may not be started at once.
    asap = editor.post(
        f"/tasks/{task.id}/edit", {**FIELDS, "owner": "a-editor", "version": "1", "name": "saved", "asap": "y"}
    )
    assert asap.status_code == 303
    assert admin.post(f"/tasks/{task.id}/run").status_code == 303
