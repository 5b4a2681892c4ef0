"""What becomes of the occurrences that are due: started, or missed, and why, by the task's policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from watchbell.domain.incidents import Gap, explain
from watchbell.domain.policies import CatchUp, Overlap, Policies, Uncertain
from watchbell.domain.schedule import Occurrence

#: Where a task says nothing, a run may start as late as its next moment, but at most this late.
LATEST_START_LIMIT = timedelta(hours=1)
_WAITING = frozenset({Overlap.QUEUE_ONE, Overlap.QUEUE_ALL, Overlap.REPLACE})
#: More missed occurrences than this are told by one row with a count.
ROWS_LIMIT = 1000


class Trigger(StrEnum):
    """What made a run."""

    SCHEDULE = "schedule"
    CATCH_UP = "catch_up"
    """An occurrence that passed while no scheduler worked, run afterwards by policy."""
    MANUAL = "manual"
    ASAP = "asap"
    """Asked for as soon as possible: ahead of everything else that waits."""
    CHAIN = "chain"
    """Its turn came because the tasks that it runs after had ended."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one occurrence, or of a counted range that ends with it."""

    occurrence: Occurrence
    is_missed: bool
    trigger: Trigger
    reason: str = ""
    stands_for: int = 1
    #: The first occurrence of a counted range.
    first: Occurrence | None = None

    @property
    def key(self) -> str:
        """Return the unique key of the row."""
        if self.first is None:
            return self.occurrence.key
        return f"range:{self.first.key}..{self.occurrence.key}"


def latest_start(policies: Policies, occurrence: Occurrence, following: Occurrence | None) -> timedelta:
    """Return how late a run may start: what the task says, else its own interval, at most an hour.

    Where runs wait for each other by policy, an interval would give up what is to wait: there it is that hour alone.
    """
    if policies.latest_start_seconds is not None:
        return timedelta(seconds=policies.latest_start_seconds)
    if following is None or policies.overlap in _WAITING:
        return LATEST_START_LIMIT
    return min(following.due_at - occurrence.due_at, LATEST_START_LIMIT)


def judge(
    due: Sequence[Occurrence],
    following: Occurrence | None,
    policies: Policies,
    *,
    now: datetime,
    up_since: datetime,
    is_complete: bool = True,
    gaps: Sequence[Gap] = (),
) -> list[Verdict]:
    """Return a verdict for each of the occurrences that are due, oldest first.

    ``following`` is the one after them, ``up_since`` when the present scheduler began to work, ``gaps`` are the stretches
    of time in which it is known why it could not. With ``is_complete``
    False there are more due ones than could be looked at, and newer ones than these are what may still be run.
    """
    kept = [occurrence for occurrence in due if not occurrence.is_left_out]
    if len(kept) < len(due):
        left_out = leave_out([occurrence for occurrence in due if occurrence.is_left_out])
        others = judge(kept, following, policies, now=now, up_since=up_since, is_complete=is_complete, gaps=gaps)
        return sorted([*left_out, *others], key=lambda verdict: verdict.occurrence.due_at)
    if not due:
        return []
    newest = due[-1]
    if is_complete and now - newest.due_at <= latest_start(policies, newest, following):
        verdicts = [in_time(newest)]
        older = due[:-1]
        may_run = policies.catch_up_limit if policies.catch_up is CatchUp.ALL else 0
    else:
        verdicts = []
        older = due
        wanted = {CatchUp.SKIP: 0, CatchUp.LAST: 1, CatchUp.ALL: policies.catch_up_limit}
        may_run = wanted[policies.catch_up] if is_complete else 0
    window_start = now - timedelta(seconds=policies.catch_up_window_seconds)
    split = len(older) - min(may_run, sum(1 for occurrence in older if occurrence.due_at >= window_start))

    def reason_of(occurrence: Occurrence) -> str:
        return reason_for(occurrence, policies, now, up_since, gaps)

    caught_up = [Verdict(o, is_missed=False, trigger=Trigger.CATCH_UP, reason=reason_of(o)) for o in older[split:]]
    return _missed(older[:split], reason_of) + caught_up + verdicts


def in_time(occurrence: Occurrence) -> Verdict:
    """Return the verdict on an occurrence that nothing has kept; one that is left out or was moved says so."""
    return Verdict(occurrence, is_missed=False, trigger=Trigger.SCHEDULE, reason=occurrence.note)


def leave_out(due: Sequence[Occurrence]) -> list[Verdict]:
    """Return the verdicts on occurrences that are left out; very many of them are told by one row with a count."""
    if len(due) <= ROWS_LIMIT:
        return [in_time(occurrence) for occurrence in due]
    reason = f"{len(due)} occurrences; {due[-1].note}"
    return [dataclasses.replace(in_time(due[-1]), reason=reason, stands_for=len(due), first=due[0])]


def give_up(due: Sequence[Occurrence], reason: str, *, at_least: str = "") -> list[Verdict]:
    """Return the verdicts that none of these is started, for one reason; ``at_least`` goes before a count."""
    return _missed(due, lambda _occurrence: reason, at_least)


def _missed(
    occurrences: Sequence[Occurrence], reason_of: Callable[[Occurrence], str], at_least: str = ""
) -> list[Verdict]:
    if len(occurrences) <= ROWS_LIMIT:
        return [Verdict(o, is_missed=True, trigger=Trigger.SCHEDULE, reason=reason_of(o)) for o in occurrences]
    newest = occurrences[-1]
    return [
        Verdict(
            newest,
            is_missed=True,
            trigger=Trigger.SCHEDULE,
            reason=f"{at_least}{len(occurrences)} occurrences; {reason_of(newest)}",
            stands_for=len(occurrences),
            first=occurrences[0],
        )
    ]


def withhold(verdicts: Sequence[Verdict], policies: Policies, unknown: Sequence[Gap]) -> list[Verdict]:
    """Return verdicts that start nothing whose moment lies where it is not known what was run; such a one is missed.

    ``unknown`` are those stretches of time. Of a task that may be repeated nothing is withheld.
    """
    if policies.uncertain is Uncertain.RUN_AGAIN:
        return list(verdicts)
    return [_withheld(verdict, words) if (words := _unknown(verdict, unknown)) else verdict for verdict in verdicts]


def _unknown(verdict: Verdict, unknown: Sequence[Gap]) -> str:
    return explain(unknown, verdict.occurrence.due_at)


def _withheld(verdict: Verdict, words: str) -> Verdict:
    count = f"{verdict.stands_for} occurrences; " if verdict.stands_for > 1 else ""
    reason = f"{count}{words}; it may have been run since, and is not caught up"
    return dataclasses.replace(verdict, is_missed=True, trigger=Trigger.SCHEDULE, reason=reason)


_POLICY_WORDS = {
    CatchUp.SKIP: "skip what was missed",
    CatchUp.LAST: "run the last one",
    CatchUp.ALL: "run all within the window",
}


def reason_for(
    occurrence: Occurrence, policies: Policies, now: datetime, up_since: datetime, gaps: Sequence[Gap]
) -> str:
    """Return why an occurrence was not started in time, and by which policy it is treated now."""
    why = "no scheduler was running"
    if occurrence.due_at >= up_since:
        late = int((now - occurrence.due_at).total_seconds())
        why = explain(gaps, occurrence.due_at) or f"the scheduler was held up for {late} s"
    return f"{why}; policy: {_POLICY_WORDS[policies.catch_up]}"
