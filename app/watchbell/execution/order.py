"""In which order a command used its two streams, as far as looks at their sizes tell.

Stdout and stderr go straight to files, so nobody sees the writes themselves. But the watcher looks at the sizes anyway, 10 to
200 ms apart while something is written, and at once when something is written after a silence. From two looks follows what
was written between them; where only one stream grew, or each in its turn, that is the order, and where both grew between
two looks, it is known only to that span.

What was noted goes to a file beside the outputs, made only once both streams are used; looks that tell the same as the one
before add nothing to it. A command that ends before the first look, and one that uses one stream only, cost nothing.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: So many are noted as finely as the looks are; from then on they lie ever further apart, and there is an end to it.
FINE_MARKS = 1000
MOST_MARKS = 2000
_STEP_MARKS = 100
#: How often both sizes are read until no write lies between the readings.
_TRIES = 3
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Mark(NamedTuple):
    """How much had been written at a moment; what is more than at the mark before was written since ``since_ms``."""

    #: Milliseconds since the start.
    since_ms: int
    at_ms: int
    stdout: int
    stderr: int

    def encode(self) -> bytes:
        """Return the line of a file of marks."""
        return b"%d %d %d %d\n" % self


@dataclasses.dataclass(eq=False, slots=True)
class Order:
    """The marks of one attempt."""

    path: str
    marks: list[Mark] = dataclasses.field(default_factory=list)
    #: The growth of one stream that goes on; it becomes a mark when the other one grows.
    open: Mark | None = None
    looked_ms: int = 0
    written: int = 0
    #: A stream has become shorter, so that sizes tell no order.
    is_broken: bool = False

    @classmethod
    def resume(cls, path: str) -> Order:
        """Return what an earlier watcher of the attempt has noted, to go on from there."""
        marks = read_marks(path)
        return cls(path, list(marks), None, marks[-1].at_ms if marks else 0, len(marks))

    def look(self, out: str, err: str, stdout: int, now_ms: int) -> None:
        """Note the sizes of both files; ``stdout`` is that of the first one, as it was a moment ago."""
        stderr = _size(err)
        if stderr:
            for _ in range(_TRIES):
                stdout, before, stderr = _size(out), stderr, _size(err)
                if stderr == before:
                    break
            else:
                # Written to all the time, even between two calls: the next look tells.
                return
        if stdout or stderr:
            self.note(now_ms, stdout, stderr)

    def woken(self, now_ms: int) -> None:
        """Note that nothing had been written until now."""
        self.looked_ms = now_ms

    def note(self, now_ms: int, stdout: int, stderr: int) -> None:
        """Note the sizes of a moment, and let whoever reads along know."""
        if self._grow(now_ms, stdout, stderr):
            self._write()

    def _grow(self, now_ms: int, stdout: int, stderr: int) -> bool:
        """Note the sizes of a moment and return whether there is anything new to tell."""
        last = self.open or (self.marks[-1] if self.marks else Mark(0, 0, 0, 0))
        grown = (stdout > last.stdout, stderr > last.stderr)
        self.is_broken = self.is_broken or stdout < last.stdout or stderr < last.stderr
        since, self.looked_ms = self.looked_ms, now_ms
        if self.is_broken or not any(grown) or len(self.marks) >= MOST_MARKS:
            return False
        if all(grown) or not self._goes_on(grown):
            self._close()
            self.open = Mark(since, now_ms, stdout, stderr)
        elif self.open is not None:
            self.open = Mark(self.open.since_ms, now_ms, stdout, stderr)
        if all(grown):
            # Nothing that comes can say more about it, so whoever reads along need not wait.
            self._close()
        return True

    def finish(self, now_ms: int, stdout: int, stderr: int) -> bytes:
        """Return what is to be kept at the end: nothing where there is no order, or none is known."""
        if not (stdout and stderr):
            return b""
        self._grow(now_ms, stdout, stderr)
        self._close()
        # A single mark says that both were written between start and end.
        return b"" if self.is_broken or len(self.marks) < 2 else encode_marks(self.marks)

    def _goes_on(self, grown: tuple[bool, bool]) -> bool:
        """Return whether the stream that has grown is the one that grew before."""
        if self.open is None:
            return False
        before = self.marks[-1] if self.marks else Mark(0, 0, 0, 0)
        return grown == (self.open.stdout > before.stdout, self.open.stderr > before.stderr)

    def _close(self) -> None:
        """Make a mark of the growth that went on, or widen the last one when there are many already."""
        if self.open is None:
            return
        number, mark = len(self.marks), self.open
        least_ms = 0 if number < FINE_MARKS else 1000 * 2 ** ((number - FINE_MARKS) // _STEP_MARKS)
        if self.written < number and mark.at_ms - self.marks[-1].since_ms < least_ms:
            mark = mark._replace(since_ms=self.marks.pop().since_ms)
        self.marks.append(mark)
        self.open = None

    def _write(self) -> None:
        """Add to the file what is not in it and will not change."""
        last = self.open or self.marks[-1]
        fixed = len(self.marks) if len(self.marks) <= FINE_MARKS else len(self.marks) - 1
        if self.written >= fixed or not (last.stdout and last.stderr):
            return
        _append(self.path, encode_marks(self.marks[self.written : fixed]))
        self.written = fixed


def encode_marks(marks: Iterable[Mark]) -> bytes:
    """Return marks as a file holds them."""
    return b"".join(mark.encode() for mark in marks)


def decode_marks(data: bytes) -> Sequence[Mark]:
    """Return the marks in the bytes of a file; nothing that is not whole or contradicts what stands before it counts."""
    marks: list[Mark] = []
    last = Mark(0, 0, 0, 0)
    for line in data.split(b"\n")[:-1]:
        words = line.split(b" ")
        if len(words) != 4 or not all(word.isdigit() and len(word) < 19 for word in words):
            break
        mark = Mark(*map(int, words))
        if mark.at_ms < last.at_ms or mark.stdout < last.stdout or mark.stderr < last.stderr:
            break
        marks.append(mark)
        last = mark
    return marks


def read_marks(path: str) -> Sequence[Mark]:
    """Return the marks in a file; none if there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return decode_marks(os.read(descriptor, 64 * MOST_MARKS))
    finally:
        os.close(descriptor)


def _append(path: str, data: bytes) -> None:
    # A full disk costs the order and nothing else.
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except OSError:
        return
    try:
        os.write(descriptor, data)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return 0
