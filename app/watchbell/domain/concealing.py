"""Masking secrets in what a command writes: each byte of a value, or of what usual encodings make of it, becomes a ``*``.

A masked text is as long as it was, so that every place in an output stays what it is; line ends stay as well. Whether a byte is
masked depends on nothing but the values and the bytes around it, so whoever reads an output in parts, with ``reach`` bytes
more on both sides, masks the same bytes as whoever reads all of it at once.

Looked for are the value itself and without white space around it, each of its lines, what JSON, HTML and the several ways of
percent-encoding make of it, and base64 of the usual and the URL-safe alphabet, wherever in a longer text it may begin, also
broken into lines. Of values shorter than FULL bytes only the value itself is, since encodings of so little are found anywhere.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence

#: From so many bytes on a value is looked for in its encodings, too, and a line of one by itself.
FULL = 8
_MOST_LINES = 500
_STAR = b"*"
_ENDS = b"\r\n"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
#: What else the several encoders of addresses leave as it is: none, paths, and the two functions of browsers.
_LEFT_ALONE = (b"", b"/", b"!*'()", b"!*'();/?:@&=+$,#")
#: Which signs of base64 are another value's as well, by how many bytes stand before ours in a group of three.
_SHARED = (0, 2, 3)
#: So much may be added to base64 by breaking it into lines of at least this width.
_LEAST_WIDTH = 60
_WRAPPED = re.compile(rb"[\r\n]")
_TO_ONES = bytes([0]) + bytes([255]) * 255
#: Longer ones are not looked at for whether they overlap themselves.
_MOST_OVERLAP = 1024
_MOST_BORDERS = 20


class Concealer:
    """Masks the values of some secrets in bytes."""

    def __init__(self, values: Iterable[str]) -> None:
        plain: set[bytes] = set()
        encoded: set[bytes] = set()
        for value in values:
            plain.update(_plain_forms(value))
            encoded.update(_base64_forms(value.encode()))
        self._plain = [_Form(form) for form in sorted(plain | encoded, key=len)]
        self._encoded = [_Form(form) for form in sorted(encoded, key=len)]
        self._widest = max((_wrapped_length(len(form.text)) for form in self._encoded), default=0)
        #: So many bytes before and behind a part say whether its first and last bytes are masked.
        self.reach = max([self._widest, *(len(form.text) for form in self._plain)], default=1) - 1

    def conceal(self, data: bytes, *, is_cut_before: bool = False, is_cut_behind: bool = False) -> bytes:
        """Return bytes with every secret masked.

        ``is_cut_before`` and ``is_cut_behind`` say that what stood there is lost: what may be the rest of a secret is masked.
        """
        masked = [form.mask(data) for form in self._plain if form.text in data]
        masked += self._mask_wrapped(data)
        if is_cut_before:
            masked.append(_starred(data, 0, self._overhang(data, backwards=True)))
        if is_cut_behind:
            masked.append(_starred(data, len(data) - self._overhang(data, backwards=False), len(data)))
        return _together(data, masked)

    def pending(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a secret, whose rest is still to come."""
        return self._overhang(data, backwards=False)

    def parts(self, parts: Iterable[bytes], *, is_cut_before: bool, is_cut_behind: bool) -> Iterator[bytes]:
        """Yield the bytes of a range, which come in parts, with every secret masked; see ``conceal``."""
        lead, held, is_cut = b"", b"", is_cut_before
        for part in parts:
            whole = lead + held + part
            # What has not enough behind it yet to be sure of waits for the next part.
            sure = max(len(whole) - self.reach, len(lead))
            yield self.conceal(whole, is_cut_before=is_cut)[len(lead) : sure]
            start = max(sure - self.reach, 0)
            lead, held, is_cut = whole[start:sure], whole[sure:], is_cut and start == 0
        yield self.conceal(lead + held, is_cut_before=is_cut, is_cut_behind=is_cut_behind)[len(lead) :]

    def _mask_wrapped(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes with what stands in them as base64 that was broken into lines masked."""
        flat = data.translate(None, _ENDS) if self._encoded else data
        if len(flat) == len(data):
            return
        for form in self._encoded:
            if flat.count(form.text) > data.count(form.text):
                yield form.wrapped().sub(lambda found: _stars(found[0]), data)

    def _overhang(self, data: bytes, *, backwards: bool) -> int:
        """Return how many bytes at one end are the beginning, or backwards the end, of what goes on behind that."""
        edge = (data[: self.reach] if backwards else data[max(len(data) - self.reach, 0) :])[:: -1 if backwards else 1]
        found = max((form.overhang(edge, backwards=backwards) for form in self._plain), default=0)
        flat = edge.translate(None, _ENDS) if self._encoded else edge
        if len(flat) < len(edge):
            signs = max((form.overhang(flat, backwards=backwards) for form in self._encoded), default=0)
            found = max(found, _with_ends(edge, signs))
        return found


class _Form:
    """One text that is looked for."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._fill = _stars(text)
        self._backwards = text[::-1]
        self._chain: re.Pattern[bytes] | None = None
        self._wrapped: re.Pattern[bytes] | None = None
        borders = _borders(text) if len(text) <= _MOST_OVERLAP else ()
        if borders:
            # One that can overlap itself is masked with all that follow it like that.
            more = b"|".join(re.escape(text[border:]) for border in borders)
            self._chain = re.compile(re.escape(text) + b"(?:" + more + b")*+")

    def mask(self, data: bytes) -> bytes:
        """Return bytes with every occurrence masked."""
        if self._chain is not None:
            return self._chain.sub(lambda found: _stars(found[0]), data)
        return data.replace(self.text, self._fill)

    def wrapped(self) -> re.Pattern[bytes]:
        """Return what finds it where it was broken into lines."""
        if self._wrapped is None:
            signs = [re.escape(self.text[place : place + 1]) for place in range(len(self.text))]
            self._wrapped = re.compile(b"(?:\r?\n)?".join(signs))
        return self._wrapped

    def overhang(self, edge: bytes, *, backwards: bool) -> int:
        """Return how many of the last bytes are its first ones; backwards both are read from the end."""
        text = self._backwards if backwards else self.text
        start = max(len(edge) - len(text) + 1, 0)
        while (start := edge.find(text[:1], start)) >= 0:
            if text.startswith(edge[start:]):
                return len(edge) - start
            start += 1
        return 0


def _plain_forms(value: str) -> Iterator[bytes]:
    yield value.encode()
    if len(value.encode()) < FULL:
        return
    yield value.replace("\n", "\r\n").encode()
    for line in value.splitlines()[:_MOST_LINES]:
        yield from (part for part in (line.encode(), line.strip().encode()) if len(part) >= FULL)
    stripped = value.strip()
    for text in {value, stripped} if len(stripped.encode()) >= FULL else {value}:
        yield text.encode()
        yield from (json.dumps(text, ensure_ascii=is_ascii)[1:-1].encode() for is_ascii in (True, False))
        yield from (html.escape(text, quote=is_quoted).encode() for is_quoted in (True, False))
        for left in _LEFT_ALONE:
            for hexadecimal in ("%%%02X", "%%%02x"):
                form = _percent(text.encode(), _UNRESERVED | frozenset(left), hexadecimal)
                yield form
                yield form.replace(b"%20", b"+")


def _percent(data: bytes, left: frozenset[int], hexadecimal: str) -> bytes:
    return "".join(chr(byte) if byte in left else hexadecimal % byte for byte in data).encode()


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of bytes wherever in a group of three they begin, without the signs that others have part in."""
    if len(data) < FULL:
        return
    for before, shared in enumerate(_SHARED):
        whole = base64.b64encode(bytes(before) + data)
        form = whole[shared : (before + len(data)) * 8 // 6]
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))


def _wrapped_length(length: int) -> int:
    return length + 2 * (length // _LEAST_WIDTH + 2)


def _borders(text: bytes) -> Sequence[int]:
    """Return the lengths of beginnings that are endings as well, the longest first."""
    table = [0] * len(text)
    known = 0
    for place in range(1, len(text)):
        while known and text[place] != text[known]:
            known = table[known - 1]
        known += text[place] == text[known]
        table[place] = known
    found: list[int] = []
    while known and len(found) < _MOST_BORDERS:
        found.append(known)
        known = table[known - 1]
    return found


def _stars(text: bytes) -> bytes:
    """Return what stands in the place of a text: its line ends, and a star for all else."""
    if not _WRAPPED.search(text):
        return _STAR * len(text)
    return bytes(byte if byte in _ENDS else _STAR[0] for byte in text)


def _starred(data: bytes, start: int, stop: int) -> bytes:
    return data[:start] + _stars(data[start:stop]) + data[stop:]


def _with_ends(edge: bytes, signs: int) -> int:
    """Return how many of the last bytes hold so many that are no line ends."""
    place = len(edge)
    while signs:
        place -= 1
        signs -= edge[place] not in _ENDS
    return len(edge) - place


def _together(data: bytes, masked: Sequence[bytes]) -> bytes:
    """Return bytes in which all is masked that is in any of some copies."""
    if len(masked) < 2:
        return masked[0] if masked else data
    # As numbers, because nothing else works on so many bytes at once: a byte that differs in any copy is a star in the end.
    before = int.from_bytes(data)
    changed = 0
    for copy in masked:
        changed |= before ^ int.from_bytes(copy)
    ones = int.from_bytes(changed.to_bytes(len(data)).translate(_TO_ONES))
    return (before & ~ones | int.from_bytes(_STAR * len(data)) & ones).to_bytes(len(data))
