"""The steps of a task, in their order: what each may say, and what has become of them in one attempt."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from watchbell.domain import secret_names
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, Problem

#: As many as a record of one attempt holds without growing beyond the block that it is given at its start.
MOST_STEPS = 50
NAME_LIMIT = 100
COMMAND_LIMIT = 32_768
#: All commands of a task together: they are one argument list, which a system bounds.
COMMANDS_LIMIT = 131_072
LONGEST_SECONDS = 31 * 86_400
_EXAMPLE = "import=python import.py"
_FIELDS = ("name", "command", "timeout_seconds", "continue_on_failure")
_WORDS = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}


class StepState(StrEnum):
    """What has become of one step."""

    WAITING = "waiting"
    """Its turn is still to come."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It ended with another exit code than 0, or by a signal."""
    TIMED_OUT = "timed_out"
    """It reached its own time limit and was ended."""
    NOT_FOUND = "not_found"
    """Its command is not there (exit code 127)."""
    CUT_OFF = "cut_off"
    """It was going on when the whole run was ended."""
    LOST = "lost"
    """It was begun, and nobody knows how it ended."""
    NOT_RUN = "not_run"
    """Its turn never came: a step before it failed, or the run was over."""


#: What counts as a failure of a step.
FAILURES = frozenset({StepState.FAILED, StepState.TIMED_OUT, StepState.NOT_FOUND})
_NOT_FOUND_CODE = 127


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One step of a task."""

    name: str
    command: str
    #: None for no limit but the one of the whole run.
    timeout_seconds: int | None = None
    #: Whether the steps after it run when it has failed; the run counts as failed either way.
    continue_on_failure: bool = False

    def to_json(self) -> dict[str, object]:
        """Return a form that ``from_json`` reads back."""
        return dataclasses.asdict(self)


def from_json(data: object) -> tuple[Step, ...]:
    """Return the steps that were stored; nothing stored is no steps."""
    entries = data if isinstance(data, list | tuple) else ()
    return tuple(Step(**{name: entry[name] for name in _FIELDS if name in entry}) for entry in entries)


def build_steps(value: object) -> tuple[Step, ...]:
    """Return steps from what a person gave: a list of objects with name, command and what else is known of a step.

    A name that is left out becomes ``step N``. Raises InputError that names each wrong step on the field ``steps``.
    """
    if value is None or value == "":
        return ()
    if not isinstance(value, list | tuple):
        raise InputError.of("steps", "must be a list of steps, each with a name and a command", _EXAMPLE)
    if len(value) > MOST_STEPS:
        raise InputError.of("steps", f"must be at most {MOST_STEPS}", _EXAMPLE)
    steps: list[Step] = []
    problems: list[Problem] = []
    for number, entry in enumerate(value, 1):
        try:
            steps.append(_step(number, entry))
        except InputError as error:
            problems += error.problems
    problems += _problems_together(steps)
    if problems:
        raise InputError(*problems)
    return tuple(steps)


def _step(number: int, entry: object) -> Step:
    if isinstance(entry, Step):
        return entry
    if not isinstance(entry, Mapping):
        raise _wrong(number, "must be an object with a name and a command")
    unknown = sorted(set(map(str, entry)) - set(_FIELDS))
    if unknown:
        raise _wrong(number, f"has no field {_shown(unknown[0])}; there are {', '.join(_FIELDS)}")
    return Step(
        name=_name(number, entry.get("name")),
        command=_command(number, entry.get("command")),
        timeout_seconds=_seconds(number, entry.get("timeout_seconds")),
        continue_on_failure=_switch(number, entry.get("continue_on_failure")),
    )


def _name(number: int, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise _wrong(number, "its name must be a text")
    text = (value or "").strip() or f"step {number}"
    if len(text) > NAME_LIMIT:
        raise _wrong(number, f"its name must be at most {NAME_LIMIT} characters long")
    if not is_visible(text):
        raise _wrong(number, "its name must not hold control characters or invisible ones")
    return text


def _command(number: int, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(number, "its command is required and must be a text")
    text = value.replace("\r\n", "\n")
    if not text.strip():
        raise _wrong(number, "its command must not be empty")
    if len(text) > COMMAND_LIMIT:
        raise _wrong(number, f"its command must be at most {COMMAND_LIMIT} characters long")
    if any(
        char not in "\n\t\r" and (ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF) for char in text
    ):
        raise _wrong(number, "its command must not hold control characters or invisible ones")
    if secret_names.OPENING in text:
        raise _wrong(number, "a secret cannot stand in a command; give it to a variable of the environment")
    return text


def _seconds(number: int, value: object) -> int | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if isinstance(value, bool) or not text.isascii() or not text.isdigit():
        raise _wrong(number, "its time limit must be a whole number of seconds", "300")
    seconds = int(text[:20])
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise _wrong(number, f"its time limit must be between 1 and {LONGEST_SECONDS} seconds", "300")
    return seconds


def _switch(number: int, value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    try:
        return _WORDS[str(value).strip().lower()]
    except KeyError:
        raise _wrong(number, "continue_on_failure must be true or false", "true") from None


def _problems_together(steps: Sequence[Step]) -> list[Problem]:
    names = [step.name for step in steps]
    doubles = sorted({name for name in names if names.count(name) > 1})
    problems = [
        Problem("steps", f"two steps are called {_shown(name)}; give each a name of its own") for name in doubles
    ]
    if sum(len(step.command) for step in steps) > COMMANDS_LIMIT:
        problems.append(Problem("steps", f"all commands together must be at most {COMMANDS_LIMIT} characters long"))
    return problems


def _wrong(number: int, message: str, example: str = _EXAMPLE) -> InputError:
    return InputError.of("steps", f"step {number}: {message}", example)


def _shown(text: str) -> str:
    return "'" + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:40]) + "'"


def describe(steps: Sequence[Step]) -> str:
    """Return the steps in one line, for lists that have one for a command: "3 steps: fetch, import, publish"."""
    count = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    return f"{count}: {', '.join(step.name for step in steps)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """What the runner of steps has written down about one of them; times are seconds since the runner began."""

    number: int
    began: float
    #: Bytes that stdout and stderr held when it began, and when it ended; None where that could not be known.
    out_from: int | None = None
    err_from: int | None = None
    #: None while it goes on, or when nobody was left to write its end down.
    ended: float | None = None
    out_to: int | None = None
    err_to: int | None = None
    exit_code: int | None = None
    #: exit, time (its own limit was reached) or cut (the whole run was told to end).
    how: str = "exit"


@dataclasses.dataclass(frozen=True, slots=True)
class StepResult:
    """What has become of one step of an attempt, as far as it is known."""

    number: int
    name: str
    state: StepState
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    #: Its part of each stream: from this byte on, up to that one.
    stdout_from: int | None = None
    stdout_to: int | None = None
    stderr_from: int | None = None
    stderr_to: int | None = None

    @property
    def has_failed(self) -> bool:
        """Return whether it counts as a failure."""
        return self.state in FAILURES

    @property
    def duration_seconds(self) -> float | None:
        """Return how long it took, None while it goes on or where that is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max((self.ended_at - self.started_at).total_seconds(), 0.0)


def follow(
    names: Sequence[str],
    traces: Sequence[Trace],
    *,
    started_at: datetime | None,
    ended_at: datetime | None = None,
    is_lost: bool = False,
) -> list[StepResult]:
    """Return what has become of each step; without ``ended_at`` the attempt goes on.

    ``is_lost`` says of an attempt that is over that nobody knows how it ended.
    """
    by_number = {trace.number: trace for trace in traces}
    is_over = ended_at is not None
    results = []
    for number, name in enumerate(names, 1):
        trace = by_number.get(number)
        if trace is None or started_at is None:
            state = StepState.NOT_RUN if is_over else StepState.WAITING
            results.append(StepResult(number, name, state))
            continue
        end = started_at + timedelta(seconds=trace.ended) if trace.ended is not None else ended_at
        results.append(
            StepResult(
                number=number,
                name=name,
                state=_state(trace, is_over=is_over, is_lost=is_lost),
                started_at=started_at + timedelta(seconds=trace.began),
                ended_at=None if is_lost and trace.ended is None else end,
                exit_code=trace.exit_code,
                stdout_from=trace.out_from,
                stdout_to=trace.out_to,
                stderr_from=trace.err_from,
                stderr_to=trace.err_to,
            )
        )
    return results


def _state(trace: Trace, *, is_over: bool, is_lost: bool) -> StepState:
    if trace.ended is None:
        if not is_over:
            return StepState.RUNNING
        return StepState.LOST if is_lost else StepState.CUT_OFF
    if trace.how == "time":
        return StepState.TIMED_OUT
    if trace.how == "cut":
        return StepState.CUT_OFF
    if trace.exit_code == 0:
        return StepState.SUCCEEDED
    return StepState.NOT_FOUND if trace.exit_code == _NOT_FOUND_CODE else StepState.FAILED


def ending_words(result: StepResult) -> str:
    """Return how a failed step ended: exit 3, timed out, not found, killed by signal 9."""
    if result.state is StepState.TIMED_OUT:
        return "timed out"
    if result.state is StepState.NOT_FOUND:
        return "not found"
    code = result.exit_code or 0
    # A shell says so of a command that was killed.
    return f"signal {code - 128}" if 128 < code < 128 + 65 else f"exit {code}"


def sum_up(results: Sequence[StepResult]) -> str:
    """Return which steps failed and how, such as "2 of 5 steps failed: x (exit 3), y (timed out)"; empty for none."""
    failed = [result for result in results if result.has_failed]
    if not failed:
        return ""
    listed = ", ".join(f"{result.name} ({ending_words(result)})" for result in failed)
    return (
        f"1 of 1 step failed: {listed}"
        if len(results) == 1
        else f"{len(failed)} of {len(results)} steps failed: {listed}"
    )


def where(results: Sequence[StepResult]) -> str:
    """Return in which step an attempt was when it was ended from outside; empty when it was in none."""
    at = next((result for result in results if result.state in {StepState.CUT_OFF, StepState.LOST}), None)
    return f"in step {at.number} of {len(results)}, {at.name}" if at is not None else ""
