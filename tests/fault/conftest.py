"""The installations of tests/process, for experiments."""

from __future__ import annotations

from tests.process.conftest import empty_database, lab, make_lab, nursery

__all__ = ["empty_database", "lab", "make_lab", "nursery"]
