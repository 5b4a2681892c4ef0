"""Tags that nest by slashes: what lies in one counts with it, in lists, the tree, the API and the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.api_fixtures import Program
from tests.database import add_run, add_task
from tests.web_fixtures import Person
from watchbell.domain import tags
from watchbell.domain.run_state import RunState
from watchbell.services import tasks
from watchbell.store.session import Database

PARTS = some.lists(some.sampled_from(["a", "b", 'q"a', "ü", "a, b"[:1]]), min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("billing/nightly", "billing/nightly"), (" billing // nightly / ", "billing/nightly"), ("/", ""), ("a", "a")],
)
def test_a_tag_has_no_empty_parts(typed: str, kept: str) -> None:
    assert tags.tidy(typed) == kept


@given(some.lists(some.lists(PARTS, max_size=3, unique=True), max_size=6))
def test_each_task_counts_once_in_each_tag_that_it_lies_in(found: list[list[str]]) -> None:
    tree = {one.tag: one for one in tags.flat(tags.grow((mine, 1, mine == found[0]) for mine in found))}

    assert set(tree) == {above for mine in found for tag in mine for above in tags.upwards(tag)}
    for tag, branch in tree.items():
        within = [mine for mine in found if tags.has(mine, tag)]
        assert branch.tasks == len(within)
        assert branch.failing == sum(mine == found[0] for mine in within)
        assert all(tags.is_within(child.tag, tag) for child in branch.below)


@pytest.mark.on_both
def test_the_database_chooses_as_the_rule_does(db: Database) -> None:
    many = {
        "whole": ["billing"], "within": ["x", "billing/nightly"], "deep": ["billing/nightly/eu"], "beside": ["billing-old"],
        "quoted": ['a"billing/x'], "behind": ["ops/billing"], "umlaut": ["über/a"], "blank": ["a billing/b", "my/billing"],
        "none": [],
    }  # fmt: skip
    for name, own in many.items():
        add_task(db, name, tags=own)

    for wanted in ("billing", "billing/nightly", "billing/nightly/eu", "über", "ops", "a", 'a"billing', "nothing"):
        found = {task.name for task in tasks.list_page(db, tag=wanted).tasks}
        assert found == {name for name, own in many.items() if tags.has(own, wanted)}, wanted


def test_the_tree_stands_above_the_list_and_leads_to_what_lies_in_a_tag(admin: Person, db: Database) -> None:
    bad = add_task(db, "bad", tags=["billing/nightly", "billing/eu"])
    add_run(db, bad, RunState.FAILED)
    add_run(db, add_task(db, "good", tags=["billing"]), RunState.SUCCEEDED)
    add_task(db, "other", tags=["ops"])

    page = admin.see("/tasks?view=all")

    lines = [" ".join(line.text.split()) for line in page.select(".wb-tree .wb-tree__line")]
    assert lines == ["billing 2 tasks 1 failing", "eu 1 task 1 failing", "nightly 1 task 1 failing", "ops 1 task"]
    links = {a.text.strip(): str(a["href"]) for a in page.select(".wb-tree__tag")}
    within = admin.see(links["billing"])
    assert {a.text for a in within.select("#tasks .wb-cell--main a")} == {"bad", "good"}
    assert [a.text.strip() for a in within.select(".wb-tree [aria-current]")] == ["billing"]
    failing = admin.see(str(page.select(".wb-tree__failing")[0]["href"]))
    assert {a.text for a in failing.select("#tasks .wb-cell--main a")} == {"bad"}


def test_the_api_tells_the_tree_and_filters_by_it(program: Program, db: Database) -> None:
    add_task(db, "a", tags=["billing/nightly"])
    add_task(db, "b", tags=["ops"])

    assert program.get("/api/v2/tags")["items"] == [
        {"tag": "billing", "tasks": 1, "failing": 0},
        {"tag": "billing/nightly", "tasks": 1, "failing": 0},
        {"tag": "ops", "tasks": 1, "failing": 0},
    ]
    assert [one["name"] for one in program.get("/api/v2/tasks?tag=billing")["items"]] == ["a"]
