"""Looking at runs and cancelling them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.permissions import Right
from watchbell.domain.run_state import FINAL, RunState
from watchbell.errors import Conflict, NotFound
from watchbell.services import audit, concealers, ownership, transitions
from watchbell.services.lives import is_worker
from watchbell.services.output_sources import STREAMS, OutputSource
from watchbell.store import history, newest_runs
from watchbell.store import retention as retention_store
from watchbell.store import runs as store
from watchbell.store import tasks as task_store
from watchbell.store.engine import find_live, list_live
from watchbell.store.run_places import Place
from watchbell.store.runs import Attempt, Run, RunEvent
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

#: Of a command that many tasks have, so many are looked at, and so many runs of each.
_SAME = 20
_LOOKED_AT = 5


@dataclasses.dataclass(frozen=True, slots=True)
class RunDetail:
    """Everything that the page of one run shows."""

    run: Run
    attempts: Sequence[Attempt]
    events: Sequence[RunEvent]
    #: The definition that was run, as a revision keeps it.
    definition: Mapping[str, object]
    #: Whether the task still exists.
    task_exists: bool

    @property
    def attempt(self) -> Attempt | None:
        """Return the newest attempt."""
        return self.attempts[-1] if self.attempts else None


class RunDeleted(NotFound):
    """This run has been deleted: it was older than runs are kept here."""

    code = "gone"

    def __init__(self, run_id: int) -> None:
        super().__init__(
            f"run {run_id} has been deleted: runs are kept for a time or in a number that the settings say"
        )
        self.run_id = run_id


def _require(session: Session, run_id: int) -> Run:
    run = store.find_run(session, run_id)
    if run is not None:
        return run
    # A number is given once and never again, so one below the newest was a run's.
    if 0 < run_id < store.newest_id(session):
        raise RunDeleted(run_id)
    raise NotFound(f"there is no run {run_id}")


def get(db: Database, run_id: int) -> Run:
    """Return a run; raises NotFound, RunDeleted for one that there was."""
    with db.read() as session:
        return _require(session, run_id)


def get_known(db: Database, run_ids: Sequence[int]) -> Mapping[int, Run]:
    """Return those of a few runs that are there, by their numbers."""
    with db.read() as session:
        return {number: run for number in run_ids if (run := store.find_run(session, number)) is not None}


def get_detail(db: Database, run_id: int) -> RunDetail:
    """Return a run with its attempts, transitions and definition; raises NotFound."""
    with db.read() as session:
        run = _require(session, run_id)
        revision = task_store.find_revision(session, run.task_id, run.task_version)
        return RunDetail(
            run=run,
            attempts=store.list_attempts(session, run_id),
            events=store.list_events(session, run_id),
            definition=revision.definition if revision else {},
            task_exists=task_store.find_task(session, run.task_id) is not None,
        )


def find_output(db: Database, run_id: int, stream: str, *, attempt: int | None = None) -> OutputSource | None:
    """Return where a stream of a run can be read, or None if nothing of it was ever started; raises NotFound."""
    with db.read() as session:
        _require(session, run_id)
        found = store.find_attempt(session, run_id, attempt)
        if found is None:
            if attempt is not None:
                raise NotFound(f"run {run_id} has no attempt {attempt}")
            return None
        kept = store.find_output(session, found.id, stream)
        mask = concealers.find(session, db.box, [found.id]).get(found.id)
        live = find_live(session, found.id, stream) if is_worker(found.holder) else None
        return OutputSource(found, stream, kept, found.ended_at is not None, mask, live)


def list_outputs(db: Database, run_ids: Sequence[int]) -> Mapping[int, Mapping[str, OutputSource]]:
    """Return where the streams of the newest attempts of runs can be read, by run and stream.

    Runs of which nothing was ever started are left out.
    """
    with db.read() as session:
        attempts = store.list_newest_attempts(session, run_ids)
        ids = [attempt.id for attempt in attempts.values()]
        kept = {(output.attempt_id, output.stream): output for output in store.list_outputs(session, ids)}
        masks = concealers.find(session, db.box, ids)
        far = [attempt.id for attempt in attempts.values() if attempt.ended_at is None and is_worker(attempt.holder)]
        lives = list_live(session, far) if far else {}
    return {
        run_id: {
            name: OutputSource(one, name, kept.get(key), one.ended_at is not None, masks.get(one.id), lives.get(key))
            for name in STREAMS
            for key in [(one.id, name)]
        }
        for run_id, one in attempts.items()
    }


def list_active(db: Database, run_ids: Sequence[int]) -> set[int]:
    """Return which of the runs are not over."""
    with db.read() as session:
        return retention_store.list_active(session, run_ids)


def list_busy_tasks(db: Database) -> set[int]:
    """Return the ids of the tasks of which a command goes on at the moment."""
    with db.read() as session:
        return store.list_busy_tasks(session)


def cancel(db: Database, run_id: int, *, now: datetime, actor: str) -> Run:
    """Ask for a run's end and return it; one that has not started is cancelled at once.

    Raises NotFound, and Conflict if it has ended already: a command that finished first keeps its result.
    """
    with db.write() as session:
        run = _require(session, run_id)
        ownership.require_of_run(session, Right.OPERATE, run.task_id)
        state = RunState(run.state)
        if state in FINAL:
            raise Conflict(f"run {run_id} has ended already: {state}")
        if state is RunState.CANCELLING:
            return run
        waiting = state in {RunState.QUEUED, RunState.RETRY_WAIT}
        to = RunState.CANCELLED if waiting else RunState.CANCELLING
        reason = f"cancelled by {actor}" if waiting else f"{actor} asked for its end"
        if not transitions.move(session, run, [to], now=now, actor=actor, reason=reason):
            raise Conflict(f"run {run_id} has just moved on; look again")
        audit.note(session, "run.cancel", f"run:{run_id}", now=now, actor=actor, name=run.task_name)
        return run


@dataclasses.dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs a list shows; the defaults show all."""

    task_id: int | None = None
    states: tuple[str, ...] = ()
    trigger: str | None = None
    search: str = ""
    since: datetime | None = None
    until: datetime | None = None
    queue: str | None = None
    #: Only runs of these tasks; None for all.
    among: tuple[int, ...] | None = None
    #: Only runs that ran, or are to run, on a host.
    place: Place | None = None

    @property
    def is_backwards(self) -> bool:
        """Return whether the time that is looked at ends before it begins, so that nothing can be in it."""
        return self.since is not None and self.until is not None and self.until < self.since


@dataclasses.dataclass(frozen=True, slots=True)
class RowPage:
    """One page of a list of runs, newest first, without a count of all."""

    #: Runs, or rows of columns of them.
    runs: Sequence[Any]
    has_older: bool
    #: The number before which the older ones go on, if there are any.
    older_before: int | None = None
    #: Whether only so many runs were looked at, and older ones may fit, too.
    is_partial: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RunPage:
    """One page of a list of runs, newest first."""

    runs: Sequence[Run]
    #: How many there are with the filters; at COUNT_LIMIT it means "at least".
    filtered: int
    has_older: bool
    #: The number before which the older ones go on, if there are any.
    older_before: int | None = None
    #: Whether the words of a search were looked for in so many runs only, and older ones may have them, too.
    is_partial: bool = False


#: Counting further would take the longer the more there are, and nobody reads such a number.
COUNT_LIMIT = 10_000


def list_page(
    db: Database,
    chosen: RunFilter | None = None,
    *,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int = 50,
) -> RunPage:
    """Return a page of runs before or after a run id, without the cost of skipping over earlier pages."""
    with db.read() as session:
        page = _read_page(session, chosen or RunFilter(), before_id, after_id, limit, ())
        filtered = history.count_runs(session, **arguments(chosen or RunFilter()), at_most=COUNT_LIMIT)
    return RunPage(
        runs=page.runs,
        filtered=filtered,
        has_older=page.has_older,
        older_before=page.older_before,
        is_partial=page.is_partial,
    )


def list_page_rows(
    db: Database,
    columns: Sequence[str],
    chosen: RunFilter | None = None,
    *,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int = 50,
) -> RowPage:
    """Return a page of these columns of runs, of which ``id`` must be one; nothing is counted and no object is made."""
    attributes = _columns(tuple(columns))
    with db.read() as session:
        return _read_page(session, chosen or RunFilter(), before_id, after_id, limit, attributes)


def list_page_of(
    db: Database, chosen: RunFilter, *, before_id: int | None = None, after_id: int | None = None, limit: int = 50
) -> RowPage:
    """Return a page of runs before or after a run id; nothing is counted."""
    with db.read() as session:
        return _read_page(session, chosen, before_id, after_id, limit, ())


def count_page(db: Database, chosen: RunFilter) -> int:
    """Return how many runs a list with these filters has, up to COUNT_LIMIT."""
    with db.read() as session:
        return history.count_runs(session, **arguments(chosen), at_most=COUNT_LIMIT)


@functools.lru_cache(maxsize=16)
def _columns(names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(Run.__table__.c[name] for name in names)


def arguments(chosen: RunFilter) -> dict[str, Any]:
    """Return a filter as the store takes it."""
    return {field.name: getattr(chosen, field.name) for field in dataclasses.fields(chosen)}


def _read_page(
    session: Session,
    chosen: RunFilter,
    before_id: int | None,
    after_id: int | None,
    limit: int,
    columns: Sequence[Any],
) -> RowPage:
    found = history.find_runs(
        session, **arguments(chosen), before_id=before_id, after_id=after_id, limit=limit + 1, columns=columns
    )
    rows = list(found.runs)
    if after_id is not None:
        shown, has_older = rows[-limit:], True
    else:
        shown, has_older = rows[:limit], len(rows) > limit or found.looked_to is not None
    last = shown[-1].id if shown else None
    return RowPage(
        runs=shown,
        has_older=has_older,
        older_before=found.looked_to if found.looked_to is not None else last,
        is_partial=found.looked_to is not None,
    )


def list_rows(db: Database, chosen: RunFilter | None = None, *, limit: int) -> Sequence[Run]:
    """Return the newest runs that a filter lets through, without counting all of them."""
    with db.read() as session:
        return history.list_runs(session, **arguments(chosen or RunFilter()), limit=limit)


def list_rows_by_name(db: Database, task_name: str, chosen: RunFilter, *, limit: int) -> Sequence[Run]:
    """Return the newest runs of the tasks that have or had a name, deleted ones included."""
    with db.read() as session:
        rows = [
            run
            for task_id in task_store.list_ids_by_name(session, task_name)
            for run in history.list_runs(
                session, **arguments(dataclasses.replace(chosen, task_id=task_id)), limit=limit
            )
        ]
    return sorted(rows, key=lambda run: run.id, reverse=True)[:limit]


@dataclasses.dataclass(frozen=True, slots=True)
class OwnedRuns:
    """The newest runs of somebody's tasks, and these tasks by their ids, deleted ones included."""

    runs: Sequence[Run]
    tasks: Mapping[int, Task]


def list_rows_of_owner(db: Database, owner: str, *, teams: Sequence[str] = (), limit: int) -> OwnedRuns:
    """Return the newest runs of all tasks that are, or were when they were deleted, somebody's or of some teams."""
    with db.read() as session:
        owned = {task.id: task for task in task_store.list_tasks(session, mine=(owner, teams), deleted=True)}
        return OwnedRuns(history.list_of_tasks(session, owned.keys(), limit), owned)


def last_of_command(db: Database, command: str, *, task_id: int | None = None) -> Run | None:
    """Return the newest run that has come to an end after it was started, of a task or else of one with the same command."""
    with db.read() as session:
        ids = [] if task_id is None else [task_id]
        for chosen in (ids, [] if not command.strip() else task_store.list_ids_of_command(session, command, _SAME)):
            newest = newest_runs.list_per_task(session, chosen, _LOOKED_AT).values()
            ended = [run for runs in newest for run in runs if run.started_at is not None and run.ended_at is not None]
            if ended:
                return max(ended, key=lambda run: run.id)
        return None


def count_by_state(db: Database, *, since: datetime) -> Mapping[str, int]:
    """Return how many occurrences that were due since a time are in each state."""
    with db.read() as session:
        return history.count_by_state(session, since)


def list_in_flight(db: Database) -> Sequence[Run]:
    """Return the runs of which a process may exist, the one that was due first at the front."""
    with db.read() as session:
        return store.list_in_state(session, [RunState.STARTING, RunState.RUNNING, RunState.CANCELLING])


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """The numbers and rows of the first page."""

    total_tasks: int
    enabled_tasks: int
    #: Occurrences by state since the start of the day.
    today: Mapping[str, int]
    running: Sequence[Run]
    waiting: Sequence[Run]
    recent: Sequence[Run]


def overview(db: Database, *, day_start: datetime, recent: int = 10) -> Overview:
    """Return what the first page shows; ``day_start`` is the start of today in the reader's zone."""
    with db.read() as session:
        return Overview(
            total_tasks=task_store.count_tasks(session),
            enabled_tasks=task_store.count_tasks(session, enabled=True),
            today=history.count_by_state(session, day_start),
            running=store.list_in_state(session, [RunState.STARTING, RunState.RUNNING, RunState.CANCELLING], limit=20),
            waiting=store.list_in_state(session, [RunState.QUEUED, RunState.CLAIMED, RunState.RETRY_WAIT], limit=20),
            recent=history.list_runs(session, limit=recent) if recent else [],
        )
