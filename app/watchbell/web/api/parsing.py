"""Reading bodies and arguments of requests: what does not fit is one error of ours that names every wrong field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast

import marshmallow
from flask import Request
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from watchbell.errors import InputError, Problem
from watchbell.web.query import HIGHEST_ID

#: Where a value may stand, in the words that 000's clients know.
_PLACES = {"json": "body", "query": "query", "headers": "header", "path": "path"}
_NOT_JSON = "must be sent as JSON with the header Content-Type: application/json"


class RequestInvalid(InputError):
    """The request is not valid."""

    def __init__(self, place: str, *problems: Problem) -> None:
        super().__init__(*problems)
        #: body, query, header or path.
        self.place = place


class Parser(FlaskParser):
    """webargs with our errors, and JSON as the standard has it."""

    def _raw_load_json(self, req: Request) -> Any:
        data = req.get_data(cache=True)
        if not data.strip():
            return core.missing
        if not core.is_json(req.mimetype):
            # A form of another site can send any text, but not this header.
            raise RequestInvalid("body", Problem("body", _NOT_JSON))
        try:
            return json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
        except RecursionError:
            raise RequestInvalid("body", Problem("body", "is nested too deeply")) from None
        except UnicodeDecodeError:
            raise RequestInvalid("body", Problem("body", "must be UTF-8")) from None
        except ValueError as error:
            raise RequestInvalid("body", Problem("body", f"is not valid JSON: {error}")) from None

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        return self._raw_load_json(req)

    def handle_error(
        self,
        error: marshmallow.ValidationError,
        req: Request,
        schema: marshmallow.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        (location, messages), *_ = cast("dict[str, Any]", error.messages).items()
        raise RequestInvalid(_PLACES.get(location, location), *_problems(messages, schema)) from None


class NumberConverter(BaseConverter):
    """What stands in an address for a number, whatever it is, so that it can be told what is wrong with it.

    A word that is an address of its own at this place is none: what may be done with the one is no matter of the other.
    """

    regex = r"(?!bulk(?:/|$))[^/]+"


class DeviceConverter(BaseConverter):
    """What stands in an address for a device: whatever is not an address of its own at this place."""

    regex = r"(?!(?:groups|query)(?:/|$))[^/]+"


class JobConverter(BaseConverter):
    """What stands in an address for an order to devices: whatever is not an address of its own at this place."""

    regex = r"(?!(?:execute|executions|handlers|preview|schedules|templates)(?:/|$))[^/]+"


def path_id(name: str, text: str) -> int:
    """Return an id that stands in an address; raises RequestInvalid."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= HIGHEST_ID):
        raise RequestInvalid("path", Problem(name, "must be a whole number", "1"))
    return int(text)


def _finite(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        # It would go out again as a word that JSON does not have.
        raise ValueError(f"{digits[:20]} is too large a number")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number that JSON has")


def _problems(messages: Any, schema: marshmallow.Schema, path: str = "") -> Iterator[Problem]:
    """Yield a problem for each message in a tree of them."""
    if isinstance(messages, Mapping):
        for name, below in messages.items():
            # What concerns the whole carries the name of what it is in.
            own = path if name == marshmallow.exceptions.SCHEMA else f"{path}.{name}" if path else str(name)
            yield from _problems(below, schema, own)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        yield Problem(path[:100] or "body", str(message), _example(schema, path))


def _example(schema: marshmallow.Schema, path: str) -> str | None:
    field = schema.fields.get(path)
    example = field.metadata.get("example") if field is not None else None
    if isinstance(example, list | dict | bool):
        return json.dumps(example)
    return None if example is None else str(example)
