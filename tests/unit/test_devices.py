"""Managed machines: making and changing them, their keys, and their groups."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import add_device
from watchbell.domain.fleet_targets import Filter
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import device_groups, devices
from watchbell.services.tokens import TokenRefused
from watchbell.store.session import Database

UUID = "8479359e-dbeb-4858-813c-e8a9008dde04"


def test_a_device_is_made_inactive_and_with_a_key_that_is_told_once(db: Database) -> None:
    made, secret = devices.add(db, {"name": " pi ", "ip_address": "10.0.0.7"}, now=NOW, actor="ann", uuid=UUID.upper())

    assert (made.device.uuid, made.device.name, made.device.type) == (UUID, "pi", "gateway")
    assert (made.device.is_active, made.device.provisioning_state, made.is_online) == (False, "pending", False)
    assert secret not in repr(vars(devices.get(db, UUID, now=NOW).device))
    assert secret.startswith(made.device.key_prefix)
    with pytest.raises(Conflict):
        devices.add(db, {"name": "pi"}, now=NOW, actor="ann", uuid=UUID)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "pi", "type": ""}, "type"),
        ({"name": "pi", "ip_address": "10.0.0.7; id"}, "ip_address"),
        ({"name": "pi", "mac_address": "<b>"}, "mac_address"),
    ],
)
def test_a_device_that_is_wrong_is_told_where(db: Database, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as told:
        devices.add(db, fields, now=NOW, actor="ann")

    assert told.value.problems[0].field == field


def test_a_uuid_must_be_one(db: Database) -> None:
    with pytest.raises(InputError):
        devices.add(db, {"name": "pi"}, now=NOW, actor="ann", uuid="../../etc")


def test_a_key_says_which_device_it_is_until_it_is_replaced_or_taken(db: Database) -> None:
    made, first = devices.add(db, {"name": "pi"}, now=NOW, actor="ann")
    uuid = made.device.uuid
    assert devices.resolve(db, first, now=NOW).uuid == uuid

    second = devices.rotate_key(db, uuid, now=NOW, actor="ann")
    assert devices.resolve(db, second, now=NOW).uuid == uuid
    devices.revoke_key(db, uuid, now=NOW, actor="ann")

    for secret in (first, second, "wb_" + "0" * 40, "", "wbd_" + "0" * 40):
        with pytest.raises(TokenRefused):
            devices.resolve(db, secret, now=NOW)


def test_it_is_written_only_now_and_then_that_a_device_was_heard_of(db: Database) -> None:
    made, secret = devices.add(db, {"name": "pi"}, now=NOW, actor="ann")

    def seen(after: float) -> float:
        devices.resolve(db, secret, now=NOW + timedelta(seconds=after), address="10.0.0.7")
        at = devices.get(db, made.device.uuid, now=NOW).device.seen_at
        assert at is not None
        return (at - NOW).total_seconds()

    assert [seen(after) for after in (0, 10, 29, 30, 31, 61)] == [0, 0, 0, 30, 30, 61]


def test_a_change_leaves_what_it_does_not_name(db: Database) -> None:
    uuid = add_device(db, "pi", ip_address="10.0.0.7")

    after = devices.update(db, uuid, {"name": "new", "zone": "Europe/Berlin"}, now=NOW, actor="ann").device

    assert (after.name, after.zone, after.ip_address, after.is_active) == ("new", "Europe/Berlin", "10.0.0.7", True)
    with pytest.raises(NotFound):
        devices.update(db, UUID, {"name": "new"}, now=NOW, actor="ann")


@pytest.mark.parametrize(
    "tags", [{"a b": "x"}, {"site": 5}, {"device_type": "x"}, {"s": "x" * 256}, {"s": "a\n"}, [], {"": "x"}]
)
def test_tags_that_are_wrong_are_refused(db: Database, tags: Any) -> None:
    uuid = add_device(db, tags={"site": "north"})

    with pytest.raises(InputError):
        devices.set_tags(db, uuid, tags, now=NOW, actor="ann")

    assert devices.get(db, uuid, now=NOW).tags == {"site": "north"}


def test_devices_are_found_by_whole_tags(db: Database) -> None:
    north, _south = add_device(db, tags={"site": "north"}), add_device(db, tags={"site": "northwest"})

    found = devices.find_chosen(db, Filter(tags={"site": "north"}), now=NOW)

    assert [one.device.uuid for one in found] == [north]


def test_a_list_has_pages_by_name(db: Database) -> None:
    for name in ("b", "A", "c"):
        add_device(db, name, active=name != "c")

    def page(number: int, **chosen: bool | None) -> tuple[list[str], int]:
        how: dict[str, Any] = {"is_active": None, "is_online": None, **chosen}
        found, total = devices.list_page(db, now=NOW, page=number, limit=2, **how)
        return [one.device.name for one in found], total

    assert (page(1), page(2), page(3)) == ((["A", "b"], 3), (["c"], 3), ([], 3))
    assert page(1, is_active=False) == (["c"], 1)
    assert page(1, is_online=True) == ([], 0)


def test_a_group_is_of_the_devices_that_are_given_last(db: Database) -> None:
    first, second = add_device(db), add_device(db)
    devices.put_group(db, "kitchens", [first], now=NOW, actor="ann")

    devices.put_group(db, "kitchens", [second], description="warm", now=NOW, actor="ann")

    ((group, members),) = devices.list_groups(db)
    assert (group.name, group.description, members) == ("kitchens", "warm", 1)
    assert [one.device.uuid for one in devices.find_chosen(db, Filter(group="kitchens"), now=NOW)] == [second]
    with pytest.raises(InputError):
        devices.put_group(db, "kitchens", [UUID], now=NOW, actor="ann")
    device_groups.delete_named(db, "kitchens", now=NOW, actor="ann")
    with pytest.raises(NotFound):
        device_groups.delete_named(db, "kitchens", now=NOW, actor="ann")
    assert devices.get(db, second, now=NOW).device.uuid == second


def test_a_device_goes_with_its_tags_and_memberships(db: Database) -> None:
    uuid = add_device(db, tags={"site": "north"})
    devices.put_group(db, "kitchens", [uuid], now=NOW, actor="ann")

    devices.delete(db, uuid, now=NOW, actor="ann")

    assert devices.list_groups(db)[0][1] == 0
    with pytest.raises(NotFound):
        devices.get(db, uuid, now=NOW)
