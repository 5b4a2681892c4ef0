"""Whether runs were as usual for their tasks; domain.analysis.judgement decides, here the earlier runs are found."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchbell.domain.analysis.judgement import Finding, Habit, Judgement, Past, Verdict, judge, judged_values, words
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import values_of
from watchbell.store import samples as sample_store
from watchbell.store import tasks as task_store
from watchbell.store import verdicts as store
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session

#: From so many of its newest runs a task's habit is learned.
LEARNED_FROM = 150
#: The habits of so many tasks are remembered: those of tasks that run often serve many runs.
_REMEMBERED = 200
#: A habit is learned anew after this part of its runs has come in addition, and after so many at the least.
_STALE_PART = 0.1
_LEAST_STALE = 3

__all__ = ["Judge", "Judgement", "Verdict", "of_run", "reason_of"]


@dataclasses.dataclass(slots=True)
class _Known:
    """A habit, and how many runs have come since it was learned."""

    habit: Habit
    since: int = 0

    @property
    def is_stale(self) -> bool:
        return self.since >= max(_LEAST_STALE, self.habit.runs * _STALE_PART)


class Judge:
    """Judges the runs of tasks as they end, and remembers what it has learned of those that it has met last."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def judge(self, session: Session, runs: Sequence[Measured]) -> None:
        """Judge runs that have succeeded, the oldest first, and store what was not as usual."""
        rows = []
        for run in runs:
            known = self._recall(session, run)
            found = judge(judged_values(values_of(run.recorded)), known.habit, run.recorded.due_at)
            known.since += 1
            if found.findings:
                findings = [dataclasses.asdict(finding) for finding in found.findings]
                rows.append(
                    {
                        "run_id": run.run_id,
                        "task_id": run.task_id,
                        "verdict": found.verdict.value,
                        "findings": findings,
                    }
                )
        store.add(session, rows)

    def _recall(self, session: Session, run: Measured) -> _Known:
        known = self._known.pop(run.task_id, None)
        if known is None or known.is_stale:
            known = _Known(learn(session, run.task_id, before_id=run.run_id))
        self._known[run.task_id] = known
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known


def learn(session: Session, task_id: int, *, before_id: int | None = None) -> Habit:
    """Return the habit of a task from its newest runs that have succeeded, before a run if one is named."""
    runs = sample_store.list_measured(
        session, task_ids=[task_id], before_id=before_id, limit=LEARNED_FROM, state=RunState.SUCCEEDED
    )
    past = [Past(run.recorded.due_at, judged_values(values_of(run.recorded))) for run in runs]
    return Habit(past, _zone(session, task_id))


def _zone(session: Session, task_id: int) -> ZoneInfo:
    task = task_store.find_task(session, task_id, deleted=True)
    try:
        return ZoneInfo(task.zone if task is not None else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        # Weekdays of another zone tell hardly less.
        return ZoneInfo("UTC")


def of_run(db: Database, run_id: int) -> Judgement:
    """Return what a run was like: as it was judged at its end, or now if that was not done yet.

    What has not succeeded, and a task of which too little is known, is UNKNOWN.
    """
    with db.read() as session:
        stored = store.list_of_runs(session, [run_id]).get(run_id)
        if stored is not None:
            findings = (Finding(**{**one, "verdict": Verdict(one["verdict"])}) for one in stored.findings)
            return Judgement(Verdict(stored.verdict), tuple(findings))
        measured = sample_store.list_measured_by_id(session, [run_id])
        if not measured or measured[0].recorded.state != RunState.SUCCEEDED:
            return Judgement(Verdict.UNKNOWN)
        run = measured[0]
        habit = learn(session, run.task_id, before_id=run_id)
    return judge(judged_values(values_of(run.recorded)), habit, run.recorded.due_at)


def reason_of(judgement: Judgement) -> str:
    """Return why a run was not as usual, in words; empty for one that was."""
    return "; ".join(words(finding) for finding in judgement.findings)
