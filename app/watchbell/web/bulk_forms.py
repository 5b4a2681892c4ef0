"""The form below a list that does one thing with many rows: what was chosen, the question, and what has become of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from watchbell.errors import InputError
from watchbell.services import bulk_parts
from watchbell.services.bulk import UNCHANGED
from watchbell.services.bulk_parts import Part
from watchbell.web import notices
from watchbell.web.checks import safe_next
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters_simulation import Effect
from watchbell.web.progress import Ending
from watchbell.web.told import told

#: So many names stand in a question, and so many refusals in its result.
NAMED = 20
_TOLD = 10
_LONGEST_IDS = 100_000
#: A notice stands in the session's cookie, which browsers keep up to 4 kB: more rows are not taken back by a button.
_LONGEST_UNDO = 1500


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """What the form was sent with."""

    action: str
    #: The rows that were ticked; None for all that the filters let through.
    ids: tuple[int, ...] | None
    #: The filters of the list.
    filters: MultiDict[str, str]
    #: Whether the question has been answered already.
    is_sure: bool
    tags: tuple[str, ...]
    reason: str
    #: The address of the list.
    back: str


@dataclasses.dataclass(frozen=True, slots=True)
class Undo:
    """What takes back what was done: the form's address, and the action that is sent there."""

    address: str
    action: str
    #: What says which rows it was; empty to name each of those that were changed, as far as there is room for them.
    rows: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A field that a question has besides, for what cannot be done without it."""

    name: str
    label: str
    value: str = ""
    help: str = ""
    example: str = ""
    choices: Sequence[str] = ()


def read(actions: Collection[str], page: str) -> Chosen:
    """Return what was chosen; raises InputError for an action that is none, or for no row at all."""
    form = request.form
    action = form.get("action", "")
    if action not in actions:
        raise InputError.of("action", f"must be one of {', '.join(actions)}", next(iter(actions)))
    filters = form.get("filters", "")
    ids = None if form.get("all") else _ids([*form.getlist("id"), *form.get("ids", "").split(".")])
    if ids == ():
        raise InputError.of("id", _("no row was chosen; tick the rows first"))
    return Chosen(
        action=action,
        ids=ids,
        filters=MultiDict(parse_qsl(filters, max_num_fields=100)),
        is_sure=form.get("sure") == "1" and ids is not None,
        tags=tuple(dict.fromkeys(filter(None, (tag.strip() for tag in form.get("tags", "").split(","))))),
        reason=form.get("reason", ""),
        back=back_of(page),
    )


def _ids(texts: Sequence[str]) -> tuple[int, ...]:
    numbers = [text for text in texts if text]
    if len(numbers) > _LONGEST_IDS or not all(text.isascii() and text.isdigit() and len(text) < 19 for text in numbers):
        raise InputError.of("id", "must be numbers of rows", "7")
    return tuple(dict.fromkeys(map(int, numbers)))


def back_of(page: str) -> str:
    """Return the list, with its filters if the form has said them."""
    found = safe_next(request.form.get("back"))
    return found if found is not None and urlsplit(found).path == page else page


def require_few(number: int) -> None:
    """Raise InputError for more rows than are changed at a time."""
    if number > bulk_parts.MOST:
        told = _(
            "chooses more than %(most)s rows, which is as many as are changed at a time; narrow the filters",
            most=grouped(bulk_parts.MOST),
        )
        raise InputError.of("all", told)


def ids_of(args: MultiDict[str, str]) -> tuple[int, ...] | None:
    """Return the rows that an address names, None if it names none."""
    return _ids(args.getlist("id")) or None


def export(endpoint: str) -> Response:
    """Lead to the twin of a list with the rows that were ticked, or with all that the filters let through."""
    form = request.form
    if form.get("all"):
        return redirect(f"{url_for(endpoint)}?{form.get('filters', '')}", 303)
    ids = _ids(form.getlist("id"))
    if not ids:
        raise InputError.of("id", _("no row was chosen; tick the rows first"))
    return redirect(url_for(endpoint, id=ids), 303)


def question(
    chosen: Chosen,
    endpoint: str,
    names: dict[int, str],
    title: str,
    verb: str,
    text: str = "",
    *,
    asked: Asked | None = None,
    effect: Effect | None = None,
) -> str:
    """Return the page that asks before many rows are changed: how many they are, and which."""
    return render_template(
        "lists/question.html",
        section="fleet" if endpoint.startswith("fleet") else endpoint.partition(".")[0],
        chosen=chosen,
        asked=asked,
        effect=effect,
        action=url_for(endpoint),
        ids=".".join(map(str, names)),
        names=list(names.values())[:NAMED],
        more=max(len(names) - NAMED, 0),
        title=title,
        verb=verb,
        text=text,
    )


def result(back: str, done: Sequence[Part], *, words: dict[str, str], undo: Undo | None = None) -> Response:
    """Return to the list and say there what was done, what was so already, and what was refused and why."""
    told = ending(back, done, words=words, undo=undo)
    (kind, sentence), *others = told.notices
    if told.undo and len("".join(told.fields.values())) <= _LONGEST_UNDO:
        notices.done(sentence, told.undo, told.fields)
    else:
        flash(sentence, kind)
    for other, text in others:
        flash(text, other)
    return redirect(back, 303)


def ending(back: str, done: Sequence[Part], *, words: dict[str, str], undo: Undo | None = None) -> Ending:
    """Return what is said of what was done."""
    counts: dict[str, int] = {}
    for part in done:
        if part.outcome:
            counts[part.outcome] = counts.get(part.outcome, 0) + 1
    told = [
        f"{grouped(count)} {words.get(outcome, outcome)}" for outcome, count in counts.items() if outcome != UNCHANGED
    ]
    refused = [part for part in done if not part.outcome]
    sentence = f"{', '.join(told)}." if told else _("Nothing was changed.")
    if counts.get(UNCHANGED):
        number = counts[UNCHANGED]
        sentence += " " + ngettext("%(num)s was so already.", "%(num)s were so already.", number)
    said = [("success" if told else "info", sentence)]
    if refused:
        said.append(("warning", _refusals(refused)))
    ids = ".".join(str(part.id) for part in done if part.outcome not in {"", UNCHANGED})
    if undo is None or not ids:
        return Ending(said)
    # Only what was changed is changed back.
    return Ending(said, undo.address, {"action": undo.action, **(undo.rows or {"ids": ids}), "sure": "1", "back": back})


def _refusals(refused: Sequence[Part]) -> str:
    head = ngettext("%(num)s was refused:", "%(num)s were refused:", len(refused))
    each = "; ".join(f"{part.name[:60]}: {told(part.reason[:120])}" for part in refused[:_TOLD])
    rest = len(refused) - _TOLD
    more = " " + _("and %(num)s more", num=rest) if rest > 0 else ""
    return f"{head} {each}{more}."
