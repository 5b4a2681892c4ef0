"""``watchbell db``: the schema and the health of the database, and what is kept in it."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import datetime

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program, without_password
from watchbell.cli.screen import examples, json_option, note, one_line, print_json, say
from watchbell.config import MIB
from watchbell.control import pidfile, pulse
from watchbell.errors import Unavailable, WatchbellError
from watchbell.services import output_files, restores, retention
from watchbell.services.fleet_retention import OrderRules
from watchbell.store import copying, schema
from watchbell.store import retention as retention_store
from watchbell.store.session import Database

#: A copy of many rows says so often how far it is.
_TELL_SECONDS = 2.0
_UNFINISHED = (
    "the copy was not finished: the embedded database is as it was, and what was copied so far is undone; run the same "
    "command again. Should it then find rows already, the end was reached and only the word of it lost"
)


@click.group("db", short_help="Upgrade, check, prune, compact and copy the database.")
def database() -> None:
    """Upgrade, check, prune, compact and copy the database."""


@database.command(short_help="Bring the database to this version's schema.", epilog=examples("watchbell db upgrade"))
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


@database.command(short_help="Check schema and files of the database.", epilog=examples("watchbell db check"))
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


@database.command(
    short_help="Delete what is older than it is to be kept.",
    epilog=examples("watchbell db prune --dry-run", "watchbell db prune"),
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@json_option
@pass_program
def prune(program: Program, *, dry_run: bool, as_json: bool) -> None:
    """Delete runs that are older or more than the settings and their tasks say, with their output; daily totals stay.

    So are orders to devices with what became of them. The scheduler does the same by itself, a little at a time. Nothing is
    deleted that is not over, and the newest run of each task stays. The room becomes free inside the database; "db compact" gives it back to the system.
    """
    # The settings are told in words, so that a preview can be judged without looking them up.
    db, rules, now = program.existing_db, retention.Rules.of(program.config), clock.now()
    found = retention.preview(db, rules, now=now)
    pruned = None if dry_run else _prune(program, rules, now)
    if as_json:
        print_json({**dataclasses.asdict(found), "runs": found.runs, "deleted": pruned})
        return
    verb = "would be" if dry_run else "were"
    kept = (
        f"kept are {_bound(rules.days, 'day')} and {_bound(rules.runs, 'run')} of each task, unless it says otherwise"
    )
    runs = found.runs if pruned is None else pruned["runs"]
    say(f"{runs:,} run(s) of {len(found.by_task):,} task(s) {verb} deleted; {kept}.")
    executions, jobs = (
        (found.executions, found.device_jobs) if pruned is None else (pruned["executions"], pruned["device_jobs"])
    )
    if executions:
        say(
            f"So {verb} {executions:,} order(s) to devices with {jobs:,} job(s); kept are {_order_bounds(rules.orders)}."
        )
    others = {name: count for name, count in found.others.items() if count}
    if others:
        say(f"So {verb} {', '.join(f'{count:,} of {name}' for name, count in others.items())}.")
    if pruned is not None and pruned["files"]:
        say(f"{pruned['files']:,} output file(s) are gone, {pruned['given_up']:,} of them because the rest had to fit.")


def _bound(number: int | None, what: str) -> str:
    return f"{number:,} {what}s" if number is not None else f"all {what}s"


def _order_bounds(rules: OrderRules) -> str:
    return f"{_bound(rules.days, 'day')}, {_bound(rules.orders, 'order')} and {_bound(rules.jobs, 'job')} of devices"


def _prune(program: Program, rules: retention.Rules, now: datetime) -> dict[str, int]:
    db, root = program.db, program.config.output_path
    counts = dict.fromkeys(("runs", "files", "others", "given_up", "executions", "device_jobs"), 0)
    work = retention.Pass(db, rules, now=now, output_root=root)
    while (done := work.step()).more:
        counts["runs"] += done.runs
        counts["files"] += done.files
        counts["others"] += done.others
        counts["executions"] += done.executions
        counts["device_jobs"] += done.device_jobs
    sweep = output_files.Sweep(db, root, rules.output_bytes, now=now)
    while (swept := sweep.step()).more:
        counts["files"] += swept.orphans + swept.given_up
        counts["given_up"] += swept.given_up
    return counts


@database.command(
    short_help="Go on with an older copy of the database.",
    epilog=examples(
        "watchbell scheduler stop && cp copy.db ~/.local/share/watchbell/watchbell.db && watchbell db accept-copy"
    ),
)
@json_option
@pass_program
def accept_copy(program: Program, *, as_json: bool) -> None:
    """Go on with an older copy of the database that was put in its place; the scheduler has to be stopped.

    The copy does not know what has run since it was made. What waits in it is missed instead of started, moments until now
    are not caught up, and what it takes for running is lost where nothing is left of it; each row says so. Tasks that may
    be run again (--uncertain run_again) go on. Without this a scheduler refuses to start on such a copy.
    """
    program.require_data()
    config = program.config
    with pidfile.hold(config):
        said = pulse.read(config)
        mark = said.mark if said is not None else None
        if mark is not None and not restores.is_older(program.db, mark):
            raise WatchbellError("nothing is missing in the database; there is nothing to accept")
        found = restores.accept(
            program.db,
            mark,
            home=str(config.home),
            owns_database=config.owns_database,
            now=clock.now(),
            host=config.hostname,
            actor=program.actor,
        )
    if as_json:
        print_json({"copied_at": found.copied_at, "missed": found.missed})
    else:
        say(found.message)


@database.command(
    short_help="Give the room of deleted rows back to the system.",
    epilog=examples("watchbell scheduler stop && watchbell db compact"),
)
@json_option
@pass_program
def compact(program: Program, *, as_json: bool) -> None:
    """Write the file of the database anew without the room that deleted rows have left; the scheduler has to be stopped.

    There is seldom a need: new rows use that room first. While it works, the file needs its size once more.
    """
    program.require_data()
    with pidfile.hold(program.config):
        before, after = retention_store.compact(program.bare_database)
    if as_json:
        print_json({"before_bytes": before, "now_bytes": after})
    else:
        say(f"The database has {after / MIB:,.1f} MiB now; it had {before / MIB:,.1f}.")


@database.command(
    short_help="Copy everything into a database of PostgreSQL.",
    epilog=examples("watchbell scheduler stop && watchbell db copy --to postgresql://watchbell@db.example/watchbell"),
)
@click.option(
    "--to", "url", metavar="URL", required=True, callback=without_password, help="An empty database of PostgreSQL."
)
@json_option
@pass_program
def copy(program: Program, *, url: str, as_json: bool) -> None:
    """Copy everything into an empty database of PostgreSQL and compare both row by row; the scheduler has to be stopped.

    Either everything is there afterwards or nothing. Nobody can change anything meanwhile, and the embedded database stays as it
    is. Outputs and keys stay where they are, in the data directory: go on with the same one and the other database
    (WATCHBELL_DATABASE_URL).
    """
    progress = _Progress()
    with contextlib.closing(Database.open(url)) as target, pidfile.hold(program.config):
        try:
            done = copying.copy(program.existing_db, target, told=progress.tell_copied, compared=progress.tell_compared)
        except (KeyboardInterrupt, Unavailable):
            note(_UNFINISHED)
            raise
    if as_json:
        print_json(
            {"rows": done.rows, "replaced": done.replaced, "tables": [dataclasses.asdict(t) for t in done.tables]}
        )
        return
    say(f"Copied {done.rows:,} row(s) of {len(done.tables)} tables; both databases have the same rows and checksums.")
    if done.replaced:
        say(f"{done.replaced:,} text(s) held a null character, which PostgreSQL has not; U+FFFD stands in its place.")
    say("To go on with it, set WATCHBELL_DATABASE_URL, keep the data directory, and start again.")


class _Progress:
    """Tells how far a copy is: each table when it is done, and big ones now and then."""

    def __init__(self) -> None:
        self._told_at = clock.monotonic()

    def tell_copied(self, table: str, done: int, total: int) -> None:
        if done >= total or self._is_time():
            self._tell(f"{table}: {done:,} of {total:,}")

    def tell_compared(self, table: str, done: int, total: int) -> None:
        if self._is_time():
            self._tell(f"{table}: {done:,} of {total:,} compared")

    def _is_time(self) -> bool:
        return clock.monotonic() - self._told_at >= _TELL_SECONDS

    def _tell(self, words: str) -> None:
        self._told_at = clock.monotonic()
        note(words)
