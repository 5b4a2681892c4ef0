"""How often somebody may try to log in from many places, and who is not locked out by it."""

from __future__ import annotations

from flask import Flask

from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import accounts
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.web.throttle import source_of

PASSWORD = "a bell at noon"


def test_many_addresses_together_are_slowed_down_and_do_not_lock_out_whoever_has_been_there(
    app: Flask, db: Database, admin_account: Account
) -> None:
    accounts.set_password(db, admin_account.username, PASSWORD, now=clock.now())

    def tries(password: str, address: str) -> int:
        place = {"environ_base": {"REMOTE_ADDR": address}}
        return Person(app.test_client()).client.post("/login", data={"password": password}, **place).status_code

    assert tries(PASSWORD, "192.0.2.1") == 303
    # What a login has counted is given back by it.
    statuses = [tries("wrong", f"198.51.100.{number // 5}") for number in range(31)]

    assert statuses == [200] * 30 + [429]
    assert tries(PASSWORD, "203.0.113.9") == 429
    assert tries(PASSWORD, "192.0.2.1") == 303


def test_all_addresses_of_a_network_of_ipv6_are_one(app: Flask, admin_account: Account) -> None:
    def tries(address: str) -> int:
        # Each with another name, which is how one password is tried with many.
        fields = {"username": address, "password": "wrong"}
        place = {"environ_base": {"REMOTE_ADDR": address}}
        return Person(app.test_client()).client.post("/login", data=fields, **place).status_code

    statuses = [tries(f"2001:db8:1:2:{number:x}::{number:x}") for number in range(11)]

    assert statuses == [200] * 10 + [429]
    assert tries("2001:db8:1:3::1") == 200
    assert source_of("::ffff:192.0.2.7") == source_of("192.0.2.7") == "192.0.2.7"
    assert source_of("fe80::1%eth0") == source_of("fe80::2%eth0")
    assert source_of("::1") == "::1"
    assert source_of("by link") == "by link"
