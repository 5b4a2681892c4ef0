"""Rules about the numbers of runs: which may be made, when they raise an alert, and acknowledging those."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from tests.database import NOW, add_task
from tests.unit.test_digest import FAR, work_off
from tests.unit.turning import due_task, result_of, turn, verdict_at
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.services import alert_rules, alerts, audit, retention
from watchbell.services.alerts import AlertFilter
from watchbell.services.retention import Rules
from watchbell.store import events
from watchbell.store.session import Database
from watchbell.store.tasks import Task

EARLIER = NOW - timedelta(days=1)
#: What the results of these tests have.
HOLDS = "user_time_seconds == 0.5"


def make_rule(db: Database, name: str = "busy", expression: str = HOLDS, **fields: object) -> int:
    given = {"name": name, "expression": expression, "throttle_seconds": 0, **fields}
    return alert_rules.create(db, given, now=EARLIER, actor="ann").rule.id


def end_run(db: Database, task: Task, minute: int, *path: RunState) -> int:
    """Let a task have a run that was due and has ended at a minute, and look at it."""
    (ticket,) = turn(db, due_task(task, verdict_at(minute))).tickets
    result = result_of(ticket, *path, state=RunState.STARTING)
    ended = {**result.attempt, "new_ended_at": NOW + timedelta(minutes=minute)}
    turn(db, results=[dataclasses.replace(result, attempt=ended)])
    work_off(db)
    return ticket.run_id


def all_alerts(db: Database, **filters: object) -> list:
    return list(alerts.list_page(db, AlertFilter(**filters), limit=100).alerts)  # type: ignore[arg-type]


def test_a_run_of_which_a_rule_holds_raises_an_alert_with_what_was_seen_and_an_event(db: Database) -> None:
    task = add_task(db, "job")
    make_rule(db, severity="critical")
    make_rule(db, "idle", "user_time_seconds > 99")
    run_id = end_run(db, task, 0)

    (alert,) = all_alerts(db)
    assert (alert.run_id, alert.rule_name, alert.severity, alert.seen) == (
        run_id,
        "busy",
        "critical",
        {"user_time_seconds": 0.5},
    )
    assert alert.message == "busy: user_time_seconds == 0.5 (user_time_seconds 0.5)"
    assert [one.id for one in alerts.of_run(db, run_id)] == [alert.id]
    assert alerts.count_open(db) == {"critical": 1}
    with db.read() as session:
        (event,) = [one for one in events.list_newest(session, 50) if one.type == "alert_raised"]
    assert (event.run_id, event.data["alert_id"], event.data["name"], event.data["rule"]) == (
        run_id,
        alert.id,
        "job",
        "busy",
    )


def test_a_rule_is_for_its_task_or_for_all_and_only_while_it_is_enabled(db: Database) -> None:
    one, other = add_task(db, "one"), add_task(db, "other")
    make_rule(db, "all")
    make_rule(db, "mine", task_id=one.id)
    make_rule(db, "off", enabled=False)
    runs = end_run(db, one, 0), end_run(db, other, 0)

    found = {(alert.rule_name, alert.run_id) for alert in all_alerts(db)}
    assert found == {("all", runs[0]), ("mine", runs[0]), ("all", runs[1])}
    assert len(all_alerts(db, task_id=one.id)) == 2


@pytest.mark.parametrize("path", [RunState.FAILED, RunState.TIMED_OUT])
def test_runs_that_have_not_succeeded_are_looked_at_too(db: Database, path: RunState) -> None:
    make_rule(db, expression="success == 0")
    end_run(db, add_task(db, "job"), 0, path)

    assert len(all_alerts(db)) == 1


def test_within_the_throttle_further_runs_of_the_task_are_counted_and_raise_nothing(db: Database) -> None:
    task, other = add_task(db, "job"), add_task(db, "other")
    make_rule(db, throttle_seconds=300)
    runs = [end_run(db, task, minute) for minute in range(7)]
    end_run(db, other, 1)

    found = [(alert.task_name, alert.run_id, alert.further, alert.last_run_id) for alert in all_alerts(db)]
    assert found[1:] == [("job", runs[5], 1, runs[6]), ("job", runs[0], 4, runs[4])]
    assert found[0][:1] == ("other",)


def test_of_what_cannot_be_told_the_rule_says_so_and_raises_nothing(db: Database) -> None:
    rule_id = make_rule(db, expression="memory_avg_mb > 1")
    run_id = end_run(db, add_task(db, "job"), 0)

    rule = alert_rules.get(db, rule_id).rule
    assert all_alerts(db) == []
    assert (rule.untold, rule.untold_run_id, rule.untold_reason) == (1, run_id, "no memory_avg_mb")
    (tried,) = alert_rules.try_out(db, "memory_avg_mb > 1", None)
    assert tried.verdict.holds is None
    changed = alert_rules.update(db, rule_id, {"expression": HOLDS}, now=NOW, actor="bob").rule
    assert (changed.untold, changed.untold_run_id) == (0, None)


def test_a_rule_says_nothing_of_runs_that_ended_before_it_was_as_it_is(db: Database) -> None:
    task = add_task(db, "job")
    rule_id = make_rule(db)
    alert_rules.update(db, rule_id, {"severity": "info"}, now=NOW + timedelta(minutes=5), actor="ann")
    end_run(db, task, 0)
    assert all_alerts(db) == []
    end_run(db, task, 9)
    assert [alert.severity for alert in all_alerts(db)] == ["info"]


def test_alerts_are_acknowledged_once_and_that_is_taken_back(db: Database) -> None:
    task = add_task(db, "job")
    make_rule(db)
    for minute in range(3):
        end_run(db, task, minute)
    ids = [alert.id for alert in all_alerts(db)]

    assert alerts.acknowledge(db, ids[:2], now=FAR, actor="ann") == sorted(ids[:2])
    assert alerts.acknowledge(db, [*ids, 999], now=FAR, actor="bob") == [ids[2]]
    assert {alert.id: alert.acknowledged_by for alert in all_alerts(db)} == {
        ids[0]: "ann",
        ids[1]: "ann",
        ids[2]: "bob",
    }
    assert (alerts.count_open(db), all_alerts(db, acknowledged=False)) == ({}, [])
    assert alerts.reopen(db, [ids[0]], now=FAR, actor="bob") == [ids[0]]
    assert [alert.id for alert in all_alerts(db, acknowledged=False)] == [ids[0]]
    assert all_alerts(db, acknowledged=False)[0].acknowledged_by == ""
    deeds = [entry.action for entry in audit.list_page(db, limit=3)]
    assert deeds == ["alert.reopen", "alert.acknowledge", "alert.acknowledge"]
    with pytest.raises(InputError):
        alerts.acknowledge(db, list(range(1001)), now=FAR, actor="ann")


def test_alerts_are_filtered_and_paged(db: Database) -> None:
    task = add_task(db, "job")
    make_rule(db, severity="info")
    make_rule(db, "second", severity="critical")
    for minute in range(3):
        end_run(db, task, minute)

    assert {alert.severity for alert in all_alerts(db, severities=("critical",))} == {"critical"}
    assert len(all_alerts(db, since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=2))) == 2
    first = alerts.list_page(db, AlertFilter(), limit=4)
    rest = alerts.list_page(db, AlertFilter(), limit=4, before_id=first.older_before)
    assert [alert.id for alert in (*first.alerts, *rest.alerts)] == [6, 5, 4, 3, 2, 1]
    assert rest.older_before is None


def test_alerts_go_with_their_runs_and_stay_without_their_rule(db: Database, tmp_path) -> None:
    task = add_task(db, "job")
    rule_id = make_rule(db)
    end_run(db, task, 0)
    end_run(db, task, 1)
    alert_rules.remove(db, rule_id, now=NOW, actor="ann")
    assert [alert.rule_name for alert in all_alerts(db)] == ["busy", "busy"]

    prune = retention.Pass(db, Rules(runs=1), now=FAR, output_root=tmp_path)
    while prune.step().more:
        pass

    assert len(all_alerts(db)) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "12"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"expression": "cpu_mx > 1"}, "expression"),
        ({"expression": "Rows > 1"}, "expression"),
        ({"expression": 5}, "expression"),
        ({"severity": "fatal"}, "severity"),
        ({"throttle_seconds": "-1"}, "throttle_seconds"),
        ({"throttle_seconds": True}, "throttle_seconds"),
        ({"task_id": 999}, "task_id"),
        ({"enabled": "yes"}, "enabled"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused_by_the_name_of_its_field(
    db: Database, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InputError) as caught:
        alert_rules.create(db, {"name": "busy", "expression": HOLDS, **fields}, now=NOW, actor="ann")

    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_metric_of_its_own_is_known_where_a_task_reads_them(db: Database) -> None:
    plain = add_task(db, "plain")
    with pytest.raises(InputError, match="'rows' is no metric"):
        alert_rules.check_expression(db, "rows > 1", None)
    reading = add_task(db, "reading", own_metrics="read")

    alert_rules.check_expression(db, "rows > 1", None)
    alert_rules.check_expression(db, "rows > 1", reading.id)
    with pytest.raises(InputError, match="'rows' is no metric"):
        alert_rules.check_expression(db, "rows > 1", plain.id)


def test_changes_are_written_down_and_nobodys_are_lost(db: Database) -> None:
    rule_id = make_rule(db)
    changed = alert_rules.update(db, rule_id, {"severity": "CRITICAL"}, now=NOW, actor="bob", expected_version=1)
    same = alert_rules.update(db, rule_id, {"severity": "critical"}, now=NOW, actor="bob")

    assert (changed.rule.version, same.rule.version) == (2, 2)
    (entry, _made) = audit.list_page(db, limit=2)
    assert (entry.action, entry.detail) == ("alert_rule.update", {"severity": ["warning", "critical"]})
    with pytest.raises(VersionConflict):
        alert_rules.update(db, rule_id, {"severity": "info"}, now=NOW, actor="ann", expected_version=1)
    with pytest.raises(VersionConflict):
        alert_rules.remove(db, rule_id, now=NOW, actor="ann", expected_version=1)
    with pytest.raises(Conflict):
        make_rule(db)
    with pytest.raises(NotFound):
        alert_rules.get(db, 99)


def test_a_rule_is_tried_on_the_last_runs(db: Database) -> None:
    task = add_task(db, "job")
    runs = [end_run(db, task, minute) for minute in range(3)]
    end_run(db, add_task(db, "other"), 0)

    tried = alert_rules.try_out(db, HOLDS, task.id, limit=2)

    assert [(one.run.run_id, one.verdict.holds, one.seen) for one in tried] == [
        (runs[2], True, "user_time_seconds 0.5"),
        (runs[1], True, "user_time_seconds 0.5"),
    ]
    assert len(alert_rules.try_out(db, HOLDS, None)) == 4


def test_a_new_rule_has_nothing_to_do_with_the_alerts_of_a_removed_one(db: Database) -> None:
    task = add_task(db, "job")
    removed = make_rule(db)
    end_run(db, task, 0)
    alert_rules.remove(db, removed, now=NOW, actor="ann")
    made = make_rule(db, "other", "user_time_seconds > 99")

    assert made != removed
    assert [(view.alerts, view.open) for view in alert_rules.list_all(db)] == [(0, 0)]
    assert all_alerts(db, rule_id=made) == []
    assert [one.rule_id for one in all_alerts(db)] == [removed]
