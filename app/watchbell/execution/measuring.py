"""Taking samples of the runs that are due, all from one pass over /proc."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from watchbell.execution import proc
from watchbell.execution.orphans import Orphans
from watchbell.execution.sampling import group_by_session
from watchbell.execution.tracking import Run


def take_samples(
    due: Sequence[Run],
    watched: Sequence[Run],
    orphans: Orphans,
    keepers: Collection[int],
    now: float,
    meanwhile: Callable[[], None],
) -> None:
    """Take one sample of each run that is due; ``watched`` are all, since any may have left processes to a keeper.

    ``meanwhile`` is called from time to time: to look at very many processes takes long.
    """
    leaders: dict[int, Run] = {run.process.pid: run for run in watched if run.process is not None}
    processes = proc.read_all(meanwhile)
    by_token = {run.bundle.token: run for run in watched}
    tokens = orphans.tokens(processes, keepers, leaders)
    strays = {pid: by_token[token] for pid, token in tokens.items() if token in by_token}
    groups = group_by_session(processes, leaders, strays)
    for run in due:
        run.series.add(groups.get(run, ()), now)
        run.series.count_handles(groups.get(run, ()), now)
        run.next_sample = now + run.series.interval
