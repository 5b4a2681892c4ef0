"""Taking samples of the runs that are due, all from one pass over /proc."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from watchbell import clock
from watchbell.execution import proc
from watchbell.execution.orphans import Orphans
from watchbell.execution.sampling import MOST_SECONDS, group_by_session, together
from watchbell.execution.tracking import Run

#: A run is looked at so seldom that this takes no more than this part of a processor, and once a second all the same.
MOST_PART = 0.008


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
    begun = clock.thread_cpu()
    leaders: dict[int, Run] = {run.process.pid: run for run in watched if run.process is not None}
    processes = proc.read_all(meanwhile)
    by_token = {run.bundle.token: run for run in watched}
    tokens = orphans.tokens(processes, keepers, leaders)
    strays = {pid: by_token[token] for pid, token in tokens.items() if token in by_token}
    groups = group_by_session(processes, leaders, strays)
    for run in due:
        run.series.add(groups.get(run, ()), now)
        run.series.count_handles(groups.get(run, ()), now)
    # What a look costs depends on how many processes there are on the machine, and not on the run.
    least = min((clock.thread_cpu() - begun) / MOST_PART, MOST_SECONDS)
    for run in due:
        run.next_sample = together(now + max(run.series.interval, least))
