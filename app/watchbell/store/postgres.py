"""What PostgreSQL needs that the embedded database does not: rules of a connection, one writer at a time, lost replies.

A writing transaction begins by taking one lock, as BEGIN IMMEDIATE does on SQLite: what a service reads in it stays true
until it ends, and the numbers of events rise in the order of commits. Readers never wait for it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from typing import Any, NamedTuple

from sqlalchemy import Engine, event, text
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError

from watchbell import clock
from watchbell.store import pooler, trouble

#: What a connection tells about itself to whoever looks into pg_stat_activity.
_NAME = "watchbell"
#: A statement that takes longer than this is given up; a migration may take as long as it needs. Whoever turns in a loop
#: that is watched over has less time than the watchdog.
_STATEMENT_SECONDS = 60
_STATEMENT_OF_LOOP_SECONDS = 20
#: So long a writer may hold the lock without asking for anything, as one does that was stopped by a signal. It is less than
#: the lease of a leader lasts, so that whoever takes its place need not wait for its lock on top.
_IDLE_WRITER_SECONDS = 10
#: So long it is asked what became of a commit whose reply was lost, and how often.
_FIND_OUT_SECONDS = 15.0
_ASK_AGAIN_SECONDS = 0.25
_CONNECT_SECONDS = 10
#: The lock of all writers, and the channel on which a commit is told of.
_LOCK = int.from_bytes(b"watchbel", "big") >> 1
CHANNEL = "watchbell"
WRITE = "watchbell_write"
IMPATIENT = "watchbell_impatient"
_TRANSACTION = "watchbell_transaction"
_ORIGIN = "watchbell_origin"
#: A transaction that reads sees one state from its first statement to its last.
READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
#: What is read by a single statement is one state anyway, and a transaction around it costs two more turns to the server.
GLANCING = {"isolation_level": "AUTOCOMMIT"}
#: Who has committed, so that nobody is woken by what they did themselves.
_origins = itertools.count(1)
_LIFE = secrets.token_hex(6)

#: In this order: how long the lock is waited for is settled before it is taken.
_BEGIN = (
    "SELECT {settings}set_config('idle_in_transaction_session_timeout', '{idle}s', true), "
    "pg_notify('{channel}', '{origin}'), {lock}, "
    "pg_current_xact_id()::text, extract(epoch FROM now())::text"
)
#: Whether a server has crashed since a transaction began: the figures that it counts begin anew with that. One that follows
#: another server may be behind it, or about to take its place.
_SERVER = text(
    "SELECT pg_is_in_recovery() AS follows, "
    "coalesce(extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()) > CAST(:began_at AS numeric), false) AS has_crashed"
)
#: The checkpoint with which a server begins after a crash tells which number comes next: what it lost on the way to the disk gives its
#: number to another transaction. Whether it is that checkpoint shows in its time, of which the seconds are kept,
#: and in its timeline, since one that has just taken the place of another server begins a timeline before it makes its checkpoint.
_BEGINNING = text(
    "SELECT (split_part(next_xid, ':', 1)::bigint << 32) + split_part(next_xid, ':', 2)::bigint <= CAST(:number AS bigint), "
    "checkpoint_time >= date_trunc('second', pg_stat_get_bgwriter_stat_reset_time()) "
    "AND timeline_id = ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int FROM pg_control_checkpoint()"
)
#: What the server says of the number of a transaction that it has not given yet.
_STILL_TO_BE_GIVEN = "22023"
_STATUS = text("SELECT pg_xact_status(CAST(:number AS xid8))")


class Transaction(NamedTuple):
    """What a writing transaction is found again by: its number, and when it began by the clock of the server, in seconds since 1970.

    A number of seconds reads the same whatever form of a date a connection was told to use.
    """

    number: str
    began_at: str


def engine_options() -> dict[str, Any]:
    """Return how the pool of connections is made: a connection that has died meanwhile is noticed before it is used.

    What is opened for many requests at once stays: to open one costs more than to answer such a request does.
    """
    how = {"pool_pre_ping": True, "pool_size": 20, "max_overflow": 0, "pool_timeout": 10.0, "pool_recycle": 3600}
    # The newest first, so that those that were needed once rest.
    return {**how, "pool_use_lifo": True}


def configure(engine: Engine, *, lock_seconds: float, is_of_loop: bool = False) -> Engine:
    """Return the engine with our rules attached to its connections."""
    statement_seconds = _STATEMENT_OF_LOOP_SECONDS if is_of_loop else _STATEMENT_SECONDS
    origin = f"{_LIFE}-{os.getpid()}-{next(_origins)}"
    engine.update_execution_options(**{_ORIGIN: origin})

    door = pooler.Door(
        {
            "lock_timeout": str(int(lock_seconds * 1000)),
            "statement_timeout": str(statement_seconds * 1000),
            "timezone": "UTC",
            "client_encoding": "UTF8",
        }
    )

    @event.listens_for(engine, "do_connect")
    def on_do_connect(dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        options.setdefault("connect_timeout", _CONNECT_SECONDS)
        options.setdefault("application_name", _NAME)
        # A server that has gone without a word is given up within seconds, not after the system's two hours.
        for name, value in {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}.items():
            options.setdefault(name, value)
        options.setdefault("tcp_user_timeout", 20_000)
        return door.open(dialect, arguments, options)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        door.look(connection, record.info)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        settings = door.words() if pooler.is_pooled(connection) else ""
        if not options.get(WRITE, False):
            if settings and options.get("isolation_level") != GLANCING["isolation_level"]:
                connection.exec_driver_sql(f"SELECT {settings}")
            return
        try:
            wait = not options.get(IMPATIENT, False)
            connection.info[_TRANSACTION] = _take_lock(connection, origin, settings, wait=wait)
        except BaseException:
            # Nobody has it yet who could give it back.
            connection.close()
            raise

    return engine


def _take_lock(connection: Connection, origin: str, settings: str, *, wait: bool) -> Transaction:
    """Take the lock of all writers until the transaction ends, and return what the transaction is found again by."""
    lock = f"pg_advisory_xact_lock({_LOCK})" if wait else f"pg_try_advisory_xact_lock({_LOCK})"
    words = _BEGIN.format(
        settings=f"{settings}, " if settings else "",
        lock=lock,
        channel=CHANNEL,
        origin=origin,
        idle=_IDLE_WRITER_SECONDS,
    )
    *_rest, taken, number, began_at = connection.exec_driver_sql(words).one()
    if taken is False:
        raise trouble.locked()
    return Transaction(number, began_at)


def origin_of(engine: Engine) -> str:
    """Return by what name those who listen know who has committed through an engine."""
    return str(engine.get_execution_options()[_ORIGIN])


def transaction_of(connection: Connection) -> Transaction:
    """Return what a writing transaction is found again by."""
    found: Transaction = connection.info[_TRANSACTION]
    return found


def was_committed(engine: Engine, transaction: Transaction) -> bool:
    """Return whether a transaction was committed although the reply was lost; it is asked until the server answers.

    A server that has crashed meanwhile may know nothing of it, or know another one by its number. Raises Unavailable if it takes
    too long to find out, or cannot be found out.
    """
    deadline = clock.monotonic() + _FIND_OUT_SECONDS
    while True:
        # It may be starting again at this moment.
        with contextlib.suppress(OperationalError), engine.connect() as connection:
            fate = _fate(connection, transaction)
            if fate is not None:
                return fate
        if clock.monotonic() >= deadline:
            raise trouble.unknown()
        clock.pause(_ASK_AGAIN_SECONDS)


def _fate(connection: Connection, transaction: Transaction) -> bool | None:
    """Return whether a transaction was committed; None as long as nobody can tell."""
    about = transaction._asdict()
    try:
        follows, has_crashed = connection.execute(_SERVER, about).one()
        if follows:
            return None
        if has_crashed:
            is_lost, is_sure = connection.execute(_BEGINNING, about).one()
            if not is_sure:
                return None
            if is_lost:
                return False
        state = connection.scalar(_STATUS, about)
    except DataError as error:
        if getattr(error.orig, "sqlstate", "") != _STILL_TO_BE_GIVEN:
            raise
        # A server that has lost what came last knows nothing of it.
        return False
    except ProgrammingError:
        # Who runs the server may have taken away the right to look.
        return None
    return None if state == "in progress" else bool(state == "committed")
