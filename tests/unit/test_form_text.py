"""Bytes that are no text are refused by the name of their field, and nothing is stored."""

from __future__ import annotations

import pytest

from tests.unit.form_fields import FIELDS
from tests.web_fixtures import Person
from watchbell.services import tasks
from watchbell.store.session import Database

PARTS = b'--X\r\nContent-Disposition: form-data; name="comment"\r\n\r\na\xffb\r\n--X--\r\n'


@pytest.mark.parametrize("value", [b"a%FFb", b"a\xffb", b"%ED%A0%80", b"%C3"])
def test_a_value_that_is_no_text_is_refused_by_its_field(admin: Person, db: Database, value: bytes) -> None:
    body = b"&".join(f"{name}={text}".encode() for name, text in FIELDS.items()) + b"&comment=" + value

    answer = admin.client.post("/tasks/new", data=body, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 422
    assert "Comment: is not valid text" in answer.text
    assert tasks.list_page(db).total == 0


def test_a_form_in_parts_is_refused_as_well(admin: Person) -> None:
    answer = admin.client.post("/tasks/new", data=PARTS, content_type="multipart/form-data; boundary=X")

    assert answer.status_code == 422
    assert "Comment: is not valid text" in answer.text


def test_a_part_without_a_name_is_refused(admin: Person) -> None:
    body = PARTS.replace(b' name="comment"', b"").replace(b"\xff", b"")

    answer = admin.client.post("/tasks/new", data=body, content_type="multipart/form-data; boundary=X")

    assert answer.status_code == 422
    assert "has a part without a name" in answer.text


def test_a_name_that_is_no_text_is_shown_as_far_as_it_can_be(admin: Person) -> None:
    answer = admin.client.post("/tasks/new", data=b"n%FFme=x", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 422


def test_text_of_any_language_goes_through(admin: Person, db: Database) -> None:
    answer = admin.post("/tasks/new", {**FIELDS, "name": "naïve ☃ \N{REPLACEMENT CHARACTER} 日本"})

    assert answer.status_code == 303
    assert tasks.list_page(db).tasks[0].name == "naïve ☃ \N{REPLACEMENT CHARACTER} 日本"
