"""``watchbell audit``: who did what, and the proof that nothing of it was changed."""

from __future__ import annotations

import click

from watchbell import clock
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, print_json, say, table
from watchbell.cli.task_options import span_of
from watchbell.errors import InputError, WatchbellError
from watchbell.services import audit as service
from watchbell.store.audit import AuditEntry

_COLUMNS = (
    *("id", "at", "actor", "way", "address", "request_id", "action", "subject", "name", "detail", "previous", "digest"),
)


@click.group(short_help="Show who did what, and prove that nothing of it was changed.")
def audit() -> None:
    """Show who did what. Each entry carries a digest of itself and of the one before it, so that no change goes unseen."""


@audit.command(
    "list",
    short_help="List what was done.",
    epilog=examples("watchbell audit list --actor ann --since 7d", "watchbell audit list --action login. --json"),
)
@click.option("--actor", metavar="NAME", callback=not_empty, help="Only what this account did.")
@click.option("--action", metavar="WORD", callback=not_empty,
              help="Only this, as task.delete; a kind with its dot, as task., means all of it.")  # fmt: skip
@click.option("--subject", metavar="THING", callback=not_empty, help="Only what was done to this, as task:12.")
@click.option("--since", metavar="SPAN", callback=not_empty, help="Only what was done since then, as 7d.")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many at most.")
@json_option
@pass_program
def list_entries(
    program: Program,
    *,
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was done, the newest first."""
    span = span_of(since) if since else None
    if since and span is None:
        raise InputError.of("since", f"{one_line(since[:40])!r} is no length of time", "7d")
    found = service.list_page(
        program.existing_db,
        limit=limit,
        actor=actor or "",
        action=action or "",
        subject=subject or "",
        since=clock.now() - span if span else None,
    )
    if as_json:
        print_json([{name: getattr(one, name) for name in _COLUMNS} for one in found])
        return
    rows = [_row(program, one) for one in found]
    table(("ID", f"AT ({program.zone.key})", "ACTOR", "FROM", "ACTION", "SUBJECT", "NAME"), rows, flexible=6)


@audit.command(
    short_help="Prove that no entry was changed or removed.",
    epilog=examples("watchbell audit verify", 'watchbell audit verify --anchor "$(cat anchor.txt)"'),
)
@click.option("--anchor", metavar="DIGEST", default="", callback=lambda _context, _option, value: value.strip().lower(),
              help="A digest that was kept elsewhere: it must stand in the chain.")  # fmt: skip
@json_option
@pass_program
def verify(program: Program, *, anchor: str, as_json: bool) -> None:
    """Look at every entry; the exit code is 1 if one is not what was written, or if the digest given is missing."""
    found = service.verify(program.existing_db, anchor=anchor)
    if as_json:
        print_json({"is_whole": found.is_whole, "entries": found.entries, "newest": found.newest,
                    "broken_at": found.broken_at or None, "reason": found.reason, "has_anchor": found.has_anchor})  # fmt: skip
    if found.broken_at:
        raise WatchbellError(f"the audit is not what was written: entry {found.broken_at}, {found.reason}")
    if not found.has_anchor:
        raise WatchbellError("the audit was cut short or written anew: the digest that was kept is not in it")
    if not as_json:
        say(f"All {found.entries:,} entries are as they were written. Newest digest: {found.newest}")


@audit.command(
    short_help="Print the digest of the newest entry.",
    epilog=examples("watchbell audit anchor > anchor.txt"),
)
@pass_program
def anchor(program: Program) -> None:
    """Print the digest of the newest entry, to be kept where whoever could change the database cannot reach it."""
    say(service.anchor_of(program.existing_db)[1])


def _row(program: Program, entry: AuditEntry) -> tuple[str, ...]:
    origin = " ".join(filter(None, (entry.way, entry.address)))
    return (
        *(str(entry.id), moment(entry.at, program.zone), one_line(entry.actor) or "-", origin or "-"),
        *(entry.action, entry.subject, one_line(entry.name)),
    )
