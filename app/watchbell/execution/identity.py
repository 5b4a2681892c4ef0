"""Who a process is."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """The identity of a command's process, which leads a session of its own. A pid alone may be anybody's."""

    pid: int
    #: Field 22 of /proc/PID/stat; 0 for one that had ended before anybody asked.
    start_ticks: int
    boot_id: str
