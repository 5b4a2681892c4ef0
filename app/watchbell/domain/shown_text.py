"""Turning what people and commands wrote into text that may be shown: nothing in it is obeyed by a terminal or a page."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    # CSI, then the string sequences (OSC, DCS, SOS, PM, APC) to their end or to the end of the text, then the short ones.
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]+[0-~]|[0-Z\\-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Signs that turn the direction of what follows, so that a line could read as what it is not.
TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}")

_EMOJI = "[\u2190-\u2bff\u3030\u303d\U0001f000-\U0001faff]"
#: What joins two emoji into one, such as the members of a family: by itself it is invisible, between them it is not.
_JOINED = re.compile(f"({_EMOJI}[\ufe0f\U0001f3fb-\U0001f3ff]?)\u200d(?={_EMOJI})")


def is_visible(text: str) -> bool:
    """Return whether all of a text can be seen: it holds no control character, no turn of direction and nothing invisible."""
    return _JOINED.sub(r"\1", text).isprintable()


def plain_text(data: bytes) -> str:
    """Return bytes as text to be shown as it is: no escape sequence survives, control characters become signs."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return _CONTROL.sub(_sign, _ESCAPE.sub("", text)).translate(TURNS)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"
