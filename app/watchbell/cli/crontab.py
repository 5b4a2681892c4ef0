"""``watchbell crontab``: from cron to tasks, and back."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from watchbell import clock
from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, note, one_line, print_json, say
from watchbell.cli.transfer import ask, read_file, tell_plan, told, write_file
from watchbell.domain import schedule as schedules
from watchbell.domain.crontab import Crontab, Job, read_crontab, write_crontab
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import InputError, WatchbellError

if TYPE_CHECKING:
    from datetime import datetime

F = TypeVar("F", bound=Callable[..., Any])

_SYSTEM_FILE, _SYSTEM_FOLDER = Path("/etc/crontab"), Path("/etc/cron.d")
_MOMENTS = 3
_SECONDS = 10


@click.group(short_help="Take a crontab over, or write one.")
def crontab() -> None:
    """Look at a crontab, make tasks of it, or write tasks as one. No crontab is ever changed."""


def _which(function: F) -> F:
    for decorate in (
        click.option("--system", is_flag=True,
                     help="A user stands before each command, as in /etc/crontab, which is read without a FILE, with /etc/cron.d."),
        click.option("--user", metavar="NAME", help="The crontab of this user, without a FILE. Default: yours."),
        click.argument("file", metavar="[FILE]", required=False),
    ):  # fmt: skip
        function = decorate(function)
    return function


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """One crontab: where it comes from, what is in it, and whether a user stands before each command."""

    place: str
    content: Crontab
    is_system: bool


@crontab.command(
    short_help="Show what a crontab would become.",
    epilog=examples(
        "watchbell crontab preview", "watchbell crontab preview /etc/cron.d/backup", "watchbell crontab preview --system",
        "crontab -l | watchbell crontab preview - --json",
    ),
)  # fmt: skip
@_which
@json_option
@pass_program
def preview(program: Program, *, file: str | None, user: str | None, system: bool, as_json: bool) -> None:
    """Show each line of a crontab as a sentence, with its next moments and what cannot be carried over.

    Without a FILE the crontab of a user is read, - reads standard input.
    """
    now = clock.now()
    found = _read(file, user, system)
    if as_json:
        print_json([{"crontab": one.place, "jobs": [_values(program, job, now) for job in one.content.jobs],
                     "remarks": list(one.content.remarks)} for one in found])  # fmt: skip
        return
    for one in found:
        say(f"{one.place}: {len(one.content.jobs)} job(s)")
        for job in one.content.jobs:
            _tell(program, job, now)
        for remark in one.content.remarks:
            say(f"  note: {one_line(remark)}")


@crontab.command(
    "import",
    short_help="Make tasks of a crontab.",
    epilog=examples(
        "watchbell crontab import", "watchbell crontab import /etc/cron.d/backup --tag cron --yes",
        "crontab -l | watchbell crontab import - --yes",
    ),
)  # fmt: skip
@_which
@click.option(
    "--all-users", is_flag=True, help="With --system: lines of other users, too; they run as the scheduler's user."
)
@click.option("--disabled", is_flag=True, help="Make the tasks, but do not run them on time yet.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Tag for each; give it again for more.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@pass_program
def import_crontab(
    program: Program, *, file: str | None, user: str | None, system: bool, all_users: bool, disabled: bool,
    tags: tuple[str, ...], yes: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Make tasks of the lines of a crontab: all of them in one transaction, after a look and a question.

    A line that is a task already is left alone. The crontab stays as it is: what to do with it is said at the end.
    """
    from watchbell.services import transfer

    now = clock.now()
    taken = {task.name for task in _existing(program)}
    found = _read(file, user, system, taken)
    chosen = _choose(program, found, now, all_users=all_users, more=_more(disabled, tags))
    plan = transfer.plan_definitions(program.db, [definition for _, _, definition in chosen], defaults=program.defaults)
    tell_plan(plan)
    if dry_run or not plan.count(transfer.Action.ADD):
        return
    sys.stdout.flush()
    plan.require_possible()
    ask("Make these tasks?", is_certain=yes)
    transfer.apply(program.db, plan, now=now, actor=program.actor, defaults=program.defaults)
    say(told(plan, done=True))
    _tell_what_next(chosen)


@crontab.command(
    "export",
    short_help="Write tasks as a crontab.",
    epilog=examples("watchbell crontab export > my.cron", "watchbell crontab export backup report --system root"),
)
@click.argument("names", metavar="[TASK]...", nargs=-1, shell_complete=complete_task)
@click.option("--system", "user", metavar="USER", help="Write one for /etc/cron.d, with this user before each command.")
@click.option("-o", "--output", metavar="FILE", help="Write it there. Default: standard output.")
@pass_program
def export_crontab(program: Program, *, names: tuple[str, ...], user: str | None, output: str | None) -> None:
    """Write tasks as a crontab, all or those that are named; what cron cannot do of them is told on standard error.

    A comment above each line carries what cron has no place for, so that "watchbell crontab import" makes the same task.
    """
    from watchbell.services import transfer

    if user is not None and (not user.strip() or len(user.split()) != 1 or not user.isprintable()):
        raise click.BadParameter(f"{user[:40]!r} is not the name of a user", param_hint="--system")
    found, _ = transfer.list_definitions(program.existing_db, names)
    made = write_crontab(found, now=clock.now(), defaults=program.defaults, user=user)
    if output is None:
        sys.stdout.write(made.text)
    else:
        write_file(Path(output), made.text)
    sys.stdout.flush()
    for name, reason in made.left_out:
        note(f"left out {one_line(name)}: {one_line(reason)}")
    for name, words in made.differences:
        note(f"{one_line(name)}: {one_line(words)}")


def _read(file: str | None, user: str | None, system: bool, taken: set[str] | None = None) -> list[_Found]:
    """Return the crontabs that are meant; names are given to their jobs that are not taken."""
    names = set(taken or ())
    found = []
    for place, text, is_system in _texts(file, user, system):
        content = read_crontab(text, system=is_system, taken=names)
        names |= {job.name for job in content.jobs}
        found.append(_Found(place, content, is_system))
    return found


def _texts(file: str | None, user: str | None, system: bool) -> list[tuple[str, str, bool]]:
    if file is not None:
        if user is not None:
            raise click.UsageError("Give one of FILE and --user.")
        # These have the column, whatever was said.
        path = Path(file).absolute()
        return [(file, read_file(file), system or path == _SYSTEM_FILE or path.parent == _SYSTEM_FOLDER)]
    if not system:
        return [(f"the crontab of {user}" if user else "your crontab", _of_user(user), False)]
    if user is not None:
        raise click.UsageError("Give one of --system and --user.")
    files = [_SYSTEM_FILE, *(sorted(_SYSTEM_FOLDER.iterdir()) if _SYSTEM_FOLDER.is_dir() else [])]
    # cron passes over files with a dot, such as what a package manager leaves behind.
    there = [path for path in files if path.is_file() and "." not in path.name]
    return [(str(path), read_file(str(path)), True) for path in there]


def _of_user(user: str | None) -> str:
    command = ["crontab", *(["-u", user] if user else []), "-l"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise WatchbellError(
            "there is no cron here (crontab was not found); name a FILE, or - for standard input"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WatchbellError(f"crontab -l does not answer: {error}") from None
    if done.returncode != 0:
        raise WatchbellError(f"crontab -l: {one_line(done.stderr.decode(errors='replace').strip()) or 'it failed'}")
    return done.stdout.decode("utf-8", "replace")


def _existing(program: Program) -> Sequence[Any]:
    """Return the tasks that are there; a fresh machine has none."""
    try:
        program.require_data()
    except WatchbellError:
        return ()
    return program.source.list_tasks().tasks


def _choose(
    program: Program, found: Sequence[_Found], now: datetime, *, all_users: bool, more: dict[str, object]
) -> list[tuple[str, Job, TaskDefinition]]:
    """Return the jobs that can be made, and tell why the others cannot."""
    from watchbell.services import imports

    chosen = []
    there = _definitions(program)
    for one in found:
        for remark in one.content.remarks:
            note(one_line(f"{one.place}: {remark}"))
        for job in one.content.jobs:
            where = f"{one.place}, line {_numbers(job)}"
            reason = _why_not(program, job, all_users)
            if reason:
                note(one_line(f"{where} is left out: {reason}"))
                continue
            try:
                # A mark may name tags of its own.
                tags = [*_list(job.fields.get("tags")), *_list(more.get("tags"))]
                whole = dataclasses.replace(job, fields={**job.fields, **more, **({"tags": tags} if tags else {})})
                definition = whole.definition(now=now, defaults=program.defaults)
            except InputError as error:
                note(one_line(f"{where} is left out: {error.message}"))
                continue
            same = there.get(imports.work_of(definition))
            if same is not None and same != definition.name:
                note(one_line(f"{where} is task {same} already"))
                continue
            for words in job.notes:
                note(one_line(f"{where}: {words}"))
            chosen.append((one.place, job, definition))
    return chosen


def _why_not(program: Program, job: Job, all_users: bool) -> str:
    if job.problem:
        return job.problem
    if job.user is not None and job.user != program.config.user and not all_users:
        return f"it runs as {job.user}, and a task as {program.config.user}; --all-users takes it all the same"
    return ""


def _definitions(program: Program) -> dict[str, str]:
    """Return the names of the tasks that are there by what they do."""
    if not _existing(program):
        return {}
    from watchbell.services import imports, transfer

    return {imports.work_of(definition): definition.name for definition in transfer.list_definitions(program.db)[0]}


def _more(disabled: bool, tags: tuple[str, ...]) -> dict[str, object]:
    more: dict[str, object] = {"enabled": False} if disabled else {}
    return more | ({"tags": list(tags)} if tags else {})


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _tell(program: Program, job: Job, now: datetime) -> None:
    values = _values(program, job, now)
    say(f"\n  line {_numbers(job)}: {one_line(job.raw)}")
    if job.problem:
        say(f"    cannot be carried over: {one_line(job.problem)}")
        return
    say(f"    task {one_line(job.name)}: {values['schedule_words']}")
    say(f"    runs: {one_line(job.fields['command'])}" + (f" (as {one_line(job.user)})" if job.user else ""))
    if values["moments"]:
        say(f"    next: {', '.join(moment(one, program.zone) for one in values['moments'])} ({program.zone.key})")
    for words in values["notes"]:
        say(f"    note: {one_line(words)}")


def _values(program: Program, job: Job, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "lines": list(job.numbers), "name": job.name, "user": job.user, "command": job.fields["command"],
        "times": list(job.times), "schedule_words": None, "moments": [], "notes": list(job.notes), "problem": job.problem,
    }  # fmt: skip
    if job.problem:
        return values
    try:
        definition = job.definition(now=now, defaults=program.defaults)
    except InputError as error:
        return {**values, "problem": error.message}
    found = schedules.occurrences(definition.schedule, now, _MOMENTS)
    return {**values, "schedule_words": schedules.describe(definition.schedule),
            "moments": [occurrence.due_at for occurrence in found]}  # fmt: skip


def _numbers(job: Job) -> str:
    return ", ".join(map(str, job.numbers))


def _tell_what_next(chosen: Sequence[tuple[str, Job, TaskDefinition]]) -> None:
    say("The crontab was not touched, so cron runs these commands as well. Comment their lines out now:")
    for place in dict.fromkeys(place for place, _, _ in chosen):
        numbers = {number for one, job, _ in chosen if one == place for number in job.numbers}
        editor = "crontab -e" if os.sep not in place else f"edit {place}"
        say(f"  {one_line(place)}, line {_spans(numbers)}: {editor}")


def _spans(numbers: Iterable[int]) -> str:
    """Return numbers in their order, those that follow each other as a span: a crontab of 600 lines is told in a few words."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("-".join(map(str, span)) for span in found)
