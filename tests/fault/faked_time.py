"""A scheduler that believes in another time: libfaketime moves its wall clock and leaves the monotonic one alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.process.lives import ROOT, Lab

_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


def library() -> str:
    """Return the library's path; a machine that has none is told so by a skip, which is a failure where CI is set."""
    for pattern in _LIBRARIES:
        for found in Path("/").glob(pattern.lstrip("/")):
            return str(found)
    pytest.skip("libfaketime is not installed (apt-get install faketime)")


def environment(moment: datetime) -> dict[str, str]:
    """Return what makes a process begin at a moment, from where its time goes on at the usual pace."""
    return {
        "LD_PRELOAD": library(),
        "FAKETIME": f"@{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "TZ": "UTC",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


@contextlib.contextmanager
def scheduler_at(lab: Lab, moment: datetime, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a scheduler of an installation that starts at a moment; it is stopped in good order."""
    settings = {f"WATCHBELL_{name.upper()}": str(value) for name, value in lab.settings.items()}
    with (lab.home / "words.txt").open("ab") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "watchbell", "scheduler", "run"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "app"), **settings, **environment(moment), **more},
            stdout=words,
            stderr=words,
            start_new_session=True,
        )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, lab.scheduler_words()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
