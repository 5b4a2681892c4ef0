"""Shared sets of environment variables: what a set may hold, what tasks take over of it, and how they follow a change."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW
from watchbell.domain import environment_sets as rules
from watchbell.domain.crontab import write_crontab
from watchbell.domain.permissions import Role
from watchbell.domain.task_definition import Defaults
from watchbell.domain.task_document import to_document
from watchbell.errors import Conflict, InputError, NotAllowed, NotFound, VersionConflict
from watchbell.services import (
    audit,
    bulk_edits,
    bundles,
    deleted_tasks,
    environment_sets,
    ownership,
    revisions,
    secrets,
    task_files,
    task_templates,
    tasks,
    transfer,
    triggers,
    undoing,
)
from watchbell.services.ownership import Doer
from watchbell.services.transfer import Action
from watchbell.store.session import Database
from watchbell.store.tasks import Task

ANY = {"If-Match": "*"}
HOW: dict[str, Any] = {"now": NOW, "actor": "ann"}


def make(db: Database, name: str = "database", **variables: str) -> None:
    given = variables or {"PGHOST": "one", "PGPASSWORD": "${secret:db}"}
    environment_sets.create(db, {"name": name, "variables": given}, **HOW)


def defaults(db: Database) -> Defaults:
    return dataclasses.replace(DEFAULTS, environment_sets=environment_sets.finder(db))


def add(db: Database, name: str = "report", sets: object = "database", **fields: object) -> Task:
    given = {"name": name, "command": "true", "environment_sets": sets, **fields}
    return tasks.create(db, given, defaults=defaults(db), **HOW)


def variables(db: Database, task: Task, version: int | None = None) -> dict[str, str]:
    return rules.merged(revisions.definition_at(db, tasks.get(db, task.id), version))


@pytest.mark.parametrize(
    ("sets", "own", "expected"),
    [
        (["a"], {}, {"X": ("1", "a"), "Y": ("a", "a")}),
        (["a", "b"], {}, {"X": ("2", "b"), "Y": ("a", "a"), "Z": ("b", "b")}),
        (["b", "a"], {}, {"X": ("1", "a"), "Y": ("a", "a"), "Z": ("b", "b")}),
        (["a", "b"], {"X": "own", "W": ""}, {"X": ("own", ""), "Y": ("a", "a"), "Z": ("b", "b"), "W": ("", "")}),
        ([], {"X": "own"}, {"X": ("own", "")}),
        (["gone", "a"], {}, {"X": ("1", "a"), "Y": ("a", "a")}),
    ],
)
def test_the_last_set_counts_and_a_tasks_own_variables_before_all(
    sets: list[str], own: dict[str, str], expected: dict[str, tuple[str, str]]
) -> None:
    carried = {"a": {"X": "1", "Y": "a"}, "b": {"X": "2", "Z": "b"}}
    definition = {"environment": own, "environment_sets": sets, "set_variables": carried}

    assert rules.origins(definition) == expected
    assert rules.origins({"environment": own}) == {name: (value, "") for name, value in own.items()}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "1", "variables": {"A": "1"}}, "name"),
        ({"name": "a b", "variables": {"A": "1"}}, "name"),
        ({"name": "x" * 65, "variables": {"A": "1"}}, "name"),
        ({"name": "x"}, "variables"),
        ({"name": "x", "variables": {"1A": "1"}}, "variables"),
        ({"name": "x", "variables": "A=1\nB"}, "variables"),
        ({"name": "x", "variables": {"WATCHBELL_HOME": "/"}}, "variables"),
        ({"name": "x", "variables": {"IFS": "${secret:db}"}}, "variables"),
        ({"name": "x", "variables": {"A": "${secret:db"}}, "variables"),
        ({"name": "x", "variables": {f"A{number}": "" for number in range(201)}}, "variables"),
        ({"name": "x", "variables": {f"A{number}": "x" * 30_000 for number in range(3)}}, "variables"),
        ({"name": "x", "variables": {"A": "1"}, "description": "x" * 501}, "description"),
        ({"name": "x", "variables": {"A": "1"}, "comment": "x"}, "comment"),
    ],
)
def test_what_can_be_no_set_is_refused_at_its_field(db: Database, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        environment_sets.create(db, fields, **HOW)

    assert [problem.field for problem in refused.value.problems] == [field]


@pytest.mark.parametrize("sets", ["none", ["database", "none"], "a b", ["database", 3], [f"s{n}" for n in range(21)]])
def test_a_task_takes_over_only_sets_that_there_are(db: Database, sets: object) -> None:
    make(db)

    with pytest.raises(InputError) as refused:
        add(db, sets=sets)

    assert {problem.field for problem in refused.value.problems} == {"environment_sets"}


def test_tasks_follow_their_set_by_a_version_of_their_own_and_what_was_due_keeps_what_it_had(db: Database) -> None:
    make(db)
    make(db, "proxy", PROXY="p")
    task, other = add(db, sets=["proxy", "database"]), add(db, "other", sets=[])
    due = triggers.run_now(db, task.id, **HOW)

    changed = environment_sets.update(
        db, "database", {"variables": {"PGHOST": "two", "API_TOKEN": "hush"}}, now=NOW, actor="bob", expected_version=1
    )

    assert (changed.row.version, changed.tasks) == (2, 1)
    assert variables(db, task) == {"PROXY": "p", "PGHOST": "two", "API_TOKEN": "hush"}
    assert variables(db, task, due.task_version)["PGHOST"] == "one"
    assert (tasks.get(db, task.id).version, tasks.get(db, other.id).version) == (2, 1)
    followed, edited = audit.list_page(db, limit=2)
    assert (edited.action, edited.subject) == ("environment_set.update", "environment_set:database")
    # Before and after, but for what looks like a secret; which one a value names is none.
    assert edited.detail["variables"] == {
        "PGHOST": ["one", "two"],
        "PGPASSWORD": ["${secret:db}", None],
        "API_TOKEN": [None, "••••••"],
    }
    assert (followed.action, followed.detail["set_variables"]) == ("task.change", ["database"])
    (newest, _first), _more = revisions.list_page(db, task.id, limit=2)[1:]
    assert newest.changed == ("set_variables",)
    assert "hush" not in json.dumps([entry.detail for entry in audit.list_page(db, limit=10)])


def test_nobodys_change_of_a_set_is_lost(db: Database) -> None:
    make(db)
    environment_sets.update(db, "database", {"description": "bob's"}, now=NOW, actor="bob", expected_version=1)

    with pytest.raises(VersionConflict, match="bob has changed this environment set meanwhile"):
        environment_sets.update(db, "database", {"variables": {"A": "1"}}, expected_version=1, **HOW)
    with pytest.raises(InputError, match="keeps its name"):
        environment_sets.update(db, "database", {"name": "other"}, **HOW)

    # A field that is absent stays, and what changes nothing is no version.
    again = environment_sets.update(db, "database", {"description": "bob's"}, **HOW)
    assert (again.row.version, again.row.variables["PGHOST"]) == (2, "one")


def test_whoever_was_stopped_half_way_is_followed_up_later(db: Database) -> None:
    make(db)
    task = add(db)
    with db.write() as session:
        row = environment_sets.store.find_set(session, "database")
        assert row is not None
        environment_sets.change(
            session, row, {"name": "database", "description": "", "variables": {"PGHOST": "two"}}, **HOW
        )
    assert variables(db, task)["PGHOST"] == "one"

    assert environment_sets.follow_all(db, now=NOW, actor="scheduler") == 1

    assert variables(db, task) == {"PGHOST": "two"}
    assert environment_sets.follow_all(db, now=NOW, actor="scheduler") == 0


def test_a_set_is_not_removed_while_a_task_or_a_template_names_it(db: Database) -> None:
    make(db)
    make(db, "DATABASE", X="1")
    task = add(db)
    template = task_templates.save(db, task.id, **HOW)

    with pytest.raises(Conflict, match="named by report, template report; take it"):
        environment_sets.remove(db, "database", **HOW)
    tasks.update(db, task.id, {"environment_sets": None}, defaults=defaults(db), **HOW)
    assert variables(db, task) == {}
    with pytest.raises(Conflict, match="named by template report"):
        environment_sets.remove(db, "database", **HOW)
    task_templates.delete(db, template.id, **HOW)
    with pytest.raises(VersionConflict):
        environment_sets.remove(db, "database", expected_version=7, **HOW)
    environment_sets.remove(db, "database", **HOW)

    with pytest.raises(NotFound):
        environment_sets.get(db, "database")
    assert [view.row.name for view in environment_sets.list_all(db)] == ["DATABASE"]


def test_an_old_version_and_a_template_come_back_with_what_the_set_says_now(db: Database) -> None:
    make(db)
    task = add(db)
    template = task_templates.save(db, task.id, **HOW)
    tasks.update(db, task.id, {"environment_sets": []}, defaults=defaults(db), **HOW)
    environment_sets.update(db, "database", {"variables": {"PGHOST": "two"}}, **HOW)

    restored = revisions.restore(db, task.id, 1, **HOW)
    made = task_templates.make_task(db, template.id, {"name": "made"}, defaults=defaults(db), **HOW)

    assert variables(db, restored) == variables(db, made) == {"PGHOST": "two"}


def test_a_deleted_task_comes_back_with_what_its_set_says_now_and_carries_one_that_is_gone(db: Database) -> None:
    make(db)
    task = add(db)
    tasks.delete(db, task.id, **HOW)
    environment_sets.update(db, "database", {"variables": {"PGHOST": "two"}}, **HOW)

    back = undoing.restore(db, task.id, **HOW)

    assert (back.version, variables(db, back)) == (2, {"PGHOST": "two"})

    tasks.delete(db, task.id, **HOW)
    environment_sets.remove(db, "database", **HOW)
    back = undoing.restore(db, task.id, **HOW)
    found, _queues = transfer.list_definitions(db, ["report"])

    assert (back.version, variables(db, back)) == (2, {"PGHOST": "two"})
    assert [one.to_json() for one in transfer.list_sets(db, found, ["report"])] == [
        {"name": "database", "variables": {"PGHOST": "two"}}
    ]


def test_a_file_says_texts_where_texts_are_meant(db: Database) -> None:
    document = {
        "watchbell": 1,
        "environment_sets": [{"name": "proxy", "variables": {"A": "1"}, "description": ["x"]}],
        "tasks": [
            {"name": f"t{number}", "command": "true", "policies": policies}
            for number, policies in enumerate([{"interpreter": False}, {"interpreter": ["bash"]}, {"as_user": True}])
        ],
    }

    with pytest.raises(InputError) as wrong:
        transfer.plan(db, task_files.read(json.dumps(document)), now=NOW, defaults=defaults(db), replaces=False)

    assert {problem.message.split("; ")[0] for problem in wrong.value.problems} == {"this is a text"}
    assert "environment_sets[0].description" in str(wrong.value)

    document["environment_sets"] = []
    with pytest.raises(InputError) as wrong:
        transfer.plan(db, task_files.read(json.dumps(document)), now=NOW, defaults=defaults(db), replaces=False)

    assert [problem.message.split("; ")[0] for problem in wrong.value.problems] == ["this is a text"] * 3


def test_who_may_not_change_a_task_may_not_change_what_it_takes_over(db: Database) -> None:
    make(db)
    task = add(db, as_user="root")

    with ownership.acting_for(Doer("eve", Role.EDITOR.value, users={"root": "admin"})), pytest.raises(NotAllowed):
        environment_sets.update(db, "database", {"variables": {"LD_PRELOAD": "/tmp/x.so"}}, now=NOW, actor="eve")

    assert environment_sets.get(db, "database").row.version == 1
    assert variables(db, task)["PGHOST"] == "one"


def test_a_stranger_says_nothing_to_a_task_that_may_come_back(db: Database) -> None:
    make(db)
    task = add(db, as_user="root")
    tasks.delete(db, task.id, **HOW)
    later = NOW + deleted_tasks.KEPT_FOR + timedelta(days=1)
    said = {"variables": {"LD_PRELOAD": "/tmp/x.so"}}

    with ownership.acting_for(Doer("eve", Role.EDITOR.value, users={"root": "admin"})):
        with pytest.raises(NotAllowed):
            environment_sets.update(db, "database", said, now=NOW, actor="eve")
        # Nothing names it, so it goes; another one of its name would be taken over as well.
        environment_sets.remove(db, "database", now=NOW, actor="eve")
        with pytest.raises(NotAllowed):
            environment_sets.create(db, {"name": "database", **said}, now=NOW, actor="eve")
        environment_sets.create(db, {"name": "database", **said}, now=later, actor="eve")


def test_secrets_say_that_sets_name_them_and_tasks_by_their_sets(db: Database) -> None:
    secrets.put(db, "db", "first value", **HOW)
    make(db)
    add(db)

    places = [(place.kind, place.name, place.variables) for place in secrets.get(db, "db").places]

    assert places == [("task", "report", ("PGPASSWORD",)), ("environment set", "database", ("PGPASSWORD",))]
    with pytest.raises(Conflict, match="task report, environment set database would fail"):
        secrets.delete(db, "db", **HOW)
    secrets.delete(db, "db", is_forced=True, **HOW)
    assert secrets.list_missing(db) == {"db": ["report"]}


def test_many_tasks_are_given_the_same_sets_at_once(db: Database) -> None:
    make(db)
    some = [add(db, f"task-{number}", sets=[]) for number in range(2)]
    changes = bulk_edits.Changes({"environment_sets": ["database"]})

    done = bulk_edits.apply(db, [task.id for task in some], changes, defaults=defaults(db), **HOW)

    assert [one.differences for one in done] == [(("environment_sets", [], ["database"]),)] * 2
    assert variables(db, some[1])["PGHOST"] == "one"
    bulk_edits.undo(db, done, **HOW)
    assert variables(db, some[1]) == {}


def test_files_carry_sets_with_the_tasks_that_name_them(db: Database) -> None:
    make(db)
    make(db, "unused", X="1")
    add(db)
    found, queues = transfer.list_definitions(db, ["report"])
    text = task_files.write(to_document(found, queues, sets=transfer.list_sets(db, found, ["report"])), "yaml")
    assert "set_variables" not in text and "unused" not in text

    def plan(document: str, *, replaces: bool = False) -> transfer.Plan:
        return transfer.plan(db, task_files.read(document), now=NOW, defaults=defaults(db), replaces=replaces)

    assert plan(text).count(Action.KEEP) == 2
    changed = text.replace("PGHOST: one", "PGHOST: two")
    made = plan(changed, replaces=True)
    assert [(step.kind, step.action.value, step.differences) for step in made.steps] == [
        ("environment set", "change", (("variables.PGHOST", "one", "two"),)),
        ("task", "keep", ()),
    ]
    transfer.apply(db, made, defaults=defaults(db), **HOW)
    task = tasks.find_by_name(db, "report")
    assert variables(db, task)["PGHOST"] == "two"
    tasks.delete(db, task.id, **HOW)
    environment_sets.remove(db, "database", **HOW)

    transfer.apply(db, plan(text), defaults=defaults(db), **HOW)

    assert variables(db, tasks.find_by_name(db, "report"))["PGHOST"] == "one"
    bad = "watchbell: 1\nenvironment_sets:\n- {name: a b, variables: {A: true}}\n- {name: x, variables: {B: '1'}, what: 1}\n"
    with pytest.raises(InputError) as refused:
        task_files.read(bad)
    assert len(refused.value.problems) == 3 and "environment_sets[1].what" in refused.value.message


def test_bundles_and_crontabs_hold_what_the_sets_say_and_no_secret(db: Database, tmp_path: Path) -> None:
    make(db, PGHOST="one", PGPASSWORD="${secret:db}", API_TOKEN="hush")
    task = add(db, environment={"PGHOST": "own"}, cron="0 2 * * *")
    run = triggers.run_now(db, task.id, **HOW)
    environment_sets.update(db, "database", {"variables": {"PGHOST": "two"}}, **HOW)

    with bundles.write(db, run.id, output_path=tmp_path, base={}) as file:
        bundle = zipfile.ZipFile(io.BytesIO(file.read()))
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    written = write_crontab([tasks.definition_of(tasks.get(db, task.id))], now=NOW, defaults=DEFAULTS)

    assert "export PGHOST=own" in texts[f"run-{run.id}/environment.sh"]
    assert "PGPASSWORD" in texts[f"run-{run.id}/environment.sh"] and "hush" not in "".join(texts.values())
    (entry,) = json.loads(texts[f"run-{run.id}/task.json"])["tasks"]
    assert "environment_sets" not in entry and entry["environment"]["PGHOST"] == "own"
    assert "export PGHOST=own;" in written.text
    assert ("report", "what its environment sets say now is written as its own environment") in written.differences


def test_programs_make_change_and_delete_sets_by_versions(program: Program) -> None:
    body = {"name": "db", "variables": {"PGHOST": "one", "TOKEN": "t"}}
    made = program.want(201, "POST", "/api/v2/environment-sets", body)
    assert (made["version"], made["tasks"], made["named_by"]) == (1, 0, [])
    task = program.want(201, "POST", "/api/v2/tasks", {"name": "a", "command": "true", "environment_sets": ["db"]})
    assert (task["environment_sets"], task["environment"]) == (["db"], {})
    program.want(409, "POST", "/api/v2/environment-sets", body)
    program.want(422, "PATCH", f"/api/v2/tasks/{task['id']}", {"environment_sets": ["none"]}, headers=ANY)

    path = "/api/v2/environment-sets/db"
    program.want(428, "PATCH", path, {"description": "x"})
    changed = program.want(200, "PATCH", path, {"variables": {"PGHOST": "two"}}, headers={"If-Match": '"1"'})
    assert (changed["version"], changed["named_by"]) == (2, ["a"])
    late = program.want(412, "PATCH", path, {"description": "x"}, headers={"If-Match": '"1"'})
    assert late["current"]["variables"] == {"PGHOST": "two"}
    assert "named by a" in program.want(409, "DELETE", path, headers=ANY)["detail"]
    (line,) = program.want(200, "GET", "/api/v2/environment-sets")["items"]
    assert line["variables"] == ["PGHOST"]
    program.want(200, "PATCH", f"/api/v2/tasks/{task['id']}", {"environment_sets": None}, headers=ANY)
    program.want(204, "DELETE", path, headers=ANY)
    program.want(404, "GET", path)
