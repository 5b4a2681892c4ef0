from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.database import DEFAULTS, NOW, add_task
from tests.unit.form_fields import FIELDS, edit_fields, soup
from tests.web_fixtures import Person
from watchbell.domain.crontab import understand
from watchbell.domain.schedule import DSTRule, Schedule, ScheduleKind
from watchbell.services import tasks
from watchbell.store.session import Database
from watchbell.web.forms.task_form import moment_widget
from watchbell.web.presenters_schedule import preview


@pytest.mark.parametrize(
    ("text", "cron", "command"),
    [
        ("30 2 * * 1-5 /usr/bin/backup.sh", "30 2 * * 1-5", "/usr/bin/backup.sh"),
        ("@daily  echo hello world", "@daily", "echo hello world"),
        ("# nightly\n0 1 * * *\troot  tar cf /x /y", "0 1 * * *", "tar cf /x /y"),
        ("0 1 * * * run\n0 5 * * * run", "0 1 * * *\n0 5 * * *", "run"),
        ("* * * * * date +\\%F", "* * * * *", "date +%F"),
        ("0 1 * * * www-data\tphp /srv/cron.php", "0 1 * * *", "php /srv/cron.php"),
        ("0 1 * * * ann sync", "0 1 * * *", "sync"),
        ("0 1 * * * bob sync", "0 1 * * *", "bob sync"),
        ("0 1 * * * nginx -s reload", "0 1 * * *", "nginx -s reload"),
        ("0 1 * * * echo '#1' # of many", "0 1 * * *", "echo '#1'"),
        ("PATH=/bin\n\n# why\n0 1 * * * run", "0 1 * * *", "run"),
    ],
)
def test_a_crontab_line_is_taken_apart(text: str, cron: str, command: str) -> None:
    found = understand(text, now=NOW, users=["ann"])

    assert found is not None
    assert (found.cron, found.command) == (cron, command)


@pytest.mark.parametrize(
    "text",
    [
        "30 2 * * 1-5",
        "@daily",
        "99 2 * * 1-5 backup",
        "0 1 * * * one\n0 2 * * * two",
        "0 1 * * * one\n0 2 * * *",
        "PATH=/bin",
        "CRON_TZ=Mars/Base\n0 1 * * * run",
        "if true\nthen echo\nfi",
        "",
        "x" * 50_000,
    ],
)
def test_what_is_not_certainly_one_command_is_left_alone(text: str) -> None:
    assert understand(text, now=NOW) is None


def test_what_a_crontab_says_beside_times_and_command_is_taken_over_and_told() -> None:
    text = "MAILTO=ann\nCRON_TZ=Europe/Berlin\nHOME=/srv\nA=b\n# why\n0 1 * * * root run.sh # and how"
    found = understand(text, now=NOW)

    assert found is not None
    assert found.more == {
        "name": "run", "zone": "Europe/Berlin", "directory": "/srv", "environment": {"A": "b"}, "comment": "why\nand how",
    }  # fmt: skip
    for words in (
        "The user root in it was left out",
        "variables went to the environment",
        "MAILTO is left out",
        "HOME is the",
    ):
        assert words in found.note


def test_the_input_after_a_percent_sign_is_spoken_of() -> None:
    found = understand("0 1 * * * mail ann%hello", now=NOW)

    assert found is not None
    assert "%" in found.note


@pytest.mark.parametrize(
    ("text", "widget"),
    [
        ("", "picker"),
        ("2030-01-31T09:30", "picker"),
        ("2030-01-31T09:30:15", "picker"),
        ("tomorrow", "line"),
        ("a\nb", "area"),
    ],
)
def test_no_control_swallows_what_was_typed(text: str, widget: str) -> None:
    assert moment_widget(text) == widget


def of_cron(text: str, dst: str = "cron_like") -> dict[str, object]:
    return {"kind": "cron", "cron": text, "zone": "Europe/Berlin", "dst": dst}


def test_the_preview_shows_ten_moments_here_and_in_utc() -> None:
    found = preview(of_cron("30 2 * * *"), now=NOW, default_zone="UTC")

    assert len(found.moments) == 10
    assert found.moments[0].due_at == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert found.moments[0].local.strftime("%a %H:%M %Z") == "Mon 02:30 CET"
    assert "02:30" in found.sentence


def test_the_preview_says_what_both_clock_changes_do() -> None:
    spring, autumn = preview(of_cron("30 2 * * *"), now=NOW, default_zone="UTC").changes

    assert spring.words == "from 02:00 to 03:00"
    assert [moment.due_at.hour for moment in spring.moments] == [1]
    assert [moment.local.strftime("%H:%M") for moment in spring.moments] == ["03:00"]
    assert autumn.words == "from 03:00 to 02:00"
    assert [moment.local.strftime("%H:%M %Z") for moment in autumn.moments] == ["02:30 CEST"]


def test_the_preview_follows_the_chosen_rule() -> None:
    skipped, _ = preview(of_cron("30 2 * * *", "skip"), now=NOW, default_zone="UTC").changes
    _, twice = preview(of_cron("30 2 * * *", "both"), now=NOW, default_zone="UTC").changes

    assert (list(skipped.moments), list(skipped.left_out)) == ([], ["02:30"])
    assert [moment.local.strftime("%H:%M %Z") for moment in twice.moments] == ["02:30 CEST", "02:30 CET"]


def test_an_interval_is_not_moved_by_the_clock() -> None:
    found = preview({"kind": "interval", "every": "90", "unit": "minutes"}, now=NOW, default_zone="Europe/Berlin")

    assert not found.changes
    assert "real time" in found.clock_note


def test_the_preview_of_a_saved_interval_keeps_its_moments() -> None:
    anchor = NOW - timedelta(minutes=7)
    saved = Schedule(
        ScheduleKind.INTERVAL, every=10, unit="minutes", anchor_at=anchor, zone="UTC", dst=DSTRule.CRON_LIKE
    )

    found = preview({"kind": "interval", "every": "10", "unit": "minutes"}, now=NOW, default_zone="UTC", earlier=saved)

    assert found.moments[0].due_at == NOW + timedelta(minutes=3)


def test_a_new_task_is_saved_with_what_the_form_says(admin: Person, db: Database) -> None:
    fields = {**FIELDS, "tags": "a, b", "environment": "LANG=C\nX=1=2", "overlap": "allow", "time_limit_seconds": "60"}

    answer = admin.post("/tasks/new", fields)

    assert answer.status_code == 303
    task = tasks.find_by_name(db, "nightly")
    assert answer.headers["Location"].endswith(f"/tasks/{task.id}")
    definition = tasks.definition_of(task)
    assert definition.schedule.expressions == ("0 2 * * *",)
    assert definition.environment == {"LANG": "C", "X": "1=2"}
    assert (definition.tags, definition.policies.overlap, definition.policies.time_limit_seconds) == (
        ("a", "b"),
        "allow",
        60,
    )
    assert (task.owner, task.created_by, task.enabled) == (admin.username, admin.username, True)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"kind": "interval", "every": "5", "unit": "minutes"}, "interval"),
        ({"kind": "moment", "at": "2090-01-31T09:30"}, "moment"),
        ({"kind": "words", "every_word": "day", "at_time": "09:30"}, "words"),
        ({"kind": "manual"}, "manual"),
    ],
)
def test_only_the_fields_of_the_chosen_kind_count(
    admin: Person, db: Database, fields: dict[str, str], kind: str
) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, "cron": "nonsense", **fields})

    assert answer.status_code == 303
    assert tasks.find_by_name(db, "nightly").schedule["kind"] == kind


BAD = {
    "name": "",
    "directory": "relative",
    "environment": "no equals sign",
    "cron": "99 2 * * *",
    "zone": "Mars/Olympus",
    "time_limit_seconds": "soon",
}


def test_every_problem_stands_at_its_field_and_what_was_typed_is_kept(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, **BAD})

    assert answer.status_code == 422
    page = soup(answer.text)
    summary = page.select_one("[role=alert]")
    assert summary is not None
    for name, typed in BAD.items():
        field = page.select_one(f"#{name}")
        assert field is not None, name
        assert (field.get("value") if field.name == "input" else field.text.strip("\r\n")) == typed
        assert field["aria-invalid"] == "true"
        assert page.select_one(f"#{name}-error") is not None
        assert f"{name}-error" in str(field["aria-describedby"])
        assert summary.select_one(f'a[href="#{name}"]') is not None
    assert tasks.list_page(db).total == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"bogus": "1"}, "The form has no field 'bogus'."),
        ({"time_limit": "60"}, "The form has no field 'time_limit'."),
        ({"kind": ["cron", "manual"]}, "Schedule: Was sent more than once; send it once."),
        ({"command": ["true", "false"]}, "Command: Was sent more than once; send it once."),
    ],
    ids=str,
)
def test_what_the_form_does_not_ask_for_is_refused_and_not_dropped_silently(
    admin: Person, db: Database, fields: dict[str, object], told: str
) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, **fields})

    assert answer.status_code == 422
    page = soup(answer.text)
    assert told in page.select_one("[role=alert]").text  # type: ignore[union-attr]
    assert page.select_one("#name")["value"] == "nightly"  # type: ignore[index]
    assert tasks.list_page(db).total == 0


def test_the_buttons_of_the_form_may_be_sent_along(admin: Person) -> None:
    assert admin.post("/tasks/new", {**FIELDS, "submit": "Create task", "version": ""}).status_code == 303


@pytest.mark.parametrize(("at", "step"), [("", None), ("2090-01-31T09:30", None), ("2090-01-31T09:30:15", "1")])
def test_the_moment_has_a_step_only_where_seconds_were_given(admin: Person, at: str, step: str | None) -> None:
    page = soup(admin.post("/tasks/new", {**FIELDS, "name": "", "kind": "moment", "at": at}).text)

    assert page.select_one("#at").get("step") == step  # type: ignore[union-attr]


def test_the_folded_part_opens_when_something_in_it_is_wrong(admin: Person) -> None:
    good, bad = admin.see("/tasks/new"), soup(admin.post("/tasks/new", {**FIELDS, "grace_seconds": "x"}).text)

    assert [fold["id"] for fold in good.select("#how > details[open]")] == []
    assert [fold["id"] for fold in bad.select("#how > details[open]")] == ["how-limits"]


def test_a_moment_that_is_no_date_is_kept_as_typed(admin: Person) -> None:
    page = soup(admin.post("/tasks/new", {**FIELDS, "kind": "moment", "at": "tomorrow"}).text)

    field = page.select_one("#at")
    assert field is not None
    assert (field["type"], field["value"]) == ("text", "tomorrow")


def test_the_preview_button_saves_nothing_and_shows_the_moments(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, "preview": "1"})

    assert answer.status_code == 200
    assert len(soup(answer.text).select(".wb-moments li")) == 10
    assert tasks.list_page(db).total == 0


def test_a_pasted_crontab_line_is_shown_before_it_is_saved(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, "command": "", "cron": "30 2 * * 1-5 /usr/bin/backup.sh"})

    page = soup(answer.text)
    assert answer.status_code == 422
    assert page.select_one("#command").text.strip() == "/usr/bin/backup.sh"  # type: ignore[union-attr]
    assert page.select_one("#cron").text.strip() == "30 2 * * 1-5"  # type: ignore[union-attr]
    assert "crontab line" in page.text
    assert tasks.list_page(db).total == 0


def test_a_pasted_line_never_replaces_a_command_that_was_typed(admin: Person) -> None:
    page = soup(admin.post("/tasks/new", {**FIELDS, "command": "mine", "cron": "30 2 * * 1-5 theirs"}).text)

    assert page.select_one("#command").text.strip() == "mine"  # type: ignore[union-attr]
    assert page.select_one("#cron-error") is not None


def test_the_live_preview_answers_for_what_is_typed(admin: Person) -> None:
    good = soup(admin.get("/tasks/preview?kind=cron&cron=30+2+*+*+*&zone=Europe/Berlin").text)
    bad = soup(admin.get("/tasks/preview?kind=cron&cron=<b>&zone=Mars").text)

    assert len(good.select(".wb-moments li")) == 10
    assert len(good.select(".wb-clock-change")) == 2
    assert len(bad.select(".wb-preview__problems li")) == 2
    assert bad.b is None


def test_a_name_that_is_taken_is_refused_at_the_name(admin: Person, db: Database) -> None:
    add_task(db, "nightly")

    answer = admin.post("/tasks/new", FIELDS)

    assert answer.status_code == 409
    assert soup(answer.text).select_one("#name-error") is not None


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron": "0 2 * * *\n30 4 * * mon"},
        {"every": "10m"},
        {"at": "2090-01-31 09:30"},
        {"at": "2090-10-29T02:30+01:00"},
        {"every_word": "weekday", "at_time": "08:15"},
        {},
    ],
)
def test_saving_a_form_unchanged_changes_nothing(admin: Person, db: Database, schedule: dict[str, str]) -> None:
    task = add_task(db, zone="Europe/Berlin", environment={"A": "b=c"}, comment="one\ntwo", tags="x, y", **schedule)

    answer = admin.post(f"/tasks/{task.id}/edit", edit_fields(admin, task.id))

    assert answer.status_code == 303
    after = tasks.get(db, task.id)
    assert (after.version, after.schedule) == (task.version, task.schedule)
    assert tasks.definition_of(after) == tasks.definition_of(task)


def test_a_change_saved_by_somebody_else_meanwhile_is_not_lost(admin: Person, db: Database) -> None:
    task = add_task(db, command="first")
    mine = {**edit_fields(admin, task.id), "command": "mine"}
    tasks.update(db, task.id, {"command": "theirs"}, now=NOW, actor="bob", defaults=DEFAULTS)

    refused = admin.post(f"/tasks/{task.id}/edit", mine)

    page = soup(refused.text)
    assert refused.status_code == 409
    assert "bob" in page.text
    row = next(row for row in page.select("tbody tr") if "Command" in row.text)
    assert [cell.get_text(" ", strip=True) for cell in row.select("td")] == [
        "Command both changed it", "first", "Take theirs theirs", "Keep mine mine",
    ]  # fmt: skip
    assert page.select_one("#command").text.strip() == "mine"  # type: ignore[union-attr]
    assert tasks.get(db, task.id).command == "theirs"

    again = {**mine, "version": str(page.select_one("#version")["value"])}  # type: ignore[index]
    assert admin.post(f"/tasks/{task.id}/edit", again).status_code == 303
    assert tasks.get(db, task.id).command == "mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40])
def test_a_form_that_names_no_version_is_refused(admin: Person, db: Database, version: str) -> None:
    task = add_task(db)

    answer = admin.post(f"/tasks/{task.id}/edit", {**edit_fields(admin, task.id), "version": version})

    assert answer.status_code == 422


def test_run_once_with_a_disabled_task_hides_no_other_problem(admin: Person, db: Database) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "enabled"}

    answer = admin.post(
        "/tasks/new", {**fields, "asap": "y", "cron": "61 * * * *", "directory": "relative", "oddity": "1"}
    )

    assert answer.status_code == 422
    for words in ("does not start by itself", "cron", "directory", "oddity"):
        assert words in answer.text
    assert soup(answer.text).select_one("#asap-error") and soup(answer.text).select_one("#cron-error")
