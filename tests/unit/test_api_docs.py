"""The description of the API: nothing that is served goes undescribed, and nothing that is described is not served."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.api_fixtures import Book
from tests.web_fixtures import Person
from watchbell.domain.permissions import ROUTES
from watchbell.web import families


@pytest.mark.parametrize("path", ["/docs", "/api/docs", "/redoc", "/api/redoc", "/openapi.json"])
def test_the_description_is_at_every_address_that_people_know(admin: Person, path: str) -> None:
    assert admin.get(path).status_code == 200


def test_every_address_of_a_family_is_in_the_document(app: Flask, book: Book) -> None:
    with app.app_context():
        served = {
            (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
            for rule in app.url_map.iter_rules()
            if families.find(rule.rule) is not None and rule.rule != "/openapi.json"
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }

    told = {(path, method) for path, method, _ in book.operations()}
    # What a place in an address may hold, as int:, is told in the document by its schema.
    assert {(re.sub(r"\{\w+:", "{", path), method) for path, method in served} == told


def test_every_operation_says_what_it_does_who_may_and_what_it_answers(book: Book) -> None:
    for path, method, told in book.operations():
        assert told["summary"].endswith("."), (method, path)
        assert told["operationId"] in ROUTES, (method, path)
        assert any(status.startswith("2") for status in told["responses"]), (method, path)


def test_the_plain_list_names_every_address_without_scripts(admin: Person, book: Book) -> None:
    shown = {cell.get_text() for cell in admin.see("/docs").select("#api-docs td code")}

    assert set(book.content["paths"]) <= shown


def test_nobody_reads_it_without_a_login(anonymous: Person) -> None:
    assert anonymous.get("/docs").status_code == 303
    assert anonymous.get("/openapi.json").status_code == 401
