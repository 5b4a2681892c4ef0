"""Watchbell, a bare loop and its peers: the same commands due in the same second, in turn, several rounds, one table.

    make compare        (or: python -m benchmarks.compare [--rounds 3] [--count 1000] [--only TEXT] [--to FILE])

The bare loop is run before and after each system, and its ratios are against these two. With ``--to`` the page is written
anew, otherwise, and where ``--only`` leaves something out, the table is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.burst import measure
from benchmarks.figures import BURST_HEAD, Burst, burst_row, commit, machine, say, table
from benchmarks.peers import install
from benchmarks.peers.peer import PATIENCE
from benchmarks.yardstick import DIRECT, SHELL, bare, between
from watchbell.version import __version__

_ROOT = Path(__file__).parent.parent
#: Name, module and arguments of each peer.
PEERS = (
    ("APScheduler, memory store, 10 threads, each run recorded", "apscheduler_jobs", ("memory",)),
    ("APScheduler, SQLAlchemy store, 10 threads, each run recorded", "apscheduler_jobs", ("sqlalchemy",)),
    ("Huey on SQLite, 8 threads", "huey_sqlite", ()),
    ("Celery beat with Redis, prefork 2", "celery_redis", ("beat", "--processes=2")),
    ("Celery beat with Redis, prefork 8", "celery_redis", ("beat", "--processes=8")),
    ("Celery with Redis, sent beforehand (eta), prefork 2", "celery_redis", ("eta", "--processes=2")),
    ("Debian cron, nothing recorded", "debian_cron", ()),
)
OURS = ("sh -c true", "/bin/true")
_Measure = Callable[[int], Burst]


def peer(module: str, arguments: tuple[str, ...], count: int) -> Burst:
    """Run a peer's module in the peers' environment and return its burst."""
    argv = (str(install.PYTHON), "-m", f"benchmarks.peers.{module}", *arguments, str(count))
    for patience in ("1", "4"):
        environment = {**os.environ, PATIENCE: patience}
        limit = 300 + count / 5
        done = subprocess.run(
            argv, cwd=_ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
        if not done.returncode:
            break
    else:
        raise RuntimeError(f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}")
    burst = Burst(**json.loads(done.stdout.splitlines()[-1]))
    if not burst.lags:
        raise RuntimeError(f"{' '.join(argv)} ran nothing:\n{done.stderr[-2000:]}")
    return burst


def systems(only: str) -> dict[str, _Measure]:
    """Return everything that can be measured here, by its name; say aloud what cannot."""
    missing = install.missing()
    found: dict[str, _Measure] = {"bare loop, /bin/true": partial(bare, argv=DIRECT)}
    for command in OURS:
        found[f"Watchbell, {command}"] = partial(_ours, command)
    for name, module, arguments in PEERS:
        if module in missing:
            say(f"{name} is left out: {missing[module]}")
        else:
            found[name] = partial(peer, module, arguments)
    return {name: how for name, how in found.items() if only.lower() in name.lower()}


def _ours(command: str, count: int) -> Burst:
    return measure(count, command)


def main() -> None:
    """Measure in rounds and tell the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", default="", help="measure only what has this text in its name")
    parser.add_argument("--to", type=Path, help="write the page there")
    options = parser.parse_args()
    install.install()
    chosen = systems(options.only)
    facts = machine()
    failed: dict[str, str] = {}
    bursts: dict[str, list[Burst]] = {name: [] for name in chosen}
    bares: dict[str, list[Burst]] = {name: [] for name in chosen}
    for number in range(options.rounds):
        for name, how in chosen.items():
            if name in failed:
                continue
            before = bare(options.count, SHELL)
            try:
                bursts[name].append(how(options.count))
            except (RuntimeError, TimeoutError, subprocess.TimeoutExpired) as error:
                # What was measured so far is not lost for one that fails; that is told, and it has no row.
                failed[name] = f"{name} failed: {error}"
                say(failed[name])
                continue
            bares[name].append(between(before, bare(options.count, SHELL)))
            burst = bursts[name][-1]
            say(
                f"round {number + 1}: {name}: {burst.recorded} of {burst.due}, {burst.rate:.0f}/s, last {burst.last:.2f} s"
            )
    with contextlib.ExitStack() as to:
        if options.to and not options.only:
            to.enter_context(contextlib.redirect_stdout(to.enter_context(options.to.open("w"))))
            print(_PAGE)
        left_out = [*install.missing().values(), *(text.partition("\n")[0] for text in failed.values())]
        tell({name: each for name, each in bursts.items() if name not in failed}, bares, options.count, facts, left_out)


def tell(
    bursts: dict[str, list[Burst]], bares: dict[str, list[Burst]], count: int, facts: str, left_out: list[str]
) -> None:
    """Print the table and what is needed to read it."""
    rounds = [burst for each in bares.values() for burst in each]
    rows = [burst_row("bare loop, sh -c true", rounds, rounds)]
    rows += [burst_row(name, bursts[name], bares[name]) for name in bursts]
    versions = sorted({part for each in bursts.values() for part in each[0].version.split(", ") if part})
    said = ", ".join((f"Watchbell {__version__} ({commit()})", *versions))
    print(
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {facts}. Medians of {max(map(len, bursts.values()))} rounds."
    )
    print(f"{said}.")
    for reason in left_out:
        print(f"Left out here: {reason}.")
    table(f"{count} commands due in one second", BURST_HEAD, rows)


_PAGE = """# Compared with others

`make compare` writes this page: one script, one run, every system in turn in each round. N commands are due in the same second;
the peers run `sh -c true` and record each run in their own store, in the way that is fastest for them without losing their
promise. Each ratio is against a bare loop of `posix_spawn` of `sh -c true` right before and after the same measurement: a rate
ratio of 1 is as fast as that loop, a last ratio of 1 has the last command started as early, a CPU ratio of 1 costs no more.
Quote ratios: absolute figures hold on that machine in that hour alone. What is started where, and how it is counted:

| system | how the commands get due | start and record are told by |
|---|---|---|
| bare loop | it begins at once, 16 in the air | itself; nothing is recorded |
| Watchbell | one task each, `synchronous=FULL` | its database, durable before each start and after each end |
| APScheduler | one date job each, no run given up for being late | a row in SQLite after each end, `synchronous=FULL` |
| Huey | scheduled tasks in its SQLite | its results, as Huey stores them by default |
| Celery beat | crontab entries of each minute | its results in Redis, in memory |
| Celery, eta | sent beforehand, held by the worker | its results in Redis, in memory |
| Debian cron | crontab lines | a byte that each command adds to a file; nothing is recorded |
"""


if __name__ == "__main__":
    main()
