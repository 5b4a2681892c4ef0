"""Leading and standing by: with each beat the lease of the leader is kept, taken or found to be somebody else's."""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta

from watchbell import clock
from watchbell.domain.incidents import IncidentKind, span_words
from watchbell.scheduler.beat import Beat
from watchbell.scheduler.plan import Plan
from watchbell.scheduler.vitals import Vitals
from watchbell.services import leadership
from watchbell.services.leadership import Standing
from watchbell.services.tickets import DueTask
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: While others write, it is looked this often whether the leader has given its lease back.
_LOOK_SECONDS = 0.5
#: So many commands at a time this machine starts at once, whoever else is there.
_PROCESSORS = len(os.sched_getaffinity(0))


class Leadership:
    """Whether this scheduler does what is done once for all of them; it belongs to the thread of the loop."""

    def __init__(self, db: Database, beat: Beat, plan: Plan, vitals: Vitals) -> None:
        self._db = db
        self._beat = beat
        self._plan = plan
        self._vitals = vitals
        self._looked_at = 0.0
        #: How often something was shared with others.
        self._dealt = 0
        #: The term that was lost since the last beat, or None.
        self._lost: int | None = None
        #: The database as the leader writes to it; raises LeaseLost once it is not the leader any more.
        self.database = leadership.fenced(db, beat.incarnation, lambda: self.term)

    @property
    def term(self) -> int | None:
        """Return the term that this scheduler leads in; None while it stands by."""
        return self._beat.standing.term

    @property
    def leads(self) -> bool:
        """Return whether this scheduler is the leader, as far as it knows; a change makes sure."""
        return self.term is not None

    @property
    def has_others(self) -> bool:
        """Return whether there may be schedulers on other hosts for which this one does what is done once."""
        return self.leads and not self._db.is_sqlite

    @property
    def has_company(self) -> bool:
        """Return whether other schedulers are there that could start what may run anywhere."""
        return self._beat.standing.company > 0

    def share(self, due: list[DueTask], busy: int) -> list[DueTask]:
        """Leave to the others their part of what is due, beyond what this machine has processors for; ``busy`` commands run here."""
        if not (due and self.has_company):
            return due
        self._dealt += 1
        hands = self._beat.standing.company + 1
        return leadership.share(due, own=_PROCESSORS - busy, hands=hands, turn=self._dealt)

    def begin(self) -> None:
        """Store the first heartbeat and find out who leads; raises Unavailable."""
        self._beat.begin()
        self._plan.leads = self.leads
        if not self.leads:
            log.info("%s leads; this scheduler stands by and runs what it is given", self._other())
        elif self._beat.standing.other and not self._db.is_sqlite:
            log.info("This scheduler leads now, in place of the one of %s", self._other())

    def hear(self) -> None:
        """Look, after others have written, whether the lease was given back; then the next beat comes at once."""
        now = clock.monotonic()
        if self.leads or now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if leadership.is_free(self._db):
            self._beat.hasten()

    def beat(self, running: int, now: datetime) -> bool:
        """Store a beat if it is time to; return whether the plan is to be read anew, because this scheduler leads now.

        Raises Unavailable.
        """
        if self._beat.due_in() > 0:
            return False
        before = self.term
        self._beat.beat(running, now)
        standing = self._beat.standing
        if before is not None and standing.term != before:
            self._lost = before
            self._plan.step_down()
        if self._lost is not None:
            self._tell_loss(self._lost)
        if standing.term is None or standing.term == before:
            return False
        self._tell_gain(standing, now)
        self._plan.leads = True
        return True

    def depose(self) -> None:
        """Do nothing as the leader any more; the next beat, which comes at once, tells who is it."""
        if self.leads:
            self._lost = self.term
            self._beat.stand_by()
            self._plan.step_down()

    def _tell_loss(self, term: int) -> None:
        self._lost = None
        message = (
            f"The scheduler was held up, and {self._other()} leads now. This one stands by: what it still had to do as the leader "
            "is left to that one."
        )
        log.warning("%s", message)
        self._vitals.note(IncidentKind.LEASE_LOST, message, term=term)

    def _tell_gain(self, standing: Standing, now: datetime) -> None:
        if not standing.silent_seconds:
            log.info("This scheduler leads now: nobody did any more")
            return
        silence = f"the leader, {self._other()}, gave no sign for {span_words(standing.silent_seconds)}"
        self._vitals.timekeeper.note_gap(now - timedelta(seconds=standing.silent_seconds), silence)
        message = f"This scheduler leads now: {silence}."
        log.warning("%s", message)
        self._vitals.note(IncidentKind.LEASE_TAKEN, message, term=standing.term)

    def _other(self) -> str:
        return self._beat.standing.other or "another scheduler"
