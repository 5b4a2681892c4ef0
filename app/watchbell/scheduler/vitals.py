"""What the loop knows of its own condition: that it turns, what the clocks do, and whether the database does its work.

It is told three ways: by a beat in the database, by the pulse beside it, and by incidents for whoever asks later.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from watchbell import clock
from watchbell.config import Config
from watchbell.control.pidfile import Owner
from watchbell.control.pulse import Pulse, PulseWriter
from watchbell.domain.incidents import IncidentKind, span_words
from watchbell.errors import ConfigError, DatabaseTrouble, Unavailable
from watchbell.scheduler.timekeeper import Happening, Timekeeper
from watchbell.services import incidents, restores
from watchbell.services.clock_changes import list_passes, set_back
from watchbell.store.incidents import Incident
from watchbell.store.reserve import Reserve
from watchbell.store.session import Database

log = logging.getLogger(__name__)

T = TypeVar("T")
_PULSE_SECONDS = 0.5
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0)
#: The database not answering for less than this is not worth an incident.
_LATE_SECONDS = 5.0
_ROOM_SECONDS = 2.0
_PENDING = 200
#: A log of this size beside the database is told: somebody has been reading it for very long.
_BLOATED_BYTES = 256 * 1024 * 1024
_UPKEEP_SECONDS = 10.0


def past(trouble: str) -> str:
    """Return the first clause of what was wrong with the database, as it is told when that is over."""
    return trouble.partition(";")[0].replace(" is ", " was ", 1)


class Vitals:
    """The condition of one scheduler."""

    def __init__(self, config: Config, db: Database, owner: Owner, said: Pulse | None = None) -> None:
        self._db = db
        self._host = config.hostname
        self._owner = owner
        self._writer = PulseWriter(config)
        self._reserve = Reserve(db.file)
        self.timekeeper = Timekeeper(config.zone)
        #: When the loop turned last, for the watchdog.
        self.turned_at = clock.monotonic()
        self.incarnation = ""
        #: When a beat was stored last.
        self.beaten_at: Callable[[], datetime | None] = lambda: None
        #: What an earlier life has said of the database; it stands until there is a beat of our own.
        self._said = said or Pulse(0, "", 0.0)
        self._newest_run = 0
        self._pulsed_at = 0.0
        self._pulsed_beat: datetime | None = None
        self._pending: deque[Incident] = deque(maxlen=_PENDING)
        #: A clock that was set back, to be stored before anything else.
        self._set_back: Happening | None = None
        self._failures = 0
        self._trouble: Unavailable | None = None
        self._troubled_at: datetime | None = None
        self._is_full = False
        self._full_told_at = float("-inf")
        self._room_at = self._upkeep_at = self._counted_at = 0.0
        self._is_bloated = False

    @property
    def may_start(self) -> bool:
        """Return whether new runs may be started: not while there is no room to write down what becomes of them."""
        return not self._is_full

    def turn(self) -> bool:
        """Note that the loop turns and look at the clocks; return whether tasks were changed by what was seen.

        Raises Unavailable as long as a clock that was set back is not written down.
        """
        self.turned_at = now = clock.monotonic()
        for happening in self.timekeeper.look():
            if happening.kind is IncidentKind.CLOCK_SET_BACK:
                self._set_back = happening
            else:
                self._note(happening)
        if self._is_full and now - self._room_at >= _ROOM_SECONDS:
            self._room_at = now
            self._look_for_room()
        self._pulse()
        if self._set_back is None:
            return False
        set_back(self._db, self._incident(self._set_back))
        self._set_back = None
        self.read_passes()
        return True

    def read_passes(self) -> None:
        """Learn which times come a second time, and in which it is not known what was run; raises Unavailable."""
        self.timekeeper.passes = list_passes(self._db, now=clock.now())
        self.timekeeper.unknown = restores.list_gaps(self._db)

    def settle(self) -> None:
        """Note that the database does its work, and write down what has happened; raises Unavailable."""
        now = clock.monotonic()
        if now - self._counted_at >= _PULSE_SECONDS:
            self._counted_at = now
            self._newest_run = restores.newest_run(self._db)
        if now - self._upkeep_at >= _UPKEEP_SECONDS:
            self._upkeep_at = now
            self._keep_up()
        if self._pending:
            listed = list(self._pending)
            incidents.add_all(self._db, listed)
            for _ in listed:
                self._pending.popleft()
        if self._failures:
            self._tell_recovery()

    def put_off(self, error: Unavailable) -> float:
        """Note that the database does not do its work and return for how many seconds the loop may wait.

        Raises ConfigError when waiting cannot help.
        """
        if error.trouble is DatabaseTrouble.REPLACED:
            raise ConfigError(
                f"{error.message} {self._db.file or ''}; the scheduler ends, and the next start looks at it"
            )
        if self._failures == 0:
            log.warning("Late: %s. Commands run on; nothing is lost", error)
            self._troubled_at = clock.now()
        self._failures += 1
        self._trouble = error
        if error.trouble is DatabaseTrouble.FULL or self._reserve_is_needed(error):
            self._give_up_reserve()
        self._pulse()
        return _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS)) - 1]

    def patiently(self, call: Callable[[], T], is_enough: Callable[[], bool]) -> T:
        """Return what a call returns, trying again while the database does not answer, until it is enough."""
        told = False
        while True:
            self.turned_at = clock.monotonic()
            try:
                answer = call()
            except Unavailable as error:
                if is_enough():
                    raise
                if not told:
                    log.warning("Waiting: %s", error)
                    self._troubled_at = self._troubled_at or clock.now()
                    told = True
                self._trouble = error
                if error.trouble is DatabaseTrouble.FULL:
                    self._reserve.give_up()
                self._pulse()
                clock.pause(0.5)
            else:
                self._trouble, self._troubled_at = None, None
                self._pulse()
                return answer

    def make_reserve(self) -> None:
        """Take the room that is given up when there is none; raises nothing."""
        if not self._reserve.make():
            log.warning("The disk of the database has hardly any room left")

    def note(self, kind: IncidentKind, message: str, **data: Any) -> None:
        """Keep something in mind until it can be written down."""
        self._note(Happening(kind, message, clock.now(), data))

    def note_keeper(self, message: str) -> None:
        """Keep in mind what befell a keeper of commands; may be called from any thread."""
        log.error("%s", message)
        self.note(IncidentKind.KEEPER, message)

    def tell_now(self, kind: IncidentKind, message: str) -> None:
        """Write something down at the end of this process, if the database answers at all."""
        try:
            incidents.add(self._db, kind, message, at=clock.now(), host=self._host, incarnation=self.incarnation)
        except Exception:
            # The end must not fail for want of words.
            log.exception("That could not be written down")

    def _note(self, happening: Happening) -> None:
        self._pending.append(self._incident(happening))

    def _incident(self, happening: Happening) -> Incident:
        return Incident(
            at=happening.at,
            kind=happening.kind.value,
            message=happening.message,
            host=self._host,
            incarnation=self.incarnation,
            data=happening.data,
        )

    def _reserve_is_needed(self, error: Unavailable) -> bool:
        # Some files are grown by the database in ways that make a full disk look like a broken one.
        return error.trouble is DatabaseTrouble.SILENT and self._reserve.is_tight()

    def _give_up_reserve(self) -> None:
        self._reserve.give_up()
        self._trouble = Unavailable("the disk of the database is full", DatabaseTrouble.FULL)
        if self._is_full:
            return
        self._is_full = True
        self._room_at = clock.monotonic()
        if clock.monotonic() - self._full_told_at > 60.0:
            self._full_told_at = clock.monotonic()
            self.note(
                IncidentKind.DATABASE_FULL,
                "The disk of the database is full. Nothing is started until there is room; what runs goes on.",
            )

    def _look_for_room(self) -> None:
        if not self._reserve.make():
            return
        self._is_full = False
        since = self._troubled_at or clock.now()
        seconds = max(0.0, (clock.now() - since).total_seconds())
        self.timekeeper.note_gap(since, f"the disk of the database was full for {span_words(seconds)}")
        message = f"There is room for the database again, after {span_words(seconds)}."
        log.warning("%s", message)
        self.note(IncidentKind.DATABASE_ROOM, message, since=since.isoformat(), seconds=seconds)
        if self._failures == 0:
            self._trouble, self._troubled_at = None, None

    def _tell_recovery(self) -> None:
        since = self._troubled_at or clock.now()
        seconds = max(0.0, (clock.now() - since).total_seconds())
        words = past(self._trouble.message) if self._trouble else "the database did not answer"
        log.info("The database answers again after %d attempts; nothing was lost", self._failures)
        self._failures = 0
        if self._is_full:
            # What the reserve gave room for could be written; the disk is full all the same.
            return
        self._trouble, self._troubled_at = None, None
        if seconds >= _LATE_SECONDS:
            self.timekeeper.note_gap(since, f"{words} for {span_words(seconds)}")
            message = f"The database answers again after {span_words(seconds)}; before, {words}."
            self.note(IncidentKind.DATABASE_LATE, message, since=since.isoformat(), seconds=seconds)

    def _keep_up(self) -> None:
        size = self._db.log_bytes()
        if size >= _BLOATED_BYTES and not self._is_bloated:
            message = (
                f"The log beside the database has grown to {size // 1024**2} MiB: another program has been reading the "
                "database for very long."
            )
            log.warning("%s", message)
            self.note(IncidentKind.DATABASE_BLOATED, message, bytes=size)
        self._is_bloated = size >= _BLOATED_BYTES
        self._db.work_off_log()

    def _pulse(self) -> None:
        now = clock.monotonic()
        beaten_at = self.beaten_at()
        # A beat that is durable is told at once: by it the next start knows whether rows were lost.
        if now - self._pulsed_at < _PULSE_SECONDS and beaten_at == self._pulsed_beat:
            return
        self._pulsed_at, self._pulsed_beat = now, beaten_at
        self._writer.write(
            Pulse(
                pid=self._owner.pid,
                boot_id=self._owner.boot_id,
                at=clock.boot_time(),
                incarnation=self.incarnation if beaten_at else self._said.incarnation,
                beat_at=beaten_at.isoformat() if beaten_at else self._said.beat_at,
                database=str(self._db.file or "") if beaten_at else self._said.database,
                newest_run=self._newest_run if beaten_at else self._said.newest_run,
                trouble=str(self._trouble.trouble) if self._trouble else "",
                words=self._trouble.message if self._trouble else "",
                since=self._troubled_at.isoformat() if self._troubled_at else "",
            )
        )
