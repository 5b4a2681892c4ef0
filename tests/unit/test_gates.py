"""Gates of a task: which may be written, which a run breaks, and in which words."""

from __future__ import annotations

import pytest

from watchbell.domain import gates
from watchbell.domain.policies import Policies, build_policies
from watchbell.errors import InputError


def test_gates_are_conditions_a_line_with_or_without_a_name_and_the_runners_own_spelling_is_known() -> None:
    text = "\r\n fast:  execution_time_seconds < 60 \r\n\ncpu_max:80\nstdout_length > 0"

    made = build_policies({"gates": text})

    assert made.gates == "fast: execution_time_seconds < 60\ncpu_max <= 80\nstdout_length > 0"
    assert build_policies({"gates": ""}, made).gates == ""
    assert Policies.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cpu_mx < 5", "did you mean cpu_max"),
        ("rows > 1", "own_metrics is read"),
        ("success == 1", "known only when a run is over"),
        ("queue_seconds < 5", "known only when a run is over"),
        ("fast: 5", "compare it"),
        (f"{'x' * 51}: cpu_max < 5", "at most 50"),
        ("\n".join(["cpu_max < 5"] * 21), "at most 20"),
    ],
)
def test_what_is_no_gate_is_refused_at_the_door(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        build_policies({"gates": text})

    assert [problem.field for problem in caught.value.problems] == ["gates"]


def test_a_gate_on_a_number_of_its_own_stands_as_long_as_those_are_read() -> None:
    made = build_policies({"gates": "rows > 1", "own_metrics": "read"})

    assert made.gates == "rows > 1"
    with pytest.raises(InputError, match="'rows' is no metric"):
        build_policies({"own_metrics": "ignore"}, made)
    with pytest.raises(InputError, match="did you mean cpu_max"):
        build_policies({"gates": "cpu_maxx < 80"}, made)
    # What has nothing to do with them does not look at them.
    assert build_policies({"retries": 1}, made).gates == "rows > 1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fast: execution_time_seconds < 60", ""),
        ("fast: execution_time_seconds < 5", "gate 'fast' broken: execution_time_seconds < 5 (execution_time_seconds 9)"),
        ("rows > 1", "gate broken: rows > 1 cannot be told: no rows"),
        ("memory_avg_mb < 5", ""),
        ("errors / rows < 1 and cpu_avg < 5",
         "gate broken: errors / rows < 1 and cpu_avg < 5 cannot be told: no rows, no cpu_avg"),
        ("1 / (errors - 3) < 1",
         "gate broken: 1 / (errors - 3) < 1 cannot be told: a division by zero, or a number beyond all bounds"),
        ("1 / (errors - 3) < 1 and memory_avg_mb < 5",
         "gate broken: 1 / (errors - 3) < 1 and memory_avg_mb < 5 cannot be told: a division by zero, or a number beyond all bounds"),
        ("not -(memory_avg_mb + 1 / (errors - 3)) < 1",
         "gate broken: not -(memory_avg_mb + 1 / (errors - 3)) < 1 cannot be told: a division by zero, or a number beyond all bounds"),
        ("(1 / (errors - 3) < 1 or errors == 3) and memory_avg_mb < 5", ""),
        ("2 < 1", "gate broken: 2 < 1"),
        ("a: errors < 1\nb: errors < 2", "gate 'a' broken: errors < 1 (errors 3); gate 'b' broken: errors < 2 (errors 3)"),
    ],
)  # fmt: skip
def test_a_broken_gate_says_which_and_what_it_has_seen(text: str, words: str) -> None:
    """A number that could not be measured breaks nothing; one that the command was to tell and has not does."""
    assert gates.broken(text, {"execution_time_seconds": 9.0, "errors": 3.0}) == words
