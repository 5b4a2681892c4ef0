"""Where what a run has written can be read."""

from __future__ import annotations

import dataclasses

from watchbell.domain.concealing import Concealer
from watchbell.store.engine import LiveOutput
from watchbell.store.runs import Attempt, Output

#: What a command can write to.
STREAMS = ("stdout", "stderr")


@dataclasses.dataclass(frozen=True, slots=True)
class OutputSource:
    """Where one stream of an attempt can be read: a finished row, or the folder of an attempt that is active."""

    attempt: Attempt
    stream: str
    #: None while the attempt is active, and for a stream that stayed empty.
    kept: Output | None
    #: Whether nothing more will come.
    is_complete: bool
    #: Masks the secrets in it, if that has to be done by whoever reads it.
    concealer: Concealer | None = None
    #: The end of it, while it is written on the machine of a worker.
    live: LiveOutput | None = None
