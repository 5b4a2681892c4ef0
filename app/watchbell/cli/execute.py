"""``watchbell exec``: run a command at once, here, with retries and metrics, and look at its earlier runs."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchbell import clock, errors
from watchbell.cli import reports
from watchbell.cli.execute_options import exec_options
from watchbell.cli.program import Program, pass_program
from watchbell.cli.runner_words import RunnerCommand
from watchbell.cli.screen import examples, note, one_line, pairs, print_json, say, table
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services.command_lines import Line, read_line

if TYPE_CHECKING:
    from watchbell.scheduler.foreground import Ended
    from watchbell.store.samples import Measured
    from watchbell.store.session import Database

#: As timeout(1) has it.
EXIT_TIMED_OUT = 124
_SIGNAL_BASE = 128
#: Of so many runs at the most anything is told.
_MOST_RUNS = 10_000
_SEEN = {
    "history",
    "analyze",
    "analyze_trend",
    "detect_regression",
    "detect_anomalies",
    "calculate_baseline",
    "db_stats",
}


@click.command(
    "exec",
    cls=RunnerCommand,
    short_help="Run a command now, here, and record it as a run.",
    epilog=examples(
        "watchbell exec report.py --month 11",
        "watchbell exec --retry 3 --strategy fibonacci --timeout 10m report.py",
        "watchbell exec --junit result.xml --name nightly-tests make check",
        "watchbell exec --history report.py",
        "watchbell exec --analyze --metric memory_max_mb report.py",
    ),
)
@exec_options
@click.argument("words", nargs=-1, metavar="COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
@pass_program
def execute(program: Program, /, *, words: tuple[str, ...], **given: Any) -> int:
    """Run a command at once in the foreground, pass its output on, and record it as a run with all metrics.

    No scheduler is needed. What ends in .py is run by Python in its own folder, anything else as it stands in this one. The
    exit code is that of the command: 124 if it took too long, 128 and the signal if one ended it.

    With --history, --analyze or --db-stats nothing is run: they tell of earlier runs.
    """
    line = _read_line(program, words, given) if words or not given["db_stats"] else None
    if any(given[name] for name in _SEEN):
        _look(program, line, given)
        return errors.EXIT_OK
    assert line is not None
    if given["dry_run"]:
        pairs({"Task": line.name, "Command": line.command, "Directory": line.directory})
        return errors.EXIT_OK
    if line.file and not Path(line.file).is_file():
        raise InputError.of("command", f"there is no file {line.file[:300]}", "report.py")
    for option in ("junit", "tap"):
        if given[option]:
            reports.require_writable(given[option], option)
    return _run(program, line, given)


def _read_line(program: Program, words: Sequence[str], given: dict[str, Any]) -> Line:
    line = read_line(words, here=str(Path.cwd()), directory=given["directory"], python=program.config.python)
    return dataclasses.replace(line, name=given["name"]) if given["name"] else line


def _run(program: Program, line: Line, given: dict[str, Any]) -> int:
    from watchbell.control import calls
    from watchbell.scheduler.foreground import Foreground
    from watchbell.scheduler.passing import Both
    from watchbell.services import audit
    from watchbell.store.secret_box import SecretBox
    from watchbell.store.session import Database

    config = program.config
    # On another connection the schema is made, or upgraded.
    program.require_schema()
    audit.come_from(audit.Origin("shell"))
    db = Database.open(config.database_url, single_connection=True, busy_timeout_seconds=1.0, box=SecretBox.of(config))
    # With --json standard output is for that.
    output = Both(2 if given["as_json"] else 1, 2)
    try:
        calls.sweep(config)
        with calls.hold(config) as call:
            runner = Foreground(db, config, call, actor=program.actor, output=output, tell=note)
            ended = runner.run(_fields(line, given), program.defaults)
        _tell(db, program, ended, given, dropped=output.dropped)
    finally:
        db.close()
    return _exit_code(ended)


def _fields(line: Line, given: dict[str, Any]) -> dict[str, object]:
    """Return what is asked for as fields of a task; what is not asked for is as it is by default, and not as last time."""
    environment = [text.partition("=") for text in given["env"]]
    if any(not equals for _name, equals, _value in environment):
        raise InputError.of("environment", "must be NAME=VALUE", "LANG=C.UTF-8")
    seconds = {
        "time_limit_seconds": given["timeout"],
        "retry_delay_seconds": given["retry_delay"],
        "retry_max_delay_seconds": given["retry_max_delay"],
        "retry_total_seconds": given["retry_total"],
    }
    return {
        "name": line.name,
        "command": line.command,
        "directory": line.directory,
        "environment": {name: value for name, _equals, value in environment},
        "retries": str(given["retry"]),
        "retry_backoff": given["strategy"],
        "retry_multiplier": str(given["retry_multiplier"]),
        "retry_on": given["retry_on"],
        "retry_not_on": given["retry_not_on"],
        "gates": "\n".join(given["gate"]),
        "own_metrics": "read" if given["own_metrics"] else "ignore",
        **{name: "" if value is None else str(int(value)) for name, value in seconds.items()},
    }


def _exit_code(ended: Ended) -> int:
    """Return the exit code of the command, or what a shell makes of its end."""
    state, code = RunState(ended.run.state), ended.run.exit_code
    if state is RunState.SUCCEEDED:
        return errors.EXIT_OK
    if state is RunState.TIMED_OUT:
        return EXIT_TIMED_OUT
    if state is RunState.CANCELLED:
        return errors.EXIT_RUN_CANCELLED if ended.asked is None else _SIGNAL_BASE + ended.asked
    if state is RunState.LOST:
        return errors.EXIT_RUN_LOST
    # Its exit code may be 0, as when it wrote more than it may.
    return code or (errors.EXIT_FAILURE if ended.signal is None else _SIGNAL_BASE + ended.signal)


def _tell(db: Database, program: Program, ended: Ended, given: dict[str, Any], *, dropped: int) -> None:
    """Say what became of a run: in reports, as JSON, and to people if it did not go well."""
    run = ended.run
    if dropped:
        note(f"{dropped} bytes of its output were given up before they could be passed on")
    told = _told(db, program, ended)
    for option, make in (("junit", reports.junit), ("tap", reports.tap)):
        if given[option]:
            reports.write(given[option], make(told), option)
    if given["as_json"]:
        print_json({
            "run_id": run.id, "task": run.task_name, "state": run.state, "reason": run.reason, "exit_code": run.exit_code,
            "attempts": run.attempts, "started_at": run.started_at, "ended_at": run.ended_at, "metrics": told.metrics,
        })  # fmt: skip
    if run.state != RunState.SUCCEEDED:
        note(f"run {run.id} {run.state}: {one_line(run.reason)}")


def _told(db: Database, program: Program, ended: Ended) -> reports.Told:
    from watchbell.domain.samples import values_of
    from watchbell.services import metrics
    from watchbell.services.streams import Stream

    run = ended.run
    measured = metrics.find_run(db, run.id)
    found = values_of(measured.recorded) if measured is not None else {}
    tails = []
    for name in ("stdout", "stderr"):
        piece = Stream(db, program.config.output_path, run.id, name).read(-reports.TAIL_BYTES, reports.TAIL_BYTES)
        tails.append(piece.slice.data.decode("utf-8", "replace"))
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else 0.0
    return reports.Told(
        name=run.task_name,
        run_id=run.id,
        state=RunState(run.state),
        reason=run.reason,
        exit_code=run.exit_code,
        started_at=run.started_at,
        seconds=took,
        metrics=found,
        stdout=tails[0],
        stderr=tails[1],
    )


def _look(program: Program, line: Line | None, given: dict[str, Any]) -> None:
    """Tell of earlier runs what is asked for."""
    if given["db_stats"]:
        _tell_database(program, as_json=given["as_json"])
        return
    assert line is not None
    found = _earlier(program, line, given["days"])
    shown = f"{shlex.quote(one_line(line.name))}: {len(found)} runs in {given['days']} days"
    if not found:
        raise NotFound(f"there are no runs of {line.name!r} in the last {given['days']} days")
    if given["history"]:
        _list(program, found[: given["history_limit"]], as_json=given["as_json"])
    if any(given[name] for name in _SEEN - {"history", "db_stats"}):
        _analyse(program, found, given, shown)


def _earlier(program: Program, line: Line, days: int) -> list[Measured]:
    """Return the runs of a script, by its task's name and by its path, the newest first."""
    from watchbell.services import metrics, scripts

    db = program.existing_db
    ids = sorted({*scripts.task_ids(db, line.name), *scripts.task_ids(db, line.file or line.name)})
    since = clock.now() - timedelta(days=days)
    return metrics.list_runs(db, task_ids=ids, since=since, limit=_MOST_RUNS) if ids else []


def _list(program: Program, found: Sequence[Measured], *, as_json: bool) -> None:
    from watchbell.cli.run_analysis import HEADS, history_json, history_row

    if as_json:
        print_json([history_json(run) for run in found])
        return
    table(HEADS, [history_row(run, program.zone) for run in found], right=(0, 3, 4, 5, 6, 7), flexible=2)


def _analyse(program: Program, found: Sequence[Measured], given: dict[str, Any], shown: str) -> None:
    from watchbell.cli.run_analysis import PARTS, USUAL, Wanted, describe, to_json
    from watchbell.domain.analysis import anomaly, baseline
    from watchbell.services import metrics

    asked = (given["analyze_trend"], given["detect_regression"], given["detect_anomalies"], given["calculate_baseline"])
    parts = tuple(part for part, is_asked in zip(PARTS, asked, strict=True) if is_asked)
    wanted = Wanted(
        parts=PARTS if given["analyze"] else parts,
        regression_percent=given["regression_threshold"],
        method=anomaly.Method(given["anomaly_method"]),
        base=baseline.Method(given["baseline_method"]),
        percent=given["baseline_percentile"],
        recent_since=clock.now() - timedelta(days=given["baseline_recent_days"]),
    )
    chosen = given["metric"] or USUAL
    values = {metric: metrics.values(found, metric) for metric in chosen}
    if given["as_json"]:
        print_json([to_json(metric, pairs_of, wanted) for metric, pairs_of in values.items()])
        return
    say(shown)
    for metric, pairs_of in values.items():
        say()
        for text in describe(metric, pairs_of, wanted, program.zone):
            say(text)


def _tell_database(program: Program, *, as_json: bool) -> None:
    from watchbell.services import metrics

    found = metrics.overview(program.existing_db, metrics.Totals(), clock.now())
    told = {
        "executions": found.counted.executions,
        "successful": found.counted.successful,
        "scripts": found.counted.tasks,
        "metrics": found.metrics,
        "seconds": round(found.counted.seconds, 2),
        "database_file": found.database_file,
        "database_mb": round(found.database_bytes / 2**20, 2),
    }
    if as_json:
        print_json(told)
        return
    pairs({name.replace("_", " ").capitalize(): value for name, value in told.items()})
    sys.stdout.flush()
