"""Why a run is what it is, in plain sentences from the ledger: what made it, when, what it waited for, and by which policies."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import RunState
from watchbell.services.retention import Rules
from watchbell.store.runs import Run
from watchbell.web import schedule_words
from watchbell.web.i18n import _, grouped, lazy
from watchbell.web.presenters import state_word
from watchbell.web.presenters_policies import policy_facts, retry_sentence
from watchbell.web.presenters_runs import RunPageView
from watchbell.web.spans import short_words
from watchbell.web.told import sentence, told

#: How the ledger names other runs in its reasons.
_OTHER = re.compile(r"\brun #([0-9]{1,18})\b")
_NUMBER = re.compile(r"#([0-9]{1,18})\b")
#: So many other runs are looked up.
MOST_OTHERS = 5
#: States that go by their own name where the ledger's moves are said one by one.
_OWN_NAMES = {RunState.RETRY_WAIT.value: lazy("retry wait"), RunState.CANCELLING.value: lazy("cancelling")}
_WAITING = frozenset({RunState.QUEUED.value, RunState.RETRY_WAIT.value})


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a sentence, and the run that they name, if they do."""

    text: str
    run_id: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A question that somebody may have about a run, and what the ledger says to it, sentence by sentence."""

    question: str
    sentences: Sequence[Sequence[Piece]]


def others(page: RunPageView) -> list[int]:
    """Return the numbers of the runs that the ledger names in its reasons about this one, the first first."""
    said = " ".join([*(event.reason for event in page.events), page.run.reason])
    found = dict.fromkeys(int(number) for number in _OTHER.findall(said))
    return [number for number in found if number != page.run.id][:MOST_OTHERS]


def why(page: RunPageView, known: Mapping[int, Run], rules: Rules, zone: ZoneInfo) -> list[Answer]:
    """Return the answers about a run; ``known`` holds the runs that its reasons name, as far as they are kept."""
    teller = _Teller(page, known, rules, zone)
    linkable = {*known, page.run.rerun_of or 0}
    answers = (
        (_("What made it"), teller.made()),
        (_("When it became a row"), teller.born()),
        (_("What it waited for"), teller.waited()),
        (_("Who took it"), teller.taken()),
        (_("How it came to its state"), teller.ended()),
        (_("Policies in force"), teller.policies()),
    )
    return [Answer(question, [linked(one, linkable) for one in said]) for question, said in answers if said]


def linked(sentence: str, runs: Collection[int]) -> list[Piece]:
    """Return a sentence in pieces, the numbers of these runs by themselves."""
    pieces: list[Piece] = []
    place = 0
    for found in _NUMBER.finditer(sentence):
        if int(found[1]) not in runs:
            continue
        pieces += [Piece(sentence[place : found.start()]), Piece(found[0], int(found[1]))]
        place = found.end()
    return [piece for piece in (*pieces, Piece(sentence[place:])) if piece.text]


class _Teller:
    def __init__(self, page: RunPageView, known: Mapping[int, Run], rules: Rules, zone: ZoneInfo) -> None:
        self._page = page
        self._run = page.run
        self._events = page.events
        self._known = known
        self._rules = rules
        self._zone = zone

    def made(self) -> list[str]:
        run = self._run
        said = [self._trigger()]
        if run.local_time and run.zone:
            said.append(
                _("It stands for %(local)s in %(zone)s.", local=run.local_time, zone=run.zone)
                + " "
                + _("There is one row for a moment, however many schedulers work.")
            )
        if run.stands_for > 1:
            said.append(_("It stands for %(count)s moments in a row.", count=grouped(run.stands_for)))
        if run.rerun_of:
            said.append(_("It repeats %(run)s by a person's decision.", run=f"#{run.rerun_of}"))
        return said

    def _trigger(self) -> str:
        run = self._run
        rule = self._schedule_words()
        by = run.requested_by or _("somebody")
        if run.trigger == "schedule":
            return _("The schedule of its task, version %(version)s: %(rule)s.", version=run.task_version, rule=rule)
        if run.trigger == "catch_up":
            return _(
                "The schedule of its task, version %(version)s: %(rule)s. Its moment passed while nothing could be started, "
                "and the task's policy is to catch up.",
                version=run.task_version,
                rule=rule,
            )
        if run.trigger == "asap":
            return _("%(name)s asked for it as soon as possible: it goes ahead of all that waits.", name=by)
        if run.trigger == "chain":
            return _("Its turn came: the tasks that it runs after had ended.")
        return _("%(name)s asked for it by hand.", name=by)

    def _schedule_words(self) -> str:
        stored = self._page.definition.get("schedule")
        if not isinstance(stored, Mapping):
            return _("its version is not kept any more")
        return schedule_words.sentence(schedules.from_json(stored))

    def born(self) -> list[str]:
        run = self._run
        after = (run.created_at - run.due_at).total_seconds()
        said = [_("Due %(due)s, written down %(made)s.", due=self._at(run.due_at), made=self._at(run.created_at))]
        if after >= 1:
            said.append(_("That was %(span)s after it was due.", span=short_words(after)))
        first = self._events[0] if self._events else None
        if first is not None:
            said.append(_("Written by %(actor)s, as %(state)s.", actor=first.actor, state=state_word(first.to_state)))
        if first is not None and first.reason and not self._is_known(first.reason):
            said.append(sentence(first.reason))
        return said

    def waited(self) -> list[str]:
        said = []
        for event, following in itertools.zip_longest(self._events, self._events[1:]):
            if event.to_state not in _WAITING:
                continue
            until = following.at if following is not None else None
            span = short_words((until - event.at).total_seconds()) if until else ""
            so_far = _("for %(span)s", span=span) if until else _("until now")
            reason = event.reason if event.reason and not self._is_known(event.reason) else _("for its turn")
            said.append(
                _("%(state)s from %(since)s %(span)s: %(reason)s.", state=_state(event.to_state), since=self._at(event.at),
                  span=so_far, reason=told(reason).rstrip("."))
            )  # fmt: skip
        if not said:
            return []
        said.append(_("Queue %(queue)s, priority %(priority)s.", queue=self._run.queue, priority=self._run.priority))
        return said + [self._about(run) for run in self._known.values()]

    def _about(self, run: Run) -> str:
        if run.ended_at is None:
            return _(
                "%(run)s of %(task)s is %(state)s.", run=f"#{run.id}", task=run.task_name, state=state_word(run.state)
            )
        return _("%(run)s of %(task)s ended %(state)s at %(at)s.", run=f"#{run.id}", task=run.task_name, state=state_word(run.state),
                 at=self._at(run.ended_at))  # fmt: skip

    def taken(self) -> list[str]:
        said = []
        starts = [event for event in self._events if RunState.STARTING in (event.to_state, *event.path.split(","))]
        for attempt, start in itertools.zip_longest(self._page.attempts, starts[: len(self._page.attempts)]):
            holder = start.actor if start is not None else attempt.holder
            taken = _("Attempt %(number)s was taken by %(holder)s", number=attempt.number, holder=holder)
            fence = _("with fence %(fence)s, so that no other one could start it too", fence=attempt.fence)
            began = ""
            if attempt.started_at:
                began = "; " + _("its process began at %(at)s", at=self._at(attempt.started_at))
            said.append(f"{taken} {fence}{began}.")
        if not said and self._run.ended_at is not None:
            said.append(_("Nobody: it was never started."))
        return said

    def ended(self) -> list[str]:
        said = []
        for before, event in itertools.pairwise(self._events):
            if event.to_state in _WAITING or not event.reason or event.reason == before.reason:
                continue
            said.append(
                f"{self._at(event.at)} {_state(event.to_state)}: {told(event.reason).rstrip('.')}, {event.actor}."
            )
        if self._page.decision_words:
            said.append(self._page.decision_words)
        return said

    def policies(self) -> list[str]:
        stored = self._page.definition.get("policies")
        if not isinstance(stored, Mapping):
            return [_("The version of the task that it used is not kept any more.")]
        policies = Policies.from_json(stored)
        groups = policy_facts(policies, self._rules)
        facts = [f"{fact[0]}: {fact[1]}." for fact in groups[0].facts]
        held = [_("Gate: %(gate)s.", gate=gate) for gate in policies.gates.splitlines()]
        return [*facts, retry_sentence(policies), f"{groups[2].facts[0][0]}: {groups[2].facts[0][1]}.", *held]

    def _is_known(self, reason: str) -> bool:
        """Return whether a reason says only who asked for it, which is said already."""
        by = self._run.requested_by
        return bool(by) and reason in {f"run by hand by {by}", f"asked for as soon as possible by {by}"}

    def _at(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%d %H:%M:%S %Z}"


def _state(state: str) -> str:
    words = str(_OWN_NAMES[state]) if state in _OWN_NAMES else state_word(state)
    return f"{words[:1].upper()}{words[1:]}"
