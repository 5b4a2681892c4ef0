"""Crontabs: what their lines mean, the tasks that do the same, and the way back.

Nothing here reads a file or a clock. What cron does with a line stands in ``lines``, what becomes of it as a task in ``jobs``.
"""

from __future__ import annotations

from watchbell.domain.crontab.jobs import Crontab, Job, read_crontab
from watchbell.domain.crontab.pasted import PastedLine, understand
from watchbell.domain.crontab.writing import Written, write_crontab

__all__ = ["Crontab", "Job", "PastedLine", "Written", "read_crontab", "understand", "write_crontab"]
