"""Time limits, cancels and what a command leaves behind: the whole tree ends, and true results stand."""

from __future__ import annotations

import math
import os
import select
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.process.execution_bench import ENVIRONMENT, is_alive, kept_bytes, make_bench, marked_processes
from tests.waiting import crowd, spends_at_most, wait_until
from watchbell import clock
from watchbell.execution import Limits, Process, runtime_root, tree
from watchbell.execution.process import open_process
from watchbell.execution.tree import Member, signal_member

#: Ignores TERM in the group and in a grandchild that has made a session of its own.
STUBBORN = """
trap '' TERM
setsid sh -c "trap '' TERM; while :; do sleep 0.1; done" &
while :; do sleep 0.1; done
"""


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def test_a_time_limit_ends_a_run_with_term(bench):
    began = time.monotonic()

    outcome = bench.run("sleep 60", limits=Limits(time_seconds=0.3, grace_seconds=5)).outcome

    assert outcome.timed_out
    assert not outcome.cancelled
    assert outcome.signal == signal.SIGTERM
    assert "time limit of 0.3 s" in outcome.reason
    assert 0.3 <= time.monotonic() - began < 3 * crowd()


def test_what_a_command_does_on_term_is_its_own_business_within_the_grace(bench):
    text = "trap 'echo cleaned; exit 7' TERM; while :; do sleep 0.02; done"

    finished = bench.run(text, limits=Limits(time_seconds=0.3, grace_seconds=5))

    assert (finished.outcome.timed_out, finished.outcome.exit_code) == (True, 7)
    assert kept_bytes(finished) == b"cleaned\n"


def test_a_tree_that_ignores_term_is_killed_with_its_escaped_grandchild(bench):
    bundle, _ = bench.start(STUBBORN, limits=Limits(time_seconds=0.4, grace_seconds=0.3))
    wait_until(lambda: len(marked_processes(bundle.token)) >= 2)

    outcome = bench.wait().outcome

    assert (outcome.timed_out, outcome.signal) == (True, signal.SIGKILL)
    assert "out of memory" not in outcome.reason
    assert marked_processes(bundle.token) == []


def test_a_double_forked_daemon_in_its_own_session_is_ended_by_a_cancel(bench, tmp_path):
    text = f"setsid sh -c 'setsid sh -c \"echo \\$\\$ > {tmp_path}/pid; sleep 60; :\" &' & sleep 60; :"
    bundle, _ = bench.start(text)
    daemon = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))

    bench.watcher.cancel("r1", "cancelled by ada")
    outcome = bench.wait().outcome

    assert outcome.cancelled
    assert outcome.reason.startswith("cancelled by ada")
    assert not is_alive(daemon)
    assert marked_processes(bundle.token) == []


def test_a_stopped_command_is_ended_too(bench):
    bundle, process = bench.start("while :; do sleep 0.05; done")
    wait_until(lambda: len(marked_processes(bundle.token)) >= 2)
    os.killpg(process.pid, signal.SIGSTOP)

    bench.watcher.cancel("r1")

    assert bench.wait().outcome.cancelled
    assert marked_processes(bundle.token) == []


def test_a_command_that_finished_first_keeps_its_result(bench):
    """The command has ended; what it left behind is in its grace when the cancel comes."""
    bundle, _ = bench.start(
        "sh -c \"trap '' TERM; while :; do sleep 0.05; done\" & sleep 0.1; exit 3",
        limits=Limits(time_seconds=30, grace_seconds=1),
    )
    wait_until(lambda: b"end 768 " in Path(bundle.status).read_bytes())

    bench.watcher.cancel("r1")

    outcome = bench.wait().outcome
    assert (outcome.exit_code, outcome.cancelled, outcome.timed_out) == (3, False, False)


def test_a_cancel_after_the_end_is_refused(bench):
    bench.run("true")

    assert not bench.watcher.cancel("r1")


@pytest.mark.parametrize(
    "text",
    ["sleep 60 & exit 4", "setsid sleep 60 & sleep 0.1; exit 4", "(setsid sh -c 'sleep 60; :' &) ; sleep 0.1; exit 4"],
    ids=["background", "own session", "double fork"],
)
def test_what_a_command_leaves_behind_is_ended_and_counted(bench, text):
    bundle, _ = bench.start(text)

    outcome = bench.wait().outcome

    assert outcome.exit_code == 4
    assert outcome.left_behind >= 1
    assert "left behind" in outcome.reason
    assert marked_processes(bundle.token) == []


def test_what_is_left_behind_and_ignores_term_is_killed_after_the_grace(bench):
    bundle, _ = bench.start("sh -c \"trap '' TERM; while :; do sleep 0.05; done\" & sleep 0.1; exit 0")

    outcome = bench.wait().outcome

    assert outcome.exit_code == 0
    assert outcome.left_behind >= 1
    assert marked_processes(bundle.token) == []


def test_a_fork_storm_is_ended(bench):
    text = "f() { sleep 0.2; f & f & wait; }; f & f & wait"
    bundle, _ = bench.start(text, limits=Limits(time_seconds=0.8, grace_seconds=0.1))

    outcome = bench.wait().outcome

    assert outcome.timed_out
    assert marked_processes(bundle.token) == []


def test_no_zombie_is_left_of_orphans_that_end_while_their_run_goes_on(bench):
    """Orphans come to the keeper, so nobody else can wait for them."""
    # What another test has left to this process is not of this run.
    before = _zombies_of({os.getpid()})
    bench.start("(setsid sleep 0.1 &); (setsid sleep 0.1 &); sleep 1.5")

    bench.wait()

    assert _zombies_of({os.getpid(), bench.watcher._kept[0].keeper_pid}) - before == set()


def test_killing_the_command_from_outside_is_told_and_its_children_are_swept(bench):
    bundle, process = bench.start("sleep 60; :")
    wait_until(lambda: len(marked_processes(bundle.token)) >= 2)

    os.kill(process.pid, signal.SIGKILL)

    outcome = bench.wait().outcome
    assert (outcome.exit_code, outcome.signal) == (None, signal.SIGKILL)
    assert outcome.left_behind == 1
    assert marked_processes(bundle.token) == []


def test_a_run_killed_with_its_whole_group_is_told(bench):
    bundle, process = bench.start("sleep 60; :")
    wait_until(lambda: len(marked_processes(bundle.token)) >= 2)

    os.killpg(process.pid, signal.SIGTERM)

    outcome = bench.wait().outcome
    assert (outcome.signal, outcome.cancelled) == (signal.SIGTERM, False)


def test_a_process_that_got_a_reused_number_is_never_signalled(bench):
    bundle, process = bench.start("sleep 60")
    impostor = Process(process.pid, process.start_ticks + 1, process.boot_id)

    assert open_process(impostor) is None
    assert not signal_member(Member(process.pid, process.start_ticks + 1, process.pid, zombie=False), signal.SIGKILL)

    assert is_alive(process.pid)
    bench.watcher.cancel("r1")
    bench.wait()
    assert marked_processes(bundle.token) == []


def test_runs_that_are_killed_together_share_the_looks_at_all_processes(bench, monkeypatch):
    """Each look costs milliseconds; a hundred runs that reach their time limit at once must not wait for each other."""
    taken = []

    class Counted(tree.Census):
        def __init__(self) -> None:
            taken.append(self)
            super().__init__()

    monkeypatch.setattr(tree, "Census", Counted)
    for number in range(20):
        bench.start("trap '' TERM; while :; do sleep 0.1; done", run_id=f"k{number}")
    for number in range(20):
        bench.watcher.cancel(f"k{number}")

    assert all(bench.wait(f"k{number}").outcome.cancelled for number in range(20))
    # One look for TERM and one for KILL are the least, for each run if nothing were shared.
    assert len(taken) < 20


def test_idle_costs_nothing(bench):
    bench.run("true")

    def rest() -> None:
        wait_until(lambda: bench.watcher._asleep_until == math.inf)
        switches = int(_status("voluntary_ctxt_switches", bench))
        assert select.select([bench.watcher], [], [], 0.5)[0] == []
        assert int(_status("voluntary_ctxt_switches", bench)) - switches <= 1

    spends_at_most(0.05, rest)


def test_a_hundred_runs_that_stand_still_are_not_polled_for_output(bench):
    for number in range(20):
        bench.start(("sleep", "60"), run_id=f"s{number}", environment=ENVIRONMENT)

    wait_until(lambda: all(o.next_look == math.inf for run in bench.watcher._runs.values() for o in run.outputs))

    for number in range(20):
        bench.watcher.cancel(f"s{number}")
    assert all(bench.wait(f"s{number}").outcome.cancelled for number in range(20))


def _status(field: str, bench) -> str:
    text = Path(f"/proc/self/task/{bench.watcher._thread.native_id}/status").read_text()
    return next(line.split()[1] for line in text.splitlines() if line.startswith(field))


def _zombies_of(parents: set[int]) -> set[str]:
    entries = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {entry.name for entry in entries if _is_zombie(entry, parents)}


def _is_zombie(entry: Path, parents: set[int]) -> bool:
    try:
        name, fields = (entry / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except OSError:
        return False  # It ended while we looked.
    state, parent = fields.split()[:2]
    # Not a keeper of an earlier test, which ended after nobody looked any more.
    return state == "Z" and int(parent) in parents and name == "sleep"


def test_the_time_limit_counts_from_the_start_however_late_that_is(bench):
    keeper = bench.watcher._kept[0].keeper_pid
    os.kill(keeper, signal.SIGSTOP)
    asked = clock.monotonic()
    bench.launch("sleep 0.3; exit 3", limits=Limits(time_seconds=1.0, grace_seconds=0.3))
    wait_until(lambda: clock.monotonic() - asked > 1.2)

    os.kill(keeper, signal.SIGCONT)

    outcome = bench.wait().outcome
    assert (outcome.exit_code, outcome.timed_out) == (3, False)
