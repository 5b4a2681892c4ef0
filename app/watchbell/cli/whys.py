"""``watchbell why``: why a task ran at a moment, or why it did not."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, print_json, say


@click.command(
    short_help="Say why a task ran at a moment, or why it did not.",
    epilog=examples(
        "watchbell why backup",
        "watchbell why backup '2030-01-31 02:30'",
        "watchbell why backup 2030-01-31T02:30Z --json",
    ),
)
@click.argument("task", metavar="TASK")
@click.argument("time", metavar="[TIME]", required=False, default="")
@json_option
@pass_program
def why(program: Program, *, task: str, time: str, as_json: bool) -> None:
    """Say what became of a task at a moment, past or to come: its run, or why there is none. Default: the present minute.

    TIME is local time of the task's zone unless it has an offset.
    """
    found = program.source.find_task(task)
    answer = program.source.ask_why(found.id, time)
    if as_json:
        print_json(dict(answer))
        return
    zone = ZoneInfo(found.zone)
    say(f"{one_line(found.name)}, {moment(answer['at'], zone)} {found.zone}:")
    for sentence in answer["sentences"]:
        words = one_line(sentence)
        say(f"{words[:1].upper()}{words[1:]}.")
    if answer["schedule"]:
        say(f"Schedule of version {answer['version'] or found.version}: {answer['schedule']}.")
    for word, name in (("before", "before"), ("after", "after")):
        if answer[name]:
            say(f"The nearest moment {word}: {moment(answer[name], zone)}.")
