"""Lengths of time as forms and pages show and take them: 90s, 5m, 2h, 1d, or a plain number of seconds."""

from __future__ import annotations

import contextlib

from watchbell.domain.schedule.interval import UNITS, read_span
from watchbell.errors import InputError
from watchbell.web.i18n import grouped
from watchbell.web.presenters import duration_words

_LETTERS = ((86_400, "d"), (3600, "h"), (60, "m"))


def span_text(seconds: int) -> str:
    """Return a length of time in the largest unit that keeps it whole."""
    for size, letter in _LETTERS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s" if seconds else "0"


def span_words(seconds: int) -> str:
    """Return a length of time as people read it, such as 5 min."""
    text = span_text(seconds) if seconds else "0s"
    return f"{text[:-1]} {'min' if text[-1] == 'm' else text[-1]}"


def seconds_text(text: str) -> str:
    """Return what was typed in seconds; what is no length of time stays as it is, for the check of the field to refuse."""
    if not text.strip().isdecimal():
        with contextlib.suppress(InputError):  # The check of the field has the better message.
            count, unit = read_span(text)
            return str(count * UNITS[unit])
    return text


def short_words(seconds: float) -> str:
    """Return how long something took, the shortest exactly: 38 ms, 1.20 s, and then as everywhere 42s, 1m 5s, 2h 3m."""
    if seconds < 0.0005:
        return "0 s"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{grouped(seconds, 2)} s" if seconds < 10 else duration_words(seconds)
