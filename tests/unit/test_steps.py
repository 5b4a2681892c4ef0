"""The steps of a task: what may be said of them, what is made of a runner's record, and how a failure is put in words."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import DEFAULTS, NOW
from watchbell.domain.steps import (
    COMMAND_LIMIT,
    COMMANDS_LIMIT,
    MOST_STEPS,
    NAME_LIMIT,
    Step,
    StepResult,
    StepState,
    Trace,
    build_steps,
    describe,
    follow,
    from_json,
    sum_up,
    where,
)
from watchbell.domain.task_definition import build_definition
from watchbell.errors import InputError
from watchbell.execution.stepping import parse_traces, read_traces, steps_command

NAMES = ["fetch", "import", "publish"]


def _messages(value: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        build_steps(value)
    assert {problem.field for problem in caught.value.problems} == {"steps"}
    return [problem.message for problem in caught.value.problems]


def test_a_step_needs_no_more_than_a_command() -> None:
    assert build_steps([{"command": "true"}, {"name": " last ", "command": "a\r\nb"}]) == (
        Step("step 1", "true"),
        Step("last", "a\nb"),
    )


def test_all_that_can_be_said_of_a_step_is_taken() -> None:
    told = {"name": "a", "command": "b", "timeout_seconds": "300", "continue_on_failure": "true"}

    assert build_steps([told]) == (Step("a", "b", 300, continue_on_failure=True),)
    assert build_steps([{**told, "timeout_seconds": "", "continue_on_failure": None}]) == (Step("a", "b"),)


@pytest.mark.parametrize("value", [None, "", [], ()])
def test_nothing_is_no_steps(value: object) -> None:
    assert build_steps(value) == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("echo", "must be a list of steps"),
        ({"name": "a"}, "must be a list of steps"),
        (["echo"], "step 1: must be an object with a name and a command"),
        ([{"name": "a"}], "step 1: its command is required"),
        ([{"command": "  \n"}], "step 1: its command must not be empty"),
        ([{"command": 7}], "step 1: its command is required and must be a text"),
        ([{"command": "a\0b"}], "step 1: its command must not hold control characters"),
        ([{"command": "a\ud800"}], "step 1: its command must not hold control characters"),
        ([{"command": "x" * (COMMAND_LIMIT + 1)}], f"step 1: its command must be at most {COMMAND_LIMIT}"),
        ([{"command": "a", "name": 7}], "step 1: its name must be a text"),
        ([{"command": "a", "name": "two\nlines"}], "step 1: its name must not hold control characters"),
        ([{"command": "a", "name": "\u202egnp"}], "step 1: its name must not hold control characters"),
        ([{"command": "a", "name": "x" * (NAME_LIMIT + 1)}], f"step 1: its name must be at most {NAME_LIMIT}"),
        ([{"command": "a", "timeout_seconds": 0}], "step 1: its time limit must be between 1 and"),
        ([{"command": "a", "timeout_seconds": "5m"}], "step 1: its time limit must be a whole number"),
        ([{"command": "a", "timeout_seconds": True}], "step 1: its time limit must be a whole number"),
        ([{"command": "a", "timeout_seconds": 10**30}], "step 1: its time limit must be between 1 and"),
        ([{"command": "a", "timeout_seconds": 1.5}], "step 1: its time limit must be a whole number"),
        ([{"command": "a", "continue_on_failure": "maybe"}], "step 1: continue_on_failure must be true or false"),
        ([{"command": "a", "go\x1bon": 1}], "step 1: has no field 'go\\u001bon'; there are name, command"),
        ([{"command": "a", "name": "x"}, {"command": "b", "name": "x"}], "two steps are called 'x'"),
        ([{"command": "a"}] * (MOST_STEPS + 1), f"must be at most {MOST_STEPS}"),
        (
            [{"name": str(n), "command": "x" * 30_000} for n in range(COMMANDS_LIMIT // 30_000 + 1)],
            f"all commands together must be at most {COMMANDS_LIMIT}",
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_said_with_its_number(value: object, said: str) -> None:
    (message,) = _messages(value)

    assert said in message
    assert message.isprintable()


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = [{"command": ""}, {"command": "fine"}, {"command": "a", "timeout_seconds": -1}]

    assert [message.partition(":")[0] for message in _messages(wrong)] == ["step 1", "step 3"]


texts = st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=("Cs", "Cc")), min_size=1)


@given(st.lists(st.tuples(texts, st.one_of(st.none(), st.integers(1, 86_400)), st.booleans()), max_size=5))
def test_what_is_stored_is_what_was_said(told: list[tuple[str, int | None, bool]]) -> None:
    steps = tuple(Step(f"s{number}", *entry) for number, entry in enumerate(told))

    assert from_json([step.to_json() for step in steps]) == steps
    assert from_json(None) == ()


def _build(fields: dict[str, object], base=None):
    return build_definition(
        {"kind": "manual", **fields} if base is None else fields, base=base, now=NOW, defaults=DEFAULTS
    )


ONE = [{"name": "a", "command": "true"}]


def test_a_task_has_a_command_or_steps() -> None:
    with_steps = _build({"name": "x", "command": "", "steps": ONE})
    with_command = _build({"name": "x", "command": "true", "steps": []})

    assert (with_steps.command, with_steps.steps) == ("", (Step("a", "true"),))
    assert (with_command.command, with_command.steps) == ("true", ())


def test_a_change_to_the_one_takes_the_other_away() -> None:
    with_steps = _build({"steps": ONE}, _build({"name": "x", "command": "true"}))

    assert (with_steps.command, len(with_steps.steps)) == ("", 1)
    assert _build({"command": "echo"}, with_steps).steps == ()
    assert _build({"comment": "c", "command": ""}, with_steps).steps == with_steps.steps


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"command": "true", "steps": ONE}, "steps", "either a command or steps"),
        ({}, "command", "is required"),
        ({"command": " ", "steps": []}, "command", "must not be empty"),
        ({"steps": []}, "steps", "must not be empty"),
        ({"command": "", "steps": [{}]}, "steps", "step 1: its command is required"),
    ],
)
def test_a_task_of_both_or_of_nothing_is_refused(fields: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        _build({"name": "x", **fields})

    (problem,) = caught.value.problems
    assert problem.field == field
    assert said in problem.message


def test_a_task_of_steps_cannot_lose_them_all() -> None:
    with pytest.raises(InputError, match="steps: must not be empty"):
        _build({"steps": []}, _build({"name": "x", "steps": ONE}))


RECORD = b"""[1,2,"boot",[],[3,4]]
pid 12 1000
steps 100.00
begin 1 100.02 0 0
is 99
done 1 101.52 exit 0 10 5
begin 2 101.52 10 5
done 2 103.52 time 124 11 -
begin 3 103.53 11 5
"""


def test_the_record_of_a_runner_is_read_between_the_lines_of_the_keeper() -> None:
    assert parse_traces(RECORD) == [
        Trace(1, 0.02, 0, 0, 1.52, 10, 5, 0),
        Trace(2, 1.52, 10, 5, 3.52, 11, None, 124, "time"),
        Trace(3, 3.53, 11, 5),
    ]


@pytest.mark.parametrize("cut", range(0, len(RECORD), 7))
def test_a_record_that_is_cut_short_says_what_its_whole_lines_say(cut: int) -> None:
    whole = parse_traces(RECORD)
    found = parse_traces(RECORD[:cut])

    assert [trace.number for trace in found] == [trace.number for trace in whole[: len(found)]]


@pytest.mark.parametrize(
    "line", [b"begin", b"begin x 1 2 3", b"done 9 1 exit 0 0 0", b"done 1 1 exit", b"steps", b"\xff"]
)
def test_lines_that_make_no_sense_say_nothing(line: bytes) -> None:
    assert parse_traces(RECORD + line + b"\n") == parse_traces(RECORD)


def test_a_record_that_is_gone_says_nothing(tmp_path) -> None:
    assert read_traces(str(tmp_path / "none")) == []


def test_no_name_and_no_command_is_put_into_the_program(tmp_path) -> None:
    argv = steps_command([Step("$(name)", "$(command)", 5, continue_on_failure=True)], "/record", "token", 0)

    assert argv[-3:] == ("5", "1", "$(command)")
    assert not any("$(name)" in argument for argument in argv)
    assert "0.01" in argv


SHELLS = [
    ["/bin/sh"],
    *([["bash", "--posix"]] if shutil.which("bash") else []),
    *([["dash"]] if shutil.which("dash") else []),
]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_program_means_the_same_to_every_shell(shell: list[str], tmp_path: Path) -> None:
    record = tmp_path / "status"
    record.write_text("header\n")
    steps = [
        Step("a", "echo out; echo err >&2", continue_on_failure=True),
        Step("b", "kill -9 $$", continue_on_failure=True),
        Step("c", "setsid sleep 60 & sleep 60", 1, continue_on_failure=True),
        Step("d", "no-such-program 2>/dev/null", continue_on_failure=True),
        Step("e", "echo '$(pwd)' $WATCHBELL_STEP; exit 7"),
        Step("f", "echo never"),
    ]
    # Nobody else has this mark: what is found by it is ended.
    argv = steps_command(steps, str(record), f"test.{uuid.uuid4().hex}", 1)

    done = subprocess.run([*shell, *argv[1:]], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 137
    assert (done.stdout, done.stderr) == ("out\n$(pwd) 5\n", "err\n")
    traces = read_traces(str(record))
    assert [(trace.how, trace.exit_code) for trace in traces] == [
        ("exit", 0),
        ("exit", 137),
        ("time", 124),
        ("exit", 127),
        ("exit", 7),
    ]


def _states(ended: bool = True, *, is_lost: bool = False) -> list[str]:
    ended_at = NOW + timedelta(seconds=9) if ended else None
    return [
        r.state.value for r in follow(NAMES, parse_traces(RECORD), started_at=NOW, ended_at=ended_at, is_lost=is_lost)
    ]


def test_a_step_without_an_end_is_going_on_cut_off_or_lost() -> None:
    assert _states(ended=False) == ["succeeded", "timed_out", "running"]
    assert _states() == ["succeeded", "timed_out", "cut_off"]
    assert _states(is_lost=True) == ["succeeded", "timed_out", "lost"]


def test_a_step_that_was_not_begun_waits_or_never_ran() -> None:
    assert [r.state for r in follow(NAMES, (), started_at=NOW)] == [StepState.WAITING] * 3
    assert [r.state for r in follow(NAMES, (), started_at=None, ended_at=NOW)] == [StepState.NOT_RUN] * 3


def test_times_of_steps_are_counted_from_the_start_of_the_attempt() -> None:
    first, _, third = follow(NAMES, parse_traces(RECORD), started_at=NOW, ended_at=NOW + timedelta(seconds=9))

    assert (first.started_at, first.ended_at) == (NOW + timedelta(seconds=0.02), NOW + timedelta(seconds=1.52))
    assert third.ended_at == NOW + timedelta(seconds=9)


def _result(number: int, state: StepState, code: int | None = None) -> StepResult:
    return StepResult(number, NAMES[number - 1], state, exit_code=code)


def test_failures_are_summed_up_and_the_place_of_an_end_is_named() -> None:
    results = [
        _result(1, StepState.FAILED, 137),
        _result(2, StepState.NOT_FOUND, 127),
        _result(3, StepState.CUT_OFF),
    ]

    assert sum_up(results) == "2 of 3 steps failed: fetch (signal 9), import (not found)"
    assert where(results) == "in step 3 of 3, publish"
    assert sum_up([_result(1, StepState.SUCCEEDED, 0)]) == where([]) == ""
    assert sum_up([_result(1, StepState.TIMED_OUT, 124)]) == "1 of 1 step failed: fetch (timed out)"
    assert describe([Step(name, "x") for name in NAMES]) == "3 steps: fetch, import, publish"
