"""The OpenAPI document of all families, made from their routes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import Flask, current_app
from flask_smorest import Api
from flask_smorest.spec.plugins import FlaskPlugin

from watchbell.domain.permissions import ROUTES, Right
from watchbell.version import __version__
from watchbell.web.api.routing import NOT_PUBLIC, FamilyBlueprint

_NAME = "watchbell.document"
_DESCRIPTION = """\
Everything that Watchbell does, for programs. Seven families of addresses stand beside one another and show the same tasks
and runs: choose the one whose words you know, or `/api/v2`, which has everything.

**Who may call**: `Authorization: Bearer TOKEN` with a token from the page *Tokens* or `watchbell token create`, or the
session cookie of a browser that has logged in, which on whatever changes something must come with its form's token in
`X-CSRFToken`. Routes under a right answer 401 without credentials and 403 with too few.

**Errors** have the shape of their family and carry `request_id`, the number under which the server's log knows them.

**Lists and rows** carry an `ETag`; asked again with `If-None-Match` they answer 304 while nothing has changed.

**Events** come over the socket at `/ws`, which this document cannot describe; see docs/live.md.
"""
#: What the document says of a right.
_WORDS = {
    Right.PUBLIC: "Open to everybody.",
    Right.VIEW: "Needs the right to view (scope `read`).",
    Right.OPERATE: "Needs the right to operate (scope `run`).",
    Right.EDIT: "Needs the right to edit (scope `edit`).",
    Right.DEVICE: "For devices: needs the key of the device, which is the one that the address names, if it names one.",
    Right.ADMINISTER: "Needs the right to administer (scope `admin`).",
}


class Document(Api):  # type: ignore[misc]
    """The document; errors are told and pages are served by others."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, blueprints: Sequence[FamilyBlueprint], **options: Any) -> None:
        """Make the document of some families, whose routes are described when somebody asks for it: few servers are asked."""
        self._blueprints = tuple(blueprints)
        super().__init__(app, **options)

    def _register_doc_blueprint(self) -> None:
        """Register nothing: the pages are ``pages.api_docs``."""

    def _register_error_handlers(self) -> None:
        """Register nothing: errors are told by ``errors``."""

    @cached_property
    def content(self) -> dict[str, Any]:
        """The whole document."""
        for blueprint in self._blueprints:
            blueprint.register_views_in_doc(self, current_app, self.spec, name=blueprint.name, parameters=None)
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        return _finished(self.spec.to_dict(), current_app)

    @cached_property
    def text(self) -> str:
        """The document as JSON; it does not change while the server lives."""
        return json.dumps(self.content, separators=(",", ":"))

    def text_at(self, root: str) -> str:
        """Return it for a server that a proxy has put below a path of its host; "" is the top."""
        if not root:
            return self.text
        return json.dumps({**self.content, "servers": [{"url": root}]}, separators=(",", ":"))


def attach(app: Flask, blueprints: Sequence[FamilyBlueprint]) -> None:
    """Register the routes of all families and describe them."""
    app.config.update(API_TITLE="Watchbell", API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    document = Document(
        app,
        blueprints,
        spec_kwargs={
            "info": {"description": _DESCRIPTION},
            "marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name_of),
        },
    )
    document.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    document.spec.components.security_scheme("device", {"type": "apiKey", "in": "header", "name": "X-Device-API-Key"})
    document.spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "session"})
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    app.extensions[_NAME] = document


def _name_of(schema: Any) -> str:
    """Return the name of a schema in the document: that of its family before its own, since families share words."""
    found = resolve_schema_cls(schema)
    assert isinstance(found, type)
    family = found.__module__.removeprefix(f"{__package__}.").partition(".")[0]
    return "".join(part.capitalize() for part in family.split("_")) + found.__name__


def document() -> Document:
    """Return the document of the present application."""
    found = current_app.extensions[_NAME]
    assert isinstance(found, Document)
    return found


def _finished(content: dict[str, Any], app: Flask) -> dict[str, Any]:
    """Return the document with what only the whole application knows: who may call each route."""
    # The library's own way to tell errors is nowhere used.
    schemas = content["components"]["schemas"]
    content["components"]["schemas"] = {name: schemas[name] for name in schemas if not name.startswith("FlaskSmorest")}
    for rule in app.url_map.iter_rules():
        operations = content["paths"].get(FlaskPlugin.flaskpath2openapi(rule.rule), {})
        for method in {method.lower() for method in rule.methods or ()} & operations.keys():
            _say_who_may(operations[method], rule.endpoint, ROUTES.get(rule.endpoint))
    return content


def _say_who_may(operation: dict[str, Any], endpoint: str, right: Right | None) -> None:
    operation["operationId"] = endpoint
    words = "Refused to everybody." if right is None else _WORDS[right]
    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), words]))
    if right is Right.PUBLIC:
        operation["security"] = []
        # What the route says of itself stays.
        for status, words in NOT_PUBLIC.items():
            if operation["responses"].get(str(status), {}).get("description") == words:
                del operation["responses"][str(status)]
    elif right is Right.DEVICE:
        operation["security"] = [{"device": []}, {"token": []}]
    else:
        operation["security"] = [{"token": []}, {"session": []}]
