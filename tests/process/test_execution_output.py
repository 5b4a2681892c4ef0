"""Output is bytes, is kept within its bound while it grows, and can be read at any time."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.process.execution_bench import kept_bytes, make_bench
from tests.waiting import wait_until
from watchbell.execution import Limits, read_captured, read_output, runtime_root

MIB = 1024 * 1024
#: How much the flood tests write; raise it to see the bound hold over 10 GB.
FLOOD_BYTES = int(os.environ.get("EXECUTION_FLOOD_BYTES", str(300 * MIB)))
BOUNDED = Limits(time_seconds=300, grace_seconds=0.5, output_bytes=2 * MIB)


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


class Peak:
    """Watches how much a bundle's output occupies while a run goes on."""

    def __init__(self, path: str) -> None:
        self.bytes = 0
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.bytes = max(self.bytes, Path(self._path).stat().st_blocks * 512)

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self.bytes


@pytest.mark.parametrize(
    "text",
    [
        f"head -c {FLOOD_BYTES} /dev/zero",
        f"head -c {FLOOD_BYTES} /dev/zero | tr '\\0' x",
        f"yes | head -c {FLOOD_BYTES}",
    ],
    ids=["nul bytes at full speed", "one line without newline", "short lines"],
)
def test_a_flood_ends_well_and_costs_no_memory(bench, text):
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    finished = bench.run(text, limits=BOUNDED)

    assert finished.outcome.exit_code == 0
    assert finished.stdout.size == FLOOD_BYTES
    assert finished.stdout.dropped == FLOOD_BYTES - 2 * MIB
    assert finished.stdout.path.stat().st_size == 2 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * 1024


def test_what_a_flood_occupies_is_bounded_while_it_goes_on(bench):
    """The writer takes 1 MiB at a time, so that it is the bound and not the machine's load that is tested."""
    bundle, _ = bench.start(
        f"i=0; while [ $i -lt {FLOOD_BYTES // MIB} ]; do head -c {MIB} /dev/zero; i=$((i+1)); done", limits=BOUNDED
    )
    wait_until(lambda: Path(bundle.out).exists())
    peak = Peak(bundle.out)

    finished = bench.wait(timeout=300)

    # The limit, the lead of 8 MiB, and what is written until a busy machine lets the watcher look.
    assert peak.stop() < 100 * MIB
    assert finished.stdout.size == FLOOD_BYTES // MIB * MIB


def test_head_and_tail_are_the_true_ones(bench):
    finished = bench.run("seq 1 3000000", limits=BOUNDED)

    whole = b"".join(b"%d\n" % number for number in range(1, 3_000_001))
    assert finished.stdout.size == len(whole)
    assert kept_bytes(finished) == whole[:MIB] + whole[-MIB:]
    assert finished.stdout.head == MIB


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00\x1b[31m\x1b]0;title\x07",
        b"\xef\xbb\xbfcaf\xc3",
        b"10%\r20%\r100%\n",
        b"\xed\xa0\x80 lone surrogate",
        bytes(range(256)) * 64,
        bytes(range(256)) * 65,
        os.urandom(300_000),
        b"",
    ],
    ids=["escapes", "half a character", "progress bar", "surrogate", "16 KiB", "16 KiB and more", "random", "nothing"],
)
def test_bytes_are_kept_exactly(bench, tmp_path, content):
    source = tmp_path / "source"
    source.write_bytes(content)

    finished = bench.run(f"cat {source}; cat {source} >&2")

    assert kept_bytes(finished, "stdout") == content
    assert kept_bytes(finished, "stderr") == content
    assert (finished.stdout.size, finished.stdout.dropped) == (len(content), 0)


def test_an_output_is_read_while_it_grows(bench, tmp_path):
    go_on = tmp_path / "go-on"
    bundle, _ = bench.start(f"echo first; while [ ! -e {go_on} ]; do sleep 0.02; done; echo second")
    wait_until(lambda: Path(bundle.out).stat().st_size == 6)

    before = read_output(bundle.out, 0, 1000)
    nothing_new = read_output(bundle.out, before.next_offset, 1000)
    go_on.touch()
    finished = bench.wait()
    after = read_output(bundle.out, before.next_offset, 1000)

    assert (before.data, before.next_offset, before.dropped) == (b"first\n", 6, None)
    assert (nothing_new.data, nothing_new.next_offset) == (b"", 6)
    assert after.data == b"second\n"
    assert read_captured(finished.stdout, 6, 1000) == after


def test_a_reader_of_a_flood_sees_true_bytes_and_the_dropped_range(bench):
    bundle, _ = bench.start("seq -w 1 3000000", limits=BOUNDED)
    wait_until(lambda: Path(bundle.out).exists())
    offset, seen = 0, 0

    while bench.watcher.live():
        part = read_output(bundle.out, offset, 256 * 1024)
        _check_sequence(part.data, part.offset, 8)
        offset, seen = part.next_offset, seen + len(part.data)
        if part.dropped is not None:
            assert part.dropped[0] <= part.dropped[1] <= part.size

    finished = bench.wait(timeout=60)
    assert finished.stdout.dropped > 0
    assert seen >= MIB


def test_a_kept_output_is_read_with_the_offsets_of_the_live_one(bench):
    finished = bench.run("seq 1 3000000", limits=BOUNDED)
    captured = finished.stdout

    head = read_captured(captured, MIB - 10, 100)
    tail = read_captured(captured, captured.size - 8, 100)
    inside = read_captured(captured, MIB + 5, 4)
    from_the_end = read_captured(captured, -8, 100)

    gap = (MIB, captured.size - MIB)
    assert (len(head.data), head.next_offset, head.dropped) == (10, gap[1], gap)
    assert tail.data == from_the_end.data == b"3000000\n"
    assert (inside.offset, len(inside.data)) == (gap[1], 4)


def test_kept_output_is_the_owners_alone_and_replaces_no_link(bench, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("untouched")
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "r1.1.out").symlink_to(secret)

    finished = bench.run("seq 1 10000")

    assert secret.read_text() == "untouched"
    assert not finished.stdout.path.is_symlink()
    assert oct(finished.stdout.path.stat().st_mode)[-3:] == "600"


def test_a_link_in_place_of_the_output_is_not_followed(bench, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret")

    finished = bench.run(f"d={runtime_root(tmp_path)}/r1.1; rm $d.out; ln -s {secret} $d.out")

    assert b"secret" not in kept_bytes(finished)
    assert "could not be kept" in finished.outcome.reason


def test_output_that_cannot_be_kept_costs_the_output_not_the_result(bench, tmp_path):
    (tmp_path / "output").write_text("a file where the folder should be")

    finished = bench.run("seq 1 10000; exit 3")

    assert finished.outcome.exit_code == 3
    assert "could not be kept" in finished.outcome.reason
    assert finished.stdout.data.startswith(b"1\n2\n")
    assert finished.stdout.data.endswith(b"10000\n")


def test_a_command_that_cuts_its_own_output_short_does_not_confuse_the_bound(bench):
    finished = bench.run("head -c 20000000 /dev/zero; sleep 0.1; : > /proc/self/fd/1; echo end", limits=BOUNDED)

    assert kept_bytes(finished) == b"end\n"
    assert finished.stdout.size == 4


def test_a_pause_for_a_flood_leaves_the_command_running(bench):
    """The group is stopped and resumed many times; the command must see nothing of it but time."""
    began = time.monotonic()

    finished = bench.run(f"head -c {FLOOD_BYTES} /dev/zero; echo done >&2; exit 6", limits=BOUNDED)

    assert finished.outcome.exit_code == 6
    assert kept_bytes(finished, "stderr") == b"done\n"
    assert time.monotonic() - began < 20 + FLOOD_BYTES / (20 * MIB)


def test_both_streams_of_a_run_keep_their_own_order(bench):
    finished = bench.run("i=0; while [ $i -lt 20000 ]; do echo $i; echo $i >&2; i=$((i+1)); done")

    expected = hashlib.sha256(b"".join(b"%d\n" % number for number in range(20_000))).hexdigest()
    assert [hashlib.sha256(kept_bytes(finished, name)).hexdigest() for name in ("stdout", "stderr")] == [expected] * 2


def _check_sequence(data: bytes, offset: int, width: int) -> None:
    """Every number of `seq -w` has the same width, so each offset tells what must stand there."""
    skip = -offset % width
    for place in range(skip, len(data) - width + 1, width * 997):
        line = data[place : place + width]
        assert int(line) == (offset + place) // width + 1
