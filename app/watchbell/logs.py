"""Where log lines go and what they look like; what is logged is decided where it happens."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from datetime import datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

#: Above this size the file is set aside as ``<name>.1`` in place of the one before: two such files are all there is.
FILE_LIMIT_BYTES = 10 * 1024 * 1024
_ROOT = "watchbell"
_TIME = "%Y-%m-%d %H:%M:%S"
_LINE = "[%(asctime)s] [%(levelname)s] %(message)s"
# What services.tokens makes.
_TOKEN = re.compile(r"(wb_[0-9a-f]{8})[0-9a-f]{32}")
# What services.accounts makes: as long as nobody has used it, it opens the account.
_LINK = re.compile(r"(/login/link/[A-Za-z0-9_-]{4})[A-Za-z0-9_-]+")
# Task names and reasons come from people and commands; a terminal must not obey what they hold.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class LineFormatter(logging.Formatter):
    """The one line format: ``[YYYY-MM-DD HH:MM:SS] [LEVEL] message``."""

    def __init__(self, zone: str | None = None) -> None:
        super().__init__(_LINE, _TIME)
        self._zone = ZoneInfo(zone) if zone else None

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - likewise below.
        """Return the time of a line in the zone of the page, so that both can be read side by side."""
        return datetime.fromtimestamp(record.created, self._zone).strftime(datefmt or _TIME)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is that of the base class.
        # A message with a line break must not be able to forge the line that follows; a traceback may have its lines.
        record.message = record.message.replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        # Whatever puts a token or a login link where it is logged, its beginning is all that anybody reads.
        text = _LINK.sub(r"\1…", _TOKEN.sub(r"\1…", super().format(record)))
        return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class BoundedFileHandler(WatchedFileHandler):
    """A log file that others may move or empty meanwhile, and that never grows without end."""

    def __init__(self, path: Path, limit_bytes: int = FILE_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)

    def _open(self) -> io.TextIOWrapper:
        # The log names commands and people, so that it is as private as the database.
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Looking whether the file is still there, and opening it, may fail on a full or unwritable disk.
            super().emit(record)
            if self.stream is not None and self.stream.tell() > self.limit_bytes:
                self.stream.close()
                self.stream = None
                Path(self.baseFilename).replace(f"{self.baseFilename}.1")
        except OSError:
            self.handleError(record)


def configure_file(path: Path, level: str, zone: str | None = None) -> None:
    """Send the log of this process to a file, private to its owner; times are the zone's, or the machine's."""
    _attach(BoundedFileHandler(path), level, zone)


def configure_console(level: str, zone: str | None = None) -> None:
    """Send the log of this process to standard error; times are the zone's, or the machine's."""
    _attach(logging.StreamHandler(sys.stderr), level, zone)


def _attach(handler: logging.Handler, level: str, zone: str | None) -> None:
    handler.setFormatter(LineFormatter(zone))
    logger = logging.getLogger(_ROOT)
    logger.setLevel(level.upper())
    logger.propagate = False
    logger.addHandler(handler)
    # Libraries speak up only when something is wrong.
    library = logging.getLogger()
    library.setLevel(logging.WARNING)
    library.addHandler(handler)


class _Terminal(logging.StreamHandler[TextIO]):
    """Writes to whatever standard output is at the time."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def tell(text: str) -> None:
    """Say something to whoever has started this program, as it is and whatever the log level."""
    logger = logging.getLogger("watchbell.terminal")
    if not logger.handlers:
        logger.addHandler(_Terminal())
        logger.setLevel(logging.INFO)
        logger.propagate = False
    logger.info("%s", text)
