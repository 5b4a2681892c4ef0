"""Lists of runs as people look at them: all of one in turn, from its other end, and what stands out in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from watchbell.services import lives, runs
from watchbell.services.runs import COUNT_LIMIT, RunFilter, RunPage
from watchbell.store import history, run_places
from watchbell.store import tasks as task_store
from watchbell.store.run_places import Place
from watchbell.store.runs import Run
from watchbell.store.session import Database

#: So many are read in one transaction of a walk.
_AT_ONCE = 1000
#: Up to so many tasks are named as those of which most runs are.
_NAMED = 3
#: So many hosts are offered to be chosen.
_HOSTS = 200


def walk(db: Database, chosen: RunFilter, *, before_id: int | None = None) -> Iterator[Run]:
    """Yield all runs that a filter lets through, newest first; nothing is held while they are used."""
    while True:
        page = runs.list_page_of(db, chosen, before_id=before_id, limit=_AT_ONCE)
        yield from page.runs
        if not page.has_older:
            return
        before_id = page.older_before


def walk_forwards(db: Database, chosen: RunFilter, *, after_id: int = 0) -> Iterator[Run]:
    """Yield all runs that a filter lets through, oldest first; nothing is held while they are used."""
    while True:
        found = runs.list_page_of(db, chosen, after_id=after_id, limit=_AT_ONCE).runs
        yield from reversed(found)
        if len(found) < _AT_ONCE:
            return
        after_id = found[0].id


def name_of(run: Run) -> str:
    """Return what a run is called where only its number would say too little."""
    return f"{run.task_name} #{run.id}"


def list_names(db: Database, ids: Sequence[int]) -> dict[int, str]:
    """Return what runs are called, by their numbers; those that are not there are left out."""
    with db.read() as session:
        found = history.list_by_ids(session, ids)
    return {number: name_of(found[number]) for number in ids if number in found}


def list_by_ids(db: Database, ids: Sequence[int]) -> list[Run]:
    """Return runs by their numbers, newest first; those that are not there are left out."""
    with db.read() as session:
        return list(history.list_by_ids(session, ids).values())


def place_of(host: str) -> Place:
    """Return a host as runs are looked for on it; one that nobody knows has none."""
    # Calls hold their runs under a mark of the name as the host itself writes it, which is in small letters as a rule.
    return Place(host, tuple(lives.call_prefix(name) for name in sorted({host, host.lower()})))


def list_in_place(db: Database, place: Place, ids: Sequence[int]) -> set[int]:
    """Return which of a few runs ran, or are to run, on a host."""
    with db.read() as session:
        return run_places.list_of(session, place, ids)


def list_hosts(db: Database) -> list[str]:
    """Return hosts on which runs may have run: some of those of schedulers."""
    with db.read() as session:
        return run_places.list_hosts(session, _HOSTS)


def list_oldest(db: Database, chosen: RunFilter, *, limit: int) -> RunPage:
    """Return the last page of a list, newest first."""
    with db.read() as session:
        filters = runs.arguments(chosen)
        found = history.find_runs(session, **filters, after_id=0, limit=limit)
        filtered = history.count_runs(session, **filters, at_most=COUNT_LIMIT)
    return RunPage(found.runs, filtered, has_older=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Few:
    """A few tasks of which most of the runs of a list are."""

    runs: int
    names: Sequence[str]


def find_few(db: Database, chosen: RunFilter) -> Few | None:
    """Return the few tasks of which at least half of the runs are, if there are some and others beside them.

    Only a list of states, perhaps of a time, is looked at: of others no index leads to it.
    """
    plain = RunFilter(states=chosen.states, since=chosen.since, until=chosen.until)
    if not chosen.states or chosen != plain:
        return None
    with db.read() as session:
        counts = history.count_by_task(
            session, states=chosen.states, since=chosen.since, until=chosen.until, at_most=COUNT_LIMIT
        )
        total, most = sum(counts.values()), sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]
        for number in range(1, len(most) + 1):
            share = sum(count for _task, count in most[:number])
            if len(counts) > number and total < COUNT_LIMIT and 2 * share >= total > number:
                return Few(share, _names(session, [task for task, _count in most[:number]]))
    return None


def _names(session: Any, ids: Sequence[int]) -> list[str]:
    found = (task_store.find_task(session, number, deleted=True) for number in ids)
    return [task.name for task in found if task is not None]
