"""What a device is told to do: both forms of the document, and everything that can be wrong with one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain import job_document
from watchbell.domain.job_document import Condition, argv_of, command_of, is_shell_line
from watchbell.errors import InputError

STEP = {"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}}


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "1.0", "steps": list(steps or [STEP]), **more}


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("df,-h", ["df", "-h"]),
        (r"echo,Hello\, I am", ["echo", "Hello, I am"]),
        ("a,,b", ["a", "b"]),
        (" systemctl , restart ,nginx ", ["systemctl", "restart", "nginx"]),
        ("uptime", ["uptime"]),
        (r"echo,a\b", ["echo", r"a\b"]),
        ("docker restart nginx", ["sh", "-c", "docker restart nginx"]),
        ("docker ps | grep a, b", ["sh", "-c", "docker ps | grep a, b"]),
        ("echo,two words", ["echo", "two words"]),
        ("", []),
        (" , ,", []),
    ],
)
def test_a_command_is_its_arguments_or_a_line_for_the_shell(text: str, argv: list[str]) -> None:
    assert argv_of(text) == argv


@given(st.lists(st.text("ab,\\ \n-", max_size=6), max_size=4))
def test_what_is_written_as_a_command_means_the_same_arguments_or_is_not_written(argv: list[str]) -> None:
    text = command_of(argv)

    if text is None:
        assert (
            any(not part or part != part.strip() or part.endswith("\\") or " " in part or "\n" in part for part in argv)
            or not argv
        )
    else:
        assert argv_of(text) == argv
        assert not is_shell_line(text)


def test_steps_are_read_flat_as_well_as_nested() -> None:
    flat = job_document.read(document(STEP, finalStep=STEP, includeStdOut=True))
    nested = job_document.read(document({"action": STEP}, finalStep={"action": STEP}, includeStdOut="true"))

    assert flat == nested
    assert (flat.steps[0].name, flat.steps[0].argv, flat.includes_stdout) == ("disk", ("df", "-h"), True)


def test_a_document_says_for_its_steps_whether_their_output_is_sent_and_a_step_for_itself() -> None:
    says = {**STEP, "includeStdOut": "true"}
    found = job_document.read(document(STEP, says, finalStep=STEP, includeStdOut="false"))
    other = job_document.read(document(STEP, {"action": {**STEP, "includeStdOut": False}}))

    assert [one.includes_stdout for one in (*found.steps, found.final_step)] == [False, True, False]
    assert (found.includes_stdout, other.includes_stdout) == (False, True)
    assert [one.includes_stdout for one in other.steps] == [True, False]


def test_the_first_example_of_the_system_is_accepted_as_it_stands() -> None:
    found = job_document.read(
        {
            "version": "1.0",
            "steps": [
                {"action": {"type": "runCommand", "input": {"command": "docker restart {{SERVICE_NAME}}"}}},
                {"action": {"type": "runCommand", "input": {"command": "docker ps | grep {{SERVICE_NAME}}"}}},
            ],
            "includeStdOut": True,
        }
    )

    assert [step.name for step in found.steps] == ["step 1", "step 2"]
    assert found.steps[1].argv == ("sh", "-c", "docker ps | grep {{SERVICE_NAME}}")


def test_an_early_document_is_one_step_named_after_its_operation() -> None:
    found = job_document.read({"operation": "reboot", "args": ["now"], "path": "default", "allowStdErr": 3})

    (step,) = found.steps
    assert (step.name, step.handler, step.args, step.path, step.allow_stderr) == ("reboot", "reboot", ("now",), None, 3)
    assert found.handlers == {"reboot"}
    assert job_document.read({"version": "0.0", "operation": "reboot"}).steps[0].handler == "reboot"


def test_everything_that_a_step_can_say_is_understood() -> None:
    handler = {"handler": "download-file", "args": ["a", "b"], "path": "/opt/handlers"}
    step = {"name": "fetch", "type": "runHandler", "input": handler, "runAsUser": "root"}
    step |= {"allowStdErr": 0, "ignoreStepFailure": "true", "timeoutSeconds": 30}
    conditions = [{"key": "device_type", "value": ["gateway", "pi"], "type": "stringEqual"}]

    found = job_document.read(document(step, conditions=conditions, executionType="continuous", reportProgress=True))

    (made,) = found.steps
    assert (made.handler, made.args, made.path, made.run_as_user) == (
        "download-file",
        ("a", "b"),
        "/opt/handlers",
        "root",
    )
    assert (made.allow_stderr, made.ignores_failure, made.timeout_seconds) == (0, True, 30)
    assert found.conditions == (Condition("device_type", ("gateway", "pi")),)
    # What lies in a directory of the device's own is not the server's to deliver.
    assert found.handlers == frozenset()


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("given_document", "field"),
    [
        ([], "job_document"),
        ({}, "job_document.operation"),
        (document(version="2.0"), "job_document.version"),
        ({"version": "1.0"}, "job_document.steps"),
        ({"version": "1.0", "steps": []}, "job_document.steps"),
        ({"version": "1.0", "steps": {}}, "job_document.steps"),
        ({"version": "1.0", "steps": [STEP] * 101}, "job_document.steps"),
        (document(operation="x"), "job_document.operation"),
        (document(surprise=1), "job_document.surprise"),
        (document("df"), "job_document.steps.0"),  # type: ignore[arg-type]
        (document({**STEP, "extra": 1}), "job_document.steps.0.extra"),
        (document({"action": STEP, "extra": 1}), "job_document.steps.0.extra"),
        (document({**STEP, "type": "runScript"}), "job_document.steps.0.type"),
        (document({"input": {"command": "df"}}), "job_document.steps.0.type"),
        (document({**STEP, "input": None}), "job_document.steps.0.input"),
        (document({**STEP, "input": {"command": " , "}}), "job_document.steps.0.input.command"),
        (document({**STEP, "input": {"command": 5}}), "job_document.steps.0.input.command"),
        (document({**STEP, "input": {"command": "a\0b"}}), "job_document.steps.0.input.command"),
        (document({**STEP, "input": {"command": "a" * 9000}}), "job_document.steps.0.input.command"),
        (document({**STEP, "runAsUser": "-x"}), "job_document.steps.0.runAsUser"),
        (document({**STEP, "runAsUser": "root; id"}), "job_document.steps.0.runAsUser"),
        (document({**STEP, "allowStdErr": -1}), "job_document.steps.0.allowStdErr"),
        (document({**STEP, "allowStdErr": True}), "job_document.steps.0.allowStdErr"),
        (document({**STEP, "ignoreStepFailure": "perhaps"}), "job_document.steps.0.ignoreStepFailure"),
        (document({**STEP, "timeoutSeconds": 0}), "job_document.steps.0.timeoutSeconds"),
        (document({"type": "runHandler", "input": {"handler": "../x"}}), "job_document.steps.0.input.handler"),
        (document({"type": "runHandler", "input": {}}), "job_document.steps.0.input.handler"),
        (document({"type": "runHandler", "input": {"handler": "x", "path": "opt"}}), "job_document.steps.0.input.path"),
        (document({"type": "runHandler", "input": {"handler": "x", "args": [1]}}), "job_document.steps.0.input.args.0"),
        (document(finalStep="df"), "job_document.finalStep"),
        (document(includeStdOut=1), "job_document.includeStdOut"),
        (document(conditions=[{"key": "a", "value": []}]), "job_document.conditions.0.value"),
        (document(conditions=[{"value": ["x"]}]), "job_document.conditions.0.key"),
        (document(conditions=[{"key": "a", "value": ["x"], "type": "regex"}]), "job_document.conditions.0.type"),
        (document(executionType="often"), "job_document.executionType"),
        (document(schedule={"type": "interval"}), "job_document.schedule.intervalMinutes"),
        (document(schedule={"type": "cron"}), "job_document.schedule.cronExpression"),
        (document(variables={"name": {}}), "job_document.variables.name"),
        (document(variables={"NAME": 5}), "job_document.variables.NAME"),
        (document(variables=[]), "job_document.variables"),
        (document(maxExecutions=0), "job_document.maxExecutions"),
        (document(variables={"N": {"description": deep(20)}}), "job_document"),
        (document(*[{**STEP, "name": "x" * 250, "input": {"command": "a" * 8000}}] * 9), "job_document"),
    ],
)
def test_a_document_that_is_wrong_is_told_where(given_document: Any, field: str) -> None:
    with pytest.raises(InputError) as told:
        job_document.read(given_document)

    assert field in {problem.field for problem in told.value.problems}


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as told:
        job_document.read(document({**STEP, "type": "x"}, {**STEP, "timeoutSeconds": 0}, version="3"))

    assert len(told.value.problems) == 3


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "version",
                        "steps",
                        "action",
                        "type",
                        "input",
                        "command",
                        "finalStep",
                        "conditions",
                        "variables",
                        "schedule",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_value_whatever_is_more_than_an_input_error(value: Any) -> None:
    try:
        job_document.read(value)
    except InputError:
        # Anything else would be an accident of ours.
        return


@pytest.mark.parametrize(
    ("known", "holds"),
    [
        ({"device_type": "pi", "site": "north"}, True),
        ({"device_type": "gateway", "site": "north"}, True),
        ({"device_type": "router", "site": "north"}, False),
        ({"device_type": "pi"}, False),
        ({}, False),
    ],
)
def test_conditions_hold_all_together_and_what_is_unknown_meets_none(known: dict[str, str], holds: bool) -> None:
    conditions = [{"key": "device_type", "value": ["pi", "gateway"]}, {"key": "site", "value": ["north"]}]

    assert (job_document.unmet(job_document.read(document(conditions=conditions)), known) is None) is holds


@pytest.mark.parametrize(
    ("seconds", "minutes", "expected"),
    [(None, None, 3600), (300, None, 300), (None, 5, 300), (300, 5, 300), (1, None, 1), (None, 10_080, 604_800)],
)
def test_a_time_limit_is_told_in_seconds_or_in_minutes(seconds: int | None, minutes: int | None, expected: int) -> None:
    assert job_document.read_timeout(seconds, minutes) == expected


@pytest.mark.parametrize(("seconds", "minutes"), [(0, None), (None, 0), (604_801, None), (None, 10_081), (300, 6)])
def test_a_time_limit_out_of_bounds_or_told_twice_is_refused(seconds: int | None, minutes: int | None) -> None:
    with pytest.raises(InputError):
        job_document.read_timeout(seconds, minutes)
