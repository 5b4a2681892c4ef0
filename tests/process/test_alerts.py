"""Gates and alerts of real commands that a real scheduler has run."""

from __future__ import annotations

from watchbell import clock
from watchbell.services import triggers


def test_a_command_that_exits_with_0_and_breaks_a_gate_has_failed(lab):
    tells = "echo '::watchbell metric=rows value={rows}'"
    gates = "enough rows: rows >= 100"
    good = lab.add("good", tells.format(rows=120), own_metrics="read", gates=gates)
    bad = lab.add("bad", tells.format(rows=7), own_metrics="read", gates=gates, retries=1, retry_delay_seconds=0)
    with lab.running():
        runs = [triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester") for task in (good, bad)]
        fine = lab.wait_for_state(runs[0].id, "succeeded", timeout=20)
        failed = lab.wait_for_state(runs[1].id, "failed", timeout=20)

    assert (fine["exit_code"], failed["exit_code"]) == (0, 0)
    assert failed["reason"] == "gate 'enough rows' broken: rows >= 100 (rows 7); given up after 2 attempts"
