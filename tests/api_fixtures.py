"""Programs that call the API; whatever they are answered is held against the OpenAPI document."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from watchbell.config import Config
from watchbell.web.api.document import document


class Book:
    """The OpenAPI document, and what it says of an answer."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], dict[str, Any]]]:
        # An address without a variable part is found before one with.
        paths = sorted(self.content["paths"].items(), key=lambda pair: pair[0].count("{"))
        return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), operations) for path, operations in paths]

    @cached_property
    def _schemas(self) -> Any:
        return _closed(self.content["components"]["schemas"])

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return (path, method, what is told) of every operation."""
        return [
            (path, method, told)
            for path, operations in self.content["paths"].items()
            for method, told in operations.items()
            if method != "parameters"
        ]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(path.partition("?")[0]) and method.lower() in operations:
                return operations[method.lower()]
        return None

    def check(self, method: str, path: str, answer: TestResponse) -> None:
        """Hold an answer against the document: its status, its kind of content, and every field."""
        operation = self.operation(method, path)
        if operation is None:
            assert answer.status_code in {404, 405}, f"{method} {path} is not in the document"
            return
        told = operation["responses"].get(str(answer.status_code))
        assert told is not None, f"{method} {path}: {answer.status_code} is not in the document: {answer.text[:300]}"
        if answer.status_code in {204, 304}:
            return
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in told["content"], f"{method} {path}: {kind} is not in the document, {list(told['content'])} are"
        if "json" in kind:
            self._check_body(told["content"][kind]["schema"], answer.get_json(), f"{method} {path}")

    def _check_body(self, schema: dict[str, Any], body: Any, where: str) -> None:
        whole = {**_closed(schema), "components": {"schemas": self._schemas}}
        problems = [
            f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in Draft202012Validator(whole).iter_errors(body)
        ]
        assert not problems, f"{where}: {problems[:5]}"


def _closed(schema: Any) -> Any:
    """Return a schema in which a field that is not named is an error, so that none goes undocumented."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@dataclasses.dataclass
class Program:
    """A program that calls the API."""

    client: FlaskClient
    book: Book
    headers: dict[str, str] = dataclasses.field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Call and hold the answer against the document."""
        if body is not None:
            options["json"] = body
        headers = {**self.headers, **options.pop("headers", {})}
        # Servers have many threads, without which no request waits.
        options.setdefault("environ_overrides", {"wsgi.multithread": True})
        answer = self.client.open(path, method=method, headers=headers, **options)
        self.book.check(method, path, answer)
        return answer

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        """Return what a GET answers, which must have the status."""
        return self.want(status, "GET", path, **options)

    def want(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Return the body of an answer that must have the status."""
        answer = self.call(method, path, body, **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:500])
        return answer.get_json() if answer.is_json else answer.get_data().decode(errors="replace")


@pytest.fixture(scope="session")
def book(made_app: Flask) -> Book:
    with made_app.app_context():
        return Book(document().content)


@pytest.fixture
def program(app: Flask, web_config: Config, book: Book) -> Program:
    """Give a program on the server's own machine, where no login is asked for."""
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, auth="off")
    return Program(app.test_client(), book)
