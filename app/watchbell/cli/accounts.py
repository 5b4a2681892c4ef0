"""``watchbell user``: who may log in."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, print_json, say, table
from watchbell.domain.permissions import Role
from watchbell.errors import InputError
from watchbell.services import accounts
from watchbell.services.accounts import LINK_MINUTES
from watchbell.store.accounts import Account

_NAME = click.argument("username", metavar="NAME")
_PASSWORD_STDIN = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group(short_help="Make accounts and set passwords.")
def user() -> None:
    """Make accounts, set passwords and make login links. Passwords are never taken from the command line."""


@user.command(
    short_help="Make an account.",
    epilog=examples("watchbell user add ann --role editor", "pass ann | watchbell user add ann --password-stdin"),
)
@_NAME
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.VIEWER.value, show_default=True,
              help="What the account may do.")  # fmt: skip
@_PASSWORD_STDIN
@click.option("--no-password", is_flag=True, help="Log in by link only, until a password is set.")
@json_option
@pass_program
def add(program: Program, *, username: str, role: str, password_stdin: bool, no_password: bool, as_json: bool) -> None:
    """Make an account; the password is asked for, or read from standard input."""
    if password_stdin and no_password:
        raise click.UsageError("Give only one of --password-stdin and --no-password.")
    password = None if no_password else _password(from_stdin=password_stdin)
    made = accounts.add(program.db, username, role=role, password=password, now=clock.now(), actor=program.actor)
    if as_json:
        print_json(_plain(made))
    else:
        say(f"Made account {made.username} ({made.role}).")


@user.command(
    short_help="Set a password.",
    epilog=examples("watchbell user passwd admin", "watchbell user passwd admin --password-stdin < password.txt"),
)
@_NAME
@_PASSWORD_STDIN
@pass_program
def passwd(program: Program, *, username: str, password_stdin: bool) -> None:
    """Set an account's password and end its sessions."""
    accounts.ensure_first(program.db, now=clock.now())
    accounts.find(program.db, username)
    password = _password(from_stdin=password_stdin)
    changed = accounts.set_password(program.db, username, password, now=clock.now(), actor=program.actor)
    say(f"Set the password of {changed.username}; its other sessions have ended.")


@user.command(short_help="Give an account another role.", epilog=examples("watchbell user role ann operator"))
@_NAME
@click.argument("role", type=click.Choice([role.value for role in Role]))
@pass_program
def role(program: Program, *, username: str, role: str) -> None:
    """Give an account another role; its sessions end."""
    changed = accounts.set_role(program.existing_db, username, role, now=clock.now(), actor=program.actor)
    say(f"{changed.username} is {changed.role} now; its sessions have ended.")


@user.command(short_help="Let an account log in no more.", epilog=examples("watchbell user disable ann"))
@_NAME
@pass_program
def disable(program: Program, *, username: str) -> None:
    """Disable an account: its sessions and links end, and its tokens open nothing until it is enabled again."""
    changed = accounts.set_active(program.existing_db, username, False, now=clock.now(), actor=program.actor)
    say(f"Disabled {changed.username}: its sessions, links and tokens open nothing.")


@user.command(short_help="Let an account log in again.", epilog=examples("watchbell user enable ann"))
@_NAME
@pass_program
def enable(program: Program, *, username: str) -> None:
    """Enable an account that was disabled; its tokens open again what they did."""
    changed = accounts.set_active(program.existing_db, username, True, now=clock.now(), actor=program.actor)
    say(f"Enabled {changed.username}.")


@user.command(
    "factor-off",
    short_help="Switch an account's second factor off.",
    epilog=examples("watchbell user factor-off admin"),
)
@_NAME
@pass_program
def factor_off(program: Program, *, username: str) -> None:
    """Switch an account's second factor off, for somebody who has neither app, passkey nor recovery code any more.

    Its passkeys are removed, too.
    """
    from watchbell.services import second_factors

    if second_factors.switch_off(program.existing_db, username, now=clock.now(), actor=program.actor):
        say(f"Switched the second factor of {username} off: the password alone logs in.")
    else:
        say(f"{username} has no second factor.")


@user.command(
    short_help="List the logins elsewhere that open an account.", epilog=examples("watchbell user identities ann")
)
@_NAME
@json_option
@pass_program
def identities(program: Program, *, username: str, as_json: bool) -> None:
    """List the logins at a provider that an account is linked with, with their numbers."""
    from watchbell.services import identities as service

    found = service.list_of(program.existing_db, username)
    if as_json:
        names = ("id", "issuer", "subject", "label", "linked_at", "used_at")
        print_json([{name: getattr(one, name) for name in names} for one in found])
        return
    rows = [(str(one.id), one.issuer, one.subject, one.label, moment(one.linked_at, program.zone)) for one in found]
    table(("ID", "ISSUER", "SUBJECT", "KNOWN AS", f"SINCE ({program.zone.key})"), rows)


@user.command(
    short_help="Let a login elsewhere open an account no more.", epilog=examples("watchbell user unlink ann 3")
)
@_NAME
@click.argument("identity_id", type=int, metavar="ID")
@pass_program
def unlink(program: Program, *, username: str, identity_id: int) -> None:
    """Forget the link of an account with a login at a provider, by its number; its sessions end."""
    from watchbell.services import identities as service

    gone = service.unlink(program.existing_db, username, identity_id, now=clock.now(), actor=program.actor)
    say(f"{gone.label} opens {username} no more; its sessions have ended.")


@user.command(short_help="Make a link that logs in once.", epilog=examples("watchbell user link admin"))
@_NAME
@click.option(
    "--at", metavar="URL", help="Where the page is for whoever opens the link. Default: this machine's host and port."
)
@json_option
@pass_program
def link(program: Program, *, username: str, at: str | None, as_json: bool) -> None:
    """Print a link that logs an account in, once, within half an hour."""
    # The web server's libraries are loaded by no other command of this group.
    from watchbell.web.address import address_of

    root = address_of(program.config.host, program.config.port) if at is None else _page(at)
    accounts.ensure_first(program.db, now=clock.now())
    token = accounts.make_link(program.db, username, now=clock.now(), actor=program.actor)
    url = f"{root}/login/link/{token}"
    if as_json:
        print_json({"url": url, "minutes": LINK_MINUTES})
    else:
        say(url)


def _page(address: str) -> str:
    """Return the address of a page as a link goes on from it; raises InputError."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InputError.of("at", "must be the address of a page", "https://watchbell.example.org")
    return address.rstrip("/")


@user.command("list", short_help="List accounts.", epilog=examples("watchbell user list"))
@json_option
@pass_program
def list_accounts(program: Program, *, as_json: bool) -> None:
    """List accounts by name."""
    found = accounts.list_all(program.existing_db)
    if as_json:
        print_json([_plain(account) for account in found])
        return
    rows = [
        (one.username, one.role, "yes" if one.is_active else "no", "yes" if one.password_hash else "no",
         moment(one.created_at, program.zone))
        for one in found
    ]  # fmt: skip
    table(("NAME", "ROLE", "ACTIVE", "PASSWORD", f"SINCE ({program.zone.key})"), rows)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked for a password here; use --password-stdin.")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


def _plain(account: Account) -> dict[str, object]:
    return {
        "id": account.id,
        "username": account.username,
        "role": account.role,
        "is_active": account.is_active,
        "has_password": account.password_hash is not None,
        "created_at": account.created_at,
    }
