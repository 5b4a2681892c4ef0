"""Gates and alerts of real commands that a real scheduler has run."""

from __future__ import annotations

from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import alert_rules, alerts, triggers
from watchbell.services.alerts import AlertFilter


def test_a_command_that_exits_with_0_and_breaks_a_gate_has_failed_and_a_rule_raises_an_alert_of_it(lab):
    tells = "echo '::watchbell metric=rows value={rows}'"
    gates = "enough rows: rows >= 100"
    good = lab.add("good", tells.format(rows=120), own_metrics="read", gates=gates)
    bad = lab.add("bad", tells.format(rows=7), own_metrics="read", gates=gates, retries=1, retry_delay_seconds=0)
    alert_rules.create(
        lab.db, {"name": "few rows", "expression": "rows < 100", "severity": "critical"}, now=clock.now(), actor="ann"
    )
    with lab.running():
        runs = [triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester") for task in (good, bad)]
        fine = lab.wait_for_state(runs[0].id, "succeeded", timeout=20)
        failed = lab.wait_for_state(runs[1].id, "failed", timeout=20)
        wait_until(lambda: alerts.of_run(lab.db, runs[1].id), timeout=20)

    assert (fine["exit_code"], failed["exit_code"]) == (0, 0)
    assert failed["reason"] == "gate 'enough rows' broken: rows >= 100 (rows 7); given up after 2 attempts"
    (alert,) = alerts.list_page(lab.db, AlertFilter(), limit=10).alerts
    assert (alert.run_id, alert.severity, alert.message) == (runs[1].id, "critical", "few rows: rows < 100 (rows 7)")
