"""Stdout and stderr of a run as one text in the order of time: for pages without scripts, and for those that go on asking."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from watchbell.domain.shown_text import TURNS, plain_text
from watchbell.domain.steps import StepResult
from watchbell.errors import InputError
from watchbell.services.both_streams import BothStreams, Exactness, Place, Together, Window
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.spans import short_words

#: Bytes that a page shows without scripts, and that one answer to a live page holds at most.
PAGE_BYTES = 128 * 1024
CHUNK = 256 * 1024
_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of both streams without scripts."""

    #: Stream and text, one after the other; what was dropped is a text of no stream.
    pieces: Sequence[tuple[str, str]]
    #: Bytes that are not shown.
    hidden: int
    size: int
    is_complete: bool
    #: How exact the order is.
    note: str


WHOLE = Window()


def part_of(step: StepResult) -> Window:
    """Return which part of both streams a step wrote."""
    return Window(Place(step.stdout_from or 0, step.stderr_from or 0), (step.stdout_to, step.stderr_to))


def read_place(text: str) -> Place:
    """Return the place that an address names, such as 120.34."""
    found = _PLACE.fullmatch(text.strip() or "0.0")
    if found is None:
        raise InputError.of("offset", "must be two numbers with a dot between them", "0.0")
    return Place(int(found[1]), int(found[2]))


def excerpt(both: BothStreams, now: datetime) -> Shown | None:
    """Return the beginning of both streams in their order; None where it is not known. Raises OutputGone."""
    found = both.read(both.start, PAGE_BYTES, now=now)
    if found is None:
        return None
    pieces: list[tuple[str, str]] = []
    for piece in found.pieces:
        for dropped, text in ((piece.dropped_before, ""), (0, plain_text(piece.data)), (piece.dropped_behind, "")):
            if dropped:
                pieces.append(
                    (
                        "",
                        _("%(count)s bytes dropped here: the command wrote more than is kept.", count=grouped(dropped)),
                    )
                )
            elif text:
                pieces.append((piece.stream, text))
    hidden = sum(found.size) - sum(found.place)
    written = sum(found.size) - sum(both.start)
    return Shown(pieces, hidden, written, found.is_complete, exactness_words(both.exactness(), found))


def answer(both: BothStreams, place: Place, now: datetime) -> Mapping[str, object]:
    """Return what follows a place for a page that goes on asking. Raises OutputGone."""
    found = both.read(place, CHUNK, now=now)
    if found is None:
        return {"known": False, "done": True}
    return {
        "known": True,
        "pieces": [
            {
                "stream": piece.stream,
                "text": piece.data.decode("utf-8", errors="replace").translate(TURNS),
                "at": _when(piece.since_ms, piece.at_ms),
                "before": piece.dropped_before,
                "behind": piece.dropped_behind,
            }
            for piece in found.pieces
        ],
        "next": f"{found.place.stdout}.{found.place.stderr}",
        "shown": sum(found.place) - sum(both.start),
        "size": sum(found.size) - sum(both.start),
        "done": found.is_complete and found.place == found.size,
        "note": exactness_words(both.exactness(), found),
    }


def _when(since_ms: int | None, at_ms: int | None) -> str:
    """Return when something was written, in words."""
    if at_ms is None:
        return _("after %(since)s", since=short_words(since_ms / 1000)) if since_ms else ""
    if since_ms is None or at_ms - since_ms < 1000:
        return _("at %(span)s", span=short_words(at_ms / 1000))
    return _("between %(since)s and %(at)s", since=short_words(since_ms / 1000), at=short_words(at_ms / 1000))


def exactness_words(exact: Exactness, found: Together) -> str:
    """Return how exact the order is, as a sentence; nothing where only one stream was used."""
    if not all(found.size):
        return ""
    told = [_("By time, as far as looks at the sizes of both streams tell.")]
    if exact.stretches:
        told.append(
            ngettext(
                "In %(num)d stretch, of about %(span)s, both were written between two looks: there stdout comes first.",
                "In %(num)d stretches, the longest of about %(span)s, both were written between two looks: there stdout "
                "comes first.",
                exact.stretches,
                span=short_words(exact.longest_ms / 1000),
            )
        )
    elif not exact.is_cut:
        told.append(_("Nowhere were both written between two looks, so the order is exact."))
    if exact.is_cut:
        told.append(_("What was written to both after the last look stands at the end, stdout first."))
    return " ".join(told)
