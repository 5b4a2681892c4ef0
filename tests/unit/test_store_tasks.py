"""Reading and marking tasks: lists, searches, names, revisions, and cursors that an edit holds back."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from tests.database import NOW, add_task
from watchbell.services import tasks
from watchbell.store import cursors
from watchbell.store import tasks as store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both


def _names(db: Database, **filters: object) -> list[str]:
    with db.read() as session:
        found = [task.name for task in store.list_tasks(session, **filters)]
        counted = {name: value for name, value in filters.items() if name in {"search", "enabled", "owner"}}
        if not {"limit", "offset"} & set(filters):
            assert store.count_tasks(session, **counted) == len(found)
    return found


@pytest.fixture
def three(db: Database) -> list[Task]:
    return [
        add_task(db, "backup", command="tar c /home", owner="Ann", every="1h", comment="nightly 100%"),
        add_task(db, "report", command="make report", owner="bob", every="5m", enabled=False),
        add_task(db, "a_task", command="true", owner="ann"),
    ]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["a_task", "backup", "report"]),
        ({"descending": True}, ["report", "backup", "a_task"]),
        ({"sort": "id"}, ["backup", "report", "a_task"]),
        ({"sort": "next"}, ["backup", "a_task", "report"]),
        ({"sort": "next", "descending": True}, ["backup", "a_task", "report"]),
        ({"enabled": True}, ["a_task", "backup"]),
        ({"enabled": False}, ["report"]),
        ({"owner": "ANN"}, ["a_task", "backup"]),
        ({"search": "TAR"}, ["backup"]),
        ({"search": "report make"}, ["report"]),
        ({"search": "_"}, ["a_task"]),
        ({"search": "100%"}, ["backup"]),
        ({"search": "100%x"}, []),
        ({"search": "\udcff"}, []),
        ({"limit": 1, "offset": 1}, ["backup"]),
        ({"limit": 0}, []),
    ],
    ids=str,
)
def test_tasks_are_filtered_and_sorted(db: Database, three: list[Task], filters: dict, names: list[str]) -> None:
    assert _names(db, **filters) == names


@pytest.mark.parametrize("sort", store.SORTS)
def test_pages_of_any_order_show_every_task_once(db: Database, sort: str) -> None:
    rng = random.Random(3)
    for n in range(25):
        add_task(db, f"t{rng.randrange(10**6)}-{n}", owner=rng.choice("ab"), enabled=rng.random() < 0.5)

    pages = [_names(db, sort=sort, limit=4, offset=start) for start in range(0, 28, 4)]

    assert [name for page in pages for name in page] == _names(db, sort=sort)


def test_a_deleted_task_is_found_only_if_asked_for(db: Database, three: list[Task]) -> None:
    tasks.delete(db, three[0].id, now=NOW, actor="ann")

    with db.read() as session:
        assert store.find_task(session, three[0].id) is None
        assert store.find_task(session, three[0].id, deleted=True).name == "backup"
        assert store.find_task_by_name(session, "backup") is None
    assert _names(db) == ["a_task", "report"]


@pytest.mark.parametrize("number", [0, -1, 404, 2**63, 10**40])
def test_a_task_with_an_impossible_number_is_not_there(db: Database, number: int) -> None:
    with db.read() as session:
        assert store.find_task(session, number) is None


def test_two_living_tasks_cannot_share_a_name_whoever_writes_them(db: Database, three: list[Task]) -> None:
    with pytest.raises(IntegrityError), db.write() as session:
        store.find_task(session, three[1].id).name = "backup"


def test_changes_are_marked_in_the_order_of_their_commits(db: Database, three: list[Task]) -> None:
    with db.read() as session:
        mark = max(task.change for task in store.list_changed_tasks(session, 0))
    tasks.set_enabled(db, three[1].id, True, now=NOW, actor="ann")
    tasks.delete(db, three[0].id, now=NOW, actor="ann")

    with db.read() as session:
        changed = store.list_changed_tasks(session, mark)

    assert [task.id for task in changed] == [three[1].id, three[0].id]


def _cursor(db: Database, task: Task):
    with db.read() as session:
        return store.find_task(session, task.id, deleted=True).cursor_at


def test_a_cursor_moves_only_if_the_task_is_as_it_was_read(db: Database, three: list[Task]) -> None:
    later = NOW + timedelta(hours=1)
    edited = tasks.update(
        db, three[0].id, {"command": "x"}, now=NOW, actor="ann", defaults=tasks.Defaults("UTC", "ann", "h")
    )
    tasks.delete(db, three[2].id, now=NOW, actor="ann")
    known = [three[0].change, three[1].change, three[2].change]
    moves = [(task.id, change, later, None) for task, change in zip(three, known, strict=True)]

    with db.write() as session:
        held_back = cursors.move_cursors(session, moves)

    assert edited.change != three[0].change
    assert held_back == [three[0].id, three[1].id, three[2].id]
    assert [_cursor(db, task) for task in three] == [NOW, NOW, NOW]


def test_one_task_that_was_edited_holds_no_other_back(db: Database, three: list[Task]) -> None:
    later = NOW + timedelta(hours=1)
    moves = [(three[0].id, three[0].change, later, later), (three[2].id, three[2].change - 1, later, None)]

    with db.write() as session:
        assert cursors.move_cursors(session, moves) == [three[2].id]
        assert cursors.move_cursors(session, []) == []

    assert (_cursor(db, three[0]), _cursor(db, three[2])) == (later, NOW)


def test_every_version_keeps_its_definition(db: Database, three: list[Task]) -> None:
    defaults = tasks.Defaults("UTC", "ann", "h")
    tasks.update(db, three[0].id, {"command": "rsync"}, now=NOW, actor="bob", defaults=defaults)

    with db.read() as session:
        first, second = (store.find_revision(session, three[0].id, version) for version in (1, 2))
        assert store.find_revision(session, three[0].id, 3) is None

    assert (first.definition["command"], first.by) == ("tar c /home", "ann")
    assert (second.definition["command"], second.by) == ("rsync", "bob")
