"""Which tests never run beside one another when several workers share them out.

A pytest plugin, named in tests/conftest.py. It is a scheduler of ours because what xdist offers for this (``--dist
loadgroup``) writes the group into an attribute that pytest 9.2 no longer has, and then silently groups nothing.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator
from typing import Any

import pytest

#: Folder -> lane. The tests of a lane share one worker, because they measure time, or own the machine's attention, or stop
#: what others wait for. Each allows for a machine that does something else as well.
LANES = {
    "process": "process",
    "fault": "fault",
    "served": "served",
    "browser": "browser",
    "packaging": "packaging",
}
#: So long a lane is shared by several workers, each with some of its files: its tests have installations of their own.
SHARED_BY = {"browser": 2, "served": 2}
#: Files whose tests look at the same large thing, which each worker would have to read for itself.
TOGETHER = ("tests/architecture/test_house_rules.py", "tests/unit/test_core_texts.py")

#: Tests without a lane wait for nothing, and give way to those that do when there are more workers than processors.
_GIVES_WAY = 5


def lane_of(nodeid: str) -> str:
    """Return the lane of a test; one that may run beside any other has its own."""
    file = nodeid.partition("::")[0]
    if "postgresql" in nodeid:
        # They share the one private server of their worker.
        return "postgresql"
    if "brokers" in file:
        # They mostly wait, for a broker that begins or is in trouble.
        return "brokers"
    if file.endswith(TOGETHER):
        return file
    lane = next((LANES[folder] for folder in file.split("/")[:-1] if folder in LANES), None)
    if lane is None:
        return nodeid
    return f"{lane}-{zlib.crc32(file.encode()) % SHARED_BY[lane]}" if lane in SHARED_BY else lane


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let what waits for real processes and browsers go first."""
    # Only the superuser may take back what was given away.
    if hasattr(item.config, "workerinput") and os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, 0, _GIVES_WAY if lane_of(item.nodeid) == item.nodeid else 0)
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    # Not every installation has it, and without workers there is nothing to share out.
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        """Longest lane first, each to one worker, and the tests without a lane to whoever has nothing to do."""

        def _split_scope(self, nodeid: str) -> str:
            return lane_of(nodeid)

    return Lanes(config, log)
