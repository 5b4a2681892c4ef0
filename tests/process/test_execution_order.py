"""In which order a command used stdout and stderr is known as far as looks at their sizes tell."""

from __future__ import annotations

import shutil

import pytest

from tests.process.execution_bench import make_bench
from tests.waiting import crowd, wait_until
from watchbell.execution import runtime_root
from watchbell.execution.order import Mark, decode_marks, read_marks


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def turn() -> str:
    """Return the pause of a command after which somebody has looked at its outputs, also on a crowded machine."""
    return f"sleep {0.15 * crowd():.2f}"


def sizes(marks: list[Mark]) -> list[tuple[int, int]]:
    return [(mark.stdout, mark.stderr) for mark in marks]


def test_words_said_in_turns_come_out_in_turns(bench):
    turns = f"for n in 1 2 3; do echo out; {turn()}; echo e >&2; {turn()}; done"

    finished = bench.run(turns)

    assert sizes(decode_marks(finished.order)) == [(4, 0), (4, 2), (8, 2), (8, 4), (12, 4), (12, 6)]


def test_the_order_can_be_read_while_the_command_goes_on_and_is_gone_with_its_files(bench, tmp_path):
    stop = tmp_path / "stop"
    bundle, _ = bench.start(
        f"echo out; {turn()}; echo e >&2; {turn()}; echo two; until [ -e {stop} ]; do sleep 0.05; done"
    )
    wait_until(lambda: sizes(read_marks(bundle.order)) == [(4, 0), (4, 2)])
    stop.touch()

    finished = bench.wait()
    assert sizes(decode_marks(finished.order)) == [(4, 0), (4, 2), (8, 2)]
    bench.bundles.remove(bundle)
    assert list(bench.bundles.list()) == []


@pytest.mark.parametrize(
    "command", ["echo out", "echo e >&2", "echo out; echo e >&2", "echo out; sleep 0.3; echo more"]
)
def test_a_short_command_and_one_that_uses_one_stream_leave_no_order_and_no_file(bench, command):
    bundle = bench.launch(command)

    finished = bench.wait()

    assert finished.order == b""
    assert read_marks(bundle.order) == []


def test_another_watcher_goes_on_with_the_order(bench, tmp_path):
    stop = tmp_path / "stop"
    wait = f"until [ -e {stop} ]; do sleep 0.05; done"
    bundle, process = bench.start(f"echo out; {turn()}; echo e >&2; {turn()}; echo two; {wait}; echo last >&2")
    wait_until(lambda: len(read_marks(bundle.order)) == 2)
    bench.watcher.stop()
    later = make_bench(tmp_path)
    bench.watcher = later.watcher
    later.watcher.adopt("r1", later.bundles.find("r1", 1), process)
    stop.touch()

    finished = later.wait()

    assert sizes(decode_marks(finished.order))[:2] == [(4, 0), (4, 2)]
    assert sizes(decode_marks(finished.order))[-1] == (8, 7)
