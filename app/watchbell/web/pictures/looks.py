"""How what is drawn looks and is called: the tone and icon of a state, moments, lengths of time and numbers of runs in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.services.timeline import Part, Planned, Span
from watchbell.web.i18n import _, grouped
from watchbell.web.presenters import duration_words, state_word
from watchbell.web.told import told

#: States that share the icon of another word; templates/_macros/status.html has the same for badges.
_ICONS = {
    "queued": "waiting",
    "claimed": "waiting",
    "starting": "waiting",
    "retry_wait": "waiting",
    "cancelling": "cancelled",
    "other": "succeeded",
}
#: The worst first: of several states in one place the worst is drawn.
SEVERITY = ("failed", "lost", "timed_out", "missed", "cancelling", "running", "starting", "claimed", "queued", "retry_wait", "cancelled", "skipped", "succeeded", "other")  # fmt: skip
BAD = ("failed", "timed_out", "lost", "missed")


def icon_of(state: str) -> str:
    """Return the icon of a state."""
    return _ICONS.get(state, state)


def tone_of(state: str) -> str:
    """Return the tone of a state."""
    return "running" if state == "cancelling" else icon_of(state)


def word_of(state: str) -> str:
    """Return a state in words, where many runs are counted."""
    return _("succeeded or still going") if state == "other" else state_word(state)


def worst_of(counts: Mapping[str, int]) -> str:
    """Return the worst state of which there is any."""
    return next((state for state in SEVERITY if counts.get(state)), "other")


def moment_words(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment to the second with its zone."""
    # Pictures have thousands of them, and formatting by a pattern takes several times as long.
    local = moment.astimezone(zone)
    return f"{str(local)[:19]} {local.tzname()}"


class Sayings:
    """The words for what hovers over marks, looked up once for a picture with hundreds of them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._took, self._due, self._stands_for = (
            _("in %(time)s"),
            _("due %(moment)s"),
            _("stands for %(count)s moments"),
        )
        self._between = _("%(start)s to %(end)s")
        self._about, self._run = _("about %(runs)s"), _("1 run")
        self._runs, self._words = _("%(count)s runs"), {state: word_of(state) for state in SEVERITY}
        self._planned, self._usual = _("%(task)s is planned for %(moment)s"), _("usually takes %(time)s")

    def of_span(self, span: Span) -> str:
        """Return what hovering over a run tells: which, what became of it, when and why."""
        words = f"{span.task_name} #{span.run_id} {self._words[span.state]}"
        if span.end > span.start:
            words += " " + self._took % {"time": duration_words((span.end - span.start).total_seconds())}
        words += ", " + self._due % {"moment": moment_words(span.due_at, self._zone)}
        if span.stands_for > 1:
            words += "; " + self._stands_for % {"count": grouped(span.stands_for)}
        return f"{words}: {told(span.reason)}" if span.reason and span.reason != "exit code 0" else words

    def of_counts(self, counts: Mapping[str, int], *, about: bool = False) -> str:
        """Return numbers of runs by state in words, the worst first."""
        total = sum(counts.values())
        head = self._run if total == 1 else self._runs % {"count": grouped(total)}
        if about:
            head = self._about % {"runs": head}
        told = [f"{grouped(counts[state])} {self._words[state]}" for state in SEVERITY if counts.get(state)]
        return f"{head}: {', '.join(told)}"

    def of_part(self, part: Part, *, about: bool = False) -> str:
        """Return what hovering over the counted runs of a part of the time tells."""
        until = part.end.astimezone(self._zone).strftime("%H:%M")
        times = self._between % {"start": moment_words(part.start, self._zone), "end": until}
        return f"{times}: {self.of_counts(part.counts, about=about)}"

    def of_planned(self, planned: Planned) -> str:
        """Return what hovering over a moment to come tells."""
        words = self._planned % {"task": planned.task_name, "moment": moment_words(planned.due_at, self._zone)}
        if planned.note:
            said = told(planned.note)
            words += ", " + (_("left out: %(why)s", why=said) if planned.is_left_out else said)
        if not planned.seconds:
            return words
        return words + ", " + self._usual % {"time": duration_words(planned.seconds)}
