"""How many tasks an account may own, and how many runs it may start by hand in a minute, where the settings bound that.

Whoever serves a request says for whom (services.ownership); administrators, the scheduler and commands on the machine itself
have no quota. What is counted is in the database, so that it is the same for all web processes.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from watchbell.domain.permissions import Role
from watchbell.errors import Conflict
from watchbell.services import ownership
from watchbell.store import accounts as account_store
from watchbell.store import audit as audit_store
from watchbell.store import tasks as task_store
from watchbell.store.session import Session

_MINUTE = timedelta(minutes=1)
#: The entry of the audit that each run has which somebody has asked for.
_START = "task.run"


class TaskQuotaReached(Conflict):
    """The account owns as many tasks as it may."""

    code = "task_quota_reached"


class StartQuotaReached(Conflict):
    """The account has started as many runs within a minute as it may."""

    code = "start_quota_reached"

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        #: After so long there is room for another one.
        self.retry_seconds = retry_seconds


def require_room(session: Session, owner: str, *, before: str | None = None) -> None:
    """Raise TaskQuotaReached if a task more of this owner is too many; ``before`` is who owned it until now, if anybody did.

    A task counts for its owner, and for whoever asks if no account is called so or that of an administrator: else a made-up
    owner would be a way around.
    """
    doer = ownership.doer()
    if doer is None or not doer.task_quota or doer.role == Role.ADMIN:
        return
    bounded = {
        one.username.lower(): one.username for one in account_store.list_accounts(session) if one.role != Role.ADMIN
    }
    charged = bounded.get(owner.lower(), doer.username)
    if before is not None and bounded.get(before.lower(), doer.username) == charged:
        return
    count = task_store.count_charged(session, charged, [name for name in bounded if name != charged.lower()])
    if count >= doer.task_quota:
        raise TaskQuotaReached(
            f"{charged} has {count:,} tasks, and an account may have {doer.task_quota:,}; delete some, or ask an administrator"
        )


def require_start(session: Session, now: datetime) -> None:
    """Raise StartQuotaReached if another run that somebody starts by hand is too many within this minute."""
    doer = ownership.doer()
    if doer is None or not doer.start_quota or doer.role == Role.ADMIN:
        return
    begun = audit_store.list_moments(session, doer.username, _START, since=now - _MINUTE, limit=doer.start_quota)
    if len(begun) >= doer.start_quota:
        seconds = max(1, math.ceil((min(begun) + _MINUTE - now).total_seconds()))
        raise StartQuotaReached(
            f"{doer.start_quota:,} runs within a minute are as many as an account may start; wait {seconds} s", seconds
        )
