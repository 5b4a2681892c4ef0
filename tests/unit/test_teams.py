"""Teams: made by administrators, named by tasks, and what is kept for those whose a task is."""

from __future__ import annotations

import dataclasses
import timeit
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.domain import ownership as domain
from watchbell.domain.ownership import OwnOnly
from watchbell.domain.permissions import ROUTES, Right, rights_of
from watchbell.errors import Conflict, InputError, NotAllowed
from watchbell.services import (
    accounts,
    audit,
    bulk,
    bulk_edits,
    bulk_parts,
    imports,
    ownership,
    pauses,
    runs,
    tasks,
    teams,
    tokens,
    transfer,
    triggers,
    undoing,
)
from watchbell.services.bulk import Action, Order
from watchbell.services.bulk_edits import Changes
from watchbell.services.imports import Asking, Wish
from watchbell.services.ownership import Doer, NotYours
from watchbell.store.session import Database
from watchbell.store.tasks import Task

HOW: dict[str, Any] = {"now": NOW, "actor": "bob"}


@pytest.fixture
def people(db: Database) -> None:
    for name, role in (("ann", "editor"), ("bob", "editor"), ("carol", "operator"), ("root", "admin")):
        accounts.add(db, name, role=role, password=None, now=NOW)


@pytest.fixture
def task(db: Database, people: None) -> Task:
    return add_task(db, owner="ann")


@pytest.fixture
def as_bob(task: Task) -> Iterator[Doer]:
    """Do everything for somebody whose task it is not, where both rights are kept."""
    doer = Doer("bob", "editor", OwnOnly.RUN)
    with ownership.acting_for(doer):
        yield doer


def deeds(db: Database, task: Task) -> dict[str, Callable[[], object]]:
    """Return everything that somebody can do to a task or to its runs."""
    run = add_run(db, task)
    return {
        "edit": lambda: tasks.update(db, task.id, {"comment": "x"}, defaults=DEFAULTS, **HOW),
        "run": lambda: triggers.run_now(db, task.id, **HOW),
        "soon": lambda: triggers.run_soon(db, task.id, **HOW),
        "not soon": lambda: triggers.forget_soon(db, task.id, **HOW),
        "cancel": lambda: runs.cancel(db, run.id, **HOW),
        "pause": lambda: pauses.pause(db, pauses.task_scope(task.id), **HOW),
        "resume": lambda: pauses.resume(db, pauses.task_scope(task.id), **HOW),
        "look at a bulk edit": lambda: bulk_edits.plan(
            db, [task.id], Changes({"host": "elsewhere"}), now=NOW, defaults=DEFAULTS
        ),
        "bulk edit": lambda: bulk_edits.apply(db, [task.id], Changes({"host": "elsewhere"}), defaults=DEFAULTS, **HOW),
        "tag": lambda: bulk.carry_out(db, Order(Action.TAG, [task.id], tags=["x"]), defaults=DEFAULTS, **HOW),
        "delete all": lambda: bulk.carry_out(db, Order(Action.DELETE, [task.id]), defaults=DEFAULTS, **HOW),
        "import": lambda: transfer.plan_definition(
            db, dataclasses.replace(tasks.definition_of(task), command="false"), defaults=DEFAULTS, replaces=True
        ),
        "enable": lambda: tasks.set_enabled(db, task.id, not task.enabled, **HOW),
        "delete": lambda: tasks.delete(db, task.id, **HOW),
    }


def test_what_is_somebody_elses_is_kept_from_every_deed(db: Database, task: Task, as_bob: Doer) -> None:
    for name, deed in deeds(db, task).items():
        with pytest.raises(NotYours, match="is not yours"):
            print(name, deed())
    assert tasks.get(db, task.id).version == 1


def test_what_is_ones_own_or_a_teams_is_open_to_every_deed(db: Database, task: Task) -> None:
    teams.create(db, "data", members=["bob"], now=NOW, actor="root")
    tasks.update(db, task.id, {"team": "data"}, now=NOW, actor="ann", defaults=DEFAULTS)
    for doer in (
        Doer("ANN", "editor", OwnOnly.RUN),
        Doer("bob", "editor", OwnOnly.RUN),
        Doer("root", "admin", OwnOnly.RUN),
    ):
        with ownership.acting_for(doer):
            for name, deed in deeds(db, tasks.get(db, task.id)).items():
                if name not in {"delete", "delete all"}:
                    deed()
        tasks.update(db, task.id, {"enabled": True, "tags": "", "comment": "", "host": ""}, defaults=DEFAULTS, **HOW)


def test_nothing_is_kept_unless_the_settings_say_so(db: Database, task: Task) -> None:
    with ownership.acting_for(Doer("bob", "editor", OwnOnly(Config.load({}, {}).own_tasks_only))):
        for name, deed in deeds(db, task).items():
            if name != "delete all":
                deed()


def test_editing_alone_can_be_kept(db: Database, task: Task) -> None:
    kept = {"edit", "look at a bulk edit", "bulk edit", "tag", "delete all", "import", "delete"}
    with ownership.acting_for(Doer("bob", "editor", OwnOnly.EDIT)):
        for name, deed in deeds(db, task).items():
            if name in kept:
                with pytest.raises(NotYours):
                    deed()
            else:
                deed()


def test_a_task_of_nobody_is_for_administrators(db: Database, people: None) -> None:
    assert not domain.is_theirs("", [""], owner="", team="")
    assert domain.is_theirs("ann", [], owner="Ann", team="")
    assert not domain.is_theirs("ann", ["data"], owner="", team="Data")


def test_nobody_gives_a_task_away_but_an_administrator(db: Database, task: Task) -> None:
    teams.create(db, "data", members=["bob"], now=NOW, actor="root")
    with ownership.acting_for(Doer("ann", "editor", OwnOnly.EDIT)):
        with pytest.raises(NotYours, match="gives tasks away"):
            tasks.update(db, task.id, {"owner": "bob"}, now=NOW, actor="ann", defaults=DEFAULTS)
        with pytest.raises(NotYours):
            add_task(db, "other", owner="bob")
        tasks.update(db, task.id, {"team": "data"}, now=NOW, actor="ann", defaults=DEFAULTS)
    with ownership.acting_for(Doer("root", "admin", OwnOnly.EDIT)):
        tasks.update(db, task.id, {"owner": "bob", "team": ""}, now=NOW, actor="root", defaults=DEFAULTS)
    assert audit.list_page(db, limit=1)[0].detail["owner"] == ["ann", "bob"]


def test_a_copy_of_somebody_elses_task_is_ones_own(db: Database, task: Task, as_bob: Doer) -> None:
    assert tasks.copy(db, task.id, **HOW).owner == "bob"


def test_a_deleted_task_is_restored_by_those_whose_it_is(db: Database, task: Task) -> None:
    tasks.delete(db, task.id, now=NOW, actor="ann")
    with ownership.acting_for(Doer("bob", "editor", OwnOnly.EDIT)):
        assert [part.outcome for part in undoing.restore_all(db, [task.id], **HOW)] == [""]
    with ownership.acting_for(Doer("ann", "editor", OwnOnly.EDIT)):
        assert undoing.restore(db, task.id, now=NOW, actor="ann").deleted_at is None


def test_of_many_tasks_those_that_are_kept_are_left_and_told(db: Database, task: Task, as_bob: Doer) -> None:
    add_task(db, "mine", owner="bob")
    names = {one.id: one.name for one in tasks.list_page(db).tasks}
    for action in (Action.RUN, Action.DELETE):
        done = bulk_parts.change_tasks(db, Order(action), names, defaults=DEFAULTS, **HOW)
        assert {part.name: bool(part.outcome) for part in done} == {"backup": False, "mine": True}


def test_an_import_says_of_each_entry_what_is_kept(db: Database, task: Task, as_bob: Doer) -> None:
    text = "watchbell: 1\ntasks:\n- {name: backup, command: 'false'}\n- {name: new, command: 'true', owner: ann}\n"
    text += "- {name: mine, command: 'true'}\n- {name: lost, command: 'true', team: nowhere}\n"
    asking = Asking(NOW, "bob", dataclasses.replace(DEFAULTS, owner="bob"), "bob")
    found = {offer.name: offer.problem for offer in imports.survey(db, Wish(text), asking).offers}
    assert "not yours" in found["backup"]
    assert "gives tasks away" in found["new"]
    assert "there is no team 'nowhere'" in found["lost"]
    assert found["mine"] == ""


def test_a_team_is_known_exactly_and_must_be_there(db: Database, people: None) -> None:
    teams.create(db, "Data", members=["ann", "ANN"], now=NOW, actor="root")
    for name in ("data", "other"):
        with pytest.raises(InputError, match="there is no team"):
            add_task(db, name, team=name)
    with pytest.raises(Conflict):
        teams.create(db, "DATA", now=NOW, actor="root")
    with pytest.raises(InputError, match="there is no account"):
        teams.create(db, "more", members=["nobody"], now=NOW, actor="root")
    for wrong in ("", "a,b", "x" * 65, "a\x07"):
        with pytest.raises(InputError, match="name"):
            teams.create(db, wrong, now=NOW, actor="root")
    assert teams.list_all(db)[0].members == ["ann"]


def test_a_team_takes_its_tasks_along_and_leaves_none_behind(db: Database, people: None) -> None:
    made = teams.create(db, "data", members=["ann"], now=NOW, actor="root")
    teams.create(db, "other", now=NOW, actor="root")
    task, gone = add_task(db, team="data"), add_task(db, "gone", team="data")
    tasks.delete(db, gone.id, now=NOW, actor="ann")
    teams.update(db, made.id, name="databases", members=["ann", "bob"], now=NOW, actor="root")
    assert tasks.get(db, task.id).team == "databases"

    with pytest.raises(Conflict, match="still has 1 of the tasks"):
        teams.delete(db, made.id, now=NOW, actor="root")
    for wrong in ("databases", "nowhere"):
        with pytest.raises(InputError, match="tasks_to"):
            teams.delete(db, made.id, tasks_to=wrong, now=NOW, actor="root")
    assert teams.delete(db, made.id, tasks_to="other", now=NOW, actor="root") == 1

    assert tasks.get(db, task.id).team == "other"
    assert tasks.revision(db, task.id, 3).definition["team"] == "other"
    assert undoing.restore(db, gone.id, now=NOW, actor="ann").team == ""
    rows = [(row.action, row.detail) for row in audit.list_page(db, limit=20) if row.subject == f"team:{made.id}"]
    assert [action for action, _ in rows] == ["team.delete", "team.change", "team.create"]
    assert rows[1][1] == {"name": ["data", "databases"], "members": [["ann"], ["ann", "bob"]]}
    assert audit.verify(db).broken_at == 0


def test_the_list_shows_what_is_mine_by_team_and_by_owner(db: Database, enter: Enter) -> None:
    editor = enter("editor")
    teams.create(db, "data", members=["a-editor"], now=NOW, actor="root")
    whose = {"own": {"owner": "a-editor"}, "ours": {"team": "data"}, "theirs": {}}
    numbers = {name: add_task(db, name, cron="0 * * * *", **fields).id for name, fields in whose.items()}
    for number in numbers.values():
        add_run(db, tasks.get(db, number))

    def listed(query: str) -> set[str]:
        return {str(row["name"]) for row in editor.get(f"/tasks.json?{query}").get_json()}

    assert listed("owner=mine") == {"own", "ours"}
    assert listed("team=DATA") == {"ours"}
    assert [row["task_name"] for row in editor.get("/runs.json?team=data").get_json()] == ["ours"]
    assert "theirs" not in (page := editor.get("/next-runs?team=data").text) and "ours" in page
    own, ours = numbers["own"], numbers["ours"]
    for query, mine in (("", {own, ours}), ("?user=a-editor", {own})):
        assert {row["ID"] for row in editor.get(f"/api/tasks{query}").get_json()} == mine
        scheduled = editor.get(f"/api/scheduled{query}").get_json()
        assert {row["RunBy"] for row in scheduled} == {"a-editor", *(["ann"] if ours in mine else [])}


@pytest.fixture
def kept(web_config: Config, app: Any) -> None:
    """Let the settings keep both rights."""
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, own_tasks_only="run")


def test_pages_offer_and_do_only_what_is_not_kept(db: Database, kept: None, enter: Enter) -> None:
    editor = enter("editor")
    theirs = add_task(db, "theirs", owner="ann")
    mine = add_task(db, "mine", owner="a-editor")
    page = editor.see("/tasks")
    acts = {str(one["formaction"]) for one in page.select("#tasks [formaction]")}
    assert f"/tasks/{mine.id}/run" in acts and f"/tasks/{mine.id}/delete" in acts
    assert [act for act in acts if act.startswith(f"/tasks/{theirs.id}/")] == [f"/tasks/{theirs.id}/copy"]
    detail = editor.see(f"/tasks/{theirs.id}")
    assert not detail.select(
        f'[action="/tasks/{theirs.id}/run"], [href="/tasks/{theirs.id}/edit"], [href^="/pause?scope=task"]'
    )
    assert editor.see(f"/tasks/{mine.id}").select(f'[action="/tasks/{mine.id}/run"]')

    run = add_run(db, theirs)
    assert not editor.see(f"/runs/{run.id}").select(f'[action="/runs/{run.id}/cancel"]')
    for address in (
        f"/tasks/{theirs.id}/run",
        f"/tasks/{theirs.id}/delete",
        f"/runs/{run.id}/cancel",
        f"/tasks/{theirs.id}/edit",
    ):
        assert editor.post(address, FIELDS).status_code in {403, 422}, address
    assert editor.get(f"/tasks/{theirs.id}/edit").status_code == 403
    # Whoever tries is written down, as with every other refusal.
    assert any(row.action == "request.refuse" for row in audit.list_page(db, limit=5))

    typed = editor.post("/tasks/new", {**FIELDS, "name": "gift", "owner": "ann"})
    assert typed.status_code == 403
    assert soup(typed.text).select_one("input[name=name][value=gift]")
    assert tasks.get(db, theirs.id).version == 1


def test_every_family_refuses_in_its_own_shape(db: Database, kept: None, enter: Enter) -> None:
    theirs = add_task(db, "theirs", owner="ann", cron="0 2 * * *")
    accounts.add(db, "ed", role="editor", password=None, now=clock.now())
    secret = tokens.create(db, "ed", "t", scope="edit", lifetime=timedelta(days=1), now=clock.now()).secret
    client = enter("editor").client
    bearing = {"Authorization": f"Bearer {secret}"}
    for method, address, body in (
        ("POST", f"/api/v2/tasks/{theirs.id}/runs", {}),
        ("POST", f"/api/v2/tasks/{theirs.id}/disable", None),
        ("POST", "/api/v2/tasks/bulk", {"action": "delete", "ids": [theirs.id]}),
        ("POST", "/api/jobs/theirs/trigger", None),
        ("DELETE", "/api/jobs/theirs", None),
        ("DELETE", f"/api/task/{theirs.id}", None),
    ):
        answer = client.open(address, method=method, json=body, headers=bearing)
        assert answer.status_code == 403, (address, answer.status, answer.text)
        assert "not yours" in answer.text, address
    assert tasks.get(db, theirs.id).enabled


def test_administrators_make_change_and_delete_teams_on_pages(admin: Person, db: Database, enter: Enter) -> None:
    assert "No team yet" in admin.see("/teams").text
    accounts.add(db, "ann", role="editor", password=None, now=clock.now())
    wrong = admin.post("/teams/new", {"name": " ", "members": ["ann"]})
    assert wrong.status_code == 422
    assert soup(wrong.text).select_one("input[name=members][value=ann][checked]")
    assert admin.post("/teams/new", {"name": "data", "members": ["ann"]}).status_code == 303
    assert admin.post("/teams/new", {"name": "Data"}).status_code == 422
    (team,) = teams.list_all(db)
    assert admin.post(f"/teams/{team.id}", {"name": "data", "comment": "on call", "members": []}).status_code == 303
    assert admin.get("/teams.json").get_json()[0]["comment"] == "on call"
    assert admin.get("/teams.csv").text.startswith("id,name,comment,members,tasks")

    task = add_task(db, cron="0 2 * * *")
    assert admin.post(f"/tasks/{task.id}/edit", {**edit_fields(admin, task.id), "team": "data"}).status_code == 303
    assert tasks.get(db, task.id).team == "data"
    # What says nothing of a team leaves it.
    assert admin.post(f"/tasks/{task.id}/edit", {**edit_fields(admin, task.id), "comment": "x"}).status_code == 303
    assert tasks.get(db, task.id).team == "data"

    viewer = enter("viewer")
    assert "data" in viewer.see("/teams").text
    assert not viewer.see("/teams").select('[href="/teams/new"]')
    assert admin.post(f"/teams/{team.id}/delete").status_code == 422
    assert admin.post(f"/teams/{team.id}/delete", {"tasks_to": "none"}).status_code == 303
    assert (teams.list_all(db), tasks.get(db, task.id).team) == ([], "")


def test_the_question_whether_somebody_may_costs_next_to_nothing(db: Database, task: Task) -> None:
    """Under 50 µs on any machine, right of the route, teams, user of the system and all."""
    teams.create(db, "data", members=["bob"], now=NOW, actor="root")
    users = {"jobs": "editor", "backup": "admin"}

    def ask() -> None:
        assert ROUTES["tasks.update"] in rights_of("editor", "edit")
        assert ownership.may(session, Right.EDIT, owner="ann", team="data")
        ownership.require_user("nightly", "jobs")

    with ownership.acting_for(Doer("bob", "editor", OwnOnly.RUN, users=users)), db.read() as session:
        times = timeit.repeat(ask, number=1000, repeat=5)
    assert min(times) / 1000 < 50e-6


def test_refusals_are_what_no_account_may_do() -> None:
    assert issubclass(NotYours, NotAllowed)


def test_of_two_who_change_a_team_the_second_is_told_what_the_first_has_said(admin: Person, db: Database) -> None:
    team = teams.create(db, "data", now=NOW, actor="ann")
    seen = admin.see(f"/teams/{team.id}").select_one("[name=state]")["value"]  # type: ignore[index]
    teams.update(db, team.id, comment="on call", now=NOW, actor="ann")

    mine = {"name": "figures", "comment": "", "state": str(seen)}
    answer = admin.post(f"/teams/{team.id}", mine)

    page = soup(answer.text)
    assert answer.status_code == 409
    assert "changed this team meanwhile" in page.select_one("#name-error").text  # type: ignore[union-attr]
    assert "called data, with the comment “on call”" in page.text
    assert page.select_one("#name")["value"] == "figures"  # type: ignore[index]
    again = {**mine, "state": str(page.select_one("[name=state]")["value"])}  # type: ignore[index]
    assert admin.post(f"/teams/{team.id}", again).status_code == 303
    assert teams.get(db, team.id).name == "figures"
