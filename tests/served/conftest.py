"""What talks to Watchbell from outside has real installations to talk to, which are those of the tests of processes."""

from __future__ import annotations

from tests.fault.scale import LONG
from tests.process.conftest import empty_database, lab, make_lab, nursery, served

__all__ = ["empty_database", "lab", "make_lab", "nursery", "served"]
#: It takes minutes.
collect_ignore = [] if LONG else ["test_rolling_restart.py"]
