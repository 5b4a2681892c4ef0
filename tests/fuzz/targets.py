"""All that is fed, by name."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz import documents, times, words, writings
from tests.fuzz.fuzzing import Target
from tests.fuzz.server import Server

READERS: Sequence[Target] = (*times.TARGETS, *documents.TARGETS, *words.TARGETS, *writings.TARGETS)


@contextmanager
def all_targets() -> Iterator[Sequence[Target]]:
    """Give all targets, those of a whole server among them, which has a folder of its own for so long."""
    # What goes wrong is found by the status of the answer; the log would tell it once more each time.
    logging.getLogger("watchbell").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="watchbell-fuzz-") as folder:
        yield (*READERS, *Server.made_in(Path(folder)).targets())
