"""The page of metrics: what it says of planted runs, what it leaves out, and that its twins hold what it shows."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask

from tests.database import add_task
from tests.unit.run_rows import add_execution
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.analysis import trend
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web import metric_sentences


@pytest.fixture
def task(db: Database) -> Task:
    """Give a task whose 31st of 40 runs took ten times as long, and another one beside it."""
    made = add_task(db, "nightly", command="python3 backup.py", directory="/srv")
    for number in range(40):
        seconds = 200.0 if number == 30 else 20.0 + number % 5
        add_execution(db, made, seconds, hours_ago=80 - 2 * number, stdout=b"line\n" * 10, own={"rows": 100.0 + number})
    add_execution(db, add_task(db, "other"), 3, code=7, stderr=b"no\n")
    return made


def words(person: Person, address: str) -> str:
    main = person.see(address).select_one("main")
    assert main is not None
    return " ".join(main.text.split())


def test_it_opens_with_what_is_usual_and_where_it_goes(admin: Person, task: Task) -> None:
    told = words(admin, "/metrics?task=nightly")

    assert "Execution time of 40 runs: usually 22s." in told
    assert "There is no clear trend." in told
    assert "1 of 40 is unusual." in told
    assert "Better: the last 5 runs average 22s, 19 % less than the 35 before (27s)." in told


def test_the_cards_count_the_whole_database(admin: Person, task: Task) -> None:
    cards = [
        " ".join(card.text.split()) for card in admin.see("/metrics?task=nowhere").select("#metric-cards .wb-stat")
    ]

    assert cards[0].startswith("Executions")
    assert [card.rpartition(" ")[0] for card in cards[1:2]] == ["Values measured"]
    assert "MiB" in cards[2]


def test_what_is_unusual_is_marked_in_the_picture_and_in_the_table(admin: Person, task: Task) -> None:
    page = admin.see("/metrics?task=nightly&method=mad")

    (mark,) = page.select("a.wb-duration.wb-tone-missed title")
    assert "3m 20s" in mark.text
    assert "unusually high" in mark.text
    rows = [row.text for row in page.select("#latest tbody tr")]
    assert len(rows) == 20
    assert [("unusually high" in row) for row in rows].count(True) == 1
    assert len(page.select("#trend tbody tr")) == 40, "the twin of the picture"


def test_the_distribution_has_a_twin_that_counts_every_run(admin: Person, task: Task) -> None:
    counts = [int(cell.text) for cell in admin.see("/metrics?task=nightly").select("#distribution tbody td.wb-number")]

    assert sum(counts) == 40


def test_a_task_is_found_by_the_path_of_its_script_and_tells_its_own_metrics(admin: Person, task: Task) -> None:
    page = admin.see("/metrics?task=/srv/backup.py&metric=rows")

    assert page.select_one("#filter-metric option[selected]")["value"] == "rows"  # type: ignore[index]
    assert "rows of 40 runs: usually 120." in words(admin, "/metrics?task=/srv/backup.py&metric=rows")


def test_of_several_tasks_no_regression_is_told(admin: Person, task: Task) -> None:
    assert "Choose a task" in words(admin, "/metrics")


def test_an_own_time_has_two_ends(admin: Person, db: Database, task: Task) -> None:
    start, end = (
        (clock.now() - timedelta(hours=hours)).isoformat(timespec="minutes").replace("+", "%2B")
        for hours in (40.5, 20.5)
    )

    assert len(admin.get(f"/metrics.json?task=nightly&from={start}&to={end}").json or ()) == 10
    page = admin.see(f"/metrics?task=nightly&from={start}&to={end}")
    assert page.select_one("#filter-from")["value"] and page.select_one("#filter-to")["value"]  # type: ignore[index]
    assert page.select_one(".wb-choice [aria-current]") is None


def test_the_twins_hold_exactly_what_is_shown(admin: Person, task: Task) -> None:
    answer = admin.get("/metrics.csv?task=nightly&metric=output_bytes")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert [*rows[0]][:5] == ["timestamp", "metric_name", "value", "script_path", "exit_code"]
    assert len(rows) == 40
    assert {(row["metric_name"], row["value"], row["script_path"]) for row in rows} == {
        ("output_bytes", "50.0", "/srv/backup.py")
    }
    told = admin.get("/metrics.json?task=nightly").json or ()
    assert [row["unusual"] for row in told].count(True) == 1
    assert [row["run_id"] for row in told] == sorted(row["run_id"] for row in told)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("?task=nowhere", "No such task"),
        ("?task=idle", "No run in this time"),
        ("?task=nightly&metric=nothing", "No value of this metric"),
    ],
)
def test_an_empty_page_says_why_and_what_next(admin: Person, db: Database, task: Task, asked: str, said: str) -> None:
    add_task(db, "idle")
    page = admin.see(f"/metrics{asked}")

    assert said in page.text
    assert page.select_one("main .wb-empty a") is not None


def test_before_anything_ran_the_page_says_that_nothing_is_to_be_set_up(admin: Person) -> None:
    assert "with nothing to set up" in admin.see("/metrics").text


@pytest.mark.parametrize(
    "asked", ["range=2d", "method=guess", "from=yesterday", "from=2026-11-02T10:00&to=2026-11-01T10:00"]
)
def test_what_cannot_be_meant_is_refused_by_its_name(admin: Person, asked: str) -> None:
    for suffix in ("", ".csv", ".json"):
        assert admin.get(f"/metrics{suffix}?{asked}").status_code == 422


def test_hostile_names_stay_text(admin: Person, db: Database) -> None:
    name = "<script>x</script>"
    add_execution(db, add_task(db, name), 3, own={"<b>": 1.0})

    page = admin.see("/metrics?metric=%3Cb%3E")

    assert page.select_one("main script, #trend b") is None
    assert name in page.text


def test_a_constant_and_a_single_value_have_a_picture(admin: Person, db: Database) -> None:
    made = add_task(db, "one")
    add_execution(db, made, 3)
    assert admin.see("/metrics?task=one").select_one("svg.wb-trend polyline") is not None
    for number in range(5):
        add_execution(db, made, 3, hours_ago=number + 2)

    told = words(admin, "/metrics?task=one")

    assert "The trend is stable." in told
    assert "None is unusual." in told
    for metric in ("success", "timed_out", "memory_delta", "num_fds_delta"):
        assert admin.see(f"/metrics?task=one&metric={metric}").select_one("svg.wb-trend") is not None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([9.0, 1.0, 1.0, 9.0, 9.0, 1.0, 1.0, 9.5], "There is no clear trend."),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "The trend rises by 5.00 s from the first run to the last."),
        ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], "The trend falls by 5.00 s from the first run to the last."),
    ],
)
def test_a_line_that_explains_next_to_nothing_is_no_trend(app: Flask, values: list[float], words: str) -> None:
    with app.test_request_context():
        assert metric_sentences.trend("execution_time_seconds", trend.fit(values), len(values)) == words
