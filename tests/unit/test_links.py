"""Saving which task runs after which: names become tasks, loops are refused with their names, and a new name is followed."""

from __future__ import annotations

import dataclasses

import pytest
from bs4 import BeautifulSoup

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_task
from tests.web_fixtures import Person
from watchbell.domain.chains import After, On
from watchbell.domain.task_document import to_document
from watchbell.errors import Conflict, InputError
from watchbell.services import chain_graph, revisions, task_files, tasks, transfer, undoing
from watchbell.services.links import Loop
from watchbell.store.session import Database
from watchbell.store.tasks import Task


def parents(db: Database, task: Task) -> dict[int, On]:
    with db.read() as session:
        return dict(chain_graph.read(session).parents.get(task.id, {}))


def change(db: Database, task: Task, **fields: object) -> Task:
    return tasks.update(db, task.id, fields, now=NOW, actor="ann", defaults=DEFAULTS)


def test_a_task_is_saved_with_those_that_it_runs_after(db: Database) -> None:
    a, b = add_task(db, "a"), add_task(db, "b")

    c = add_task(db, "c", after=["a", {"task": "b", "on": "failed"}], join="any")

    assert parents(db, c) == {a.id: On.SUCCEEDED, b.id: On.FAILED}
    definition = tasks.definition_of(tasks.get(db, c.id))
    assert (definition.after, definition.join) == ((After("a"), After("b", On.FAILED)), "any")
    assert tasks.get(db, c.id).schedule_words == "After any of a, b"


def test_a_name_that_no_task_has_is_refused_with_one_that_is_like_it(db: Database) -> None:
    add_task(db, "import")

    with pytest.raises(InputError, match=r"there is no task 'imprt' \(for example: import\)"):
        add_task(db, "report", after=["imprt"])


def test_a_loop_is_refused_with_all_its_tasks_and_nothing_is_saved(db: Database) -> None:
    a = add_task(db, "a")
    add_task(db, "b", after=["a"])
    add_task(db, "c", after=["b"])

    with pytest.raises(Loop, match="would be a loop: a → b → c → a") as refused:
        change(db, a, after=["c"])
    with pytest.raises(Loop, match="a → a"):
        change(db, a, after=["a"])

    assert refused.value.names == ("a", "b", "c")
    assert parents(db, a) == {}
    assert tasks.get(db, a.id).version == 1


def test_what_is_not_said_of_parents_leaves_them_and_an_empty_list_takes_them_away(db: Database) -> None:
    add_task(db, "a"), add_task(db, "b")
    c = add_task(db, "c", after=["a", "b"], join="2")

    change(db, c, comment="why")
    assert len(parents(db, c)) == 2
    with pytest.raises(InputError, match="at most the number of tasks"):
        change(db, c, after=["a"])
    change(db, c, after=[])

    assert parents(db, c) == {}
    assert tasks.definition_of(tasks.get(db, c.id)).join == "all"


def test_a_parent_with_another_name_is_named_so_by_its_children_in_a_version_of_their_own(db: Database) -> None:
    a = add_task(db, "a")
    b = add_task(db, "b", after=["a"])

    change(db, a, name="import")

    found = tasks.get(db, b.id)
    assert (found.after, found.version, found.schedule_words) == (
        [{"task": "import", "on": "succeeded"}],
        2,
        "After import",
    )
    assert parents(db, b) == {a.id: On.SUCCEEDED}


def test_a_deleted_parent_does_not_keep_its_child_from_being_changed(db: Database) -> None:
    a = add_task(db, "a")
    b = add_task(db, "b", after=["a"])
    tasks.delete(db, a.id, now=NOW, actor="ann")

    change(db, b, comment="why")
    assert parents(db, b) == {}
    undoing.restore(db, a.id, now=NOW, actor="ann")

    assert parents(db, b) == {a.id: On.SUCCEEDED}


def test_a_deleted_task_does_not_come_back_into_a_loop(db: Database) -> None:
    b = add_task(db, "b")
    a = add_task(db, "a", after=["b"])
    c = add_task(db, "c", after=["a"])
    tasks.delete(db, a.id, now=NOW, actor="ann")
    change(db, b, after=["c"])

    with pytest.raises(Conflict, match="it would come back into a loop: a → c → b → a"):
        undoing.restore(db, a.id, now=NOW, actor="ann")

    assert parents(db, c) == {}


def test_an_earlier_version_brings_its_parents_back(db: Database) -> None:
    a = add_task(db, "a")
    b = add_task(db, "b", after=["a"])
    change(db, b, after=[])

    revisions.restore(db, b.id, 1, now=NOW, actor="ann")

    assert parents(db, b) == {a.id: On.SUCCEEDED}


def test_a_required_parameter_without_a_value_keeps_a_task_from_running_after_another(db: Database) -> None:
    add_task(db, "a")

    with pytest.raises(InputError, match="day is required"):
        add_task(db, "b", after=["a"], parameters=[{"name": "day", "required": True}])


def _moved(db: Database, names: list[str]) -> str:
    """Return a document of tasks that stands children first, and delete them."""
    definitions, queues = transfer.list_definitions(db, names)
    text = task_files.write(to_document(definitions, queues), "yaml")
    for name in names:
        tasks.delete(db, tasks.find_by_name(db, name).id, now=NOW, actor="ann")
    return text


def _plan(db: Database, text: str) -> transfer.Plan:
    return transfer.plan(db, task_files.read(text), now=NOW, defaults=DEFAULTS, replaces=True)


def test_a_chain_goes_into_a_file_by_name_and_comes_back_in_any_order(db: Database) -> None:
    add_task(db, "a")
    add_task(db, "b", after=["a"])
    add_task(db, "c", after=["b", {"task": "a", "on": "finished"}], join="any")
    text = _moved(db, ["c", "b", "a"])
    assert text.index("name: c") < text.index("name: a")

    transfer.apply(db, _plan(db, text), now=NOW, actor="ann", defaults=DEFAULTS)

    a, b, c = (tasks.find_by_name(db, name) for name in "abc")
    assert (parents(db, b), parents(db, c)) == ({a.id: On.SUCCEEDED}, {b.id: On.SUCCEEDED, a.id: On.FINISHED})
    assert {step.action for step in _plan(db, text).steps} == {transfer.Action.KEEP}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: b, command: 'true', after: [{task: nobody}]}", "b.after: there is no task 'nobody'"),
        (
            "{name: b, command: 'true', after: [{task: c}]}, {name: c, command: 'true', after: [{task: b}]}",
            "would be a loop: b → c → b",
        ),
    ],
)
def test_a_file_that_links_to_nothing_or_in_a_circle_is_refused_before_anything_is_done(
    db: Database, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        _plan(db, f"watchbell: 1\ntasks: [{text}]")


def test_a_copy_runs_after_the_same_tasks(db: Database) -> None:
    a = add_task(db, "a")
    b = add_task(db, "b", after=["a"])

    assert parents(db, tasks.copy(db, b.id, now=NOW, actor="ann")) == {a.id: On.SUCCEEDED}


def test_parents_take_part_in_what_differs_between_two_definitions(db: Database) -> None:
    add_task(db, "a")
    before = tasks.definition_of(add_task(db, "b"))

    changed = transfer.differences(before, dataclasses.replace(before, after=(After("a"),)))

    assert [name for name, _old, _new in changed] == ["after"]


def test_the_form_of_a_task_has_rows_for_its_parents_without_scripts(admin: Person, db: Database) -> None:
    a, b = add_task(db, "a"), add_task(db, "b")
    task = add_task(db, "c", after=["a"])
    place = f"/tasks/{task.id}/edit"
    base = {"name": "c", "what": "command", "command": "true", "kind": "manual", "version": "1", "was_enabled": "1",
            "enabled": "y"}  # fmt: skip
    rows = {"after_task": ["a", "b"], "after_on": ["succeeded", "failed"], "join": "any"}

    shown = admin.see(place)
    more = admin.post(place, {**base, **rows, "after_act": "add"})
    fewer = admin.post(place, {**base, **rows, "after_act": "remove:1"})
    wrong = admin.post(place, {**base, **rows, "after_task": ["a", "nobody"]})
    loop = admin.post(f"/tasks/{a.id}/edit", {**base, "name": "a", "after_task": ["c"], "after_on": ["succeeded"]})
    saved = admin.post(place, {**base, **rows})

    assert [row["value"] for row in shown.select("[name=after_task]")] == ["a"]
    assert {one["value"] for one in shown.select("#task-names option")} == {"a", "b"}
    assert (more.text.count('name="after_task"'), fewer.text.count('name="after_task"')) == (3, 1)
    assert wrong.status_code == loop.status_code == 422
    assert "here is no task" in wrong.text
    assert "a → c → a" in loop.text
    drawn = BeautifulSoup(loop.text, "html.parser").select_one("#after .wb-chain")
    assert drawn is not None and [box.text.split() for box in drawn.select("a title")] == [["a"], ["c"]]
    assert len(drawn.select(".wb-chain__line")) == 2 and len(drawn.select(".wb-chain__line--refused")) == 1
    assert "Picture of the loop: a → c → a" in loop.text and "would close the loop" in loop.text
    assert BeautifulSoup(wrong.text, "html.parser").select_one("#after .wb-chain") is None
    assert saved.status_code == 303
    assert parents(db, task) == {a.id: On.SUCCEEDED, b.id: On.FAILED}
    assert "After any of a, b." in admin.see(f"/tasks/{task.id}").text
    # Two people who have chosen other parents are shown both.
    stale = admin.post(place, {**base, "after_task": ["b"], "after_on": ["finished"]})
    assert stale.status_code == 409
    assert "b has finished, however it went" in stale.text


def test_the_api_takes_and_tells_parents(program: Program, db: Database) -> None:
    add_task(db, "a")
    made = program.want(201, "POST", "/api/v2/tasks", {"name": "b", "command": "true", "after": [{"task": "a"}]})

    assert (made["after"], made["join"], made["kind"]) == ([{"task": "a", "on": "succeeded"}], "all", "manual")
    refused = program.call(
        "PATCH", "/api/v2/tasks/1", {"after": [{"task": "b", "on": "failed"}]}, headers={"If-Match": '"1"'}
    )
    assert refused.status_code == 422
    assert "a → b → a" in refused.get_json()["detail"]
