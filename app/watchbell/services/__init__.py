"""The use cases: one function, one transaction. Decisions are asked of ``domain``; rows are asked of ``store``."""

from __future__ import annotations
