"""Giving orders on the page: the form, what it begins with, the look at the order, and that it is given once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from bs4 import BeautifulSoup

from tests.fleet import DOCUMENT, add_device, execute
from tests.unit import device_rows
from tests.unit.form_fields import soup
from tests.unit.test_pages_fleet_templates import HOSTILE, fields_of, send
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.services import devices, fleet_jobs, job_library
from watchbell.services.fleet_jobs import Shown
from watchbell.store.session import Database

ADDRESS = "/fleet/execute"
#: What a browser sends for the form as it is, with a template chosen.
PLAIN = {
    "name": "check", "source": "template", "template_id": "3", "var_SERVICE_NAME": "", "document": "", "target": "all",
    "device_q": "", "group": "", "match_tags": "", "match_group": "", "match_online": "", "timeout": "30m",
    "priority": "5", "start": "now", "start_at": "", "start_local": "", "window_start": "", "window_end": "",
    "rollout": "", "canary": "1", "wave": "10", "factor": "2", "largest": "", "interval": "0", "success": "100",
    "ended": "100", "abort_percent": "", "abort_minimum": "1", "abort_on": "ALL", "abort_action": "PAUSE",
    "rollback": "none", "rollback_template_id": "", "rollback_document": "",
}  # fmt: skip


def with_fields(**fields: Any) -> list[tuple[str, str]]:
    """Return the plain form with some fields typed over; a list sends a field several times."""
    data = {**PLAIN, **fields}
    return [(name, one) for name, value in data.items() for one in (value if isinstance(value, list) else [value])]


def look(person: Person, **fields: Any) -> BeautifulSoup:
    """Return the question of an order that can be given."""
    answer = send(person, ADDRESS, with_fields(**fields), act="preview")
    assert answer.status_code == 200, [one.text for one in soup(answer.text).select(".wb-field__error")]
    return soup(answer.text)


def give(person: Person, page: BeautifulSoup, **fields: str) -> Any:
    return send(person, ADDRESS, fields_of(page, "#give"), act="give", **fields)


def orders(db: Database) -> list[Shown]:
    return fleet_jobs.list_page(db, limit=50)


def test_an_order_is_looked_at_confirmed_with_its_number_and_given_once(admin: Person, db: Database) -> None:
    uuids = [add_device(db, f"pi-{number}") for number in range(3)]

    page = look(admin)

    assert "It goes to 3 devices" in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    form = page.select_one("#give")
    assert form is not None and "Give “check” to 3 devices?" in str(form["data-confirm"])
    assert "systemctl,status,cron" in page.select_one("#final pre").text  # type: ignore[union-attr]
    assert not orders(db)
    answers = [give(admin, page) for _ in range(3)]
    (given,) = orders(db)
    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {
        (303, answers[0].headers["Location"])
    }
    assert given.execution.job_id in answers[0].headers["Location"]
    assert set(given.targets) == set(uuids)
    assert (given.execution.timeout_seconds, given.execution.priority, given.execution.template_id) == (1800, 5, 3)
    assert given.execution.created_by == "admin"


def test_another_number_of_devices_than_was_confirmed_is_asked_about_again(admin: Person, db: Database) -> None:
    add_device(db)
    page = look(admin)
    add_device(db)

    answer = give(admin, page)

    assert answer.status_code == 200 and not orders(db)
    again = soup(answer.text)
    assert "Nothing was given" in again.text and "It goes to 2 devices" in again.text
    assert give(admin, again).status_code == 303
    assert len(orders(db)[0].targets) == 2


def test_what_was_changed_after_the_look_is_shown_again_before_it_is_given(admin: Person, db: Database) -> None:
    add_device(db)
    page = look(admin)
    step = {"type": "runCommand", "input": {"command": "echo,other"}}
    job_library.update_template(db, 3, {"document": {"steps": [step], "maxExecutions": 3}}, now=clock.now(), actor="a")

    again = soup(give(admin, page).text)

    assert "has changed meanwhile" in again.text and "echo,other" in again.text and not orders(db)
    assert "say nothing here and change nothing: maxExecutions" in again.text
    assert give(admin, again).status_code == 303


def test_a_forged_or_missing_number_gives_nothing(admin: Person, db: Database) -> None:
    add_device(db)
    page = look(admin)

    for number in ("", "x", "-1", "9" * 30):
        answer = give(admin, page, confirmed=number)
        assert answer.status_code == 200
    assert give(admin, page, once_key="").status_code == 422

    assert not orders(db)


def test_devices_are_searched_and_chosen_over_several_steps_and_stay_chosen(admin: Person, db: Database) -> None:
    north = [add_device(db, f"n-{number}", tags={"site": "north"}) for number in range(2)]
    other = add_device(db, HOSTILE)
    asleep = add_device(db, "n-off", active=False)
    fields = with_fields(target="device")

    page = soup(send(admin, ADDRESS, [*fields, ("device", other)], act="find", device_q="SITE=north n-").text)

    shown = {one["value"]: one.has_attr("checked") for one in page.select("[name=device]")}
    assert shown == {other: True, north[0]: False, north[1]: False}
    assert HOSTILE in page.text and not page.select("#picker script") and asleep not in str(page)
    page = soup(send(admin, ADDRESS, fields_of(page, "#execute-form"), act="all").text)
    assert {one["value"] for one in page.select("[name=device][checked]")} == {other, *north}
    assert "3 devices are chosen" in page.text
    answer = send(admin, ADDRESS, fields_of(page, "#execute-form"), act="preview")
    assert give(admin, soup(answer.text)).status_code == 303
    assert set(orders(db)[0].targets) == {other, *north}


def test_many_devices_stay_usable(admin: Person, db: Database) -> None:
    device_rows.add_many(db, 10_000)
    fields = with_fields(target="device")

    answer = send(admin, ADDRESS, fields, act="find", device_q="pi-0999")

    assert [one["value"][:8] for one in soup(answer.text).select("[name=device]")] == [
        f"{n:08}" for n in range(9990, 10000)
    ]
    assert "The first 50 of 10,000 active devices" in soup(send(admin, ADDRESS, fields, act="find").text).text
    many = send(admin, ADDRESS, fields, act="all", device_q="pi-")
    assert len(many.data) < 900_000 and "1,000 devices are chosen" in soup(many.text).text.replace("1000", "1,000")
    page = look(admin)
    assert "It goes to 10000 devices" in page.text and len(page.select("#devices tbody tr")) == 200
    assert give(admin, page).status_code == 303
    assert orders(db)[0].execution.total == 10_000


#: What is chosen, and the target that is made of it.
TARGETS: list[tuple[dict[str, str], tuple[str, Any]]] = [
    ({"target": "group", "group": "kitchens"}, ("group", {"group": "kitchens"})),
    ({"target": "match", "match_tags": "site=north\r\n"}, ("group", {"tags": {"site": "north"}})),
    (
        {"target": "match", "match_device_type": "gateway", "match_online": "no", "match_group": "kitchens"},
        ("group", {"device_type": "gateway", "is_online": False, "group": "kitchens"}),
    ),
    ({"target": "all", "continuous": "y"}, ("all", None)),
]


def test_groups_tags_and_attributes_mean_devices(admin: Person, db: Database) -> None:
    inside = add_device(db, tags={"site": "north"})
    add_device(db, type="camera")
    devices.put_group(db, "kitchens", [inside], now=clock.now(), actor="ann")

    for fields, target in TARGETS:
        assert give(admin, look(admin, **fields)).status_code == 303

        given = orders(db)[0]
        assert (given.execution.target_type, given.execution.target_filter) == target
        assert (inside in given.targets, len(given.targets)) == (True, 2 if target[0] == "all" else 1)
        assert given.execution.execution_type == ("continuous" if "continuous" in fields else "oneTime")


#: What is chosen, the rules that are made of it, and the sizes of the waves for 25 devices.
WAVES: list[tuple[dict[str, str], dict[str, Any], list[int]]] = [
    ({"rollout": "careful"}, {"canary": 1, "wave": 3, "factor": 100}, [1, 3, 21]),
    ({"rollout": "tenths"}, {"canary": 0, "wave": 3}, [3] * 8 + [1]),
    ({"rollout": "doubling", "interval": "10m"}, {"wave": 1, "factor": 2, "interval_seconds": 600}, [1, 2, 4, 8, 10]),
    (
        {"rollout": "own", "canary": "2", "wave": "5", "factor": "1,5", "largest": "6", "success": "95",
         "ended": "80", "abort_percent": "12.5", "abort_minimum": "4", "abort_on": "FAILED", "abort_action": "CANCEL"},
        {"success_percentage": 95, "ended_percentage": 80, "largest": 6, "abort": [
            {"failure_type": "FAILED", "threshold_percentage": 12.5, "minimum": 4, "action": "CANCEL"}]},
        [2, 5, 6, 6, 6],
    ),
]  # fmt: skip


def test_waves_are_made_for_the_devices_that_are_meant(admin: Person, db: Database) -> None:
    for _ in range(25):
        add_device(db)

    for fields, rules, waves in WAVES:
        page = look(admin, **fields)
        assert f"in {len(waves)} waves: {', '.join(map(str, waves[:8]))}" in page.text
        numbers = [int(row.select("td")[2].text) for row in page.select("#devices tbody tr")]
        assert [numbers.count(number) for number in range(1, len(waves) + 1)] == waves

        assert give(admin, page).status_code == 303

        given = orders(db)[0].execution
        assert given.waves == len(waves)
        assert given.rollout is not None and rules.items() <= given.rollout.items()


def test_an_order_waits_for_its_time_and_its_window_by_the_clock_of_each_device(admin: Person, db: Database) -> None:
    add_device(db, "tokyo", zone="Asia/Tokyo")
    add_device(db, "here", zone="Europe/Berlin")
    window = {"window_start": "02:00", "window_end": "04:00", "window_days": ["sat", "sun"]}

    page = look(admin, start="local", start_local="2099-01-01T02:00", **window)

    begins = {row.select("td")[0].text: row.select("td")[2].text for row in page.select("#devices tbody tr")}
    # A Saturday: it begins by the clock of each device, which is 8 hours apart.
    assert "2099-01-03 02:00" in begins["here"] and "2099-01-02 18:00" in begins["tokyo"]
    assert give(admin, page).status_code == 303
    assert orders(db)[0].execution.schedule == {
        "local_time": "2099-01-01T02:00:00",
        "window": {"start": "02:00", "end": "04:00", "days": ["sat", "sun"]},
    }
    page = look(admin, start="at", start_at="2099-01-01T02:00")
    assert give(admin, page).status_code == 303
    assert orders(db)[0].execution.schedule == {"scheduled_at": "2099-01-01T01:00:00+00:00"}


def test_who_would_reject_it_stands_first_with_the_reason(admin: Person, db: Database) -> None:
    add_device(db, "a-gateway")
    add_device(db, "z-camera", type="camera")
    document = {**DOCUMENT, "conditions": [{"key": "device_type", "value": ["gateway"]}]}

    page = look(admin, source="own", document=json.dumps(document), template_id="")

    rows = [row.text for row in page.select("#devices tbody tr")]
    assert "z-camera" in rows[0] and "device_type must be gateway" in rows[0] and "takes it" in rows[1]
    assert "1 of them would reject it" in page.select_one(".wb-answer").text  # type: ignore[union-attr]


def test_values_have_a_field_each_with_its_help_and_default(admin: Person, db: Database) -> None:
    add_device(db)
    both = {"rollback": "template", "rollback_template_id": "1", "template_id": "2"}

    page = soup(send(admin, ADDRESS, with_fields(**both), act="find").text)

    assert [one["name"] for one in page.select("[name^=var_]")] == [
        "var_CONFIG_PATH",
        "var_CONFIG_URL",
        "var_SERVICE_NAME",
    ]
    assert "Path of the file on the device" in page.select_one("#var_CONFIG_PATH-help").text  # type: ignore[union-attr]
    refused = send(admin, ADDRESS, with_fields(**both, var_CONFIG_PATH="/etc/a b", var_CONFIG_URL="x"), act="preview")
    assert refused.status_code == 422
    assert "needed by the document" in soup(refused.text).select_one("#var_SERVICE_NAME-error").text  # type: ignore[union-attr]
    assert soup(refused.text).select_one("#var_CONFIG_PATH")["value"] == "/etc/a b"  # type: ignore[index]
    values = {"var_CONFIG_PATH": "/etc/a b", "var_CONFIG_URL": "http://h", "var_SERVICE_NAME": "app"}
    assert give(admin, look(admin, **both, **values)).status_code == 303
    (given,) = orders(db)
    assert given.execution.document["steps"][0]["input"]["command"] == "cp,/etc/a b,/etc/a b.backup"
    assert given.execution.rollback_document is not None
    assert given.execution.rollback_document["steps"][0]["input"]["command"] == "systemctl,restart,app"


#: What is typed over, and the fields that are wrong then. One installation for all of them, since each costs but a request.
WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({"name": ""}, {"name"}),
    ({"template_id": ""}, {"template_id"}),
    ({"template_id": "999"}, {"template_id"}),
    ({"source": "own", "document": "{"}, {"document"}),
    ({"source": "own", "document": '{"steps": []}'}, {"document"}),
    ({"target": "device"}, {"device_q"}),
    ({"target": "device", "device": "x"}, {"device_q"}),
    ({"target": "group"}, {"group"}),
    ({"target": "group", "group": "none"}, {"group"}),
    ({"target": "match"}, {"match_tags"}),
    ({"target": "match", "match_tags": "north"}, {"match_tags"}),
    ({"target": "match", "match_tags": "uuid=x"}, {"match_tags"}),
    ({"target": "match", "match_device_type": "x" * 300}, {"match_device_type"}),
    ({"target": "nobody"}, {"target"}),
    ({"timeout": "soon", "priority": "high"}, {"timeout", "priority"}),
    ({"timeout": "8d"}, {"timeout"}),
    ({"priority": "101"}, {"priority"}),
    ({"start": "at", "start_at": "tomorrow"}, {"start_at"}),
    ({"start": "local", "start_local": ""}, {"start_local"}),
    ({"window_start": "25:00", "window_end": "04:00"}, {"window_start"}),
    ({"window_start": "02:00"}, {"window_end"}),
    ({"window_days": ["sat"]}, {"window_start"}),
    ({"rollout": "own", "wave": "0", "factor": "x", "largest": "-1"}, {"wave", "factor", "largest"}),
    ({"rollout": "careful", "success": "101", "interval": "x"}, {"interval"}),
    ({"rollout": "careful", "success": "101"}, {"success"}),
    ({"rollout": "careful", "abort_percent": "200"}, {"abort_percent"}),
    ({"rollout": "careful", "abort_percent": "2", "abort_minimum": "0"}, {"abort_minimum"}),
    ({"rollback": "template"}, {"rollback_template_id"}),
    ({"rollback": "own", "rollback_document": "[]"}, {"rollback_document"}),
]


def test_what_is_wrong_is_told_at_its_field_and_nothing_typed_is_lost(admin: Person, db: Database) -> None:
    add_device(db)

    for fields, wrong in WRONG:
        answer = send(admin, ADDRESS, with_fields(**fields), act="preview")

        assert answer.status_code == 422, fields
        page = soup(answer.text)
        told = {str(one["id"]).removesuffix("-error") for one in page.select(".wb-field__error[id]")}
        assert told == wrong, fields
        typed = dict(fields_of(page, "#execute-form"))
        kept = {name: value for name, value in fields.items() if isinstance(value, str) and value != "nobody"}
        assert {name: typed[name] for name in kept} == kept
        assert page.select_one("details[open]") or not wrong & {"start_at", "wave", "rollback_document"}, fields
    assert not orders(db)


def test_an_earlier_order_fills_in_the_form(admin: Person, enter: Enter, db: Database) -> None:
    uuid = add_device(db, tags={"site": "north"})
    rules = {"canary": 2, "wave": 3, "factor": 1.5, "abort": [{"failure_type": "FAILED", "threshold_percentage": 5}]}
    window = {"start": "22:00", "end": "02:00", "days": ["mon"]}
    given = execute(
        db, uuid, name=HOSTILE, template_id=3, document=None, variables={"SERVICE_NAME": "app"}, rollout=rules, priority=7,
        timeout_seconds=90, schedule={"local_time": "2099-01-01T02:00", "window": window}, rollback_document=DOCUMENT,
    )  # fmt: skip

    page = admin.see(f"{ADDRESS}?from={given.execution.job_id}")

    typed = dict(fields_of(page, "#execute-form"))
    assert json.loads(typed["document"]) == given.execution.document
    assert {name: typed[name] for name in ("name", "source", "device", "timeout", "priority", "start", "start_local",
                                            "window_start", "rollout", "factor", "abort_percent", "rollback")} == {
        "name": HOSTILE, "source": "own", "device": uuid, "timeout": "90s", "priority": "7", "start": "local",
        "start_local": "2099-01-01T02:00", "window_start": "22:00", "rollout": "own", "factor": "1.5",
        "abort_percent": "5", "rollback": "own",
    }  # fmt: skip
    answer = send(admin, ADDRESS, fields_of(page, "#execute-form"), act="preview")
    assert give(admin, soup(answer.text)).status_code == 303
    again = orders(db)[0].execution
    for name in ("name", "document", "rollout", "schedule", "timeout_seconds", "priority", "rollback_document"):
        assert getattr(again, name) == getattr(given.execution, name), name
    operator = dict(fields_of(enter("operator").see(f"{ADDRESS}?from={given.execution.job_id}"), "#execute-form"))
    assert (operator["source"], operator["template_id"], operator["var_SERVICE_NAME"]) == ("template", "3", "")


def test_links_fill_in_a_template_a_device_or_a_group(admin: Person, db: Database) -> None:
    uuid = add_device(db)
    devices.put_group(db, "kitchens", [uuid], now=clock.now(), actor="ann")

    second = add_device(db)
    template, device, group = (
        dict(fields_of(admin.see(f"{ADDRESS}?{query}"), "#execute-form"))
        for query in ("template=3", f"device={uuid.upper()}", "group=kitchens")
    )
    several = admin.see(f"{ADDRESS}?device={uuid}&device={second}&device={uuid}")

    assert (template["template_id"], template["name"], template["var_SERVICE_NAME"]) == ("3", "health-check", "")
    assert (device["target"], device["device"]) == ("device", uuid)
    assert (group["target"], group["group"]) == ("group", "kitchens")
    assert [one["value"] for one in several.select("[name=device][checked]")] == [uuid, second]
    assert admin.get(f"{ADDRESS}?template=999").status_code == 404
    assert admin.get(f"{ADDRESS}?from=none").status_code == 404


def test_operators_order_templates_and_no_document_of_their_own(enter: Enter, db: Database) -> None:
    add_device(db)
    operator, viewer = enter("operator"), enter("viewer")
    assert viewer.get(ADDRESS).status_code == 403
    assert operator.see(ADDRESS).select_one("textarea[name=document]") is None

    refused = send(operator, ADDRESS, with_fields(source="own", document=json.dumps(DOCUMENT)), act="preview")
    undo = send(operator, ADDRESS, with_fields(rollback="own", rollback_document=json.dumps(DOCUMENT)), act="preview")

    assert (refused.status_code, undo.status_code) == (422, 422)
    assert "right to edit" in refused.text and "right to edit" in undo.text
    assert give(operator, look(operator)).status_code == 303
    assert orders(db)[0].execution.created_by == "a-operator"


def test_a_change_leads_back_to_the_form_as_it_was_typed(admin: Person, db: Database) -> None:
    add_device(db)
    page = look(admin, name="a  b", match_tags="x=1\r\n\r\ny=2", rollout="tenths")

    fields = [(name, value) for name, value in fields_of(page, "#give") if name not in {"confirmed", "once_key"}]
    back = dict(fields_of(soup(send(admin, ADDRESS, fields, act="change").text), "#execute-form"))

    assert (back["name"], back["match_tags"], back["rollout"]) == ("a  b", "x=1\r\n\r\ny=2", "tenths")


def test_only_templates_in_use_are_offered(admin: Person, db: Database) -> None:
    job_library.update_template(db, 3, {"is_active": False}, now=clock.now() + timedelta(seconds=1), actor="ann")

    page = admin.see(ADDRESS)

    assert [one["value"] for one in page.select("#template_id option")] == ["", "1", "2"]
