"""Alerts on the page: the list with its filters and twins, who acknowledges, and the form of a rule that tries itself."""

from __future__ import annotations

import csv
import io

import pytest

from tests.database import NOW, add_alert, add_run, add_task
from tests.unit.form_fields import soup
from tests.unit.run_rows import add_attempt
from tests.web_fixtures import Enter, Person
from watchbell.domain.run_state import RunState
from watchbell.services import alert_rules, alerts
from watchbell.services.alerts import AlertFilter
from watchbell.store.runs import Run
from watchbell.store.session import Database

RULE = {"name": "failing", "expression": "success == 0", "severity": "critical", "throttle": "1h", "task": "",
        "enabled": "y"}  # fmt: skip


@pytest.fixture
def failed(db: Database) -> Run:
    run = add_run(db, add_task(db, "backup"), RunState.FAILED, started_at=NOW, attempts=1)
    add_attempt(db, run)
    return run


def rows(person: Person, query: str = "") -> list[list[str]]:
    table = person.see(f"/alerts{query}").select("#alerts tbody tr")
    return [[" ".join(cell.text.split()) for cell in row.select("td")] for row in table]


def test_an_empty_page_says_what_a_rule_is_and_leads_to_its_form(admin: Person) -> None:
    page = admin.see("/alerts")

    assert "No rules yet" in page.text
    assert page.select_one("a[href='/alerts/rules/new']") is not None
    assert page.select_one(".wb-nav__count") is None
    assert "No rules yet" in admin.see("/alerts/rules").text


def test_the_list_shows_what_is_open_and_the_navigation_counts_it(admin: Person, db: Database, failed: Run) -> None:
    add_alert(db, failed, further=3)
    add_alert(db, failed, "gone by", severity="critical", acknowledged_at=NOW, acknowledged_by="<b>eve</b>")

    (open_one,) = rows(admin)
    assert open_one[0] == "failing success == 0"
    assert open_one[1:2] + open_one[3:6] == ["warning", f"backup #{failed.id}", "success 0", "3"]
    assert [row[1] for row in rows(admin, "?state=all")] == ["critical", "warning"]
    assert "<b>eve</b>" in rows(admin, "?state=acknowledged")[0][6]
    page = admin.see("/alerts")
    assert "1 alert is open: 1 warning." in page.text
    assert page.select_one(".wb-nav__count").text.split() == ["1", "open"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2), ("?severity=critical", 1), ("?severity=info", 0), ("?task=backup", 2), ("?task=none", 0),
        ("?until=2026-11-21", 0), ("?until=2026-11-22", 2), ("?since=2026-11-22", 2), ("?since=2027-01-01", 0),
    ],
)  # fmt: skip
def test_the_filters_hold_for_the_page_and_its_twins(
    admin: Person, db: Database, failed: Run, query: str, found: int
) -> None:
    add_alert(db, failed)
    add_alert(db, failed, "hot", severity="critical", message="=cmd")

    assert len(rows(admin, query)) == found
    assert len(admin.get(f"/alerts.json{query}").json) == found  # type: ignore[arg-type]
    lines = list(csv.DictReader(io.StringIO(admin.get(f"/alerts.csv{query}").text)))
    assert len(lines) == found
    assert all(line["message"] in {"'=cmd", "failing: success == 0 (success 0)"} for line in lines)
    assert all(line["seen"] == "success 0" for line in lines)


def test_what_is_no_filter_is_refused(admin: Person) -> None:
    for query in ("?severity=loud", "?state=lost", "?since=noon", "?until=noon", "?before=x"):
        assert admin.get(f"/alerts{query}").status_code in {400, 422}, query


def test_alerts_are_acknowledged_one_or_all_that_are_shown_and_that_is_undone(
    admin: Person, db: Database, failed: Run
) -> None:
    ids = [add_alert(db, failed, name) for name in ("a", "b", "c")]
    shown = admin.see("/alerts").select_one(".wb-page-head input[name=ids], form input[name=ids]")
    assert sorted(map(int, shown["value"].split(","))) == ids  # type: ignore[index,union-attr]

    assert admin.post("/alerts/acknowledge", {"ids": f"{ids[0]}"}).status_code == 303
    assert admin.post("/alerts/acknowledge", {"ids": ",".join(map(str, ids))}).status_code == 303
    page = admin.see("/alerts")
    assert "2 alerts are acknowledged." in page.text
    undo = page.select_one(".wb-notice form")
    assert (undo["action"], undo.select_one("[name=ids]")["value"]) == ("/alerts/reopen", f"{ids[1]},{ids[2]}")  # type: ignore[index]
    assert admin.post("/alerts/reopen", {"ids": f"{ids[1]},{ids[2]}"}).status_code == 303
    assert alerts.count_open(db) == {"warning": 2}
    for wrong in ("", "x", "1,2,x", "9" * 30, ",".join(["1"] * 1001)):
        assert admin.post("/alerts/acknowledge", {"ids": wrong}).status_code in {400, 422}


def test_a_page_is_followed_by_the_next(admin: Person, db: Database, failed: Run) -> None:
    for number in range(51):
        add_alert(db, failed, f"rule {number}")

    older = admin.see("/alerts").select_one("a[href*='before=']")
    assert older is not None
    assert [row[0] for row in rows(admin, str(older["href"]).removeprefix("/alerts"))] == ["rule 0 success == 0"]


def test_a_run_shows_its_alerts_the_gravest_first_and_leads_back_when_one_is_acknowledged(
    admin: Person, db: Database, failed: Run
) -> None:
    first = add_alert(db, failed)
    add_alert(db, failed, "<i>grave</i>", severity="critical")

    shown = [" ".join(item.text.split()) for item in admin.see(f"/runs/{failed.id}").select(".wb-run-alerts > li")]
    assert [words.split()[0] for words in shown] == ["critical", "warning"]
    assert "<i>grave</i>" in shown[0]
    answer = admin.post("/alerts/acknowledge", {"ids": str(first), "run": str(failed.id)})
    assert answer.location == f"/runs/{failed.id}"


def test_a_rule_is_made_changed_and_removed(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    assert admin.post("/alerts/rules/new", {**RULE, "task": "backup"}).status_code == 303
    (view,) = alert_rules.list_all(db)
    rule = view.rule
    assert (rule.name, rule.task_id, rule.severity, rule.throttle_seconds, rule.enabled) == (
        "failing", task.id, "critical", 3600, True,
    )  # fmt: skip

    form = admin.see(f"/alerts/rules/{rule.id}/edit")
    assert [form.select_one(f"#{name}")["value"] for name in ("task", "throttle")] == ["backup", "1h"]  # type: ignore[index]
    changed = {**RULE, "throttle": "0", "version": "1"}
    del changed["enabled"]
    assert admin.post(f"/alerts/rules/{rule.id}/edit", changed).status_code == 303
    now = alert_rules.get(db, rule.id).rule
    assert (now.task_id, now.throttle_seconds, now.enabled) == (None, 0, False)
    late = admin.post(f"/alerts/rules/{rule.id}/edit", {**changed, "severity": "info"})
    assert late.status_code == 409
    assert "meanwhile" in late.text
    assert [row["name"] for row in admin.get("/alerts/rules.json").json] == ["failing"]  # type: ignore[union-attr]
    assert "success == 0" in admin.get("/alerts/rules.csv").text
    assert admin.post(f"/alerts/rules/{rule.id}/remove").status_code == 303
    assert alert_rules.list_all(db) == []


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"name": ""}, "name", "printable characters"),
        ({"expression": "cpu_mx > 1"}, "expression", "did you mean cpu_max? (at character 1)"),
        ({"task": "none"}, "task", "no task of that name"),
        ({"severity": "loud"}, "severity", "must be one of"),
        ({"throttle": "soon"}, "throttle", "length of time"),
        ({"throttle": "40d"}, "throttle", "length of time"),
    ],
    ids=str,
)
def test_what_is_wrong_stands_at_its_field(
    admin: Person, db: Database, fields: dict[str, str], field: str, said: str
) -> None:
    answer = admin.post("/alerts/rules/new", {**RULE, **fields})

    assert answer.status_code == 422
    assert said.lower() in soup(answer.text).select_one(f"#{field}-error").text.lower()  # type: ignore[union-attr]
    assert alert_rules.list_all(db) == []


def test_a_name_that_is_taken_is_told_at_the_name(admin: Person, db: Database) -> None:
    admin.post("/alerts/rules/new", RULE)

    answer = admin.post("/alerts/rules/new", RULE)

    assert answer.status_code == 409
    assert "There is an alert rule" in soup(answer.text).select_one("#name-error").text  # type: ignore[union-attr]


@pytest.mark.usefixtures("failed")
def test_a_condition_is_tried_on_the_last_runs_with_and_without_scripts(admin: Person, db: Database) -> None:
    plain = soup(admin.post("/alerts/rules/new", {**RULE, "test": "1"}).text)
    assert "It would have fired for 1 of the last 1 runs." in plain.select_one("#trial").text  # type: ignore[union-attr]
    assert alert_rules.list_all(db) == []

    live = soup(admin.post("/alerts/rules/preview", {**RULE, "expression": "memory_avg_mb > 5"}).text)
    assert "1 of them cannot be told." in live.select_one("#trial-content").text  # type: ignore[union-attr]
    wrong = soup(admin.post("/alerts/rules/preview", {**RULE, "expression": "memory_avg_mb >"}).text)
    assert "something is missing" in wrong.select_one("[data-field=expression]").text.lower()  # type: ignore[union-attr]


def test_who_may_not_is_offered_nothing(enter: Enter, db: Database, failed: Run) -> None:
    add_alert(db, failed)
    viewer, operator = enter("viewer"), enter("operator")

    assert viewer.see("/alerts").select_one("form[action='/alerts/acknowledge']") is None
    assert operator.see("/alerts").select_one("form[action='/alerts/acknowledge']") is not None
    assert operator.see("/alerts/rules").select_one("a[href='/alerts/rules/new']") is None
    assert viewer.post("/alerts/acknowledge", {"ids": "1"}).status_code == 403
    assert len(alerts.list_page(db, AlertFilter(acknowledged=False), limit=5).alerts) == 1
