"""``watchbell db``: the schema and the health of the database."""

from __future__ import annotations

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import json_option, one_line, print_json, say
from watchbell.errors import WatchbellError
from watchbell.store import schema


@click.group("db", short_help="Upgrade and check the database.")
def database() -> None:
    """Upgrade and check the database."""


@database.command(short_help="Bring the database to this version's schema.")
@json_option
@pass_program
def upgrade(program: Program, *, as_json: bool) -> None:
    """Make the database, or bring it to this version's schema.

    One that a newer version has upgraded is refused and not touched.
    """
    before = schema.upgrade(program.bare_database)
    if as_json:
        print_json({"before": before.current, "now": before.head})
    elif before.is_current:
        say(f"The database has schema {before.head} already.")
    elif before.current is None:
        say(f"Made the database with schema {before.head}.")
    else:
        say(f"Upgraded the database from schema {before.current} to {before.head}.")


@database.command(short_help="Check schema and files of the database.")
@json_option
@pass_program
def check(program: Program, *, as_json: bool) -> None:
    """Check that the schema is this version's and that the database finds no damage in its files; change nothing."""
    program.require_data()
    found = schema.state(program.bare_database)
    problems = schema.check_integrity(program.bare_database)
    if as_json:
        print_json({"schema": found.current, "wanted": found.head, "is_newer": found.is_newer, "problems": problems})
    schema.require_current(program.bare_database)
    if problems:
        raise WatchbellError(f"the database has {len(problems)} problem(s): {one_line('; '.join(problems))}")
    if not as_json:
        say(f"The database has schema {found.current}, and no damage was found.")
