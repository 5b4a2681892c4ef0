"""The options that say what a task is, shared by all commands that take them, and their way into fields."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from watchbell.cli import parameters
from watchbell.cli.program import not_empty
from watchbell.domain.policies import Backoff, CatchUp, OutputExcess, Overlap, OwnMetrics, Uncertain
from watchbell.domain.schedule import EVERY_WORDS, CalendarRule, DSTRule
from watchbell.domain.schedule.interval import UNITS, read_span
from watchbell.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

#: Fields whose option has another name.
_OPTION_OF = {
    "name": "NAME",
    "environment": "--env",
    "environment_sets": "--env-set",
    "variables": "--env",
    "tags": "--tag",
    "gates": "--gate",
    "steps": "--step",
    "parameters": "--parameter",
    "runbook": "--runbook",
    "links": "--link",
    "after": "--after",
    "join": "--join",
    "parameter_sets": "--value-set",
    "enabled": "--disabled",
    "every_word": "--word",
    "unit": "--every",
    "anchor_at": "--anchor",
    "catch_up_window_seconds": "--catch-up-window",
    "latest_start_seconds": "--latest-start",
    "time_limit_seconds": "--time-limit",
    "grace_seconds": "--grace",
    "output_limit_mib": "--output-limit",
    "spread_seconds": "--spread",
    "retry_delay_seconds": "--retry-delay",
    "retry_max_delay_seconds": "--retry-max-delay",
    "retry_total_seconds": "--retry-total",
    "memory_limit_mib": "--memory-limit",
    "schedule": "schedule",
    "expression": "--when",
    "throttle_seconds": "--throttle",
    "task_id": "--task",
    "ids": "ID",
    "filter": "--where",
    "set": "--set",
    "add_tags": "--add-tag",
    "remove_tags": "--remove-tag",
    "parameter_defaults": "--param-default",
    "line_values": "--line-value",
}
_FIELDS = ("command", "directory", "cron", "every", "at", "at_time", "zone", "dst", "from", "calendar", "calendar_rule",
           "not_before", "not_after", "starts", "ends", "from_time", "to_time", "weekdays", "country", "region", "years",
           "ical", "comment", "owner", "team",
           "host", "overlap", "overlap_limit", "catch_up", "catch_up_limit", "uncertain", "retries", "retry_backoff",
           "retry_multiplier", "retry_on", "retry_not_on", "output_excess", "process_limit", "niceness", "as_user", "interpreter", "queue",
           "priority", "keep_days", "keep_runs", "own_metrics", "until", "max_running", "reason",
           "key", "role", "scope", "expires", "sort", "stream", "state")  # fmt: skip
_OPTION_OF |= {name: f"--{name.replace('_', '-')}" for name in _FIELDS}
#: Option parameters that become fields as they are.
_SAME = ("command", "directory", "zone", "dst", "calendar_rule", "comment", "owner", "team", "host", "overlap", "overlap_limit", "catch_up",
         "catch_up_limit", "uncertain", "every", "at_time", "retries", "retry_backoff", "retry_multiplier", "retry_on",
         "retry_not_on", "output_excess", "process_limit", "niceness", "as_user", "interpreter", "queue", "priority", "keep_days",
         "keep_runs", "own_metrics")  # fmt: skip
_EMPTIED = ("calendar", "not_before", "not_after")
_RENAMED = {
    "word": "every_word",
    "anchor": "anchor_at",
    "output_limit": "output_limit_mib",
    "memory_limit": "memory_limit_mib",
}
_SECONDS = {
    "catch_up_window": "catch_up_window_seconds",
    "latest_start": "latest_start_seconds",
    "time_limit": "time_limit_seconds",
    "grace": "grace_seconds",
    "spread": "spread_seconds",
    "retry_delay": "retry_delay_seconds",
    "retry_max_delay": "retry_max_delay_seconds",
    "retry_total": "retry_total_seconds",
}
#: One of these must be there for a new task.
WHEN = ("cron", "every", "at", "word", "manual", "after")


def option_of(field: str) -> str:
    """Return what a person typed for a field; a name that is not ours stays as it is."""
    if field.startswith("parameters."):
        return f"--param {field.removeprefix('parameters.')}"
    # A server tells so what is wrong with what many tasks are given.
    field = field.removeprefix("set.")
    return _OPTION_OF.get(field, field)


def schedule_options(*, with_cron: bool = True) -> Callable[[F], F]:
    """Return a decorator that adds the options which say when."""
    cron = click.option(
        "--cron", multiple=True, metavar="TEXT",
        help="Cron text of five fields or @daily and the like, as '30 2 * * *'; give it again for further moments.",
    )  # fmt: skip
    rest = (
        click.option("--every", metavar="SPAN", help="Interval, as 2s, 5m, 1h or 2d."),
        click.option("--at", multiple=True, metavar="MOMENT", help="Once at this moment, as '2030-01-31 09:30'."),
        click.option("--word", type=click.Choice(list(EVERY_WORDS)), metavar="WORD",
                     help=f"Word for the days or the unit: {', '.join(EVERY_WORDS)}."),
        click.option("--at-time", metavar="TEXT", help="Time of day, or count, that goes with --word, as 02:30."),
        click.option("--zone", metavar="ZONE", callback=not_empty,
                     help="Time zone, as Europe/Berlin. Default: the server's."),
        click.option("--dst", type=click.Choice([rule.value for rule in DSTRule]), metavar="RULE",
                     help=f"What a clock change does to a fixed time: {', '.join(DSTRule)}. Default: cron_like."),
        click.option("--calendar", metavar="NAME", help="Calendar of days that count apart; '' for none."),
        click.option("--calendar-rule", type=click.Choice([rule.value for rule in CalendarRule]), metavar="RULE",
                     help=f"What becomes of moments on its days: {', '.join(CalendarRule)}. Default: leave_out."),
        click.option("--not-before", metavar="DAY", help="First day, as 2030-01-01; '' for none."),
        click.option("--not-after", metavar="DAY", help="Last day, as 2030-12-31; '' for none."),
    )  # fmt: skip
    return _all([cron, *rest] if with_cron else rest)


def task_options() -> Callable[[F], F]:
    """Return a decorator that adds all options of a task but its name and command."""
    return _all(
        [
            schedule_options(),
            step_options(),
            click.option("--manual", is_flag=True, help="No schedule: run only when somebody asks."),
            click.option("--anchor", metavar="MOMENT", help="First moment of an interval. Default: now."),
            click.option("--directory", metavar="DIR", help="Working directory."),
            click.option("--env", multiple=True, metavar="K=V", help="Environment variable; give it again for more."),
            click.option(
                "--env-set",
                multiple=True,
                metavar="NAME",
                help="Environment set that it takes over; give it again for more, the last one counts; '' for none.",
            ),
            *parameters.OPTIONS,
            *parameters.AFTER_OPTIONS,
            *parameters.BOOK_OPTIONS,
            click.option("--tag", multiple=True, metavar="TAG", help="Tag; give it again for more."),
            click.option("--comment", metavar="TEXT", help="What people should know about it."),
            click.option("--owner", metavar="NAME", help="Whose task it is. Default: you."),
            click.option("--team", metavar="NAME", help="Team that it belongs to as well; '' for none."),
            click.option("--host", metavar="NAME", help="Machine that runs it. Default: this one."),
            policy_options(),
        ]
    )


def step_options() -> Callable[[F], F]:
    """Return a decorator that adds the options which say what is run one after the other, in place of a command."""
    return _all(
        [
            click.option("--step", multiple=True, metavar="NAME=CMD",
                         help="A step, in place of --command; give it again for the ones after it."),
            click.option("--step-limit", metavar="SPAN", help="Each --step that takes longer is ended."),
            click.option("--go-on", is_flag=True, help="Run the steps after one that failed as well."),
            click.option("--steps", "steps_file", metavar="FILE",
                         help="Steps as JSON from a file, or - for standard input: a list of objects with name, "
                         "command, timeout_seconds and continue_on_failure."),
        ]
    )  # fmt: skip


def policy_options() -> Callable[[F], F]:
    """Return a decorator that adds the options of a task's policies; an empty text gives an optional one up."""
    return _all(
        [
            _choice("--overlap", Overlap, "When it is due while an earlier run goes on"),
            click.option("--overlap-limit", metavar="N", help="With queue_all: so many may wait at a time."),
            _choice("--catch-up", CatchUp, "What becomes of moments missed while no scheduler worked"),
            click.option("--catch-up-limit", metavar="N", help="Most missed moments that are run later."),
            click.option("--catch-up-window", metavar="SPAN", help="How long ago a missed moment may be."),
            _choice("--uncertain", Uncertain, "When nobody can know whether a run finished"),
            click.option("--latest-start", metavar="SPAN", help="A run that starts later than this is missed."),
            click.option("--retries", metavar="N", help="Further attempts after one that failed."),
            _choice("--retry-backoff", Backoff, "How the delay grows from one retry to the next"),
            click.option("--retry-delay", metavar="SPAN", help="Delay before the first retry."),
            click.option("--retry-max-delay", metavar="SPAN", help="Longest delay before a retry."),
            click.option("--retry-multiplier", metavar="X", help="Factor of the exponential delays, from 1 to 10."),
            click.option("--retry-total", metavar="SPAN", help="No retry begins later than this after the first start."),
            click.option("--retry-on", metavar="RESULTS",
                         help="Retry only on these: exit codes, ranges, signal, timeout, as '1, 75-79, timeout'."),
            click.option("--retry-not-on", metavar="RESULTS", help="Never retry on these."),
            click.option("--time-limit", metavar="SPAN", help="A run that takes longer is ended."),
            click.option("--grace", metavar="SPAN", help="Time between TERM and KILL when a run is ended."),
            click.option("--output-limit", metavar="MIB", help="Output kept per stream, in MiB."),
            _choice("--output-excess", OutputExcess, "When it writes more: give up the middle, or end the run"),
            click.option("--memory-limit", metavar="MIB", help="Memory that a run may use, in MiB."),
            click.option("--process-limit", metavar="N", help="Processes that a run may have."),
            click.option("--niceness", metavar="N", help="From -20 to 19: the higher, the more it gives way to others."),
            click.option("--as-user", metavar="USER", help="User of the system as whom it runs, of those that WATCHBELL_RUN_AS names; '' for the first."),
            click.option("--interpreter", metavar="WORDS", help="Program that is given the command, or each step, as a script, as '/bin/bash -e' or "
                         "python3; none for no shell ever; '' for a shell where one is needed."),
            click.option("--queue", metavar="NAME", callback=not_empty, help="Queue in which its runs wait."),
            click.option("--priority", metavar="N", help="From -100 to 100: of what waits, the higher starts first."),
            click.option("--spread", metavar="SPAN", help="Start up to so much later, always the same for a task."),
            click.option("--keep-days", metavar="N", help="Delete its runs after so many days."),
            click.option("--keep-runs", metavar="N", help="Keep only the newest so many of its runs."),
            _choice("--own-metrics", OwnMetrics, "Lines such as '::watchbell metric=rows value=120' in its output"),
            click.option("--gate", multiple=True, metavar="TEXT",
                         help="What must hold of a run, or it has failed, as 'fast: execution_time_seconds < 60' or "
                         "cpu_max:80 for at most 80; give it again for more. '' takes all away."),
        ]
    )  # fmt: skip


def _choice(name: str, kind: Iterable[str], text: str) -> Callable[[F], F]:
    # Plain texts: click would offer the names of an enumeration's members, not their values.
    words = [str(word) for word in kind]
    return click.option(name, type=click.Choice(words), metavar="WORD", help=f"{text}: {', '.join(words)}.")


def _all(decorators: Iterable[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for decorator in reversed(list(decorators)):
            function = decorator(function)
        return function

    return decorate


def fields_of(options: Mapping[str, Any], *, environment: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return the fields that were given as options; ``environment`` is what --env adds to."""
    given = {name: value for name, value in options.items() if value not in (None, (), False)}
    fields: dict[str, object] = {name: given[name] for name in _SAME if name in given}
    fields |= {field: given[name] for name, field in _RENAMED.items() if name in given}
    fields |= {field: seconds_of(given[name]) for name, field in _SECONDS.items() if name in given}
    fields |= {name: list(given[name]) for name in ("cron", "at") if name in given}
    # An empty text takes these away.
    fields |= {name: options[name] for name in _EMPTIED if options.get(name) is not None}
    if "manual" in given:
        fields["kind"] = "manual"
    steps = _steps(given)
    if steps is not None:
        fields["steps"] = steps
    fields |= parameters.fields_of(given)
    if "gate" in given:
        fields["gates"] = "\n".join(given["gate"])
    if "tag" in given:
        fields["tags"] = list(given["tag"])
    if "env_set" in given:
        fields["environment_sets"] = [name for name in given["env_set"] if name]
    if "env" in given:
        fields["environment"] = {**(environment or {}), **dict(map(_variable, given["env"]))}
    return fields


def given_fields(options: dict[str, Any], **more: Any) -> dict[str, object]:
    """Return what ``fields_of`` does, with a directory as whoever typed it sees it."""
    fields = fields_of(options, **more)
    if options["directory"]:
        fields["directory"] = absolute(options["directory"])
    return fields


def absolute(directory: str) -> str:
    """Return the directory that a person at a shell means: as they see it from where they are."""
    return str(Path(directory).expanduser().absolute())


def _steps(given: Mapping[str, Any]) -> object:
    """Return the steps that were given, None if none were."""
    if "steps_file" in given:
        if {"step", "step_limit", "go_on"} & set(given):
            raise InputError.of("steps", "say all of them in the file, or all by --step", "--steps steps.json")
        return _read_steps(given["steps_file"])
    if "step" not in given:
        if {"step_limit", "go_on"} & set(given):
            raise InputError.of("steps", "--step-limit and --go-on go with --step", "--step 'import=python import.py'")
        return None
    limit = seconds_of(given["step_limit"]) if "step_limit" in given else None
    return [_step(text, limit, "go_on" in given) for text in given["step"]]


def _step(text: str, limit: str | None, go_on: bool) -> dict[str, object]:
    name, equals, command = text.partition("=")
    if not equals:
        name, command = "", text
    return {"name": name, "command": command, "timeout_seconds": limit, "continue_on_failure": go_on}


def _read_steps(file: str) -> object:
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            return json.loads(opened.read())
    except OSError as error:
        raise InputError.of("steps", f"{file[:200]!r} cannot be read: {error.strerror}", "steps.json") from None
    except ValueError as error:
        example = '[{"name": "import", "command": "python import.py"}]'
        raise InputError.of("steps", f"{file[:200]!r} holds no JSON: {error}", example) from None


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError.of("environment", f"{text[:40]!r} has no '='", "LANG=C.UTF-8")
    return name, value


def span_of(text: str) -> timedelta | None:
    """Return a length of time such as 2h, or None for what is none; raises OverflowError beyond what can be counted."""
    try:
        count, unit = read_span(text)
    except InputError:
        # It may be a moment, whose own check has the better message.
        return None
    return timedelta(seconds=count * UNITS[unit])


def seconds_of(text: str) -> str:
    """Return a span such as 5m in seconds; what is no span stays, and is refused with the name of its field."""
    if not text.strip().isdecimal():
        with contextlib.suppress(InputError):  # The check of the field has the better message.
            count, unit = read_span(text)
            return str(count * UNITS[unit])
    return text
