"""Who somebody is: accounts, passwords, links and sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.database import NOW
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import accounts
from watchbell.services.logins import USUAL, Grant, Limits
from watchbell.store.accounts import Account
from watchbell.store.session import Database

PASSWORD = "a sentence of my own"
MINUTE = timedelta(minutes=1)


def _add(db: Database, username: str = "ann", *, role: str = "editor", password: str | None = PASSWORD) -> Account:
    return accounts.add(db, username, role=role, password=password, now=NOW)


def _log_in(db: Database, username: str = "ann", password: str = PASSWORD, *, now=NOW, **options: str) -> Grant | None:
    return accounts.log_in(db, username, password, now=now, **options)


def _is_in(db: Database, grant: Grant, now=NOW) -> bool:
    return accounts.resume(db, grant.token, now=now) is not None


def test_a_new_database_gets_one_account_that_no_password_opens(db: Database) -> None:
    first, again = (accounts.ensure_first(db, now=NOW) for _ in range(2))

    assert (first.username, first.role, first.password_hash) == ("admin", "admin", None)
    assert again.id == first.id
    assert len(accounts.list_all(db)) == 1
    for password in ("", "admin", "password"):
        assert _log_in(db, "admin", password) is None


def test_the_first_account_is_an_administrator_where_there_is_one(db: Database) -> None:
    _add(db, "ann")
    boss = _add(db, "zoe", role="admin")

    assert accounts.ensure_first(db, now=NOW).id == boss.id


@pytest.mark.parametrize(
    "username", ["", " ", "a b", "-x", "ä", "a\n", "a\0", "x" * 65, "../x", "<b>", "\ud800"], ids=ascii
)
def test_a_name_that_is_no_name_is_refused_with_one_that_is(db: Database, username: str) -> None:
    with pytest.raises(InputError) as caught:
        _add(db, username, password=None)

    (problem,) = caught.value.problems
    assert problem.field == "username"
    assert _add(db, problem.example, password=None)


@pytest.mark.parametrize("role", ["", "root", "ADMIN", "\ud800"], ids=ascii)
def test_a_role_that_does_not_exist_is_refused(db: Database, role: str) -> None:
    with pytest.raises(InputError, match="role: must be one of viewer, operator, editor, admin"):
        _add(db, role=role)


@pytest.mark.parametrize(
    "password", ["", "seven77", "x" * 1025, "secret \ud800 half"], ids=lambda text: ascii(text)[:20]
)
def test_a_password_that_protects_nothing_is_refused(db: Database, password: str) -> None:
    with pytest.raises(InputError) as caught:
        _add(db, password=password)

    assert [problem.field for problem in caught.value.problems] == ["password"]
    assert accounts.list_all(db) == []


@pytest.mark.parametrize("username", ["ann", "ANN"])
def test_a_name_is_taken_whatever_its_case(db: Database, username: str) -> None:
    _add(db, "Ann")

    with pytest.raises(Conflict):
        _add(db, username)


def test_nothing_that_opens_an_account_is_stored_as_it_is(db: Database, database_file) -> None:
    _add(db)
    grant, link = _log_in(db), accounts.make_link(db, "ann", now=NOW)
    db.close()

    stored = b"".join(path.read_bytes() for path in database_file.parent.iterdir() if path.is_file())

    for secret in (PASSWORD, grant.token, link):
        assert secret.encode() not in stored


def test_the_right_password_opens_whatever_the_case_of_the_name(db: Database) -> None:
    _add(db)

    for username in ("ann", "Ann"):
        grant = _log_in(db, username, address="127.0.0.1", agent="x" * 300)
        login, account = accounts.resume(db, grant.token, now=NOW)
        assert (account.username, login.address, len(login.agent)) == ("ann", "127.0.0.1", 200)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ann", "wrong"),
        ("ann", ""),
        ("ann", PASSWORD + " "),
        ("ann", PASSWORD.upper()),
        ("ann", "\ud800"),
        ("ann", "\0" * 100_000),
        ("nobody", PASSWORD),
        ("\ud800", PASSWORD),
        ("ann' --", PASSWORD),
        ("empty", ""),
        ("empty", PASSWORD),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_whatever_is_wrong_the_answer_is_the_same(db: Database, username: str, password: str) -> None:
    _add(db)
    _add(db, "empty", password=None)

    assert _log_in(db, username, password) is None
    with db.read() as session:
        assert session.execute(text("SELECT count(*) FROM session")).scalar_one() == 0


def test_a_disabled_account_is_out_at_once_and_stays_out(db: Database) -> None:
    account = _add(db)
    grant, link = _log_in(db), accounts.make_link(db, "ann", now=NOW)
    with db.write() as session:
        session.get(Account, account.id).is_active = False

    assert not _is_in(db, grant)
    assert _log_in(db) is None
    assert accounts.use_link(db, link, now=NOW) is None


def test_the_password_of_the_settings_opens_the_first_account_only(db: Database) -> None:
    accounts.ensure_first(db, now=NOW)
    _add(db)

    assert _log_in(db, "", "from the settings", configured_password="from the settings").account.username == "admin"
    assert _log_in(db, "admin", "from the settings", configured_password="from the settings")
    assert _log_in(db, "ann", "from the settings", configured_password="from the settings") is None
    assert _log_in(db, "admin", "other", configured_password="from the settings") is None
    assert _log_in(db, "admin", "", configured_password="") is None


def test_the_password_of_the_settings_opens_the_first_account_whatever_its_name(db: Database) -> None:
    _add(db, "ann", role="admin", password=None)
    _add(db, "aaron", role="admin")
    _add(db, "admin", role="viewer")
    given = {"password": "from the settings", "configured_password": "from the settings"}

    assert accounts.ensure_first(db, now=NOW).username == accounts.first_username(db) == "ann"
    for username in ("ann", "ANN", ""):
        grant = _log_in(db, username, **given)
        assert grant is not None
        assert grant.account.username == "ann"
    assert [_log_in(db, username, **given) for username in ("aaron", "admin", "nobody")] == [None] * 3


def test_an_administrator_who_is_switched_off_hands_the_password_of_the_settings_on(db: Database) -> None:
    old, new = _add(db, "zoe", role="admin"), _add(db, "ann", role="admin")
    given = {"password": "from the settings", "configured_password": "from the settings"}
    with db.write() as session:
        session.get(Account, old.id).is_active = False

    assert _log_in(db, "zoe", **given) is None
    assert _log_in(db, "", **given).account.id == new.id


def test_nobody_logs_in_where_there_is_no_account(db: Database) -> None:
    assert _log_in(db, "", "from the settings", configured_password="from the settings") is None


def test_a_link_opens_once(db: Database) -> None:
    _add(db, password=None)
    link = accounts.make_link(db, "ann", now=NOW)

    grant = accounts.use_link(db, link, now=NOW + MINUTE, address="::1")

    assert _is_in(db, grant, NOW + MINUTE)
    assert accounts.use_link(db, link, now=NOW + MINUTE) is None


def test_a_link_opens_until_its_time_is_over(db: Database) -> None:
    _add(db)
    early, late = (accounts.make_link(db, "ann", now=NOW, minutes=5) for _ in range(2))

    assert accounts.use_link(db, early, now=NOW + 5 * MINUTE - timedelta(microseconds=1))
    assert accounts.use_link(db, late, now=NOW + 5 * MINUTE) is None


@pytest.mark.parametrize("token", ["", "guess", "\ud800", "x" * 100_000], ids=lambda text: ascii(text)[:20])
def test_a_token_that_was_never_given_opens_nothing(db: Database, token: str) -> None:
    _add(db)
    accounts.make_link(db, "ann", now=NOW)
    _log_in(db)

    assert accounts.use_link(db, token, now=NOW) is None
    assert accounts.resume(db, token, now=NOW) is None
    accounts.log_out(db, token, now=NOW)


def test_a_link_is_no_session_and_a_session_no_link(db: Database) -> None:
    _add(db)
    link, grant = accounts.make_link(db, "ann", now=NOW), _log_in(db)

    assert accounts.resume(db, link, now=NOW) is None
    assert accounts.use_link(db, grant.token, now=NOW) is None


def test_nobody_gets_a_link_to_an_account_that_is_not_there(db: Database) -> None:
    for call in (
        lambda: accounts.make_link(db, "nobody", now=NOW),
        lambda: accounts.find(db, "nobody"),
        lambda: accounts.find(db, "\udcff"),
        lambda: accounts.set_password(db, "nobody", PASSWORD, now=NOW),
    ):
        with pytest.raises(NotFound):
            call()


def test_every_login_has_a_token_of_its_own(db: Database) -> None:
    _add(db)

    assert len({_log_in(db).token for _ in range(5)}) == 5


def test_a_session_that_is_not_used_ends(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    assert _is_in(db, grant, NOW + USUAL.idle - MINUTE)
    # That was a use, from which the time counts anew.
    assert _is_in(db, grant, NOW + 2 * USUAL.idle - 2 * MINUTE)
    assert not _is_in(db, grant, NOW + 3 * USUAL.idle)


def test_a_session_ends_in_any_case_in_the_end(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    for day in range(USUAL.absolute.days):
        assert _is_in(db, grant, NOW + timedelta(days=day))

    assert not _is_in(db, grant, NOW + USUAL.absolute)


def test_settings_say_how_long_a_session_lasts_also_for_those_that_have_begun(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    def is_open(after: timedelta, **limits: timedelta) -> bool:
        said = Limits(**limits)
        found = accounts.resume(db, grant.token, now=NOW + after, limits=said, is_use=False) is not None
        assert (accounts.still_open(db, [grant.token], now=NOW + after, limits=said) == {grant.token}) is found
        assert bool(accounts.list_logins(db, "ann", now=NOW + after, limits=said)) is found
        return found

    short = timedelta(minutes=15)
    assert is_open(short - MINUTE, idle=short)
    assert not is_open(short, idle=short)
    assert not is_open(timedelta(hours=1), absolute=timedelta(hours=1))
    long = {"idle": timedelta(days=200), "absolute": timedelta(days=100)}
    accounts.resume(db, grant.token, now=NOW + 2 * MINUTE, limits=Limits(**long))
    assert is_open(timedelta(days=99), **long)
    assert not is_open(timedelta(days=100), **long)


def test_what_an_open_page_asks_by_itself_is_no_use(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    accounts.resume(db, grant.token, now=NOW + 2 * MINUTE, is_use=False)

    login, _account = accounts.resume(db, grant.token, now=NOW)
    assert login.seen_at == NOW


def test_the_last_use_is_written_at_most_once_a_minute(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    seen = []
    for seconds in (30, 59, 60, 90, 121):
        accounts.resume(db, grant.token, now=NOW + timedelta(seconds=seconds))
        login, _account = accounts.resume(db, grant.token, now=NOW)
        seen.append((login.seen_at - NOW).seconds)

    assert seen == [0, 0, 60, 60, 121]


def test_logging_out_ends_this_session_and_no_other(db: Database) -> None:
    _add(db)
    here, there = _log_in(db), _log_in(db)

    accounts.log_out(db, here.token, now=NOW)
    accounts.log_out(db, here.token, now=NOW + MINUTE)

    assert (_is_in(db, here), _is_in(db, there)) == (False, True)


def test_a_new_password_ends_all_sessions_but_the_one_that_set_it(db: Database) -> None:
    _add(db)
    _add(db, "bob")
    here, there, bobs = _log_in(db), _log_in(db), _log_in(db, "bob")

    changed = accounts.set_password(db, "ANN", "another sentence", now=NOW + MINUTE, keep_token=here.token)

    assert changed.password_changed_at == NOW + MINUTE
    assert [_is_in(db, grant, NOW + MINUTE) for grant in (here, there, bobs)] == [True, False, True]
    assert _log_in(db) is None
    assert _log_in(db, password="another sentence")


def test_a_password_that_was_set_from_outside_ends_every_session(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    accounts.set_password(db, "ann", "another sentence", now=NOW)

    assert not _is_in(db, grant)


def test_a_new_password_makes_links_that_are_about_worthless(db: Database) -> None:
    _add(db)
    link = accounts.make_link(db, "ann", now=NOW)

    accounts.set_password(db, "ann", "another sentence", now=NOW)

    assert accounts.use_link(db, link, now=NOW) is None


def test_a_password_that_is_refused_changes_nothing(db: Database) -> None:
    _add(db)
    grant = _log_in(db)

    with pytest.raises(InputError):
        accounts.set_password(db, "ann", "short", now=NOW)

    assert _is_in(db, grant)
    assert _log_in(db)


def test_an_installation_whose_first_account_is_no_administrator_gets_one(db: Database) -> None:
    accounts.add(db, "ann", role="operator", password=None, now=NOW)

    first = accounts.ensure_first(db, now=NOW)

    assert (first.username, first.role) == ("admin", "admin")
    assert accounts.ensure_first(db, now=NOW).id == first.id


def test_the_administrator_that_is_made_takes_nobodys_name(db: Database) -> None:
    accounts.add(db, "Admin", role="viewer", password=None, now=NOW)

    assert accounts.ensure_first(db, now=NOW).username == "admin-2"
