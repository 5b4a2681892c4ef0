"""``watchbell task enable``, ``disable``, ``delete`` and ``trigger``: what is done with one task or with many."""

from __future__ import annotations

import sys

import click

from watchbell.cli import parameters, task_orders
from watchbell.cli.complete import complete_task
from watchbell.cli.foresight import tell
from watchbell.cli.program import Program, pass_program
from watchbell.cli.results import follow_to_end, require_success
from watchbell.cli.screen import columns_of, examples, json_option, moment, note, one_line, print_json, say
from watchbell.cli.source import TaskRow
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.domain.schedule import ScheduleKind

COLUMNS = (
    "id", "name", "enabled", "command", "steps", "directory", "environment", "environment_sets", "parameters", "parameter_sets", "schedule", "schedule_words", "zone", "policies",
    "tags", "comment", "runbook", "links", "after", "join", "owner", "team", "host", "version", "next_due_at", "created_at", "created_by", "updated_at",
    "updated_by",
)  # fmt: skip
_NAMES = click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_task)


@click.command(
    short_help="Run a task on time again.",
    epilog=examples("watchbell task enable backup", "watchbell task enable --where tag=nightly"),
)
@_NAMES
@task_orders.many_options
@json_option
@pass_program
def enable(
    program: Program, *, names: tuple[str, ...], where: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Run a task on time again; moments that passed while it was disabled are not made up for."""
    if dry_run or task_orders.is_of_many(names, where):
        task_orders.order(program, "enable", names, where, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    set_enabled(program, names[0], as_json, enabled=True)


@click.command(
    short_help="Stop running a task on time.",
    epilog=examples("watchbell task disable backup", "watchbell task disable --where queue=db --dry-run"),
)
@_NAMES
@task_orders.many_options
@json_option
@pass_program
def disable(
    program: Program, *, names: tuple[str, ...], where: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Stop running a task on time; a run that goes on is not touched, and it can still be triggered."""
    if dry_run or task_orders.is_of_many(names, where):
        task_orders.order(program, "disable", names, where, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    set_enabled(program, names[0], as_json, enabled=False)


@click.command(
    short_help="Delete a task.",
    epilog=examples("watchbell task delete backup", "watchbell task delete --where tag=old --dry-run"),
)
@_NAMES
@task_orders.many_options
@json_option
@pass_program
def delete(
    program: Program, *, names: tuple[str, ...], where: tuple[str, ...], yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Delete a task; its past runs stay, and one that goes on ends by itself. For 30 days "task restore" brings it back.

    Several NAMEs, or --where, delete many, all of them or, if one refuses, none.
    """
    if task_orders.is_of_many(names, where):
        task_orders.order(program, "delete", names, where, yes=yes, dry_run=dry_run, as_json=as_json)
    elif dry_run:
        tell(program.source.foresee_deletion(program.source.find_task(names[0])), as_json=as_json, zone=program.zone)
    else:
        remove(program, names[0], as_json, is_certain=yes, option="--yes")


@click.command(
    short_help="Run a task now.",
    epilog=examples(
        "watchbell task trigger report --param day=2026-11-30",
        "watchbell task trigger deploy --wait --key deploy-2026-11-22",
        "watchbell task trigger --where tag=checks --yes",
    ),
)
@_NAMES
@task_orders.many_options
@click.option("--wait", is_flag=True, help="Wait for the end; the exit code is 0 only if the run succeeded.")
@click.option("--key", metavar="TEXT", help="The same key asked for again answers with the same run.")
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A value; give it again for more.")
@click.option("--value-set", "title", metavar="SET", help="The values of this set of the task, but for those given.")
@click.option("--revision", type=click.IntRange(1, 2**31 - 1), metavar="N", help="By this version of the task.")
@click.option("--asap", is_flag=True, help="Ahead of everything that waits, and only once: not for a disabled task.")
@json_option
@pass_program
def trigger(
    program: Program,
    *,
    names: tuple[str, ...],
    where: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    wait: bool,
    key: str | None,
    pairs: tuple[str, ...],
    title: str | None,
    revision: int | None,
    asap: bool,
    as_json: bool,
) -> None:
    """Ask for a run at once and print its id. A disabled task can be run by hand, too.

    Several NAMEs, or --where, run many, each with the defaults of its parameters.
    """
    if dry_run or task_orders.is_of_many(names, where):
        if wait or key is not None or pairs or title is not None or revision is not None or asap:
            raise click.UsageError("--wait, --key, --param, --value-set, --revision and --asap go with one task only.")
        task_orders.order(program, "run", names, where, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    if asap and key is not None:
        raise click.UsageError("Give one of --asap and --key: only one --asap run of a task can wait anyway.")
    if asap and (pairs or title is not None or revision is not None):
        raise click.UsageError("--asap goes with no values and no --revision: a run that waits already keeps its own.")
    source = program.source
    found = source.find_task(names[0])
    given = parameters.chosen_values(found.parameter_sets, title, pairs)
    run = source.trigger_task(found, key=key, asap=asap, given=given, version=revision)
    if not as_json:
        say(str(run.id))
        sys.stdout.flush()
    if RunState(run.state) in ACTIVE and not source.scheduler_status().is_alive:
        note("no scheduler is running, so the run waits; start one: watchbell scheduler start")
    if wait:
        run = follow_to_end(program, run)
    if as_json:
        print_json({"run_id": run.id, "state": run.state, "exit_code": run.exit_code, "reason": run.reason})
    if wait:
        require_success(run)


def remove(program: Program, name: str, as_json: bool, *, is_certain: bool, option: str) -> None:
    """Delete a task once whoever typed this is certain; the option is what says so where nobody can be asked."""
    found = program.source.find_task(name)
    if not is_certain:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Deleting task {found.name!r} needs {option} where nobody can be asked.")
        click.confirm(f"Delete task {one_line(found.name)!r}?", abort=True, err=True)
    deleted = program.source.delete_task(found)
    if as_json:
        print_json({"id": deleted.id, "name": deleted.name, "deleted_at": deleted.deleted_at})
    else:
        say(f"Deleted task {one_line(deleted.name)} (id {deleted.id}).")


def set_enabled(program: Program, name: str, as_json: bool, *, enabled: bool) -> None:
    """Enable or disable a task and say so."""
    changed = program.source.enable_task(program.source.find_task(name), enabled=enabled)
    report(program, changed, as_json, "Enabled" if enabled else "Disabled")


def report(program: Program, changed: TaskRow, as_json: bool, done: str) -> None:
    """Say what was done to a task and when it is due next."""
    if as_json:
        print_json(columns_of(changed, COLUMNS))
        return
    say(f"{done} task {one_line(changed.name)} (id {changed.id}): {one_line(changed.schedule_words)}.")
    if missing := program.source.missing_interpreter(changed):
        note(f"{one_line(missing)} was not found on this machine; until it is there, runs will fail.")
    if changed.enabled and changed.next_due_at is not None:
        say(f"Next at {moment(changed.next_due_at, program.zone)}, {program.zone.key}.")
    elif not changed.enabled:
        say("It is disabled and runs only when it is triggered.")
    elif changed.schedule["kind"] != ScheduleKind.MANUAL:
        say("It is never due again.")
