"""Whether runs were as usual for their tasks; domain.analysis.judgement decides, here the earlier runs are found."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchbell.domain.analysis.judgement import (
    Band,
    Finding,
    Habit,
    Judgement,
    Past,
    Verdict,
    judge,
    judged_values,
    words,
)
from watchbell.domain.permissions import Right
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import values_of
from watchbell.errors import Conflict
from watchbell.services import audit, ownership, runs
from watchbell.store import marks
from watchbell.store import samples as sample_store
from watchbell.store import verdicts as store
from watchbell.store.runs import Run
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session
from watchbell.store.verdicts import RunExpected, RunVerdict

#: From so many of its newest runs a task's habit is learned.
LEARNED_FROM = 150
#: The habits of so many tasks are remembered: those of tasks that run often serve many runs.
_REMEMBERED = 200
#: A habit is learned anew after this part of its runs has come in addition, and after so many at the least.
_STALE_PART = 0.1
_LEAST_STALE = 3

#: The name of the mark that moves whenever somebody has said that a run was, or was not, as it should be.
EXPECTED_MARK = "expected"
_WHY_NOT = {Verdict.UNKNOWN: "it did not succeed, or too few earlier runs are known"}

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
        self._expected_mark = 0

    def judge(self, session: Session, runs: Sequence[Measured]) -> None:
        """Judge runs that have succeeded, the oldest first, and store what was not as usual."""
        said = marks.get(session, EXPECTED_MARK) if runs else self._expected_mark
        if said != self._expected_mark:
            # Somebody has said of a run that it was as it should be, and means the next ones that are like it.
            self._known.clear()
            self._expected_mark = said
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


def learn(session: Session, task_id: int, *, before_id: int | None = None, metric: str = "") -> Habit:
    """Return the habit of a task from its newest runs that have succeeded, before a run if one is named.

    It holds what runs are judged by, and one further metric if that is named.
    """
    runs = sample_store.list_past(session, task_id, before_id=before_id, limit=LEARNED_FROM)
    expected = store.list_expected(session, task_id)
    past = [Past(run.recorded.due_at, _values(run, metric), is_expected=run.run_id in expected) for run in runs]
    return Habit(past, _zone(session, task_id))


def _values(run: Measured, metric: str) -> dict[str, float]:
    values = values_of(run.recorded)
    return judged_values(values) | ({metric: values[metric]} if metric in values else {})


def _zone(session: Session, task_id: int) -> ZoneInfo:
    try:
        return ZoneInfo(sample_store.find_zone(session, task_id) or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        # Weekdays of another zone tell hardly less.
        return ZoneInfo("UTC")


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a run was like, and whether somebody has said that it was as it should be."""

    judgement: Judgement
    expected_by: str | None = None
    expected_at: datetime | None = None

    @property
    def is_expected(self) -> bool:
        """Return whether somebody has said that it was as it should be."""
        return self.expected_at is not None

    @property
    def is_unusual(self) -> bool:
        """Return whether it was unusual, and nobody has said that it was as it should be."""
        return bool(self.judgement.findings) and not self.is_expected


def tell(db: Database, run_id: int) -> Told:
    """Return what a run was like, and what was said about it."""
    with db.read() as session:
        said = store.find_expected(session, run_id)
    judgement = of_run(db, run_id)
    return Told(judgement) if said is None else Told(judgement, said.by, said.at)


def of_run(db: Database, run_id: int) -> Judgement:
    """Return what a run was like: as it was judged at its end, or now if that was not done yet.

    What has not succeeded, and a task of which too little is known, is UNKNOWN.
    """
    with db.read() as session:
        return _find(session, run_id)


def _find(session: Session, run_id: int) -> Judgement:
    stored = store.list_of_runs(session, [run_id]).get(run_id)
    if stored is not None:
        return _stored(stored)
    measured = sample_store.list_measured_by_id(session, [run_id])
    if not measured or measured[0].recorded.state != RunState.SUCCEEDED:
        return Judgement(Verdict.UNKNOWN)
    run = measured[0]
    habit = learn(session, run.task_id, before_id=run_id)
    return judge(judged_values(values_of(run.recorded)), habit, run.recorded.due_at)


def _stored(row: RunVerdict) -> Judgement:
    findings = (Finding(**{**one, "verdict": Verdict(one["verdict"])}) for one in row.findings)
    return Judgement(Verdict(row.verdict), tuple(findings))


def list_unusual(db: Database, task_id: int, *, limit: int) -> list[tuple[Measured, Told]]:
    """Return the newest runs of a task that were judged unusual, the newest first, with what was said about them."""
    with db.read() as session:
        rows = store.list_of_task(session, task_id, limit)
        expected = store.list_expected(session, task_id)
        measured = {run.run_id: run for run in sample_store.list_measured_by_id(session, [row.run_id for row in rows])}
    found = []
    for row in rows:
        said = expected.get(row.run_id)
        if row.run_id in measured:
            told = Told(_stored(row), said.by if said else None, said.at if said else None)
            found.append((measured[row.run_id], told))
    return found


def bands_of(db: Database, task_id: int, metric: str, shown: Sequence[Measured]) -> list[Band | None]:
    """Return where a metric usually lies, as it is known by now, at the time of each of some runs of a task."""
    with db.read() as session:
        habit = learn(session, task_id, metric=metric)
    return [habit.band(metric, run.recorded.due_at) for run in shown]


def expect(db: Database, run_id: int, *, now: datetime, actor: str) -> Told:
    """Say that an unusual run was as it should be: it needs no look any more, and the next ones like it are usual.

    Raises NotFound, and Conflict for a run that was not unusual. Said twice, the first one stands.
    """
    run = runs.get(db, run_id)
    with db.write() as session:
        judgement = _find(session, run_id)
        said = store.find_expected(session, run_id)
        if said is None:
            if not judgement.findings:
                raise Conflict(f"run {run_id} was not unusual: {_WHY_NOT.get(judgement.verdict, 'it was as usual')}")
            said = RunExpected(run_id=run_id, task_id=run.task_id, at=now, by=actor)
            store.put_expected(session, said)
            _note(session, "run.expect", run, now=now, actor=actor, detail={"verdict": judgement.verdict.value})
        return Told(judgement, said.by, said.at)


def retract(db: Database, run_id: int, *, now: datetime, actor: str) -> Told:
    """Take back that a run was as it should be; raises NotFound. Of one of which it was not said nothing changes."""
    run = runs.get(db, run_id)
    with db.write() as session:
        if store.remove_expected(session, run_id):
            _note(session, "run.retract", run, now=now, actor=actor, detail={})
        return Told(_find(session, run_id))


def _note(session: Session, action: str, run: Run, *, now: datetime, actor: str, detail: dict[str, str]) -> None:
    ownership.require_of_run(session, Right.OPERATE, run.task_id)
    marks.put(session, EXPECTED_MARK, marks.take(session, EXPECTED_MARK) + 1)
    audit.note(session, action, f"run:{run.id}", now=now, actor=actor, name=run.task_name, detail=detail)


def reason_of(judgement: Judgement) -> str:
    """Return why a run was not as usual, in words; empty for one that was."""
    return "; ".join(words(finding) for finding in judgement.findings)
