"""``watchbell team``: accounts that have tasks together."""

from __future__ import annotations

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, print_json, say, table
from watchbell.services import teams
from watchbell.services.teams import TeamView

_NAME = click.argument("name", metavar="NAME")
_FIELDS = ("id", "name", "comment", "members", "tasks", "created_at")


@click.group(short_help="Make teams, which have tasks together.")
def team() -> None:
    """Make, list, change and delete teams. A task that names a team is its members' as well as its owner's."""


@team.command("list", short_help="List teams.", epilog=examples("watchbell team list"))
@json_option
@pass_program
def list_teams(program: Program, *, as_json: bool) -> None:
    """List teams by name, with their members and how many tasks they have."""
    found = teams.list_all(program.existing_db)
    if as_json:
        print_json([_plain(one) for one in found])
        return
    if not found:
        say("There is no team yet. Make one: watchbell team add --help")
        return
    rows = [(one.name, ", ".join(one.members), str(one.tasks), one.comment) for one in found]
    table(("NAME", "MEMBERS", "TASKS", "COMMENT"), rows, flexible=1, right=(2,))


@team.command(short_help="Make a team.", epilog=examples("watchbell team add database --member ann --member bob"))
@_NAME
@click.option("--member", "members", multiple=True, metavar="ACCOUNT", help="Member; give it again for more.")
@click.option("--comment", default="", metavar="TEXT", help="What it is for.")
@json_option
@pass_program
def add(program: Program, *, name: str, members: tuple[str, ...], comment: str, as_json: bool) -> None:
    """Make a team."""
    made = teams.create(program.db, name, comment=comment, members=members, now=clock.now(), actor=program.actor)
    _report(made, as_json, "Made")


@team.command(
    short_help="Change a team.",
    epilog=examples(
        "watchbell team edit database --add carol --remove bob", "watchbell team edit database --name data"
    ),
)
@_NAME
@click.option("--name", "new_name", metavar="NEW", help="New name; its tasks name it by that.")
@click.option("--comment", metavar="TEXT", help="What it is for.")
@click.option("--add", "added", multiple=True, metavar="ACCOUNT", help="New member; give it again for more.")
@click.option("--remove", "removed", multiple=True, metavar="ACCOUNT", help="Member no more; give it again for more.")
@json_option
@pass_program
def edit(
    program: Program,
    *,
    name: str,
    new_name: str | None,
    comment: str | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change the name, the comment or the members of a team."""
    found = teams.find_by_name(program.existing_db, name)
    gone = {one.lower() for one in removed}
    strangers = gone - {one.lower() for one in found.members}
    if strangers:
        raise click.UsageError(f"{', '.join(sorted(strangers))} is no member of team {found.name}.")
    members = [*(one for one in found.members if one.lower() not in gone), *added]
    changed = teams.update(
        program.db, found.id, name=new_name, comment=comment, members=members, now=clock.now(), actor=program.actor
    )
    _report(changed, as_json, "Changed")


@team.command(
    short_help="Delete a team.",
    epilog=examples("watchbell team delete database --tasks-to data", "watchbell team delete database --tasks-to ''"),
)
@_NAME
@click.option("--tasks-to", metavar="TEAM", help="Team that gets its tasks; '' for none. Needed if it has any.")
@pass_program
def delete(program: Program, *, name: str, tasks_to: str | None) -> None:
    """Delete a team; its accounts stay. Where its tasks go has to be said."""
    found = teams.find_by_name(program.existing_db, name)
    moved = teams.delete(program.db, found.id, tasks_to=tasks_to, now=clock.now(), actor=program.actor)
    told = f"; {moved} task{'s' * (moved != 1)} went to {tasks_to or 'no team'}" if moved else ""
    say(f"Deleted team {found.name}{told}.")


def _report(found: TeamView, as_json: bool, verb: str) -> None:
    if as_json:
        print_json(_plain(found))
    else:
        say(f"{verb} team {found.name}: {', '.join(found.members) or 'nobody yet'}.")


def _plain(found: TeamView) -> dict[str, object]:
    return {name: getattr(found, name) for name in _FIELDS}
