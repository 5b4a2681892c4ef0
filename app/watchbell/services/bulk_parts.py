"""Doing one thing with many tasks or runs, with each as far as it can be done, and telling what was refused and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict, InputError, NotAllowed, NotFound
from watchbell.services import bulk, run_lists, runs, triggers
from watchbell.services.bulk import UNCHANGED, Order
from watchbell.store import history
from watchbell.store.runs import Run
from watchbell.store.session import Database

#: So many are chosen at a time; whoever wants more says so once more.
MOST = 5000
#: So many are changed in one transaction, during which nobody else can write.
_AT_ONCE = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What has become of one of them."""

    id: int
    name: str
    #: In a word; empty if it was refused, and then there is a reason.
    outcome: str
    reason: str = ""


class RunAction(StrEnum):
    """What is done with each run."""

    CANCEL = "cancel"
    AGAIN = "again"
    """Asks for another run of its task."""


def unheard(_number: int) -> None:
    """Tell nobody how many are through."""


def change_tasks(
    db: Database,
    order: Order,
    names: dict[int, str],
    *,
    now: datetime,
    actor: str,
    defaults: Defaults,
    tell: Callable[[int], None] = unheard,
) -> list[Part]:
    """Do it with each of some tasks, given by their ids and names, and return what has become of each.

    Where one of them refuses, the others are done nevertheless. ``tell`` is given how many of them are through.
    """
    done: list[Part] = []
    for lot in lots(list(names)):
        tell(len(done))
        try:
            done += _carry_out(db, order, lot, now=now, actor=actor, defaults=defaults)
        except (Conflict, InputError, NotAllowed, NotFound):
            # One of them is in the way of the lot, so each goes on its own.
            for number in lot:
                try:
                    done += _carry_out(db, order, [number], now=now, actor=actor, defaults=defaults)
                except (Conflict, InputError, NotAllowed, NotFound) as error:
                    done.append(Part(number, names[number], "", error.message))
    return done


def _carry_out(
    db: Database, order: Order, ids: Sequence[int], *, now: datetime, actor: str, defaults: Defaults
) -> list[Part]:
    some = dataclasses.replace(order, ids=ids)
    done = bulk.carry_out(db, some, now=now, actor=actor, defaults=defaults)
    return [Part(one.task_id, one.name, one.outcome) for one in done]


def change_runs(
    db: Database,
    action: RunAction,
    ids: Sequence[int],
    *,
    now: datetime,
    actor: str,
    tell: Callable[[int], None] = unheard,
) -> list[Part]:
    """Do it with each of some runs and return what has become of each; runs that are not there any more are left out."""
    change = _RUN_ACTIONS[action]
    done: list[Part] = []
    for lot in lots(list(dict.fromkeys(ids))):
        tell(len(done))
        with db.write() as session:
            within = db.within(session)
            found = history.list_by_ids(session, lot)
            for run in (found[number] for number in lot if number in found):
                name = run_lists.name_of(run)
                try:
                    done.append(Part(run.id, name, change(within, run, now, actor)))
                except (Conflict, InputError, NotAllowed, NotFound) as error:
                    # What refuses has written nothing.
                    done.append(Part(run.id, name, "", error.message))
    return done


def _cancel(db: Database, run: Run, now: datetime, actor: str) -> str:
    before = run.state
    changed = runs.cancel(db, run.id, now=now, actor=actor)
    if changed.ended_at is not None:
        return "cancelled"
    return UNCHANGED if before == changed.state else "asked to stop"


def _again(db: Database, run: Run, now: datetime, actor: str) -> str:
    triggers.run_like(db, run, now=now, actor=actor)
    return "queued"


_RUN_ACTIONS: dict[RunAction, Callable[[Database, Run, datetime, str], str]] = {
    RunAction.CANCEL: _cancel,
    RunAction.AGAIN: _again,
}


def lots(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield as many of them at a time as are changed in one transaction."""
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
