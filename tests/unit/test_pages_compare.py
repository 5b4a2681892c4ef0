"""A run laid against the last good one of its task."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.services import tasks
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task


def add(
    db: Database,
    task: Task,
    out: bytes = b"",
    *,
    took: float = 10,
    state: RunState = RunState.SUCCEEDED,
    **values: object,
) -> Run:
    run = add_run(
        db, tasks.get(db, task.id), state, started_at=NOW, ended_at=NOW + timedelta(seconds=took), attempts=1,
        exit_code=0 if state is RunState.SUCCEEDED else 2,
    )  # fmt: skip
    attempt = add_attempt(db, run, **values)
    if out:
        add_output(db, attempt, out)
    return run


def rows(page: BeautifulSoup, section: str) -> list[list[str]]:
    return [[" ".join(cell.text.split()) for cell in row.select("td")] for row in page.select(f"#{section} tbody tr")]


def diff(page: BeautifulSoup) -> list[tuple[str, str]]:
    lines = page.select(".wb-diff__line")
    return [(line.select_one(".wb-diff__sign").text.strip(), line.select_one(".wb-diff__text").text) for line in lines]  # type: ignore[union-attr]


def test_it_is_laid_against_the_last_good_run_before_it(admin: Person, db: Database) -> None:
    task = add_task(db)
    good = add(db, task, b"2026-11-22 12:00:00 begun\n12 rows\ndone\n", took=10, max_rss_kib=1024)
    add(db, task, state=RunState.FAILED)
    run = add(db, task, b"2026-11-23 09:00:01 begun\n13 rows\ndone\n", took=30, state=RunState.FAILED, max_rss_kib=1030)
    add(db, task)

    page = admin.see(f"/runs/{run.id}/compare")

    assert page.select_one(f".wb-answer a[href='/runs/{good.id}']")
    assert ["Result", "succeeded", "failed", "differs"] in rows(page, "outcome")
    assert ["Took", "10s", "30s", "+200 %"] in rows(page, "outcome")
    assert ["Most memory", "1.0 MiB", "1.0 MiB", "\N{EN DASH}"] in rows(page, "outcome")
    assert diff(page) == [("", "2026-11-23 09:00:01 begun"), ("-", "12 rows"), ("+", "13 rows"), ("", "done")]
    assert "Compared were 39 of 39 bytes and 39 of 39 bytes." in " ".join(page.text.split())
    assert admin.see(f"/runs/{run.id}").select_one(f"a[href='/runs/{run.id}/compare']")


def test_definitions_differ_field_by_field_and_secrets_stay_masked(admin: Person, db: Database) -> None:
    task = add_task(db, command="old <b>", environment={"STAGE": "a", "GONE": "1", "API_TOKEN": "s3cret-one"})
    add(db, task)
    new = {
        "command": "new <i>",
        "overlap": "allow",
        "environment": {"STAGE": "b", "NEW": "2", "API_TOKEN": "s3cret-two"},
    }
    tasks.update(db, task.id, new, now=NOW, actor="ann", defaults=DEFAULTS)
    run = add(db, task)

    answer = admin.get(f"/runs/{run.id}/compare")
    page = BeautifulSoup(answer.text, "html.parser")

    assert ["Command", "old <b>", "new <i>"] in rows(page, "fields")
    assert ["Earlier run still going", "skip the new one", "run both"] in rows(page, "fields")
    assert len(rows(page, "fields")) == 2
    assert rows(page, "variables") == [
        ["API_TOKEN", "••••••", "another value"], ["GONE", "1", "not set"], ["NEW", "not set", "2"], ["STAGE", "a", "b"],
    ]  # fmt: skip
    assert "s3cret" not in answer.text


def test_another_run_is_chosen_by_the_address(admin: Person, db: Database) -> None:
    task = add_task(db)
    first, second = add(db, task), add(db, task)
    run = add(db, task)

    page = admin.see(f"/runs/{run.id}/compare?with={first.id}")

    assert page.select_one(f".wb-answer a[href='/runs/{first.id}']")
    assert page.select_one("select[name=with] option[selected]")["value"] == str(first.id)  # type: ignore[index]
    assert [option["value"] for option in page.select("select[name=with] option")] == [str(second.id), str(first.id)]


def test_with_nothing_to_compare_with_the_page_says_so(admin: Person, db: Database) -> None:
    run = add(db, add_task(db), state=RunState.FAILED)

    assert "No other run of this task has succeeded so far." in admin.see(f"/runs/{run.id}/compare").text


@pytest.mark.parametrize("query", ["with=999999", "with=x", "with=-1", "with=" + "9" * 40])
def test_a_run_that_is_none_or_of_another_task_is_refused(admin: Person, db: Database, query: str) -> None:
    run, other = add(db, add_task(db)), add(db, add_task(db, "other"))

    assert admin.get(f"/runs/{run.id}/compare?{query}").status_code in {404, 422}
    assert admin.get(f"/runs/{run.id}/compare?with={other.id}").status_code == 404
    assert admin.get("/runs/999999/compare").status_code == 404


def test_hostile_names_and_outputs_are_text(admin: Person, db: Database) -> None:
    task = add_task(db, "<img src=x onerror=alert(1)>", command="{{ 7*7 }}", environment={"X": "</pre><script>"})
    add(db, task, b"\x1b[31m<script>\x00\xff\n" + b"z" * 300_000)
    tasks.update(db, task.id, {"environment": {}}, now=NOW, actor="ann", defaults=DEFAULTS)
    run = add(db, task, b"\x1b]8;;javascript:alert(1)\x07<b>\n" + b"y" * 300_000)

    page = admin.see(f"/runs/{run.id}/compare")

    assert not page.select("main script, .wb-diff b, img, a[href*=javascript]")
    assert ("-", "<script>␀\ufffd") in diff(page)
    assert len(page.text) < 100_000


def test_only_a_part_of_long_outputs_is_compared_and_the_page_says_which(admin: Person, db: Database) -> None:
    task = add_task(db)
    add(db, task, b"same\n" * 200_000 + b"fine\n")
    run = add(db, task, b"same\n" * 200_000 + b"broken\n")

    page = admin.see(f"/runs/{run.id}/compare")

    assert ("-", "fine") in diff(page)
    assert ("+", "broken") in diff(page)
    assert "of 1,000,005 bytes" in " ".join(page.text.split())


def test_an_output_that_is_gone_is_said_to_be(admin: Person, db: Database) -> None:
    task = add_task(db)
    old = add(db, task)
    add_output(db, add_attempt(db, old, number=2), None, size=5)
    run = add(db, task, b"x")

    assert "The output of one of them is not kept any more." in admin.see(f"/runs/{run.id}/compare").text
