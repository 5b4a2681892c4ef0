"""Runs, their attempts, kept output and the log of their transitions, as people look at them; ledger.py writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, UniqueConstraint, exists, func, select, text, update
from sqlalchemy.orm import Mapped, Session, load_only, mapped_column

from watchbell.domain.foreground import HOLDER_PREFIX
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.store.base import Base, can_hold, id_list, ids_select
from watchbell.store.tasks import Task

#: The condition of the partial indexes on what is not over; a query says it in the same words to use them.
ACTIVE_SQL = "state IN ('queued', 'claimed', 'starting', 'running', 'cancelling', 'retry_wait')"

#: The conditions of those that lead to few runs among many: those that did not end well, and those that no schedule made.
TROUBLED_SQL = "state IN ('failed', 'timed_out', 'cancelled', 'lost', 'skipped', 'missed')"
NOT_SCHEDULED_SQL = "trigger <> 'schedule'"
#: The condition of the partial index on what waits to be started, in the order in which it is taken.
QUEUED_SQL = "state = 'queued'"
#: The condition of the partial index on what waits for a person's decision.
UNDECIDED_SQL = "decision = 'open'"
#: The condition of the partial index on the runs of chains.
GROUPED_SQL = "group_id IS NOT NULL"


class Run(Base):
    """One occurrence of a task, or one manual trigger, from queued to its final state."""

    __tablename__ = "run"
    __table_args__ = (
        # This key is what makes double firing impossible, with any number of schedulers.
        UniqueConstraint("task_id", "occurrence_key"),
        Index("ix_run_task_newest", "task_id", "id"),
        Index("ix_run_state_newest", "state", "id"),
        # With all that a count of the first page asks for, so that it need not look at the rows.
        Index("ix_run_due", "due_at", "state", "stands_for"),
        Index(
            "ix_run_task_troubled",
            "task_id",
            "state",
            "id",
            sqlite_where=text(TROUBLED_SQL),
            postgresql_where=text(TROUBLED_SQL),
        ),
        Index(
            "ix_run_not_scheduled",
            "trigger",
            "id",
            sqlite_where=text(NOT_SCHEDULED_SQL),
            postgresql_where=text(NOT_SCHEDULED_SQL),
        ),
        Index("ix_run_active", "state", "due_at", sqlite_where=text(ACTIVE_SQL), postgresql_where=text(ACTIVE_SQL)),
        Index(
            "ix_run_task_active",
            "task_id",
            "state",
            sqlite_where=text(ACTIVE_SQL),
            postgresql_where=text(ACTIVE_SQL),
        ),
        Index(
            "ix_run_queued",
            "state",
            "priority",
            "due_at",
            "id",
            sqlite_where=text(QUEUED_SQL),
            postgresql_where=text(QUEUED_SQL),
        ),
        Index("ix_run_decision", "id", sqlite_where=text(UNDECIDED_SQL), postgresql_where=text(UNDECIDED_SQL)),
        Index("ix_run_group", "group_id", "round", sqlite_where=text(GROUPED_SQL), postgresql_where=text(GROUPED_SQL)),
        # A run keeps its number for ever, also after the newest ones have been deleted.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    #: As it was then; the task may be renamed or deleted.
    task_name: Mapped[str]
    task_version: Mapped[int]
    occurrence_key: Mapped[str]
    #: One of domain.catch_up.Trigger.
    trigger: Mapped[str]
    due_at: Mapped[datetime]
    #: The nominal local time and zone of a calendar occurrence.
    local_time: Mapped[str] = mapped_column(default="")
    zone: Mapped[str] = mapped_column(default="")
    state: Mapped[str]
    #: Rises with every claim; later writes name it, so a stale owner writes nothing.
    fence: Mapped[int] = mapped_column(default=0)
    #: Why it is in this state, in words.
    reason: Mapped[str] = mapped_column(default="")
    #: How many occurrences this row stands for; more than one only for a counted range of missed ones.
    stands_for: Mapped[int] = mapped_column(default=1)
    requested_by: Mapped[str] = mapped_column(default="")
    #: Whether it may start while another run of the task is in flight.
    may_overlap: Mapped[bool] = mapped_column(default=False)
    #: Incarnation of the scheduler that holds it.
    holder: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    #: Where it waits, and how early it is taken from there: the higher the sooner.
    queue: Mapped[str] = mapped_column(default="default", server_default="default")
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    #: When a run that has not been started is given up; None for never.
    start_by: Mapped[datetime | None]
    #: When the next attempt is made of a run that waits for one.
    retry_at: Mapped[datetime | None]
    #: The run that this one repeats, by a person's decision.
    rerun_of: Mapped[int | None]
    #: What it was given of the parameters of its task, by their names; None for the defaults of its version.
    parameters: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What a person decides about a lost run of a task that asks: open, run_again or leave; None where nothing was asked.
    decision: Mapped[str | None]
    #: The run that began the chain of which this is a step, and how often steps of it had been run again; None for no chain.
    group_id: Mapped[int | None]
    round: Mapped[int] = mapped_column(default=0, server_default="0")
    #: The runs of its parents that let it start, or because of which it was skipped.
    parents: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class Attempt(Base):
    """One real process start of a run."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    number: Mapped[int]
    fence: Mapped[int]
    holder: Mapped[str]
    #: Folder of the attempt while it is active; see execution.bundle.
    folder: Mapped[str] = mapped_column(default="")
    pid: Mapped[int | None]
    start_ticks: Mapped[int | None]
    boot_id: Mapped[str | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    signal: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    user_seconds: Mapped[float | None]
    system_seconds: Mapped[float | None]
    max_rss_kib: Mapped[int | None]
    minor_faults: Mapped[int | None]
    major_faults: Mapped[int | None]
    block_in: Mapped[int | None]
    block_out: Mapped[int | None]
    voluntary_switches: Mapped[int | None]
    involuntary_switches: Mapped[int | None]
    #: [elapsed seconds, CPU percent, RSS bytes, processes] for each kept sample.
    series: Mapped[list[Any] | None]
    #: What all samples come to, and the command's own metrics, as store.samples packs them; None if there is neither.
    samples: Mapped[bytes | None] = mapped_column(LargeBinary)


#: The name under which the order of both streams is kept beside them.
ORDER = "order"


class Output(Base):
    """What is kept of one stream of an attempt; an empty stream has no row.

    Beside them stands, as if it were a stream, in which order both were used, if that is known.
    """

    __tablename__ = "output"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"), primary_key=True)
    #: stdout, stderr, or ORDER.
    stream: Mapped[str] = mapped_column(primary_key=True)
    #: Bytes that the command wrote.
    size: Mapped[int]
    #: Kept bytes at the head; what follows in the kept bytes is the tail.
    head_size: Mapped[int]
    #: Bytes given up between head and tail.
    dropped: Mapped[int]
    #: Lines in what is kept; None for outputs of versions that did not count them.
    lines: Mapped[int | None]
    #: The kept bytes, if they are few.
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: Otherwise the file that holds them, relative to the output folder.
    file: Mapped[str | None]


class RunEvent(Base):
    """One move of a run, or a late report beside them, which moves nothing; append-only."""

    __tablename__ = "run_event"
    __table_args__ = (Index("ix_run_event_run", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    #: State before; None for a run that is being made.
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    #: The states in between when several steps went in one transaction, comma separated.
    path: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
    actor: Mapped[str]
    fence: Mapped[int]
    reason: Mapped[str] = mapped_column(default="")

    @property
    def is_late_report(self) -> bool:
        """Return whether it tells what came home too late to count: the state before and after are the same."""
        return self.from_state == self.to_state


def find_run(session: Session, run_id: int) -> Run | None:
    """Return a run, or None."""
    return session.get(Run, run_id) if can_hold(run_id) else None


def newest_id(session: Session) -> int:
    """Return the number of the newest run, 0 if there is none."""
    return int(session.scalar(select(func.max(Run.id))) or 0)


def find_run_by_key(session: Session, task_id: int, occurrence_key: str) -> Run | None:
    """Return the run of an occurrence, or None."""
    return session.scalars(
        select(Run).where(Run.task_id == task_id, Run.occurrence_key == occurrence_key)
    ).one_or_none()


def list_attempts(session: Session, run_id: int) -> Sequence[Attempt]:
    """Return a run's attempts, the first one first."""
    return session.scalars(select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.number)).all()


def list_attempts_of(session: Session, run_ids: Sequence[int]) -> Sequence[Attempt]:
    """Return all attempts of some runs, in the order of the runs and of the attempts in each."""
    wanted = Attempt.run_id.in_(ids_select(session.get_bind().dialect.name))
    statement = select(Attempt).where(wanted).order_by(Attempt.run_id, Attempt.number)
    return session.scalars(statement, {"ids": id_list(session, run_ids)}).all()


def find_attempt(session: Session, run_id: int, number: int | None = None) -> Attempt | None:
    """Return an attempt of a run by number, the newest without one, or None."""
    statement = select(Attempt).where(Attempt.run_id == run_id).order_by(Attempt.number.desc()).limit(1)
    if number is not None:
        statement = statement.where(Attempt.number == number)
    return session.scalars(statement).one_or_none() if number is None or can_hold(number) else None


def list_events(session: Session, run_id: int) -> Sequence[RunEvent]:
    """Return a run's transitions in their order."""
    return session.scalars(select(RunEvent).where(RunEvent.run_id == run_id).order_by(RunEvent.id)).all()


def find_output(session: Session, attempt_id: int, stream: str) -> Output | None:
    """Return what is kept of a stream, or None if it was empty or is not complete yet."""
    return session.get(Output, (attempt_id, stream))


_LEADS = (Attempt.run_id, Attempt.number, Attempt.folder, Attempt.holder, Attempt.ended_at)


def list_newest_attempts(session: Session, run_ids: Sequence[int]) -> dict[int, Attempt]:
    """Return the newest attempt of each of the given runs that has one, with no more than leads to its outputs."""
    chosen = select(Attempt).where(Attempt.run_id.in_(ids_select(session.get_bind().dialect.name)))
    # What a search looks through is hundreds of attempts, each with its measurements.
    chosen = chosen.options(load_only(*_LEADS, raiseload=True))
    rows = session.scalars(chosen.order_by(Attempt.run_id, Attempt.number), {"ids": id_list(session, run_ids)})
    return {attempt.run_id: attempt for attempt in rows}


def list_outputs(session: Session, attempt_ids: Sequence[int]) -> Sequence[Output]:
    """Return what is kept of the streams of the given attempts."""
    chosen = select(Output).where(Output.attempt_id.in_(ids_select(session.get_bind().dialect.name)))
    return session.scalars(chosen, {"ids": id_list(session, attempt_ids)}).all()


def list_busy_tasks(session: Session) -> set[int]:
    """Return the ids of the tasks of which a command is being started, goes on, or is being ended."""
    in_flight = [RunState.STARTING.value, RunState.RUNNING.value, RunState.CANCELLING.value]
    return set(session.scalars(select(Run.task_id).where(text(ACTIVE_SQL), Run.state.in_(in_flight)).distinct()))


def list_in_state(session: Session, states: Iterable[RunState], *, limit: int | None = None) -> Sequence[Run]:
    """Return the runs in the given active states, the one due first first."""
    statement = (
        select(Run).where(text(ACTIVE_SQL), Run.state.in_([s.value for s in states])).order_by(Run.due_at, Run.id)
    )
    return session.scalars(statement.limit(limit) if limit else statement).all()


def list_call_holders(session: Session) -> set[str]:
    """Return who holds the active runs that were started in the foreground."""
    held = select(Run.holder).where(text(ACTIVE_SQL), Run.holder.like(f"{HOLDER_PREFIX}%")).distinct()
    return {holder for holder in session.scalars(held) if holder is not None}


def list_waiting(session: Session, task_id: int, limit: int) -> Sequence[Any]:
    """Return so many runs of a task that have not begun or wait to begin again: id, task_id, task_name, state, fence."""
    states = [RunState.QUEUED.value, RunState.RETRY_WAIT.value]
    # The order of the index on what is active, so that no call looks at more rows than it returns.
    statement = (
        select(Run.id, Run.task_id, Run.task_name, Run.state, Run.fence)
        .where(text(ACTIVE_SQL), Run.task_id == task_id, Run.state.in_(states))
        .order_by(Run.state, Run.id)
        .limit(limit)
    )
    return session.connection().execute(statement).all()


def find_waiting(session: Session, task_id: int, trigger: str) -> Run | None:
    """Return the oldest run of a task that this trigger made and that waits for its first start, or None."""
    statement = (
        select(Run)
        .where(text(ACTIVE_SQL), Run.task_id == task_id, Run.state == RunState.QUEUED.value)
        .where(Run.trigger == trigger, Run.attempts == 0)
    )
    return session.scalars(statement.order_by(Run.id).limit(1)).one_or_none()


def list_waiting_tasks(session: Session, trigger: str) -> set[int]:
    """Return the ids of the tasks of which a run waits that was made by some trigger."""
    waiting = select(Run.task_id).where(text(QUEUED_SQL), Run.trigger == trigger)
    return set(session.scalars(waiting.distinct()))


def count_waiting_up_to(session: Session, task_id: int, trigger: str, most: int) -> int:
    """Return how many runs of a task that this trigger made wait for their start, counting no further than a bound."""
    waiting = (
        select(Run.id)
        .where(text(ACTIVE_SQL), Run.task_id == task_id, Run.state == RunState.QUEUED.value, Run.trigger == trigger)
        .limit(most)
    )
    return int(session.scalar(select(func.count()).select_from(waiting.subquery())) or 0)


def list_undecided(session: Session, limit: int) -> Sequence[Run]:
    """Return the lost runs that wait for a person's decision, the newest first."""
    return session.scalars(select(Run).where(text(UNDECIDED_SQL)).order_by(Run.id.desc()).limit(limit)).all()


def count_undecided(session: Session) -> int:
    """Return how many lost runs wait for a person's decision."""
    return int(session.scalar(select(func.count()).select_from(Run).where(text(UNDECIDED_SQL))) or 0)


def decide(session: Session, run_id: int, choice: str) -> bool:
    """Note what a person has decided about a lost run, and return whether that was still open."""
    statement = update(Run).where(Run.id == run_id, Run.decision == "open").values(decision=choice)
    return bool(session.connection().execute(statement).rowcount)


def list_deleted_waiting(session: Session) -> Sequence[int]:
    """Return the ids of deleted tasks that still have runs in the queue which were never tried."""
    statement = (
        select(Task.id)
        .where(Task.deleted_at.is_not(None))
        .where(
            exists().where(
                text(ACTIVE_SQL), Run.task_id == Task.id, Run.state == RunState.QUEUED.value, Run.attempts == 0
            )
        )
    )
    return session.scalars(statement).all()


def is_active_state(state: str) -> bool:
    """Return whether a stored state is one that still has something to come."""
    return RunState(state) in ACTIVE
