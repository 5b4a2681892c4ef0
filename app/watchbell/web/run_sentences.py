"""What a filtered list of runs has found, in a sentence or two above it."""

from __future__ import annotations

from watchbell.services.run_lists import Few
from watchbell.services.runs import COUNT_LIMIT, RunPage
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import state_word
from watchbell.web.run_list import RunQuery


def triggers() -> dict[str, str]:
    """Return the ways in which runs are made, in words."""
    return {
        "": _("any"),
        "schedule": _("by the schedule"),
        "manual": _("by hand"),
        "asap": _("as soon as possible"),
        "catch_up": _("to catch up"),
        "chain": _("after other tasks"),
    }


def since() -> dict[str, str]:
    """Return the choices of how far back, in words."""
    return {
        "": _("any time"),
        "1h": _("the last hour"),
        "today": _("today"),
        "24h": _("the last 24 hours"),
        "7d": _("the last 7 days"),
        "30d": _("the last 30 days"),
    }


def found(asked: RunQuery, page: RunPage, few: Few | None, *, is_backwards: bool = False) -> str:
    """Return what a filtered list has found, and of which few tasks most of it is."""
    told = [f"{' '.join([_count(page), *filter(None, _marks(asked, page.filtered))])}."]
    if few is not None:
        number = len(few.names)
        told.append(
            ngettext(
                "%(share)s of them are of %(names)s.",
                "%(share)s of them are of %(num)s tasks: %(names)s.",
                number,
                share=grouped(few.runs),
                names=", ".join(few.names),
            )
        )
    if asked.task_text and asked.task is None:
        told.append(_("There is no task called %(name)s.", name=asked.task_text))
    if is_backwards:
        told.append(backwards())
    if page.is_partial:
        told.append(_("Looked at a part of the history; older runs may match, too."))
    return " ".join(told)


def _count(page: RunPage) -> str:
    count = page.filtered
    if not count:
        return _("No run")
    number = grouped(count)
    if count >= COUNT_LIMIT:
        return _("At least %(number)s runs", number=number)
    return ngettext("%(number)s run", "%(number)s runs", count, number=number)


def backwards() -> str:
    """Return why nothing can be found in a time that ends before it begins."""
    return _("That time ends before it begins, so no run can be due in it.")


def _between(start: str, end: str) -> str:
    if start and end:
        return _("due from %(start)s until %(end)s", start=start, end=end)
    if start:
        return _("due from %(when)s", when=start)
    return _("due until %(when)s", when=end) if end else ""


def _marks(asked: RunQuery, count: int) -> list[str]:
    """Return what all of them have in common, one part of the sentence each."""
    parts = [_("of %(task)s", task=asked.task_text) if asked.task_text else ""]
    if asked.states:
        states = _(" or ").join(state_word(state) for state in asked.states)
        parts.append(ngettext("that is %(states)s", "that are %(states)s", count or 1 + 1, states=states))
    if asked.trigger:
        parts.append(_("started %(how)s", how=triggers()[asked.trigger]))
    if asked.since:
        parts.append(_("due since %(when)s", when=since().get(asked.since, asked.since)))
    parts.append(_between(asked.start.replace("T", " "), asked.end.replace("T", " ")))
    parts.append(_("with “%(words)s”", words=asked.search) if asked.search else "")
    parts.append(_("in queue %(queue)s", queue=asked.queue) if asked.queue else "")
    parts.append(_("of tasks with the tag %(tag)s", tag=asked.tag) if asked.tag else "")
    parts.append(_("of tasks of %(user)s", user=asked.user) if asked.user else "")
    parts.append(_("on %(host)s", host=asked.host) if asked.host else "")
    if asked.decision:
        parts.append(ngettext("that waits for a decision", "that wait for a decision", count or 1 + 1))
    return parts
