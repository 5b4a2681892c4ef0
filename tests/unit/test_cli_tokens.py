"""``watchbell token``: a secret alone on standard output, lists without secrets, and what is told when it will not do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import clock
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE
from watchbell.services import accounts, tokens
from watchbell.services.tokens import TokenRefused

# ruff: noqa: F811


def holder(db, secret):
    return tokens.resolve(db, secret, now=clock.now())


def test_the_secret_is_all_of_the_output_and_what_it_is_for_is_told_beside_it(shell, db):
    done = shell("token", "create", "monitor")

    assert done.code == 0
    found = holder(db, done.out.removesuffix("\n"))
    assert (found.username, found.scope) == ("admin", "read")
    assert done.out.count("\n") == 1
    assert f"token monitor of admin ({found.prefix}…), scope read, good until" in done.err
    assert done.out.strip() not in done.err


def test_a_token_is_made_for_somebody_else_with_a_scope_and_an_end(shell, db):
    accounts.add(db, "ann", role="operator", password=None, now=clock.now())

    made = shell("token", "create", "deploy", "--user", "ann", "--scope", "run", "--expires", "30d", "--json").json()
    endless = shell("token", "create", "old machine", "--user", "ann", "--expires", "Never")

    assert holder(db, made["secret"]).username == "ann"
    assert (made["username"], made["scope"], made["state"]) == ("ann", "run", "active")
    (first, second) = tokens.list_all(db, now=clock.now())
    assert first.expires_at - first.created_at == timedelta(days=30)
    assert second.expires_at is None
    assert "good until it is revoked" in endless.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("x", "--expires", "soon"), EXIT_USAGE, "--expires: 'soon' is neither a length of time nor never"),
        (("x", "--expires", "9" * 30 + "d"), EXIT_USAGE, "--expires: "),
        (("x", "--expires", "0s"), EXIT_USAGE, "--expires: "),
        (("x", "--expires", "4000d"), EXIT_USAGE, "--expires: must be a minute to 3650 days, or never"),
        (("x", "--scope", "root"), EXIT_USAGE, "--scope"),
        (("x", "--user", "ann", "--scope", "admin"), EXIT_USAGE, "--scope: is more than the role viewer may"),
        (("",), EXIT_USAGE, "NAME: must be 1 to 64"),
        (("x", "--user", "nobody"), EXIT_NOT_FOUND, "there is no account 'nobody'"),
        (("taken",), EXIT_CONFLICT, "there is a token 'taken' already"),
    ],
    ids=str,
)
def test_what_will_not_do_is_told_in_one_line(shell, db, arguments, code, said):
    accounts.add(db, "ann", role="viewer", password=None, now=clock.now())
    assert shell("token", "create", "taken").code == 0

    done = shell("token", "create", *arguments)

    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_the_list_shows_beginnings_states_and_uses_and_no_secret(shell, db):
    secret = shell("token", "create", "monitor").out.strip()
    tokens.resolve(db, secret, now=clock.now(), address="192.0.2.1")

    shown = shell("token", "list").out
    (told,) = shell("token", "list", "--json").json()

    assert all(word in shown for word in ("monitor", "admin", f"{secret[:11]}…", "active", "192.0.2.1"))
    assert (told["prefix"], told["used_from"], told["revoked_at"]) == (secret[:11], "192.0.2.1", None)
    assert secret[11:] not in shown + str(told)


def test_a_token_is_rotated_by_name_and_revoked_by_its_beginning(shell, db):
    old = shell("token", "create", "monitor").out.strip()

    new = shell("token", "rotate", "monitor").out.strip()
    with pytest.raises(TokenRefused):
        holder(db, old)
    assert holder(db, new).username == "admin"
    done = shell("token", "revoke", new[:11])

    assert done.out == f"Revoked token monitor of admin ({new[:11]}…).\n"
    with pytest.raises(TokenRefused):
        holder(db, new)
    assert shell("token", "list", "--json").json() == []
    assert [one["state"] for one in shell("token", "list", "--all", "--json").json()] == ["revoked", "revoked"]


def test_a_name_that_several_accounts_use_needs_its_account(shell, db):
    accounts.ensure_first(db, now=clock.now())
    accounts.add(db, "ann", role="viewer", password=None, now=clock.now())
    shell("token", "create", "monitor")
    shell("token", "create", "monitor", "--user", "ann")

    unclear = shell("token", "revoke", "monitor")
    ended = shell("token", "revoke", "monitor", "--user", "ann", "--json").json()

    assert (unclear.code, "admin, ann" in unclear.err) == (EXIT_CONFLICT, True)
    assert (ended["username"], ended["state"]) == ("ann", "revoked")
    assert shell("token", "rotate", "nothing").code == EXIT_NOT_FOUND


def test_a_whole_secret_ends_its_token_and_is_never_repeated(shell):
    secret = shell("token", "create", "leaked").out.strip()

    ended, again = shell("token", "revoke", secret), shell("token", "revoke", secret)

    assert (ended.code, again.code) == (0, EXIT_NOT_FOUND)
    assert secret[11:] not in ended.out + ended.err + again.out + again.err
