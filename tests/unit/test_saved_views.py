from __future__ import annotations

import pytest

from tests.database import NOW
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import saved_views
from watchbell.store.saved_views import SavedView
from watchbell.store.session import Database


def save(db: Database, name: str = "Failed", *, owner: str = "ann", page: str = "runs", **values: object) -> SavedView:
    given = {"query": "state=failed", "now": NOW, **values}
    return saved_views.save(db, owner=owner, page=page, name=name, **given)  # type: ignore[arg-type]


def names(db: Database, owner: str = "ann", page: str | None = "runs") -> list[str]:
    return [view.name for view in saved_views.list_all(db, owner, page)]


def test_views_are_listed_by_name_for_whoever_saved_them(db: Database) -> None:
    save(db, "slow ones")
    save(db, "Failed")
    save(db, "of bob", owner="bob")
    save(db, "a list of tasks", page="tasks")

    assert names(db) == ["Failed", "slow ones"]
    assert names(db, page=None) == ["Failed", "slow ones", "a list of tasks"]


def test_a_view_that_is_saved_again_under_its_name_is_replaced(db: Database) -> None:
    first = save(db)
    again = save(db, "  Failed ", query="state=lost")

    assert again.id == first.id
    assert saved_views.get(db, first.id).query == "state=lost"
    assert names(db) == ["Failed"]


def test_one_view_of_a_list_is_met_first(db: Database) -> None:
    first, second = save(db, "one", is_default=True), save(db, "two")
    elsewhere = save(db, "of tasks", page="tasks", is_default=True)

    saved_views.set_default(db, second.id, True, owner="ann")

    found = saved_views.find_default(db, "ann", "runs")
    assert found is not None
    assert found.id == second.id
    assert not saved_views.get(db, first.id).is_default
    assert saved_views.get(db, elsewhere.id).is_default
    saved_views.set_default(db, second.id, False, owner="ann")
    assert saved_views.find_default(db, "ann", "runs") is None


def test_a_view_is_renamed_unless_the_name_is_taken(db: Database) -> None:
    first, _ = save(db, "one"), save(db, "two")

    assert saved_views.rename(db, first.id, "three", owner="ann").name == "three"
    assert saved_views.rename(db, first.id, "three", owner="ann").name == "three"
    with pytest.raises(Conflict):
        saved_views.rename(db, first.id, "two", owner="ann")


def test_nobody_changes_the_view_of_somebody_else_but_anybody_opens_it(db: Database) -> None:
    view = save(db)

    assert saved_views.get(db, view.id).name == "Failed"
    for change in (
        lambda: saved_views.rename(db, view.id, "mine", owner="bob"),
        lambda: saved_views.set_default(db, view.id, True, owner="bob"),
        lambda: saved_views.delete(db, view.id, owner="bob"),
    ):
        with pytest.raises(NotFound):
            change()
    saved_views.delete(db, view.id, owner="ann")
    with pytest.raises(NotFound):
        saved_views.get(db, view.id)


@pytest.mark.parametrize(
    "values",
    [{"name": "  "}, {"name": "x" * 61}, {"name": "a\x07b"}, {"page": "elsewhere"}, {"query": "q=" + "x" * 2000}],
)
def test_a_view_that_could_not_be_shown_is_refused(db: Database, values: dict[str, str]) -> None:
    with pytest.raises(InputError):
        save(db, **values)


def test_there_is_an_end_to_the_number_of_views(db: Database) -> None:
    for number in range(saved_views.MOST_VIEWS):
        save(db, f"view {number}")

    with pytest.raises(Conflict):
        save(db, "one more")
    assert save(db, "view 7", query="q=x").query == "q=x"
