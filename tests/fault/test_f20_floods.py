"""F20: commands write without end; disk and memory stay bounded, head and tail are true, what was dropped is counted."""

from __future__ import annotations

import pytest

from tests.fault.bounds import MIB, Watch, seconds, start, wait
from tests.fault.scale import count

pytestmark = pytest.mark.fault

#: Kept of each stream.
KEPT_MIB = 4
#: What a flood may occupy beyond what is kept: a lead, and what the machine's memory takes until it lets the scheduler look.
LEAD_MIB = 8
SPEED_MIB = 1024
LOOK_SECONDS = 0.05
#: What the scheduler may grow by.
MEMORY_MIB = 64
FLOODS = {
    "nul bytes": "head -c {size} /dev/zero",
    "a single line": "head -c {size} /dev/zero | tr '\\0' x",
    "short lines": "yes | head -c {size}",
    "both streams": "head -c {size} /dev/zero >&2 & head -c {size} /dev/zero; wait",
    # It is looked at least often just when it begins to flood.
    "after a trickle": (
        "head -c {size} /dev/zero |"
        " {{ for i in 1 2 3 4 5 6 7 8; do dd bs=1k count=1 iflag=fullblock status=none; sleep 0.1; done; cat; }}"
    ),
}
LEAST_SECONDS_PER_GIB = 40.0


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_bounded_while_it_goes_on(lab, claims, name):
    size = count("FLOOD_MIB", 256, 10 * 1024) * MIB
    wrong: list[str] = []
    with lab.running() as life:
        wait(lab, start(lab, "first", "seq 100000"))
        with Watch(lab, life.pid) as watch:
            run = start(lab, "flood", f"{FLOODS[name].format(size=size)}; exit 7", output_limit_mib=KEPT_MIB)
            row = wait(lab, run, 60 + LEAST_SECONDS_PER_GIB * size / 1024 / MIB)
        if (row["state"], row["exit_code"]) != ("failed", 7):
            wrong.append(f"{row['state']}: {row['reason']}")
        outputs = kept(lab, run)
        for output in outputs:
            wrong += judge(lab, output, size)
    streams = 2 if name == "both streams" else 1
    if len(outputs) != streams:
        wrong.append(f"{len(outputs)} streams are kept")
    if watch.occupied_mib > streams * (KEPT_MIB + slack_mib(watch)):
        wrong.append(f"{watch.occupied_mib:.0f} MiB were occupied")
    if watch.grown_mib > MEMORY_MIB:
        wrong.append(f"the scheduler grew by {watch.grown_mib:.0f} MiB")
    claims.figure(
        "F20", f"{name}: occupied at most, of {KEPT_MIB} MiB kept per stream", f"{watch.occupied_mib:.0f} MiB"
    )
    claims.figure("F20", f"{name}: allowed beyond it on a machine as busy as this", f"{slack_mib(watch):.0f} MiB")
    claims.figure("F20", f"{name}: growth of the scheduler", f"{watch.grown_mib:.1f} MiB")
    claims.figure("F20", f"{name}: speed", f"{size / MIB / seconds(row):.0f} MiB/s")
    claims.none_of("F20", "bounds that a flood has broken, or bytes told wrongly", 4 + 4 * len(outputs), wrong)


def slack_mib(watch: Watch) -> float:
    """Return what a stream may occupy beyond its limit, which is a matter of how soon somebody is let look."""
    return LEAD_MIB + SPEED_MIB * (LOOK_SECONDS + watch.late_seconds)


def kept(lab, run: int) -> list:
    return lab.rows(
        "SELECT output.* FROM output JOIN attempt ON attempt.id = output.attempt_id "
        "WHERE attempt.run_id = ? AND output.stream != 'order'",
        run,
    )


def judge(lab, output, size: int) -> list[str]:
    """Return what is wrong with what is kept of a flood."""
    wrong = []
    data = (lab.config.output_path / output["file"]).read_bytes()
    half = KEPT_MIB * MIB // 2
    if (output["size"], output["dropped"], output["head_size"]) != (size, size - 2 * half, half):
        wrong.append(f"{tuple(output)[:6]} of {size}")
    if len(data) != 2 * half:
        wrong.append(f"{len(data)} bytes are kept")
    if len(set(data[:1000:2])) > 1 or data[:half] != data[half:]:
        wrong.append(f"wrong bytes are kept: {data[:20]!r} {data[-20:]!r}")
    return wrong


def test_a_command_that_goes_on_long_after_its_bound_is_left_alone(lab, claims):
    """It is neither blocked nor ended, and its last words are kept."""
    ticks = count("AFTER_BOUND_SECONDS", 4, 600) * 10
    text = (
        f"head -c 6M /dev/zero; i=0; while [ $i -lt {ticks} ]; do i=$((i+1)); seq 1000; sleep 0.1; done; echo last $i"
    )
    with lab.running():
        run = start(lab, "on and on", text, output_limit_mib=1)
        row = wait(lab, run, ticks)
        output = kept(lab, run)[0]
    data = (lab.config.output_path / output["file"]).read_bytes()
    wrong = [] if row["state"] == "succeeded" else [f"{row['state']}: {row['reason']}"]
    wrong += [] if data.endswith(f"\n1000\nlast {ticks}\n".encode()) else [f"its last words are {data[-30:]!r}"]
    written = 6 * MIB + ticks * len("".join(f"{i}\n" for i in range(1, 1001))) + len(f"last {ticks}\n")
    wrong += [] if output["size"] == written else [f"{output['size']} of {written} bytes are counted"]
    # Each round is a sleep of 0.1 s; a command that is held up takes longer.
    wrong += [] if seconds(row) < 0.2 * ticks + 5 else [f"it took {seconds(row):.0f} s"]
    claims.none_of("F20", "commands held up or cut off after their bound", 4, wrong)


@pytest.mark.parametrize(
    "text", ["yes", "trap '' TERM; while :; do echo stubborn; done", "seq 300000; sleep 0.3; exit 0"]
)
def test_a_run_that_must_not_write_more_is_ended(lab, claims, text):
    with lab.running() as life, Watch(lab, life.pid) as watch:
        run = start(lab, "ends", text, output_limit_mib=1, output_excess="end", grace_seconds=1)
        row = wait(lab, run, 60)
    wrong = []
    if row["state"] != "failed" or "output limit of 1 MiB reached" not in row["reason"]:
        wrong.append(f"{row['state']}: {row['reason']}")
    if seconds(row) > 1 + 5:
        wrong.append(f"it took {seconds(row):.1f} s")
    if watch.occupied_mib > 1 + slack_mib(watch):
        wrong.append(f"{watch.occupied_mib:.0f} MiB were occupied")
    claims.none_of("F20", "runs that go on after a bound that ends them", 3, wrong)


def test_a_run_that_stays_below_such_a_bound_is_left_alone(lab, claims):
    with lab.running():
        row = wait(lab, start(lab, "fine", "head -c 1048576 /dev/zero", output_limit_mib=1, output_excess="end"))
    claims.none_of(
        "F20", "runs ended without having passed their bound", 1, [] if row["state"] == "succeeded" else [row]
    )
