"""Passing on what a command writes while it writes it, without ever standing between it and its files.

It is passed on byte for byte, but for secrets: as long as what was written last may be the beginning of one, it waits.
"""

from __future__ import annotations

import os
import select
import stat
from functools import partial
from pathlib import Path

from watchbell.domain.concealing import Concealer
from watchbell.execution import Bundle, Captured, Reader, read_captured, read_output
from watchbell.execution.concealed import masked_read

#: A pipe that takes anything takes so much at once without blocking.
_PIECE = select.PIPE_BUF
_CHUNK = 1 << 20
#: So much is passed on in one call, so that whoever calls can look after other things.
_AT_ONCE = 8 << 20


class Passing:
    """One output of a command on its way to a descriptor of ours; it never blocks."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._path = Path()
        self._kept: Captured | None = None
        self._concealer: Concealer | None = None
        self._unsent = b""
        #: How far the command's output has been read; it is told what may be given up.
        self.reader = Reader()
        #: Whether whoever reads us has gone.
        self.is_unread = False
        #: Bytes that had been given up before they could be passed on.
        self.dropped = 0

    def begin(self, path: str, concealer: Concealer | None) -> None:
        """Begin with a new output, that of another attempt; a concealer masks the secrets that it was given."""
        self._path, self._kept, self._unsent = Path(path), None, b""
        self._concealer = concealer
        self.reader.read_to = 0

    def end(self, kept: Captured) -> None:
        """Take the rest from what is kept of the output, if its file should be gone."""
        self._kept = kept

    def step(self) -> bool:
        """Pass on what there is to pass on and can be; return whether more can be passed on at once."""
        sent = 0
        while sent < _AT_ONCE and not self.is_unread:
            if not self._unsent and not self._read():
                return False
            written = self._write()
            if not written:
                return False
            sent += written
        return not self.is_unread

    def is_done(self) -> bool:
        """Return whether everything that there is now has been passed on, or nobody wants it."""
        return self.is_unread or not (self._unsent or self._read())

    def wait(self, seconds: float) -> None:
        """Wait until something can be passed on."""
        self._poll.poll(seconds * 1000)

    def _read(self) -> bool:
        place = self.reader.read_to
        try:
            if self._path.stat(follow_symlinks=False).st_size <= place:
                return False
            read = masked_read(partial(read_output, self._path), self._concealer, is_complete=self._kept is not None)
            found = read(place, _CHUNK)
        except OSError:
            # Not there yet, or not any more.
            if self._kept is None or place >= self._kept.size:
                return False
            found = read_captured(self._kept, place, _CHUNK)
        self._unsent, self.reader.read_to = found.data, found.next_offset
        self.dropped += found.next_offset - place - len(found.data)
        return bool(found.data)

    def _write(self) -> int:
        # A regular file takes what it gets.
        if not self._is_file and not self._poll.poll(0):
            return 0
        try:
            written = os.write(self._descriptor, self._unsent if self._is_file else self._unsent[:_PIECE])
        except OSError:
            # Whoever read it has had enough, or the disk is full. The command is not to suffer for it.
            self.is_unread, self._unsent = True, b""
            return 0
        self._unsent = self._unsent[written:]
        return written


class Both:
    """Both outputs of a command on their way."""

    def __init__(self, stdout: int, stderr: int) -> None:
        self._streams = (Passing(stdout), Passing(stderr))

    @property
    def readers(self) -> tuple[Reader, Reader]:
        """Return who reads both."""
        return self._streams[0].reader, self._streams[1].reader

    @property
    def dropped(self) -> int:
        """Return how many bytes could not be passed on, because they had been given up before."""
        return sum(stream.dropped for stream in self._streams)

    def begin(self, bundle: Bundle) -> None:
        """Begin with another attempt."""
        for stream, path in zip(self._streams, (bundle.out, bundle.err), strict=True):
            stream.begin(path, bundle.concealer)

    def end(self, stdout: Captured, stderr: Captured) -> None:
        """Note what is kept of an attempt that has ended."""
        for stream, kept in zip(self._streams, (stdout, stderr), strict=True):
            stream.end(kept)

    def step(self) -> bool:
        """Pass on what there is and return whether more can be passed on at once."""
        # Both, whatever the first one says.
        first, second = (stream.step() for stream in self._streams)
        return first or second

    def is_done(self) -> bool:
        """Return whether everything has been passed on."""
        return all(stream.is_done() for stream in self._streams)

    def wait(self, seconds: float) -> None:
        """Wait until more can be passed on."""
        for stream in self._streams:
            if not stream.is_done():
                stream.wait(seconds)
                return
