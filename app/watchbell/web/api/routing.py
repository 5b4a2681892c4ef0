"""The blueprint of a family: routes that read, answer and describe themselves in the document of all families."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import marshmallow
from flask import request
from flask_smorest import Blueprint

from watchbell.errors import Problem
from watchbell.web.api import versions
from watchbell.web.api.parsing import Parser, RequestInvalid
from watchbell.web.families import Family

_View = TypeVar("_View", bound=Callable[..., Any])
#: What every route may answer, whoever asks and whatever for.
_ALWAYS = {
    400: "The request makes no sense, or calls the server by a name that is not its own.",
    503: "The database does not answer at the moment; `Retry-After` says when to try again.",
}
#: What every route may answer that is not open to everybody.
NOT_PUBLIC = {
    401: "No credentials, or none that are valid.",
    403: "The account or its token does not have the right to do this.",
    429: "Too many wrong credentials from this address; `Retry-After` says when to try again.",
}
_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": (
        "A text of your own for this one request. Sent again under it within 24 hours, the request is not carried out "
        "again: the answer is the first one, with `Idempotency-Replayed: true`."
    ),
    "example": "deploy-2026-11-29",
}
_SEEN = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string"},
    "description": "The ETag of the thing as you have seen it, or `*` to overwrite any version.",
    "example": '"3"',
}
_KEY_IS_BUSY = "Or the request with this Idempotency-Key is still being served."
_KEY_IS_TAKEN = "Something in what was sent is not valid, or the Idempotency-Key was another request's."


class FamilyBlueprint(Blueprint):  # type: ignore[misc]
    """Routes of one family."""

    ARGUMENTS_PARSER = Parser()

    def __init__(
        self, name: str, family: Family, error_schema: type[marshmallow.Schema], *, invalid: int, **options: Any
    ) -> None:
        """Make the blueprint; ``invalid`` is the status that the family answers to input that is not valid."""
        super().__init__(name, __name__, **options)
        self.family = family
        self._error_schema = error_schema
        self._invalid = invalid
        self._prepare_doc_cbks.append(self._prepare_errors_doc)
        self.after_request(versions.mark)

    def route(self, rule: str, **options: Any) -> Callable[[_View], _View]:
        """Serve an address, by GET unless ``methods`` says otherwise."""
        found: Callable[[_View], _View] = super().route(rule, **options)
        return found

    def answers(
        self,
        status: int,
        schema: marshmallow.Schema | type[marshmallow.Schema] | dict[str, Any] | None = None,
        **options: Any,
    ) -> Callable[[_View], _View]:
        """Say what a route answers when all goes well; what is no Response yet is made one by the schema."""
        found: Callable[[_View], _View] = self.response(status, schema, **options)
        return found

    def errors(self, **told: str) -> Callable[[_View], _View]:
        """Say which errors a route answers besides those of all routes, such as ``_404="There is no such task."``."""

        def decorate(view: _View) -> _View:
            for status, words in told.items():
                view = self.alt_response(
                    int(status.lstrip("_")),
                    schema=self._error_schema,
                    description=words,
                    content_type=self.family.content_type,
                )(view)
            return view

        return decorate

    def body(self, schema: type[marshmallow.Schema], **options: Any) -> Callable[[_View], _View]:
        """Read the JSON body of a route as its next argument; without ``required=False`` there has to be one."""
        read: Callable[[_View], _View] = self.arguments(schema(), error_status_code=self._invalid, **options)
        return _require_body(read) if options.get("required", True) else read

    def query(self, schema: type[marshmallow.Schema]) -> Callable[[_View], _View]:
        """Read the arguments in a route's address as its next argument; those it does not know are passed over."""
        found: Callable[[_View], _View] = self.arguments(schema(), location="query", error_status_code=self._invalid)
        return found

    def _prepare_errors_doc(
        self, doc: dict[str, Any], doc_info: Mapping[str, Any], *, method: str, **_others: Any
    ) -> dict[str, Any]:
        """Describe what every route may answer, and who may call it."""
        responses = doc.setdefault("responses", {})
        if method == "get":
            responses[304] = {"description": "Nothing has changed since the answer whose ETag was sent."}
        if doc_info.get("needs_version"):
            doc.setdefault("parameters", []).append(_SEEN)
        if doc_info.get("idempotent"):
            doc.setdefault("parameters", []).append(_KEY)
            self._add_words(responses, {409: _KEY_IS_BUSY, self._invalid: _KEY_IS_TAKEN})
        invalid = responses.get(self._invalid)
        if isinstance(invalid, str):
            responses[self._invalid] = self._described("Something in what was sent is not valid.")
        if "requestBody" in doc:
            responses.setdefault(413, self._described("The body is larger than 1 MiB."))
        for status, words in {**_ALWAYS, **NOT_PUBLIC}.items():
            responses.setdefault(status, self._described(words))
        return doc

    def _add_words(self, responses: dict[Any, Any], words: Mapping[int, str]) -> None:
        """Describe further reasons for errors, which a route may answer for its own reasons, too."""
        for status, more in words.items():
            told = responses.get(status)
            if isinstance(told, dict):
                told["description"] = f"{told['description']} {more}"
            else:
                responses[status] = self._described(more)

    def _described(self, words: str) -> dict[str, Any]:
        return {
            "description": words,
            "content": {self.family.content_type: {"schema": self._error_schema}},
        }


def _require_body(read: Callable[[_View], _View]) -> Callable[[_View], _View]:
    """Return a decorator that reads a body only if there is one: none is not an empty object."""

    def decorate(view: _View) -> _View:
        reading = read(view)

        @functools.wraps(reading)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not request.get_data(cache=True).strip():
                raise RequestInvalid("body", Problem("body", "is missing; send a JSON object"))
            return reading(*args, **kwargs)

        return cast(_View, wrapper)

    return decorate
