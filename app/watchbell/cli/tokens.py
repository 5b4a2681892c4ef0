"""``watchbell token``: what programs use in place of a login."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import click

from watchbell import clock
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import examples, json_option, moment, note, one_line, print_json, say, table
from watchbell.cli.task_options import span_of
from watchbell.domain.permissions import Scope
from watchbell.errors import InputError
from watchbell.services import accounts, tokens
from watchbell.services.tokens import NewToken, Token

_NEVER = "never"
_WHICH = click.argument("reference", metavar="TOKEN", callback=not_empty)
_USER = click.option("--user", "username", metavar="NAME", callback=not_empty, help="Only a token of this account.")


@click.group(short_help="Make, list, replace and revoke API tokens.")
def token() -> None:
    """Make, list, replace and revoke API tokens. Programs send one as "Authorization: Bearer SECRET"."""


@token.command(
    short_help="Make a token and print its secret.",
    epilog=examples(
        "watchbell token create monitor",
        "watchbell token create deploy --scope run --expires 365d --user ann",
        "TOKEN=$(watchbell token create ci --scope edit --expires 30d)",
    ),
)
@click.argument("name", metavar="NAME")
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), default=Scope.READ.value,
              show_default=True, help="What it may do, as far as the role of its account goes: see everything; also run and "
              "stop; also make and edit tasks; all but the account's password and tokens; nothing yet.")  # fmt: skip
@click.option("--expires", metavar="SPAN", default="90d", show_default=True, callback=not_empty,
              help="How long it lasts, as 30d, or never.")  # fmt: skip
@click.option("--user", "username", metavar="NAME", callback=not_empty,
              help="The account that it stands for. Default: the first administrator.")  # fmt: skip
@json_option
@pass_program
def create(program: Program, *, name: str, scope: str, expires: str, username: str | None, as_json: bool) -> None:
    """Make a token. Its secret is the only thing on standard output; it is stored nowhere and cannot be printed again."""
    lifetime = _lifetime(expires)
    now = clock.now()
    owner = username or accounts.ensure_first(program.db, now=now).username
    _tell(
        program,
        tokens.create(program.db, owner, name, scope=scope, lifetime=lifetime, now=now, actor=program.actor),
        as_json,
    )


@token.command(
    "list",
    short_help="List tokens.",
    epilog=examples("watchbell token list", "watchbell token list --user ann --all --json"),
)
@click.option("--user", "username", metavar="NAME", callback=not_empty, help="Only the tokens of this account.")
@click.option("--all", "with_revoked", is_flag=True, help="Also those that were revoked in the last 90 days.")
@json_option
@pass_program
def list_tokens(program: Program, *, username: str | None, with_revoked: bool, as_json: bool) -> None:
    """List the tokens of all accounts, or of one: how their secrets begin, what they may do, and when they were used."""
    found = tokens.list_all(program.existing_db, now=clock.now(), username=username, with_revoked=with_revoked)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    rows = [
        (
            one.name, one.username, f"{one.prefix}…", one.scope, one.state, moment(one.created_at, program.zone),
            moment(one.expires_at, program.zone) if one.expires_at else _NEVER, moment(one.used_at, program.zone),
            one.used_from or "-",
        )
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "ACCOUNT", "BEGINS WITH", "SCOPE", "STATE", f"CREATED ({program.zone.key})", "EXPIRES",
             "LAST USED", "FROM")  # fmt: skip
    table(heads, rows, flexible=0)


@token.command(
    short_help="End a token.", epilog=examples("watchbell token revoke monitor", "watchbell token revoke wb_0a1b2c3d")
)
@_WHICH
@_USER
@json_option
@pass_program
def revoke(program: Program, *, reference: str, username: str | None, as_json: bool) -> None:
    """End a token at once, by its name or by how its secret begins."""
    now = clock.now()
    found = tokens.find(program.existing_db, reference, now=now, username=username)
    ended = tokens.revoke(program.db, found.id, now=now, actor=program.actor)
    if as_json:
        print_json(dataclasses.asdict(ended))
    else:
        say(f"Revoked {_words(ended)}.")


@token.command(
    short_help="Replace a token by one with a new secret.", epilog=examples("watchbell token rotate monitor")
)
@_WHICH
@_USER
@json_option
@pass_program
def rotate(program: Program, *, reference: str, username: str | None, as_json: bool) -> None:
    """Give a token a new secret, which is the only thing on standard output, and as long a life again; the old one is dead at once."""
    now = clock.now()
    found = tokens.find(program.existing_db, reference, now=now, username=username)
    _tell(program, tokens.rotate(program.db, found.id, now=now, actor=program.actor), as_json)


def _lifetime(text: str) -> timedelta | None:
    """Return how long a token lasts, None for one without an end; raises InputError."""
    if text.strip().lower() == _NEVER:
        return None
    try:
        span = span_of(text)
    except OverflowError:
        span = None
    if span is None:
        raise InputError.of("expires", f"{one_line(text[:40])!r} is neither a length of time nor never", "90d")
    return span


def _tell(program: Program, made: NewToken, as_json: bool) -> None:
    if as_json:
        print_json({"secret": made.secret, **dataclasses.asdict(made.token)})
        return
    end = made.token.expires_at
    until = f"until {moment(end, program.zone)}, {program.zone.key}" if end else "until it is revoked"
    note(f"{_words(made.token)}, scope {made.token.scope}, good {until}. Its secret is shown this once:")
    say(made.secret)


def _words(token: Token) -> str:
    return f"token {one_line(token.name)} of {token.username} ({token.prefix}…)"
