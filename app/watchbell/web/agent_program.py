"""The agent as one file that a device fetches from its server: nothing but Python is needed to run it."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from watchbell import resources

#: What it is called on devices.
NAME = "watchbell-agent.pyz"
#: The agent, and what it may import (the tests of the layers hold that it is no more).
_PARTS = ("__init__.py", "clock.py", "errors.py", "version.py", "agent", "domain")
_LINE = b"#!/usr/bin/env python3\n"
_MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("the agent needs Python 3.11 or newer, and this is " + sys.version.split()[0])

from watchbell.agent.main import main

sys.exit(main())
"""
#: The same package is the same file, byte for byte, wherever it was made.
_MADE = (1980, 1, 1, 0, 0, 0)


@functools.cache
def program() -> bytes:
    """Return the file, which any Python runs; it is made of this server's own code, so that both are of one version."""
    made = io.BytesIO(_LINE)
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _MADE), _MAIN, zipfile.ZIP_DEFLATED)
        for name, file in _files(resources.package()):
            archive.writestr(zipfile.ZipInfo(name, _MADE), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _files(package: Path) -> Iterator[tuple[str, Path]]:
    for part in _PARTS:
        for file in sorted((package / part).rglob("*.py")) if (package / part).is_dir() else [package / part]:
            yield f"{package.name}/{file.relative_to(package).as_posix()}", file
