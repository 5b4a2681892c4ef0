"""Where a process that starts commands works, and how many of them it may have at a time."""

from __future__ import annotations

import gc
import logging
import os
import resource
from pathlib import Path

from watchbell.config import MIB, Config
from watchbell.execution import Bundles, cgroups, runtime_root

log = logging.getLogger(__name__)

#: Files that such a process holds open for itself, and for each command at the most.
_OWN_FILES = 32
_FILES_PER_RUN = 4


def prepare_places(config: Config) -> Bundles:
    """Make the places where active runs and kept outputs lie, and control groups."""
    root = runtime_root(config.home, config.runtime_dir)
    bundles = Bundles(root, config.home / "active", config.runtime_limit_mib * MIB)
    bundles.prepare()
    cgroups.prepare()
    config.output_path.mkdir(mode=0o700, exist_ok=True)
    return bundles


def most_running(config: Config) -> int:
    """Return how many commands may run at a time: what is wished, as far as this process may open files for them."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(1, (soft - _OWN_FILES) // _FILES_PER_RUN)
    if possible < config.max_running:
        log.warning(
            "Only %d commands run at a time instead of %d: no more files may be open", possible, config.max_running
        )
    return min(possible, config.max_running)


def go_home() -> None:
    """Leave the directory that it was started in; commands without one of their own run in the user's home, as in cron."""
    try:
        os.chdir(Path.home())
    except (OSError, RuntimeError):
        os.chdir("/")


def keep_collector_away() -> None:
    """Let the collector of garbage look seldom, and never at what the program is made of."""
    # Thousands of small objects come and go with each turn, and the collector would look at all tasks each time. What the
    # program itself is made of stays as long as it does.
    gc.set_threshold(50_000, 20, 100)
    gc.freeze()
