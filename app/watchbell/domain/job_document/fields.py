"""Reading the fields of an object field by field, and collecting what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from watchbell.domain.job_document.variables import NAME
from watchbell.errors import Problem

TEXT_LIMIT = 8192
_WORDS = {"true": True, "false": False}


class Fields:
    """An object in a document: every read of a field that is wrong is a problem of the whole."""

    def __init__(
        self,
        value: object,
        place: str,
        known: Collection[str] | None = None,
        problems: list[Problem] | None = None,
        *,
        is_filled: bool = False,
    ) -> None:
        self._place = place
        #: Whether no text stands for another any more, so that each has to have its shape.
        self._is_filled = is_filled
        self.problems: list[Problem] = [] if problems is None else problems
        self._value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        if not isinstance(value, Mapping):
            self._add(place, "must be an object")
        if known is not None:
            self.allow(known)

    @property
    def is_filled(self) -> bool:
        """Whether no name of a variable stands in it any more."""
        return self._is_filled

    def complain(self, name: str, message: str, example: str | None = None) -> None:
        """Say what is wrong with a field."""
        self._add(f"{self._place}.{name}", message, example)

    def allow(self, known: Collection[str]) -> None:
        """Complain of every field that is not among these."""
        for name in self._value:
            if name not in known:
                self.complain(str(name)[:50], "is not a field here")

    def has(self, name: str) -> bool:
        """Return whether a field says anything."""
        return self._value.get(name) is not None

    def below(self, name: str, place: int | str | None) -> Fields:
        """Return the object in a field, or that at a place in the list or object that the field holds."""
        value = self._value.get(name)
        path = f"{self._place}.{name}"
        if place is None:
            return Fields(value, path, problems=self.problems, is_filled=self._is_filled)
        inner = value[place] if value is not None else None
        return Fields(inner, f"{path}.{place}", problems=self.problems, is_filled=self._is_filled)

    def listed(self, name: str) -> list[Any]:
        """Return the list in a field, empty without one."""
        value = self._value.get(name)
        if value is None or isinstance(value, list):
            return value or []
        self.complain(name, "must be a list")
        return []

    def names(self, name: str) -> list[str]:
        """Return the names of the object in a field, empty without one."""
        value = self._value.get(name)
        if value is None or isinstance(value, Mapping):
            return list(value or ())
        self.complain(name, "must be an object")
        return []

    def text(self, name: str, *, longest: int = TEXT_LIMIT, is_needed: bool = False) -> str | None:
        """Return the text in a field, None without one."""
        value = self._value.get(name)
        if value is None:
            if is_needed:
                self.complain(name, "is required")
            return None
        return self._checked(name, value, longest)

    def texts(self, name: str) -> list[str]:
        """Return the texts of the list in a field."""
        found = (self._checked(f"{name}.{place}", value, TEXT_LIMIT) for place, value in enumerate(self.listed(name)))
        return [text for text in found if text is not None]

    def pattern(
        self, name: str, pattern: str, words: str, *, is_needed: bool = False, example: str | None = None
    ) -> str | None:
        """Return a text that has a shape, if not a variable stands in it, which is filled in before it is used."""
        text = self.text(name, is_needed=is_needed)
        if not text:
            if is_needed and text is not None:
                self.complain(name, words, example)
            return None
        is_open = not self._is_filled and NAME.search(text) is not None
        if re.fullmatch(pattern, text) is None and not is_open:
            self.complain(name, words, example)
        return text

    def word(self, name: str, words: Collection[str], *, is_needed: bool = False) -> str | None:
        """Return a text that is one of a few."""
        text = self.text(name, is_needed=is_needed)
        if text is not None and text not in words:
            self.complain(name, f"must be one of {', '.join(words)}")
        return text

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value, which some write as a text."""
        value = self._value.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        if isinstance(value, str) and value.lower() in _WORDS:
            return _WORDS[value.lower()]
        self.complain(name, "must be true or false")
        return False

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number within bounds, None without one."""
        value = self._value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.complain(name, f"must be a whole number from {low} to {high}")
            return None
        return value

    def _checked(self, name: str, value: object, longest: int) -> str | None:
        if not isinstance(value, str):
            self.complain(name, "must be a text")
        elif len(value) > longest:
            self.complain(name, f"must be at most {longest} characters long")
        elif any(char == "\0" or 0xD800 <= ord(char) <= 0xDFFF for char in value):
            self.complain(name, "must not hold NUL or half characters")
        else:
            return value
        return None

    def _add(self, place: str, message: str, example: str | None = None) -> None:
        self.problems.append(Problem(place[:200], message, example))
