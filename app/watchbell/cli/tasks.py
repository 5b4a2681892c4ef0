"""``watchbell task``: make, look at, change and run tasks."""

from __future__ import annotations

from typing import Any

import click

from watchbell import clock
from watchbell.cli import parameters, task_acts, task_edits, task_past, task_tags, task_templates, task_undo
from watchbell.cli.complete import complete_task
from watchbell.cli.foresight import dry_run_option, tell
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import (
    columns_of,
    examples,
    json_option,
    moment,
    pairs,
    print_json,
    say,
    table,
)
from watchbell.cli.source import PauseRow, RunRow, TaskRow
from watchbell.cli.steps import steps_told
from watchbell.cli.task_acts import COLUMNS, report
from watchbell.cli.task_options import WHEN, given_fields, task_options
from watchbell.domain import steps as task_steps
from watchbell.domain.schedule import from_json, line_values
from watchbell.domain.schedule.around import touched_soon
from watchbell.domain.scopes import describe_pause, task_scope
from watchbell.errors import InputError, Problem

_NAME = click.argument("name", metavar="NAME", shell_complete=complete_task)


@click.group(short_help="Make, list, change, delete and run tasks.")
def task() -> None:
    """Make, list, change, delete and run tasks. NAME may also be a task's id."""


@task.command(
    short_help="Make a task.",
    epilog=examples(
        "watchbell task add tick --command 'date >> /tmp/tick' --every 2s",
        "watchbell task add report --command 'make report' --directory /srv/report --cron '0 6 * * mon-fri' --zone Europe/Berlin --env LANG=C.UTF-8 --tag daily",
        "watchbell task add new-year --command 'echo cheers' --at '2030-01-01 00:00'",
        "watchbell task add backup-db --template backup --env DATABASE=orders",
        "watchbell task add nightly --step 'fetch=./fetch.sh' --step 'load=./load.sh' --step-limit 10m --cron '0 3 * * *'",
    ),
)
@_NAME
@click.option("--command", metavar="CMD", help="What to run, as a shell understands it.")
@task_options()
@click.option("--template", metavar="TEMPLATE", help="Begin from what a template says; see task template.")
@click.option("--disabled", is_flag=True, help="Make it, but do not run it on time yet.")
@click.option("--asap", is_flag=True, help="Also run it once as soon as possible: ahead of everything that waits.")
@dry_run_option
@json_option
@pass_program
def add(program: Program, /, *, name: str, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Make a task that runs a command on time."""
    if options["asap"] and options["disabled"]:
        raise click.UsageError("Give one of --asap and --disabled: a disabled task does not start by itself.")
    template = program.source.find_template(options["template"]) if options["template"] is not None else None
    kept = template["definition"].get("environment") if template is not None else None
    fields = {"name": name, **given_fields(options, environment=kept)}
    if options["disabled"]:
        fields["enabled"] = False
    if template is not None:
        if dry_run:
            raise click.UsageError("--dry-run goes with no --template.")
        _added(program, program.source.add_of_template(template, fields), options, as_json)
        return
    fields = _with_schedule(program, fields, options)
    if dry_run:
        tell(program.source.foresee_task(None, fields), as_json=as_json, zone=program.zone)
        return
    _added(program, program.source.add_task(fields), options, as_json)


def _added(program: Program, made: TaskRow, options: dict[str, Any], as_json: bool) -> None:
    if options["asap"]:
        program.source.trigger_task(made, key=None, asap=True)
    report(program, made, as_json, "Added")


@task.command(
    "list",
    short_help="List tasks.",
    epilog=examples("watchbell task list", "watchbell task list --enabled --tag daily --json"),
)
@click.option("--search", default="", metavar="WORDS", help="Only tasks that hold all these words.")
@click.option("--enabled/--disabled", default=None, help="Only tasks that are, or are not, run on time.")
@click.option("--owner", metavar="NAME", help="Only this owner's tasks.")
@click.option("--team", metavar="NAME", help="Only this team's tasks.")
@click.option(
    "--tag", metavar="TAG", help="Only tasks with this tag, or one that lies in it: billing/nightly lies in billing."
)
@click.option("--deleted", is_flag=True, help="Those that were deleted and can be restored, and until when.")
@json_option
@pass_program
def list_tasks(
    program: Program,
    *,
    search: str,
    enabled: bool | None,
    owner: str | None,
    team: str | None,
    tag: str | None,
    deleted: bool,
    as_json: bool,
) -> None:
    """List tasks by name, with their next moment and their last result."""
    if deleted:
        if search or enabled is not None or owner or team or tag:
            raise click.UsageError("--deleted goes with no other choice.")
        task_past.list_deleted(program, as_json=as_json)
        return
    page = program.source.list_tasks(search=search, enabled=enabled, owner=owner, team=team, tag=tag)
    if as_json:
        print_json([{**columns_of(one, COLUMNS), "last_run": _last(page.newest.get(one.id))} for one in page.tasks])
        return
    if not page.tasks:
        say("No task fits." if page.total else "There is no task yet. Make one: watchbell task add --help")
        return
    rows = []
    for found in page.tasks:
        newest = page.newest.get(found.id)
        due = moment(found.next_due_at, program.zone) if found.enabled else "disabled"
        state, tags = newest.state if newest else "-", ", ".join(found.tags)
        rows.append((found.id, found.name, found.schedule_words, due, state, tags))
    table(("ID", "NAME", "SCHEDULE", f"NEXT ({program.zone.key})", "LAST", "TAGS"), rows, flexible=2, right=(0,))


@task.command(short_help="Show a task.", epilog=examples("watchbell task show backup"))
@_NAME
@json_option
@pass_program
def show(program: Program, *, name: str, as_json: bool) -> None:
    """Show what a task runs, when, under which policies, and its next moments."""
    found = program.source.find_task(name)
    upcoming = program.source.list_moments(found, 5)
    paused = program.source.find_pause(task_scope(found.id))
    if as_json:
        print_json({**columns_of(found, COLUMNS), "upcoming": upcoming})
        return
    pairs(
        {
            "Task": f"{found.name} (id {found.id}, version {found.version})",
            "Command": found.command or None,
            "Interpreter": found.policies.get("interpreter"),
            **steps_told(task_steps.from_json(found.steps)),
            "Schedule": found.schedule_words,
            "After": parameters.after_told(found.after, found.join),
            "Zone": found.zone,
            "Clock change": _clock_change(found, program),
            "Enabled": "yes" if found.enabled else "no",
            "Paused": _pause_words(paused) if paused else None,
            "Directory": found.directory,
            "Parameters": parameters.told(found.parameters),
            "Value sets": ", ".join(found.parameter_sets),
            "Line values": line_values.as_text(from_json(found.schedule)).replace("\n", "; "),
            "Environment": " ".join(f"{key}={value}" for key, value in found.environment.items()),
            "Environment sets": ", ".join(found.environment_sets),
            "Tags": ", ".join(found.tags),
            "Comment": found.comment,
            "Runbook": found.runbook,
            "Links": ", ".join(f"{link['title']} <{link['url']}>" for link in found.links),
            "Owner": f"{found.owner}@{found.host}",
            "Team": found.team or None,
            "Policies": ", ".join(f"{key}={value}" for key, value in found.policies.items() if value is not None),
            "Changed": f"{moment(found.updated_at, program.zone)} by {found.updated_by}",
            f"Next ({program.zone.key})": ", ".join(moment(one, program.zone) for one in upcoming),
        }
    )


def _clock_change(found: TaskRow, program: Program) -> str | None:
    """Return when a near change of the clock does something to a task, as the list of tasks on the page marks it."""
    near = touched_soon(from_json(found.schedule), clock.now()) if found.enabled else None
    return moment(near.change.at, program.zone) if near is not None else None


@task.command(
    short_help="Change a task, or many.",
    epilog=examples(
        "watchbell task edit tick --every 5s",
        "watchbell task edit report --zone UTC --env LANG=C",
        "watchbell task edit --where tag=nightly --time-limit 2h --add-tag reviewed --dry-run",
        "watchbell task edit backup report --set priority=5 --yes",
    ),
)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_task)
@click.option("--name", "new_name", metavar="NEW", help="New name.")
@click.option("--command", metavar="CMD", help="What to run, as a shell understands it.")
@task_options()
@click.option("--unset-env", multiple=True, metavar="K", help="Take an environment variable away.")
@click.option("--no-tags", is_flag=True, help="Take all tags away.")
@click.option("--no-parameters", is_flag=True, help="Take all parameters and sets of values away.")
@task_edits.many_options
@dry_run_option
@json_option
@pass_program
def edit(program: Program, /, *, names: tuple[str, ...], as_json: bool, dry_run: bool, **options: Any) -> None:
    """Change a task; what is not given stays as it is. --tag replaces all tags, --env adds to the environment.

    Runs that have started keep the version that they started with. A new schedule counts from now on.

    Several NAMEs, or --where, give many tasks the same: what would change is told and asked about first, then all of them
    are changed or, if one refuses or somebody has changed one meanwhile, none.
    """
    if task_edits.is_of_many(names, options):
        fields = task_edits.changed_fields(options, {})
        task_edits.edit_many(program, names, fields, options, as_json=as_json, dry_run=dry_run)
        return
    before = program.source.find_task(names[0])
    fields = task_edits.changed_fields(options, before.environment)
    if not fields:
        raise click.UsageError("Nothing to change was given.")
    if dry_run:
        tell(program.source.foresee_task(before, fields), as_json=as_json, zone=program.zone)
        return
    report(program, program.source.change_task(before, fields), as_json, "Changed")


for command in (task_acts.enable, task_acts.disable, task_acts.delete, task_acts.trigger):
    task.add_command(command)
task.add_command(task_past.revisions)
task.add_command(task_tags.tags)
task.add_command(task_undo.undo)
task.add_command(task_templates.template)


@task.command(
    short_help="Bring back a deleted task, or a version of a task.",
    epilog=examples(
        "watchbell task restore backup",
        "watchbell task restore backup --name backup-2",
        "watchbell task restore backup 3",
    ),
)
@_NAME
@click.argument("version", type=click.IntRange(1, 2**31 - 1), metavar="[VERSION]", required=False)
@click.option("--name", "new_name", metavar="NEW", help="Bring it back under another name.")
@json_option
@pass_program
def restore(program: Program, *, name: str, version: int | None, new_name: str | None, as_json: bool) -> None:
    """Bring back a task that was deleted within 30 days, by its name or id; "task list --deleted" lists them.

    With VERSION let a task say again what it said in a version, as a new one; it stays enabled or not.
    """
    if version is None:
        back = task_past.restore(program, name, new_name or "")
    elif new_name is not None:
        raise click.UsageError("--name goes with no VERSION; task edit --name renames a task.")
    else:
        back = program.source.restore_revision(program.source.find_task(name), version)
    report(program, back, as_json, "Restored")


def _with_schedule(program: Program, fields: dict[str, object], options: dict[str, Any]) -> dict[str, object]:
    """Return the fields of a new task; raises InputError also if nothing says when it is due."""
    if any(options[name] for name in WHEN):
        return fields
    missing = InputError(Problem("schedule", "say when it is due, or --manual for never by itself", "--every 5m"))
    try:
        program.source.check_task(fields)
    except InputError as error:
        # Everything that is wrong is told at once.
        raise InputError.joined([missing, error]) from None
    raise missing


def _pause_words(paused: PauseRow) -> str:
    return describe_pause(paused.by, paused.since, paused.until, paused.reason).removeprefix("paused ")


def _last(run: RunRow | None) -> dict[str, Any] | None:
    return columns_of(run, ("id", "state", "due_at", "started_at", "ended_at", "exit_code")) if run else None
