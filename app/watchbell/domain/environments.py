"""What the variables of an environment may be called and hold, wherever somebody gives them to a command."""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchbell.domain.masking import MASK
from watchbell.errors import InputError

NAME_LIMIT = 100
VALUE_LIMIT = 32_768
EXAMPLE = "LANG=C.UTF-8"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def shown(text: str) -> str:
    """Return the beginning of a text of unknown origin, in a form that every screen and log can show."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:40])


def problem_of(name: str, value: str) -> str | None:
    """Return what is wrong with a variable, None if nothing is; it never repeats the value."""
    if not _NAME.match(name) or len(name) > NAME_LIMIT:
        return f"'{shown(name)}' is not the name of a variable"
    if name.startswith("WATCHBELL_"):
        return f"{name[:40]} is set by Watchbell itself"
    if MASK in value:
        return f"the value of {shown(name)} is masked here; give the value itself, or name a secret"
    if any(char in "\0\n\r" or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        return f"the value of {shown(name)} must be one line of text without NUL"
    if len(value) > VALUE_LIMIT:
        return f"the value of {shown(name)} must be at most {VALUE_LIMIT} characters"
    return None


def pairs_of(name: str, value: object) -> list[tuple[str, str]]:
    """Return the variables of a mapping, or of lines with NAME=value in each; raises InputError for what can be none."""
    if isinstance(value, Mapping):
        pairs = [(str(key), str(text)) for key, text in value.items()]
    elif value is not None and not isinstance(value, str):
        raise InputError.of(name, "must be a text", EXAMPLE)
    else:
        # Only these two end a line: others may stand in a value.
        pairs = [_pair(name, line) for line in (value or "").replace("\r\n", "\n").split("\n") if line.strip()]
    for key, text in pairs:
        wrong = problem_of(key, text)
        if wrong is not None:
            raise InputError.of(name, wrong, EXAMPLE)
    return pairs


def _pair(name: str, line: str) -> tuple[str, str]:
    key, equals, text = line.partition("=")
    if not equals:
        raise InputError.of(name, f"line '{shown(line)}' has no '='", EXAMPLE)
    return key.strip(), text
