"""Lists of devices: who is found by what, in which order, and how each stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.database import NOW
from tests.fleet import add_device, execute, poll, say
from watchbell.domain.presence import Standing
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import device_bulk, device_groups, device_history, device_lists, devices, fleet_jobs
from watchbell.services.device_bulk import DeviceAction, DeviceOrder
from watchbell.services.device_lists import DeviceFilter, DevicePage
from watchbell.store.devices import Device
from watchbell.store.session import Database


def heard(db: Database, uuid: str, *, ago: float) -> None:
    """Let a device have been heard of so many seconds ago."""
    with db.write() as session:
        statement = update(Device).where(Device.uuid == uuid)
        session.connection().execute(statement.values(seen_at=NOW - timedelta(seconds=ago), seen_from="10.0.0.7"))


def listed(db: Database, **chosen: object) -> DevicePage:
    options = {name: chosen.pop(name) for name in ("sort", "descending", "limit", "offset") if name in chosen}
    return device_lists.list_page(db, DeviceFilter(**chosen), now=NOW, **options)  # type: ignore[arg-type]


def names(found: DevicePage) -> list[str]:
    return [line.device.name for line in found.lines]


@pytest.fixture
def fleet(db: Database) -> dict[str, str]:
    """Make a device of each standing and return their uuids."""
    found = {
        "online": add_device(db, "b-online", tags={"site": "north", "floor": "2"}),
        "offline": add_device(db, "a-offline", tags={"site": "south"}, type="sensor"),
        "never": add_device(db, "d-never"),
        "inactive": add_device(db, "e-inactive"),
        "pending": add_device(db, "c-pending", active=False),
    }
    heard(db, found["online"], ago=120)
    heard(db, found["offline"], ago=121)
    heard(db, found["inactive"], ago=1)
    devices.set_active(db, found["inactive"], False, now=NOW, actor="ann")
    return found


def test_each_device_stands_in_one_way_and_the_list_counts_and_finds_them_by_it(
    db: Database, fleet: dict[str, str]
) -> None:
    page = listed(db)

    assert {line.device.uuid: line.standing.value for line in page.lines} == {
        uuid: word for word, uuid in fleet.items()
    }
    assert page.standings == dict.fromkeys(Standing, 1)
    for word, uuid in fleet.items():
        found = listed(db, standing=Standing(word))
        assert ([line.device.uuid for line in found.lines], found.filtered, found.total) == ([uuid], 1, 5)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("B-ONL", ["b-online"]),
        ("site=north", ["b-online"]),
        ("site south", ["a-offline"]),
        ("site", ["a-offline", "b-online"]),
        ("sensor", ["a-offline"]),
        ("%", []),
        ("_", []),
        ("online north", ["b-online"]),
        ("online south", []),
        ("\ud800", []),
    ],
)
def test_devices_are_found_by_words_of_their_names_types_and_tags(
    db: Database, fleet: dict[str, str], search: str, found: list[str]
) -> None:
    page = listed(db, search=search)

    assert names(page) == found
    assert page.filtered == len(found)


def test_devices_are_found_by_their_uuid_in_whole_and_in_part(db: Database, fleet: dict[str, str]) -> None:
    uuid = fleet["never"]

    assert names(listed(db, search=uuid.upper())) == ["d-never"]
    assert "d-never" in names(listed(db, search=uuid[:13]))


def test_devices_are_chosen_by_tag_type_and_group(db: Database, fleet: dict[str, str]) -> None:
    devices.put_group(db, "kitchens", [fleet["online"], fleet["pending"]], now=NOW, actor="ann")

    assert names(listed(db, tag="site")) == ["a-offline", "b-online"]
    assert names(listed(db, tag="site=south")) == ["a-offline"]
    assert names(listed(db, type="sensor")) == ["a-offline"]
    assert names(listed(db, group="kitchens")) == ["b-online", "c-pending"]
    assert names(listed(db, group="nobody's")) == []
    assert listed(db, group="kitchens").lines[0].groups == ["kitchens"]
    marks = device_lists.list_marks(db)
    assert (marks.types, marks.tags, marks.groups) == (
        ["gateway", "sensor"], ["floor=2", "site=north", "site=south"], ["kitchens"],
    )  # fmt: skip


def test_a_list_is_sorted_and_paged_and_what_was_never_heard_of_comes_last(db: Database, fleet: dict[str, str]) -> None:
    assert names(listed(db)) == ["a-offline", "b-online", "c-pending", "d-never", "e-inactive"]
    assert names(listed(db, descending=True, limit=2)) == ["e-inactive", "d-never"]
    assert names(listed(db, limit=2, offset=4)) == ["e-inactive"]
    assert names(listed(db, sort="seen")) == ["a-offline", "b-online", "e-inactive", "c-pending", "d-never"]
    assert names(listed(db, sort="seen", descending=True))[:3] == ["e-inactive", "b-online", "a-offline"]
    assert [line.device.name for line in device_lists.walk(db, DeviceFilter(), now=NOW, sort="seen")] == names(
        listed(db, sort="seen")
    )
    with pytest.raises(InputError):
        listed(db, sort="key_hash")


def test_a_list_tells_what_a_device_is_at_and_else_its_newest_job(db: Database) -> None:
    busy, idle = add_device(db, "busy"), add_device(db, "idle")
    first = execute(db, busy, idle, name="first").execution.job_id
    for uuid in (busy, idle):
        poll(db, uuid)
    say(db, idle, first, "succeeded", after=5, exit_code=0)
    execute(db, busy, name="second", now=NOW + timedelta(seconds=9))

    jobs = {line.device.name: line.job for line in listed(db).lines}

    assert jobs["busy"] is not None and (jobs["busy"].name, jobs["busy"].state) == ("first", "in_progress")
    assert jobs["idle"] is not None and (jobs["idle"].name, jobs["idle"].state) == ("first", "succeeded")


def done_jobs(db: Database, uuid: str, ends: Sequence[str]) -> None:
    """Let a device have had a job after the other, with these ends."""
    for number, end in enumerate(ends):
        at = number * 60.0
        given = execute(db, uuid, name=f"job-{number}", now=NOW + timedelta(seconds=at))
        poll(db, uuid, after=at)
        say(db, uuid, given.execution.job_id, end, after=at + 10, exit_code=0 if end == "succeeded" else 1)


def test_the_history_of_a_device_is_turned_page_by_page_in_both_directions(db: Database) -> None:
    uuid = add_device(db)
    done_jobs(db, uuid, ["succeeded"] * 5)

    first = device_history.list_jobs(db, uuid, limit=2)
    second = device_history.list_jobs(db, uuid, before=first.older, limit=2)
    third = device_history.list_jobs(db, uuid, before=second.older, limit=2)
    again = device_history.list_jobs(db, uuid, after=third.newer, limit=2)
    newest = device_history.list_jobs(db, uuid, after=second.newer, limit=2)

    assert [[job.name for job in page.jobs] for page in (first, second, third, again, newest)] == [
        ["job-4", "job-3"], ["job-2", "job-1"], ["job-0"], ["job-2", "job-1"], ["job-4", "job-3"],
    ]  # fmt: skip
    assert (first.newer, third.older, newest.newer) == (None, None, None)
    assert [job.name for job in device_history.walk(db, uuid)] == [f"job-{n}" for n in (4, 3, 2, 1, 0)]
    with pytest.raises(InputError):
        device_history.list_jobs(db, add_device(db), before=first.older, limit=2)
    with pytest.raises(NotFound):
        device_history.list_jobs(db, "nobody", limit=2)


def test_the_success_rate_counts_what_ended_and_not_what_was_taken_back(db: Database) -> None:
    uuid = add_device(db)
    done_jobs(db, uuid, ["succeeded", "failed", "succeeded", "rejected"])
    taken_back = execute(db, uuid, name="taken back").execution.job_id
    fleet_jobs.cancel(db, taken_back, now=NOW, actor="ann", force=False)

    done = device_history.workload(db, uuid, now=NOW)

    assert (done.succeeded, done.judged, done.total, done.held) == (2, 3, 5, None)
    assert device_history.workload(db, uuid, now=NOW + timedelta(days=31)).judged == 0


def test_a_group_is_made_renamed_and_refused_where_another_has_the_name(db: Database) -> None:
    made = device_groups.create(db, " kitchens ", description="all of them", now=NOW, actor="ann")
    device_groups.create(db, "cellars", now=NOW, actor="ann")

    with pytest.raises(Conflict):
        device_groups.create(db, "kitchens", now=NOW, actor="ann")
    with pytest.raises(Conflict):
        device_groups.change(db, made.id, name="cellars", description="", now=NOW, actor="ann")
    with pytest.raises(InputError):
        device_groups.change(db, made.id, name="\n", description="", now=NOW, actor="ann")
    renamed = device_groups.change(db, made.id, name="galleys", description="x", now=NOW, actor="ann")

    assert (renamed.name, renamed.description) == ("galleys", "x")
    assert [view.group.name for view in device_groups.list_all(db, now=NOW)] == ["cellars", "galleys"]
    with pytest.raises(NotFound):
        device_groups.get(db, 999, now=NOW)


def test_a_group_that_an_open_order_names_keeps_its_name(db: Database) -> None:
    uuid = add_device(db)
    made = device_groups.create(db, "kitchens", now=NOW, actor="ann")
    device_groups.add_named(db, made.id, [uuid], now=NOW, actor="ann")
    given = execute(
        db,
        name="patch",
        target_type="group",
        target_filter={"group": "kitchens"},
        execution_type="continuous",
        target_devices=(),
    )

    with pytest.raises(Conflict, match="patch"):
        device_groups.change(db, made.id, name="galleys", description="", now=NOW, actor="ann")
    assert device_groups.list_uses(db, made.id) == ["patch"]
    fleet_jobs.cancel(db, given.execution.job_id, now=NOW, actor="ann", force=True)
    assert device_groups.change(db, made.id, name="galleys", description="", now=NOW, actor="ann").name == "galleys"


def test_devices_join_a_group_by_name_or_uuid_once_and_open_orders_reach_them(db: Database) -> None:
    one, other, late = add_device(db, "one"), add_device(db, "other"), add_device(db, "late")
    made = device_groups.create(db, "kitchens", now=NOW, actor="ann")
    assert device_groups.add_named(db, made.id, ["one", f" {other.upper()} ", "", "one"], now=NOW, actor="ann") == 2
    given = execute(
        db,
        name="patch",
        target_type="group",
        target_filter={"group": "kitchens"},
        execution_type="continuous",
        target_devices=(),
    )

    assert device_groups.add_named(db, made.id, ["late", "one"], now=NOW, actor="ann") == 1

    assert {device.uuid for _part, device in fleet_jobs.get(db, given.execution.job_id)[1]} == {one, other, late}
    assert device_groups.get(db, made.id, now=NOW).devices == 3


@pytest.mark.parametrize("wanted", [["nobody"], ["twin"], [""], ["x"] * 2 + [f"d{n}" for n in range(1001)]])
def test_what_is_no_single_device_joins_no_group(db: Database, wanted: list[str]) -> None:
    add_device(db, "twin")
    add_device(db, "twin")
    made = device_groups.create(db, "kitchens", now=NOW, actor="ann")

    with pytest.raises(InputError):
        device_groups.add_named(db, made.id, wanted, now=NOW, actor="ann")

    assert device_groups.get(db, made.id, now=NOW).devices == 0


def bulk(db: Database, action: DeviceAction, **order: object) -> list[str]:
    chosen = device_lists.list_names(db, DeviceFilter(), 100, now=NOW)
    done = device_bulk.change_devices(db, DeviceOrder(action, **order), chosen, now=NOW, actor="ann")  # type: ignore[arg-type]
    return [part.outcome for part in done]


def test_many_devices_are_changed_at_once_and_what_was_so_already_is_told(db: Database) -> None:
    add_device(db, "a", tags={"site": "north", "floor": "1"})
    add_device(db, "b", active=False, tags={"site": "south"})
    group = device_groups.create(db, "kitchens", now=NOW, actor="ann").id

    assert bulk(db, DeviceAction.ACTIVATE) == ["unchanged", "activated"]
    assert bulk(db, DeviceAction.DEACTIVATE) == ["deactivated", "deactivated"]
    assert bulk(db, DeviceAction.TAG, tags={"site": "north", "x": "1"}) == ["tagged", "tagged"]
    assert bulk(db, DeviceAction.UNTAG, keys=["floor"]) == ["untagged", "unchanged"]
    assert bulk(db, DeviceAction.GROUP, group_id=group) == ["grouped", "grouped"]
    assert bulk(db, DeviceAction.GROUP, group_id=group) == ["unchanged", "unchanged"]
    assert [dict(line.tags) for line in listed(db).lines] == [{"site": "north", "x": "1"}] * 2
    assert bulk(db, DeviceAction.UNGROUP, group_id=group) == ["ungrouped", "ungrouped"]
    assert bulk(db, DeviceAction.DELETE) == ["deleted", "deleted"]
    assert listed(db).total == 0


def test_a_device_that_refuses_a_change_leaves_the_others_changed(db: Database) -> None:
    add_device(db, "full", tags={f"k{n}": "v" for n in range(devices.MOST_TAGS)})
    add_device(db, "room")

    assert bulk(db, DeviceAction.TAG, tags={"one": "more"}) == ["", "tagged"]
    assert len(listed(db, search="full").lines[0].tags) == devices.MOST_TAGS
