"""What a person can say about a run of which nobody knows how it ended."""

from __future__ import annotations

from typing import Literal

#: Nobody has decided yet.
OPEN = "open"
RUN_AGAIN: Literal["run_again"] = "run_again"
LEAVE: Literal["leave"] = "leave"
CHOICES = (RUN_AGAIN, LEAVE)
