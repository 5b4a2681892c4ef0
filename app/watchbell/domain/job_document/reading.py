"""Understanding a job document, in both forms that are about, and saying of each field what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from watchbell.domain.job_document import environment, scripts
from watchbell.domain.job_document.command import argv_of
from watchbell.domain.job_document.fields import Fields
from watchbell.domain.job_document.model import (
    DEFAULT_TIMEOUT_SECONDS,
    MOST_SECONDS,
    Condition,
    Document,
    Schedule,
    Step,
    Variable,
)
from watchbell.domain.job_document.variables import NAME
from watchbell.errors import InputError

SIZE_LIMIT = 64 * 1024
DEPTH_LIMIT = 16
MOST_STEPS = 100
EXECUTION_TYPES = ("oneTime", "recurring", "continuous")
_HANDLER = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_USER = r"[a-z_][a-z0-9_-]{0,31}"
_PATH = r"/[^\0]{0,400}"
_KEY = r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}"
_TOP = frozenset(
    {
        *("version", "steps", "finalStep", "includeStdOut", "conditions", "executionType", "schedule", "maxExecutions"),
        *("maxDurationMinutes", "reportProgress", "progressIntervalSeconds", "variables"),
        # What the earliest documents have in place of steps.
        *("operation", "args", "path", "allowStdErr"),
    }
)
_STEP = frozenset(
    {
        *("name", "type", "input", "environment", "runAsUser", "allowStdErr", "ignoreStepFailure", "timeoutSeconds"),
        "includeStdOut",
    }
)
_LEGACY = "0.0"
_UNREAD = ("schedule", "maxExecutions", "maxDurationMinutes", "progressIntervalSeconds")


def read(document: object, place: str = "job_document", *, is_filled: bool = False) -> Document:
    """Return what a document says; raises InputError that names every field that is wrong.

    Names of variables may still stand in it, wherever a text may, unless it ``is_filled``.
    """
    if not isinstance(document, Mapping):
        raise InputError.of(place, "must be an object", '{"version": "1.0", "steps": [...]}')
    _check_size(document, place)
    found = Fields(document, place, _TOP, is_filled=is_filled)
    includes_stdout = found.flag("includeStdOut", default=True)
    made = Document(
        steps=tuple(_steps(found, includes_stdout)),
        final_step=_step(found.below("finalStep", None), "final step", includes_stdout)
        if found.has("finalStep")
        else None,
        includes_stdout=includes_stdout,
        conditions=tuple(_conditions(found)),
        variables=dict(_variables(found)),
        execution_type=found.word("executionType", EXECUTION_TYPES) or "oneTime",
        schedule=_schedule(found),
        max_executions=found.whole("maxExecutions", 1, 1_000_000),
        max_duration_minutes=found.whole("maxDurationMinutes", 1, MOST_SECONDS // 60),
        reports_progress=found.flag("reportProgress"),
        progress_interval_seconds=found.whole("progressIntervalSeconds", 1, 86_400) or 60,
    )
    if not is_filled and environment.names_elsewhere(document):
        found.complain(environment.FIELD, "of a step is the only place that can name a secret", environment.EXAMPLE)
    if found.problems:
        raise InputError(*found.problems)
    return made


def read_timeout(seconds: int | None, minutes: int | None) -> int:
    """Return the time that a job has on a device, in seconds, from either way to say it; raises InputError."""
    if seconds is not None and minutes is not None and seconds != minutes * 60:
        raise InputError.of("timeout_seconds", "contradicts timeout_minutes; send one of them", "300")
    if seconds is not None:
        return _within(seconds, "timeout_seconds", MOST_SECONDS)
    if minutes is not None:
        return 60 * _within(minutes, "timeout_minutes", MOST_SECONDS // 60)
    return DEFAULT_TIMEOUT_SECONDS


def unread_in(document: Mapping[str, Any]) -> list[str]:
    """Return the fields of a document that are understood and that nobody acts on: an order and its schedule say them."""
    found = [name for name in _UNREAD if document.get(name) is not None]
    found += ["reportProgress"] * (document.get("reportProgress") not in {None, False, "false"})
    return found + ["executionType"] * (document.get("executionType") not in {None, "oneTime"})


def _within(number: int, name: str, most: int) -> int:
    if not 1 <= number <= most:
        raise InputError.of(name, f"must be from 1 to {most}", "60")
    return number


def _check_size(document: Mapping[Any, Any], place: str) -> None:
    level: list[Any] = [document]
    for _ in range(DEPTH_LIMIT):
        level = [below for value in level for below in _children(value)]
        if not level:
            break
    else:
        raise InputError.of(place, f"must not be nested more than {DEPTH_LIMIT} deep")
    if len(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")) > SIZE_LIMIT:
        raise InputError.of(place, f"must be at most {SIZE_LIMIT // 1024} KiB")


def _children(value: object) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _steps(found: Fields, includes_stdout: bool) -> Iterator[Step]:
    version = found.text("version")
    if version not in {None, "1.0", _LEGACY}:
        found.complain("version", "must be 1.0, or 0.0 for a document with an operation", "1.0")
    if version == _LEGACY or (version is None and not found.has("steps")):
        yield _legacy_step(found, includes_stdout)
        return
    for name in ("operation", "args", "path", "allowStdErr"):
        if found.has(name):
            found.complain(name, "belongs into a step")
    listed = found.listed("steps")
    if not 1 <= len(listed) <= MOST_STEPS:
        found.complain("steps", f"must be a list of 1 to {MOST_STEPS} steps")
        return
    for place in range(len(listed)):
        yield _step(found.below("steps", place), f"step {place + 1}", includes_stdout)


def _legacy_step(found: Fields, includes_stdout: bool) -> Step:
    """Return the one step of an early document: the handler that its operation names."""
    if found.has("steps"):
        found.complain("steps", "is not in a document of version 0.0")
    return Step(
        name=found.text("operation") or "",
        handler=found.pattern("operation", _HANDLER, "is the name of a handler", is_needed=True),
        args=tuple(found.texts("args")),
        path=_path(found),
        allow_stderr=found.whole("allowStdErr", 0, 1_000_000),
        includes_stdout=includes_stdout,
    )


def _step(found: Fields, default_name: str, includes_stdout: bool) -> Step:
    """Return a step, be it the object itself or stand it in one that holds only an action."""
    if found.has("action"):
        found.allow({"action"})
        found = found.below("action", None)
    found.allow(_STEP)
    kind = found.word("type", ("runCommand", "runHandler"), is_needed=True)
    given = found.below("input", None)
    argv: tuple[str, ...] = ()
    handler = path = None
    args: tuple[str, ...] = ()
    if kind == "runCommand":
        given.allow({"command"})
        argv = tuple(argv_of(text := given.text("command") or ""))
        if not found.is_filled and (misplaced := scripts.misplaced(text)) is not None:
            given.complain("command", misplaced.message, misplaced.example)
        if not argv:
            given.complain("command", "must say what is run", "df,-h")
    elif kind == "runHandler":
        given.allow({"handler", "args", "path"})
        handler = given.pattern("handler", _HANDLER, "must be the name of a handler", is_needed=True)
        args, path = tuple(given.texts("args")), _path(given)
    return Step(
        name=found.text("name", longest=255) or default_name,
        argv=argv,
        handler=handler,
        args=args,
        path=path,
        environment=environment.read(found),
        run_as_user=found.pattern("runAsUser", _USER, "must be the name of a user"),
        allow_stderr=found.whole("allowStdErr", 0, 1_000_000),
        ignores_failure=found.flag("ignoreStepFailure"),
        timeout_seconds=found.whole("timeoutSeconds", 1, MOST_SECONDS),
        includes_stdout=found.flag("includeStdOut", default=includes_stdout),
    )


def _path(found: Fields) -> str | None:
    if found.text("path") in {None, "", "default"}:
        return None
    return found.pattern("path", _PATH, "must be a directory, or default", example="/opt/handlers")


def _conditions(found: Fields) -> Iterator[Condition]:
    for place in range(len(found.listed("conditions"))):
        one = found.below("conditions", place)
        one.allow({"key", "value", "type"})
        one.word("type", ("stringEqual",))
        key = one.pattern("key", _KEY, "must be the name of an attribute or tag", is_needed=True)
        values = one.texts("value")
        if not values:
            one.complain("value", "must be a list of texts")
        yield Condition(key or "", tuple(values))


def _variables(found: Fields) -> Iterator[tuple[str, Variable]]:
    for name in found.names("variables"):
        one = found.below("variables", name)
        one.allow({"description", "defaultValue"})
        if NAME.fullmatch(f"{{{{{name}}}}}") is None:
            found.complain(f"variables.{name}", "must be capital letters and underscores", "SERVICE_NAME")
        default = one.text("defaultValue")
        yield name, Variable(one.text("description") or "", default if default and default.strip() else None)


def _schedule(found: Fields) -> Schedule | None:
    if not found.has("schedule"):
        return None
    one = found.below("schedule", None)
    one.allow({"type", "intervalMinutes", "cronExpression", "startTime", "endTime"})
    kind = one.word("type", ("interval", "cron"), is_needed=True)
    interval, cron = one.whole("intervalMinutes", 1, 527_040), one.text("cronExpression")
    if kind == "interval" and interval is None:
        one.complain("intervalMinutes", "is needed by an interval", "60")
    if kind == "cron" and not cron:
        one.complain("cronExpression", "is needed by a cron schedule", "0 2 * * *")
    return Schedule(kind or "", interval, cron, one.text("startTime"), one.text("endTime"))
