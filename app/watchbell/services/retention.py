"""How long things are kept, and deleting what is older in steps that nobody has to wait for.

Never deleted: a run that is not over or waits for a person's decision, and the newest run of each task, unless the task was deleted so
long ago that it cannot be restored: then the task itself goes with its last run; of orders to devices
services.fleet_retention decides. A file goes only when the deletion of the row that names it is on disk: a process that is
killed in between leaves a file without a row, which services.output_files finds.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from watchbell.config import MIB, Config
from watchbell.domain.run_state import ACTIVE
from watchbell.services import deleted_tasks, idempotency, output_files
from watchbell.services.fleet_retention import NO_BOUNDS, OldOrders, OrderRules
from watchbell.store import failures as failure_store
from watchbell.store import fleet_retention as order_store
from watchbell.store import idempotency as answer_store
from watchbell.store import metric_days as metric_store
from watchbell.store import retention as store
from watchbell.store import totals as totals_store
from watchbell.store.retention import Keeping
from watchbell.store.session import Database, Session

#: Rows of a kind that one transaction deletes at most.
BATCH = 500

OUTBOX_AGE = timedelta(days=7)
HEARTBEAT_AGE = timedelta(days=30)
INCIDENT_AGE = timedelta(days=365)
ANSWER_AGE = idempotency.KEPT_FOR
LOGIN_AGE = timedelta(days=7)
FAILURE_AGE = timedelta(days=365)
TOTALS_AGE = timedelta(days=3 * 366)
#: The page of the fleet tells of a week.
HOURS_AGE = timedelta(days=8)
_ACTIVE = frozenset(state.value for state in ACTIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the server's settings say; None stands for no bound."""

    days: int | None = None
    runs: int | None = None
    output_bytes: int | None = None
    orders: OrderRules = NO_BOUNDS

    @classmethod
    def of(cls, config: Config) -> Rules:
        """Return the rules of the settings, in which nothing is 0."""
        return cls(
            config.retention_days or None,
            config.retention_runs or None,
            config.retention_output_mib * MIB or None,
            OrderRules(
                config.retention_execution_days or None,
                config.retention_executions or None,
                config.retention_device_jobs or None,
            ),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Pruned:
    """What a step has deleted, and whether the pass has more to do."""

    runs: int = 0
    files: int = 0
    #: Rows of other kinds: events, heartbeats, lives, incidents, sessions, totals.
    others: int = 0
    #: Orders to devices, and the jobs of devices in them.
    executions: int = 0
    device_jobs: int = 0
    more: bool = True


@dataclasses.dataclass(slots=True)
class _Work:
    """A task with runs that may have to go."""

    task_id: int
    #: Runs that ended before this are too old.
    before: datetime | None
    #: Runs up to this one are too many.
    up_to: int | None
    #: The newest run, which stays; None if all may go.
    newest: int | None
    after: int = 0


class Pass:
    """One pass over everything, from the first task to the last row; the caller decides when the next step is made."""

    def __init__(self, db: Database, rules: Rules, *, now: datetime, output_root: Path) -> None:
        self._db = db
        self._rules = rules
        self._now = now
        self._output_root = output_root
        self._after_task: int | None = 0
        self._work: deque[_Work] = deque()
        self._orders = OldOrders(db, rules.orders, now=now)
        self._others = deque(_other_kinds(now))

    def step(self, limit: int = BATCH) -> Pruned:
        """Delete up to so many rows in one short transaction, or look at so many tasks for some.

        Raises Unavailable with nothing done; the same step can then be made again.
        """
        if self._work:
            return self._delete_some(self._work[0], limit)
        if self._after_task is not None:
            self._find_work(self._after_task, limit)
            return Pruned()
        if (gone := self._orders.step(limit)) is not None:
            return Pruned(executions=gone.orders, device_jobs=gone.jobs)
        if self._others:
            with self._db.write() as session:
                count = self._others[0](session, limit)
            if count == 0:
                self._others.popleft()
            return Pruned(others=count)
        return Pruned(more=False)

    def preview_step(self, limit: int = BATCH) -> tuple[int, list[int]] | None:
        """Return a task and runs of it that would be deleted, and None when the pass is over."""
        if self._work:
            work = self._work[0]
            return work.task_id, self._take(work, limit)
        if self._after_task is not None:
            self._find_work(self._after_task, limit)
            return 0, []
        return None

    def _find_work(self, after: int, limit: int) -> None:
        with self._db.read() as session:
            tasks = store.list_keeping(session, after, limit)
            self._work.extend(_find_work(session, tasks, self._rules, self._now))
        self._after_task = tasks[-1].task_id if tasks else None

    def _take(self, work: _Work, limit: int) -> list[int]:
        """Return runs that have to go among the next ones of a task; the task is done with when none can follow."""
        with self._db.read() as session:
            rows = store.list_oldest(session, work.task_id, work.after, limit)
        doomed = []
        is_over = len(rows) < limit
        for row in rows:
            work.after = row.id
            is_excess = work.up_to is not None and row.id <= work.up_to
            if not is_excess and (work.before is None or row.created_at >= work.before):
                # All that follow are newer still.
                is_over = True
                break
            is_old = work.before is not None and row.ended_at is not None and row.ended_at < work.before
            may_go = row.state not in _ACTIVE and row.decision != "open" and row.id != work.newest
            if may_go and (is_excess or is_old):
                doomed.append(row.id)
        if is_over:
            self._work.popleft()
        return doomed

    def _delete_some(self, work: _Work, limit: int) -> Pruned:
        place = work.after
        doomed = self._take(work, limit)
        if not doomed:
            return Pruned()
        try:
            with self._db.write() as session:
                gone = store.delete_runs(session, doomed)
        except BaseException:
            work.after = place
            if not self._work or self._work[0] is not work:
                self._work.appendleft(work)
            raise
        # Only now: had the power failed before, rows would name files that are gone.
        return Pruned(runs=gone.runs, files=output_files.remove(self._output_root, gone.files))


def _find_work(session: Session, tasks: Sequence[Keeping], rules: Rules, now: datetime) -> list[_Work]:
    """Return the tasks that have a run which is too old or one too many."""
    ids = [task.task_id for task in tasks]
    oldest = store.oldest_runs(session, ids) if ids else {}
    newest = store.newest_but(session, ids, 0) if ids else {}
    by_count: dict[int, list[int]] = {}
    for task in tasks:
        runs = rules.runs if task.runs is None else task.runs
        if runs is not None and task.task_id in oldest:
            by_count.setdefault(runs, []).append(task.task_id)
    excess: dict[int, int] = {}
    for number, some in by_count.items():
        excess |= store.newest_but(session, some, number)
    work = []
    for task in tasks:
        if task.task_id not in oldest:
            continue
        days = rules.days if task.days is None else task.days
        before = now - timedelta(days=days) if days is not None else None
        is_old = before is not None and oldest[task.task_id] < before
        if is_old or task.task_id in excess:
            is_gone = task.deleted_at is not None and task.deleted_at <= now - deleted_tasks.KEPT_FOR
            kept = None if is_gone else newest[task.task_id]
            work.append(_Work(task.task_id, before, excess.get(task.task_id), kept))
    return work


def _other_kinds(now: datetime) -> list[Callable[[Session, int], int]]:
    """Return what deletes the rows of one kind each; heartbeats go before the lives that they belong to."""
    return [
        lambda session, limit: store.delete_outbox(session, now - OUTBOX_AGE, limit),
        lambda session, limit: store.delete_heartbeats(session, now - HEARTBEAT_AGE, limit),
        lambda session, limit: store.delete_lives(session, now - HEARTBEAT_AGE, limit),
        lambda session, limit: store.delete_incidents(session, now - INCIDENT_AGE, limit),
        lambda session, limit: store.delete_logins(session, now - LOGIN_AGE, limit),
        lambda session, limit: answer_store.delete_older(session, now - ANSWER_AGE, limit),
        lambda session, limit: totals_store.delete_older(session, (now - TOTALS_AGE).date(), limit),
        lambda session, limit: failure_store.delete_forgotten(session, now - FAILURE_AGE, limit),
        lambda session, limit: metric_store.delete_older(session, (now - TOTALS_AGE).date(), limit),
        lambda session, limit: order_store.delete_hours(session, now - HOURS_AGE, limit),
        lambda session, limit: store.delete_tasks(session, now - deleted_tasks.KEPT_FOR, limit),
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What a pass would delete."""

    #: How many runs of each task, by its id; tasks that lose none are left out.
    by_task: Mapping[int, int]
    #: Rows of other kinds by the name of their table.
    others: Mapping[str, int]
    #: Orders to devices, and the jobs of devices in them.
    executions: int = 0
    device_jobs: int = 0

    @property
    def runs(self) -> int:
        """Return how many runs of all tasks would go."""
        return sum(self.by_task.values())


def preview(db: Database, rules: Rules, *, now: datetime) -> Preview:
    """Return what would be deleted; nothing is."""
    look = Pass(db, rules, now=now, output_root=Path())
    by_task: Counter[int] = Counter()
    while (found := look.preview_step()) is not None:
        task_id, doomed = found
        by_task[task_id] += len(doomed)
    with db.read() as session:
        others = store.count_old(
            session, outbox=now - OUTBOX_AGE, heartbeats=now - HEARTBEAT_AGE, incidents=now - INCIDENT_AGE
        )
    orders, device_jobs = _preview_orders(db, rules, now)
    return Preview({task_id: count for task_id, count in by_task.items() if count}, others, orders, device_jobs)


def _preview_orders(db: Database, rules: Rules, now: datetime) -> tuple[int, int]:
    look, orders, jobs = OldOrders(db, rules.orders, now=now), 0, 0
    while (found := look.preview_step(BATCH)) is not None:
        orders, jobs = orders + found.orders, jobs + found.jobs
    return orders, jobs
