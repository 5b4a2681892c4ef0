"""The numbers of runs: how they are packed into the row of an attempt, and reading what they follow from."""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, and_, bindparam, case, func, select
from sqlalchemy.orm import Session

from watchbell.domain import tally
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import Recorded, Summary
from watchbell.domain.tally import Tally
from watchbell.store.base import id_list, ids_select
from watchbell.store.history import first_since
from watchbell.store.runs import Attempt, Output, Run
from watchbell.store.tasks import Task

#: Single precision: seven digits are more than any of these is measured with.
_SUMMARY = struct.Struct(f"<{len(Summary._fields)}f")
_NO_SUMMARY, _WITH_SUMMARY = b"\0", b"\1"
#: What counts as a measured run: one that was tried and is over.
MEASURED = tuple(
    state.value
    for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED, RunState.LOST)
)
#: No run has a number as high as this.
NEVER = 2**63 - 1
#: What stands for the exit code of a run that has none, because it was killed or lost.
NO_EXIT_CODE = -1
_RUN: Any = Run.__table__
_ATTEMPT: Any = Attempt.__table__
_OUT: Any = Output.__table__.alias("out")
_ERR: Any = Output.__table__.alias("err")
_FIRST: Any = _ATTEMPT.alias("first")
#: When the first attempt was started: the row of a run has the start of its last one.
_FIRST_START = case(
    (_RUN.c.attempts > 1, select(func.min(_FIRST.c.started_at)).where(_FIRST.c.run_id == _RUN.c.id).scalar_subquery()),
    else_=_RUN.c.started_at,
)


class Measured(NamedTuple):
    """A run that was tried and is over, with what its numbers follow from."""

    run_id: int
    task_id: int
    task_name: str
    task_version: int
    exit_code: int | None
    recorded: Recorded

    @property
    def at(self) -> datetime:
        """Return the moment under which its numbers stand: its first start, or when it was due if nothing was started."""
        return self.recorded.first_started_at or self.recorded.due_at


def pack(summary: Summary | None, own: Mapping[str, float]) -> bytes | None:
    """Return the numbers of an attempt that no other column holds, None if there are none."""
    if summary is None and not own:
        return None
    head = _NO_SUMMARY if summary is None else _WITH_SUMMARY + _SUMMARY.pack(*summary)
    return head + (json.dumps(own, separators=(",", ":")).encode() if own else b"")


def unpack(data: bytes | None) -> tuple[Summary | None, dict[str, float]]:
    """Return what was packed."""
    if not data:
        return None, {}
    end = 1 + (_SUMMARY.size if data[:1] == _WITH_SUMMARY else 0)
    summary = _summary(_SUMMARY.unpack_from(data, 1)) if end > 1 else None
    return summary, json.loads(data[end:]) if len(data) > end else {}


def _summary(values: Sequence[float]) -> Summary:
    found = Summary(*values)  # type: ignore[arg-type]
    return found._replace(
        taken=int(found.taken),
        processes_max=int(found.processes_max),
        threads_first=int(found.threads_first),
        threads_last=int(found.threads_last),
    )


def list_measured(
    session: Session,
    *,
    task_ids: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
    limit: int,
    offset: int = 0,
    state: str | None = None,
    exit_code: int | None = None,
    failed: bool = False,
) -> list[Measured]:
    """Return runs that were tried and are over, newest first: of some tasks or of all, due in a time, in a state."""
    statement = _statement().order_by(_RUN.c.id.desc()).limit(limit).offset(offset)
    if state is not None:
        statement = statement.where(_RUN.c.state.concat("") == state)
    if exit_code is not None:
        statement = statement.where(func.coalesce(_RUN.c.exit_code, NO_EXIT_CODE) == exit_code)
    if failed:
        statement = statement.where(_RUN.c.state.concat("") != RunState.SUCCEEDED.value)
    if task_ids is not None:
        statement = statement.where(_RUN.c.task_id.in_(task_ids))
    if since is not None:
        # Their numbers lead there; a condition on the time itself would lead to the index of that, and to a sorting.
        statement = statement.where(_RUN.c.id >= first_since(session, since))
    if until is not None:
        # In disguise, for the same reason; what was made late may be due early, so that no number leads there.
        statement = statement.where(func.coalesce(_RUN.c.due_at, _RUN.c.created_at) < until)
    if before_id is not None:
        statement = statement.where(_RUN.c.id < before_id)
    found = _measured(session.connection().execute(statement))
    return [run for run in found if since is None or run.recorded.due_at >= since]


def list_past(session: Session, task_id: int, *, before_id: int | None, limit: int) -> list[Measured]:
    """Return the newest runs of a task that have succeeded, before a run if one is named, the newest first.

    Asked for each task whose runs are judged; to put the question together would cost more than the answer.
    """
    values = {"task": task_id, "before": NEVER if before_id is None else before_id, "most": limit}
    return list(_measured(session.connection().execute(_past(), values)))


@functools.cache
def _past() -> Any:
    good = _statement().where(
        _RUN.c.state.concat("") == RunState.SUCCEEDED.value,
        _RUN.c.task_id == bindparam("task"),
        _RUN.c.id < bindparam("before"),
    )
    return good.order_by(_RUN.c.id.desc()).limit(bindparam("most", type_=Integer()))


_ZONE = select(Task.zone).where(Task.id == bindparam("task"))


def find_zone(session: Session, task_id: int) -> str | None:
    """Return the zone whose weekdays and hours the runs of a task may depend on; of a deleted task as well."""
    found: str | None = session.connection().execute(_ZONE, {"task": task_id}).scalar_one_or_none()
    return found


def list_measured_by_id(session: Session, run_ids: Sequence[int]) -> list[Measured]:
    """Return those of some runs that were tried and are over, the newest first."""
    wanted = _RUN.c.id.in_(ids_select(session.get_bind().dialect.name))
    statement = _statement().where(wanted).order_by(_RUN.c.id.desc())
    return list(_measured(session.connection().execute(statement, {"ids": id_list(session, run_ids)})))


def list_states(session: Session, newest: int) -> list[str]:
    """Return the states of the newest measured runs, the newest first."""
    statement = select(_RUN.c.state).where(_RUN.c.state.concat("").in_(MEASURED), _RUN.c.attempts > 0)
    return list(session.scalars(statement.order_by(_RUN.c.id.desc()).limit(newest)))


def tally_durations(session: Session, newest: int) -> Tally | None:
    """Return what the durations of the newest measured runs come to, None if there is none."""
    columns = (_RUN.c.started_at, _RUN.c.ended_at)
    statement = select(*columns).where(_RUN.c.state.concat("").in_(MEASURED), _RUN.c.attempts > 0)
    rows = session.connection().execute(statement.order_by(_RUN.c.id.desc()).limit(newest))
    tallies: dict[str, Tally] = {}
    for started, ended in rows:
        if started is not None and ended is not None:
            tally.add(tallies, {"": max(0.0, (ended - started).total_seconds())})
    return tallies.get("")


@functools.cache
def _statement() -> Any:
    """Return the query of runs with their last attempt, which is the one that decided, and the sizes of its output."""
    joined = (
        _RUN.join(_ATTEMPT, and_(_ATTEMPT.c.run_id == _RUN.c.id, _ATTEMPT.c.number == _RUN.c.attempts))
        .outerjoin(_OUT, and_(_OUT.c.attempt_id == _ATTEMPT.c.id, _OUT.c.stream == "stdout"))
        .outerjoin(_ERR, and_(_ERR.c.attempt_id == _ATTEMPT.c.id, _ERR.c.stream == "stderr"))
    )
    return select(
        *(_RUN.c.id, _RUN.c.task_id, _RUN.c.task_name, _RUN.c.task_version, _RUN.c.exit_code),
        *(_RUN.c.state, _RUN.c.due_at, _RUN.c.created_at, _FIRST_START, _ATTEMPT.c.started_at, _ATTEMPT.c.ended_at),
        *(_ATTEMPT.c.user_seconds, _ATTEMPT.c.system_seconds, _ATTEMPT.c.max_rss_kib, _ATTEMPT.c.minor_faults),
        *(_ATTEMPT.c.major_faults, _ATTEMPT.c.block_in, _ATTEMPT.c.block_out, _ATTEMPT.c.voluntary_switches),
        _ATTEMPT.c.involuntary_switches,
        *(_OUT.c.size, _OUT.c.lines, _ERR.c.size, _ERR.c.lines, _ATTEMPT.c.samples),
    ).select_from(joined).where(_RUN.c.state.concat("").in_(MEASURED))  # fmt: skip


def _measured(rows: Any) -> Iterator[Measured]:
    for row in rows:
        run_id, task_id, name, version, exit_code, *recorded, out, out_lines, err, err_lines, samples = row
        summary, own = unpack(samples)
        # An empty stream has no row, and no lines; one that was not counted has a row without them.
        sizes = (out or 0, out_lines if out else 0, err or 0, err_lines if err else 0)
        yield Measured(run_id, task_id, name, version, exit_code, Recorded(*recorded, *sizes, summary, own))  # type: ignore[call-arg]
