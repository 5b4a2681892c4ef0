"""The policies of a task in its form: all of them, each at its place, with what they mean in words."""

from __future__ import annotations

import pytest

from tests.database import add_task
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Person
from watchbell.domain.policies import build_policies
from watchbell.services import runs, tasks
from watchbell.services.runs import RunFilter
from watchbell.store.session import Database
from watchbell.web.presenters_policies import retry_sentence

POLICIES = {
    "overlap": "queue_all", "overlap_limit": "7", "catch_up": "all", "catch_up_limit": "5",
    "catch_up_window_seconds": "2h", "latest_start_seconds": "10m", "uncertain": "ask", "retries": "3",
    "retry_backoff": "fibonacci", "retry_delay_seconds": "90", "retry_multiplier": "1.5",
    "retry_max_delay_seconds": "1h", "retry_total_seconds": "1d", "retry_on": "1, 75-79, timeout", "retry_not_on": "2",
    "time_limit_seconds": "30m", "grace_seconds": "0", "output_limit_mib": "1", "output_excess": "end",
    "memory_limit_mib": "512", "process_limit": "64", "niceness": "-5", "queue": "nightly", "priority": "-10",
    "spread_seconds": "90s", "keep_days": "30", "keep_runs": "1000", "own_metrics": "read",
    "gates": "fast: execution_time_seconds < 60\nrows > 0", "interpreter": "/bin/sh -e",
}  # fmt: skip
IN_SECONDS = {
    "catch_up_window_seconds": 7200, "latest_start_seconds": 600, "retry_delay_seconds": 90,
    "retry_max_delay_seconds": 3600, "retry_total_seconds": 86_400, "time_limit_seconds": 1800, "grace_seconds": 0,
    "spread_seconds": 90,
}  # fmt: skip


def test_every_policy_can_be_set_in_the_form_and_stays_when_it_is_saved_again(admin: Person, db: Database) -> None:
    assert admin.post("/tasks/new", {**FIELDS, **POLICIES}).status_code == 303

    task = tasks.find_by_name(db, "nightly")
    stored = tasks.definition_of(task).policies
    # There is a choice of users only where the settings name some; see test_run_as.
    told = {name: value for name, value in stored.to_json().items() if name != "as_user"}
    assert set(POLICIES) == set(told), "every policy has its field"
    for name, value in told.items():
        assert str(value) == str(IN_SECONDS.get(name, POLICIES[name])), name
    assert admin.post(f"/tasks/{task.id}/edit", edit_fields(admin, task.id)).status_code == 303
    assert tasks.definition_of(tasks.get(db, task.id)).policies == stored


@pytest.mark.parametrize(
    ("given", "group"),
    [
        ({"overlap_limit": "0"}, "turns"),
        ({"retry_on": "256"}, "retries"),
        ({"retry_multiplier": "x"}, "retries"),
        ({"output_excess": "explode"}, "limits"),
        ({"gates": "rows > 0"}, "limits"),
        ({"queue": "No Way"}, "order"),
        ({"keep_days": "never"}, "keeping"),
        ({"retry_delay_seconds": "3 fortnights"}, "retries"),
    ],
    ids=str,
)
def test_a_wrong_policy_opens_its_fold_and_keeps_what_was_typed(
    admin: Person, given: dict[str, str], group: str
) -> None:
    page = soup(admin.post("/tasks/new", {**FIELDS, **given}).text)

    assert [fold["id"] for fold in page.select("#how > details[open]")] == [f"how-{group}"]
    for name, typed in given.items():
        field = page.select_one(f"#how-{group} [name={name}][aria-invalid]")
        assert field is not None
        assert field.name == "select" or field.get("value", field.text.strip()) == typed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"time_limit_seconds": "0"}, "Must be between 1s and 31d. For example: 1h"),
        ({"retry_delay_seconds": "3 fortnights"}, "Must be a length of time in s, m, h or d. For example: 1s"),
        ({"spread_seconds": "2d"}, "Must be between 0 and 1d. For example: 0"),
    ],
    ids=str,
)
def test_a_wrong_length_of_time_is_told_in_the_words_in_which_it_is_typed(
    admin: Person, given: dict[str, str], said: str
) -> None:
    page = soup(admin.post("/tasks/new", {**FIELDS, **given}).text)

    assert page.select_one(f"#{next(iter(given))}-error").text.strip() == said  # type: ignore[union-attr]


FAILS = "A run that fails or runs out of time"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "A run that fails is not tried again."),
        ({"retries": 3}, f"{FAILS} is tried again after 1 s, 2 s, 4 s; then it has failed."),
        ({"retries": 2, "retry_backoff": "linear", "retry_delay_seconds": 60, "retry_max_delay_seconds": 600},
         f"{FAILS} is tried again after 1 min, 2 min; then it has failed."),
        ({"retries": 5, "retry_backoff": "fibonacci", "retry_on": "75"},
         "A run that ends with 75 is tried again after 1 s, 1 s, 2 s, 3 s, 5 s; then it has failed."),
        ({"retries": 8, "retry_max_delay_seconds": 5},
         f"{FAILS} is tried again after 1 s, 2 s, 4 s, 5 s, 5 s and so on, 8 times in all; then it has failed."),
        ({"retries": 2, "retry_backoff": "exponential_jitter", "retry_multiplier": "1.5", "retry_not_on": "2"},
         f"{FAILS}, but not with 2, is tried again after 1 s to 2 s, 1.5 s to 3 s; then it has failed."),
        ({"retries": 1, "retry_total_seconds": 300},
         f"{FAILS} is tried again after 1 s, but not later than 5 min after its first start; then it has failed."),
    ],
    ids=str,
)  # fmt: skip
def test_the_rule_for_retries_is_one_sentence(given: dict[str, object], sentence: str) -> None:
    assert retry_sentence(build_policies(given)) == sentence


def test_the_sentence_about_retries_follows_what_is_typed(admin: Person) -> None:
    good = soup(
        admin.get("/tasks/preview?kind=manual&retries=2&retry_delay_seconds=5m&retry_max_delay_seconds=1h").text
    )
    bad = soup(admin.get("/tasks/preview?kind=manual&retries=2&retry_delay_seconds=<b>").text)

    assert "after 5 min, 10 min;" in good.select_one("#retry-rule").text  # type: ignore[union-attr]
    assert "after 1 s, 2 s;" in bad.select_one("#retry-rule").text  # type: ignore[union-attr]


def test_a_task_can_be_run_once_as_soon_as_it_is_saved(admin: Person, db: Database) -> None:
    assert admin.post("/tasks/new", {**FIELDS, "asap": "y"}).status_code == 303

    task = tasks.find_by_name(db, "nightly")
    (run,) = runs.list_page(db, RunFilter(task_id=task.id)).runs
    assert (run.trigger, run.state) == ("asap", "queued")
    assert "asap" not in edit_fields(admin, task.id), "it is no property of the task"


def test_a_disabled_task_is_not_run_when_it_is_saved(admin: Person, db: Database) -> None:
    disabled = {name: value for name, value in FIELDS.items() if name != "enabled"}

    answer = admin.post("/tasks/new", {**disabled, "asap": "y"})

    assert answer.status_code == 422
    assert soup(answer.text).select_one("#asap-error") is not None
    assert tasks.list_page(db).total == 0


def test_as_soon_as_possible_is_one_run_however_often_it_is_asked_for(admin: Person, db: Database) -> None:
    task = add_task(db)

    first, second = admin.post(f"/tasks/{task.id}/soon"), admin.post(f"/tasks/{task.id}/soon")

    assert first.headers["Location"] == second.headers["Location"]
    assert [run.trigger for run in runs.list_page(db, RunFilter(task_id=task.id)).runs] == ["asap"]


def test_as_soon_as_possible_says_why_a_disabled_task_does_not_run(admin: Person, db: Database) -> None:
    task = add_task(db, enabled=False)

    answer = admin.post(f"/tasks/{task.id}/soon", follow_redirects=True)

    assert "is disabled; enable it, or run it by hand." in answer.text
    assert runs.list_page(db).filtered == 0
