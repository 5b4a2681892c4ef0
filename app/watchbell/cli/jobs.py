"""Tasks in the words of the older program that called them jobs: ``watchbell add``, ``list``, ``show``, ``edit`` and so on.

Each of these is a command of ``watchbell task`` with other options and other columns, and does nothing of its own.
"""

from __future__ import annotations

import click

from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import columns_of, examples, json_option, moment, one_line, pairs, print_json, say, table
from watchbell.cli.source import TaskRow
from watchbell.cli.task_acts import COLUMNS, remove, report, set_enabled
from watchbell.cli.task_options import absolute
from watchbell.domain.schedule import ScheduleKind

#: The limit of a job whose maker said nothing.
_TIMEOUT_SECONDS = 300
_NAME = click.argument("name", metavar="NAME", shell_complete=complete_task)
_TIMEOUT = click.IntRange(1, 86_400)


@click.command(
    short_help="Make a job: task add with fewer words.",
    epilog=examples(
        "watchbell add backup --cron '30 2 * * *' --cmd '/usr/local/bin/backup'",
        "watchbell add report --cron '0 6 * * 1-5' --cmd 'make report' -d /srv/report -t 900 --tags daily,reports",
    ),
)
@click.argument("name", metavar="NAME")
@click.option("--cron", metavar="TEXT", required=True, help="Cron text of five fields or @daily and the like.")
@click.option("--cmd", metavar="CMD", required=True, help="What to run, as a shell understands it.")
@click.option("-d", "--working-dir", metavar="DIR", help="Working directory.")
@click.option("-t", "--timeout", type=_TIMEOUT, metavar="SECONDS", default=_TIMEOUT_SECONDS, show_default=True,
              help="A run that takes longer is ended.")  # fmt: skip
@click.option("--tags", metavar="TAGS", help="Tags, separated by commas.")
@click.option("--disabled", is_flag=True, help="Make it, but do not run it on time yet.")
@json_option
@pass_program
def add(
    program: Program, *, name: str, cron: str, cmd: str, working_dir: str | None, timeout: int, tags: str | None,
    disabled: bool, as_json: bool,
) -> None:  # fmt: skip
    """Make a job that runs a command on time. "watchbell task add" has all the other options."""
    fields: dict[str, object] = {"name": name, "cron": cron, "command": cmd, "time_limit_seconds": timeout}
    if working_dir:
        fields["directory"] = absolute(working_dir)
    if tags:
        fields["tags"] = tags
    if disabled:
        fields["enabled"] = False
    report(program, program.source.add_task(fields), as_json, "Added")


@click.command(
    "list",
    short_help="List jobs: enabled ones, or all.",
    epilog=examples("watchbell list", "watchbell list --all --tag daily"),
)
@click.option("-a", "--all", "everything", is_flag=True, help="Disabled ones, too.")
@click.option("-t", "--tag", metavar="TAG", help="Only jobs with this tag.")
@json_option
@pass_program
def list_jobs(program: Program, *, everything: bool, tag: str | None, as_json: bool) -> None:
    """List jobs by name."""
    found = program.source.list_tasks(enabled=None if everything else True, tag=tag)
    if as_json:
        print_json([columns_of(task, COLUMNS) for task in found.tasks])
        return
    if not found.tasks:
        say("No job fits." if found.total else "There is no job yet. Make one: watchbell add --help")
        return
    rows = [
        (task.id, task.name, cron_of(task), "yes" if task.enabled else "no",
         moment(task.next_due_at if task.enabled else None, program.zone), ", ".join(task.tags))
        for task in found.tasks
    ]  # fmt: skip
    heads = ("ID", "NAME", "CRON", "ENABLED", f"NEXT RUN ({program.zone.key})", "TAGS")
    table(heads, rows, flexible=2, right=(0,))


@click.command(short_help="Show a job.", epilog=examples("watchbell show backup"))
@_NAME
@json_option
@pass_program
def show(program: Program, *, name: str, as_json: bool) -> None:
    """Show a job, its schedule in words and when it is due next."""
    task = program.source.find_task(name)
    if as_json:
        print_json(columns_of(task, COLUMNS))
        return
    pairs(
        {
            "ID": task.id,
            "Name": task.name,
            "Cron": f"{cron_of(task)} ({task.schedule_words})",
            "Command": task.command,
            "Working directory": task.directory,
            "Enabled": "yes" if task.enabled else "no",
            "Timeout": f"{task.policies['time_limit_seconds']} s",
            "Tags": ", ".join(task.tags),
            "Next run": moment(task.next_due_at if task.enabled else None, program.zone),
            "Created": moment(task.created_at, program.zone),
            "Updated": moment(task.updated_at, program.zone),
        }
    )


@click.command(
    short_help="Change a job.",
    epilog=examples("watchbell edit backup --cron '0 3 * * *'", "watchbell edit backup --tags ''"),
)
@_NAME
@click.option("--cron", metavar="TEXT", callback=not_empty, help="Cron text of five fields or @daily and the like.")
@click.option("--cmd", metavar="CMD", callback=not_empty, help="What to run, as a shell understands it.")
@click.option("-d", "--working-dir", metavar="DIR", help="Working directory; an empty text takes it away.")
@click.option("-t", "--timeout", type=_TIMEOUT, metavar="SECONDS", help="A run that takes longer is ended.")
@click.option("--tags", metavar="TAGS", help="Tags, separated by commas; an empty text takes them all away.")
@json_option
@pass_program
def edit(
    program: Program, *, name: str, cron: str | None, cmd: str | None, working_dir: str | None, timeout: int | None,
    tags: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Change a job; what is not given stays as it is."""
    directory = absolute(working_dir) if working_dir else working_dir
    given = {"cron": cron, "command": cmd, "directory": directory, "time_limit_seconds": timeout, "tags": tags}
    fields: dict[str, object] = {field: value for field, value in given.items() if value is not None}
    if not fields:
        raise click.UsageError("Nothing to change was given.")
    report(program, program.source.change_task(program.source.find_task(name), fields), as_json, "Changed")


@click.command(short_help="Run a job on time again.", epilog=examples("watchbell enable backup"))
@_NAME
@json_option
@pass_program
def enable(program: Program, *, name: str, as_json: bool) -> None:
    """Run a job on time again; moments that passed while it was disabled are not made up for."""
    set_enabled(program, name, as_json, enabled=True)


@click.command(short_help="Stop running a job on time.", epilog=examples("watchbell disable backup"))
@_NAME
@json_option
@pass_program
def disable(program: Program, *, name: str, as_json: bool) -> None:
    """Stop running a job on time; a run that goes on is not touched, and it can still be triggered."""
    set_enabled(program, name, as_json, enabled=False)


@click.command(short_help="Delete a job.", epilog=examples("watchbell delete backup", "watchbell delete -f backup"))
@_NAME
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@json_option
@pass_program
def delete(program: Program, *, name: str, force: bool, as_json: bool) -> None:
    """Delete a job; its past runs stay, and one that goes on ends by itself."""
    remove(program, name, as_json, is_certain=force, option="--force")


def cron_of(task: TaskRow) -> str:
    """Return the cron text of a task, or what stands in its place for one that is due in another way."""
    if task.schedule["kind"] == ScheduleKind.CRON:
        return "; ".join(task.schedule["expressions"])
    return one_line(task.schedule_words)
