"""The strip of a task's last runs: one mark each, as high as it took beside the usual, in the shape and tone of its end.

A page of tasks has hundreds of such marks, which is why they are written here and not by a template.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from watchbell.web.i18n import _, language, ngettext
from watchbell.web.pictures import looks
from watchbell.web.presenters import Outcome, duration_words
from watchbell.web.told import told

MOST = 30
_STEP, _HEIGHT, _USUAL, _LEAST = 5, 20, 10, 4
#: Every mark differs in shape, so that the strip reads without colour.
_SHAPES = {
    "failed": '<rect x=".5" y="1" width="4" height="12"/><rect x=".5" y="15.5" width="4" height="4.5"/>',
    "timed_out": '<path d="M0 1h5v3H3.5v16h-2V4H0Z"/>',
    "lost": '<path d="m2.5 4 2.5 8-2.5 8L0 12Z"/>',
    "missed": '<rect class="wb-strip__hollow" x="1" y="8.5" width="3" height="11"/>',
    "skipped": '<rect x=".5" y="18" width="4" height="2"/>',
    "cancelled": '<path class="wb-strip__hollow" d="m.5 19.5 4-11"/>',
}
#: What the mouse may point at: all of the mark's place, whatever its shape.
_WHOLE = f"M0 0h{_STEP}v{_HEIGHT}H0Z"
_GOING_ON = '<circle cx="2.5" cy="17.5" r="2"/>'


def strip(runs: Sequence[Outcome], usual: float | None, address: str, zone: ZoneInfo) -> Markup:
    """Return the strip of the newest runs, which come oldest first; ``address`` with a run's number behind it is its page."""
    shown = tuple(runs[-MOST:])
    if not shown:
        return Markup('<span class="wb-muted">{}</span>').format(_("no run yet"))
    return _drawn(shown, usual, address, zone, language())


# Most strips of a list are those of the look before, which was a few seconds ago or somebody else's; drawn they are some 8 kB.
@functools.lru_cache(maxsize=1_024)
def _drawn(shown: tuple[Outcome, ...], usual: float | None, address: str, zone: ZoneInfo, _language: str) -> Markup:
    width = _STEP * len(shown)
    sayings, begin = _Sayings(zone), f'<a href="{html.escape(address)}' if address else "<a"
    marks = "".join([_mark(place, run, usual, begin, sayings) for place, run in enumerate(shown)])
    # Thirty links a row would be in everybody's way but the mouse's: the others get a sentence, and the same runs elsewhere.
    return Markup(  # noqa: S704 - numbers and shapes of ours, and what is escaped where it is put together.
        f'<span class="wb-hidden">{escape(_sentence(shown))}</span>'
        f'<svg class="wb-strip" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" aria-hidden="true" '
        f'focusable="false">{marks}</svg>'
    )


class _Sayings:
    """The words for what hovers over marks, looked up once for all marks of a strip, and fit to stand in a page."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._took, self._due = " " + html.escape(_("in %(time)s")), html.escape(_("due %(moment)s"))
        self._states: dict[str, str] = {}
        self._heads: dict[str, str] = {}
        self._reasons = {"": "", "exit code 0": ""}

    def look_of(self, state: str) -> str:
        """Return the tone of a state as an attribute."""
        return self._heads.get(state) or self._heads.setdefault(state, f' class="wb-tone-{looks.tone_of(state)}"')

    def of(self, run: Outcome) -> str:
        state = self._states.get(run.state) or self._states.setdefault(run.state, html.escape(looks.word_of(run.state)))
        reason = self._reasons.get(run.reason)
        if reason is None:
            reason = self._reasons.setdefault(run.reason, f": {html.escape(told(run.reason))}")
        took = ""
        if run.duration_seconds is not None:
            took = self._took % {"time": duration_words(run.duration_seconds).replace("<", "&lt;")}
        due = self._due % {"moment": looks.moment_words(run.due_at, self._zone)}
        return f"#{run.id} {state}{took}, {due}{reason}"


def _mark(place: int, run: Outcome, usual: float | None, begin: str, sayings: _Sayings) -> str:
    link = f'{run.id}" tabindex="-1"' if begin != "<a" else ""
    return (
        f'{begin}{link}{sayings.look_of(run.state)} transform="translate({_STEP * place} 0)">'
        f'<title>{sayings.of(run)}</title><path d="{_WHOLE}"/>{_shape(run, usual)}</a>'
    )


def _shape(run: Outcome, usual: float | None) -> str:
    if run.state != "succeeded":
        return _SHAPES.get(run.state, _GOING_ON)
    ratio = run.duration_seconds / usual if usual and run.duration_seconds is not None else 1.0
    height = min(max(round(_USUAL * ratio), _LEAST), _HEIGHT)
    return f'<rect x=".5" y="{_HEIGHT - height}" width="4" height="{height}"/>'


def _sentence(shown: Sequence[Outcome]) -> str:
    last = looks.word_of(shown[-1].state)
    good = sum(run.state == "succeeded" for run in shown)
    return ngettext(
        "Last run: %(last)s",
        "Last %(num)s runs: %(good)s succeeded, the last one %(last)s",
        len(shown),
        good=good,
        last=last,
    )
