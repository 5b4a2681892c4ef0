"""The kinds of values that bodies, arguments and answers are made of; strict, and with messages that say what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import marshmallow
from marshmallow import validate

_TEXT_LIMIT = 200
_FLAG_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Schema(marshmallow.Schema):
    """What a body or an answer holds; a field that is not named here is an error."""

    class Meta:
        unknown = marshmallow.RAISE

    error_messages: dict[str, str] = {
        "unknown": "is not a field here",
        "type": "must be an object",
        "invalid": "must be an object",
    }


class _Words:
    """Messages in the words of all our errors, which put the field's name before them."""

    default_error_messages: dict[str, Any] = {
        "required": "is required",
        "null": "must not be null",
        "validator_failed": "is not valid",
    }


class Text(_Words, marshmallow.fields.String):
    """A text."""

    default_error_messages: dict[str, Any] = {"invalid": "must be a text", "invalid_utf8": "must be UTF-8"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if any(map(_is_unkeepable, text)):
            raise marshmallow.ValidationError("must not hold NUL or half characters")
        return text


class Output(Text):
    """What a program has written: whatever it holds is taken, but for what no database can keep, which is replaced."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, str):
            value = "".join("\N{REPLACEMENT CHARACTER}" if _is_unkeepable(char) else char for char in value)
        return super()._deserialize(value, attr, data, **kwargs)


class Whole(_Words, marshmallow.fields.Integer):
    """A whole number; neither a truth value nor 1.5, and a text of digits only where addresses hold nothing else."""

    default_error_messages: dict[str, Any] = {"invalid": "must be a whole number", "too_large": "is too large"}

    def __init__(self, *, texts: bool = False, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)
        self._takes_texts = texts

    def _validated(self, value: Any) -> int:
        if isinstance(value, str):
            digits = value.strip().removeprefix("-")
            if not (self._takes_texts and digits.isascii() and digits.isdigit() and len(digits) <= 19):
                raise self.make_error("invalid", input=value)
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            # What other languages call 60.0 is the same number to JSON.
            if not isinstance(value, float) or not value.is_integer():
                raise self.make_error("invalid", input=value)
        return int(value)


class Number(_Words, marshmallow.fields.Float):
    """A number, whole or not."""

    default_error_messages: dict[str, Any] = {"invalid": "must be a number", "special": "must be a finite number"}

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool | str):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Flag(_Words, marshmallow.fields.Boolean):
    """True or false, and in addresses also the usual words for them."""

    default_error_messages: dict[str, Any] = {"invalid": "must be true or false"}

    def __init__(self, *, texts: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._words = _FLAG_WORDS if texts else {}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word not in self._words:
            raise self.make_error("invalid", input=value)
        return self._words[word]


class Moment(_Words, marshmallow.fields.AwareDateTime):
    """A time, ISO 8601 with its offset."""

    default_error_messages: dict[str, Any] = {
        "invalid": "must be a time with its offset, such as 2026-11-29T12:00:00+00:00",
        "invalid_awareness": "must have an offset, such as 2026-11-29T12:00:00+00:00",
        "format": "must be a time",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", **kwargs)


class Word(Text):
    """One of a few words."""

    def __init__(self, words: Collection[str], **kwargs: Any) -> None:
        listed = ", ".join(filter(None, words))
        super().__init__(validate=validate.OneOf(list(words), error=f"must be one of {listed}"), **kwargs)


class Nested(_Words, marshmallow.fields.Nested):
    """An object inside an object."""

    default_error_messages: dict[str, Any] = {"type": "must be an object"}


class Many(_Words, marshmallow.fields.List[Any]):
    """A list."""

    default_error_messages: dict[str, Any] = {"invalid": "must be a list"}


class Shaped(_Words, marshmallow.fields.Raw):
    """A value whose shape is told as a JSON schema, where no other kind can tell it."""

    def __init__(self, shape: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "metadata": {**shape, **kwargs.get("metadata", {})}})


class Bit(Shaped):
    """True or false, also as the 1 or 0 of a database's column."""

    default_error_messages: dict[str, Any] = {"invalid": "must be true or false"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__({"anyOf": [{"type": "boolean"}, {"enum": [0, 1, "0", "1"]}]}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, int | str) and str(value) in {"0", "1"}:
            return str(value) == "1"
        raise self.make_error("invalid", input=value)


class Mapped(_Words, marshmallow.fields.Dict):
    """An object with names of the sender's own."""

    default_error_messages: dict[str, Any] = {"invalid": "must be an object"}

    def _validate(self, value: Any) -> None:
        if any(map(_is_unkeepable, _characters(value))):
            raise marshmallow.ValidationError("must not hold NUL or half characters")
        super()._validate(value)


def between(low: int, high: int) -> validate.Range:
    """Return the rule that a number lies within bounds, both included."""
    return validate.Range(low, high, error=f"must be from {low} to {high}")


def long(low: int, high: int) -> validate.Length:
    """Return the rule that a text has a length within bounds, both included."""
    words = f"must be at most {high} characters long" if low == 0 else f"must be {low} to {high} characters long"
    return validate.Length(low, high, error=words)


def long_list(high: int) -> validate.Length:
    """Return the rule that a list has at most so many entries."""
    return validate.Length(0, high, error=f"must be at most {high} entries long")


def limit(default: int, highest: int) -> Whole:
    """Return the argument that says how many rows a list answers with."""
    return Whole(
        texts=True,
        load_default=default,
        validate=between(1, highest),
        metadata={"description": f"How many rows at the most, up to {highest}.", "example": default},
    )


def words(**kwargs: Any) -> Text:
    """Return an argument that is a short text."""
    return Text(validate=long(0, _TEXT_LIMIT), **kwargs)


def _characters(value: Any) -> Iterator[str]:
    """Yield the characters of all names and texts in a value, however deep."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str):
            yield from one


def _is_unkeepable(char: str) -> bool:
    return char == "\0" or "\ud800" <= char <= "\udfff"
