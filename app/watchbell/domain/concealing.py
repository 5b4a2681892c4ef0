"""Masking secrets in what a command writes: each byte of a value, or of what usual encodings make of it, becomes a ``*``.

A masked text is as long as it was, so that every place in an output stays what it is; line ends stay as well. Whether a byte is
masked depends on nothing but the values and the bytes around it, so whoever reads an output in parts, with ``reach`` bytes
more on both sides, masks the same bytes as whoever reads all of it at once.

Looked for are the value itself and without white space around it, each of its lines, and what usual programs make of it
(see spellings.py), base64 also broken into lines. Of values shorter than ``spellings.FULL`` bytes only the value itself is,
since encodings of so little are found anywhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from watchbell.domain import spellings

#: What breaks off at the end of an output is masked if it is so many bytes, and half of what is looked for.
_LEAST_BEGUN = 4
_STAR = b"*"
_ENDS = b"\r\n"
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
        plain: dict[bytes, bytes] = {}
        encoded: dict[bytes, bytes] = {}
        for value in values:
            plain |= spellings.plain(value)
            encoded |= spellings.in_base64(value)
        self._groups = _grouped(encoded | plain)
        self._encoded_groups = _grouped(encoded)
        self._plain = [form for _anchor, forms in self._groups for form in forms]
        self._encoded = [form for _anchor, forms in self._encoded_groups for form in forms]
        self._widest = max((_wrapped_length(len(form.text)) for form in self._encoded), default=0)
        #: So many bytes before and behind a part say whether its first and last bytes are masked.
        self.reach = max([self._widest, *(len(form.text) for form in self._plain)], default=1) - 1

    def conceal(
        self, data: bytes, *, is_cut_before: bool = False, is_cut_behind: bool = False, is_end: bool = False
    ) -> bytes:
        """Return bytes with every secret masked.

        ``is_cut_before`` and ``is_cut_behind`` say that what stood there is lost: what may be the rest of a secret is masked.
        ``is_end`` says that nothing follows: whoever wrote may have been killed in the middle of a secret, so one that is half
        there is masked.
        """
        masked = [
            form.mask(data) for anchor, forms in self._groups if anchor in data for form in forms if form.text in data
        ]
        masked += self._mask_wrapped(data)
        if is_cut_before:
            masked.append(_starred(data, 0, self._overhang(data, backwards=True)))
        if is_cut_behind:
            masked.append(_starred(data, len(data) - self._overhang(data), len(data)))
        elif is_end:
            masked.append(_starred(data, len(data) - self._overhang(data, is_half=True), len(data)))
        return _together(data, masked)

    def pending(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a secret, whose rest is still to come."""
        return self._overhang(data)

    def parts(self, parts: Iterable[bytes], *, is_cut_before: bool, is_cut_behind: bool) -> Iterator[bytes]:
        """Yield the bytes of a range, which come in parts, with every secret masked; see ``conceal``.

        What is not cut behind is the end of the output.
        """
        lead, held, is_cut = b"", b"", is_cut_before
        for part in parts:
            whole = lead + held + part
            # What has not enough behind it yet to be sure of waits for the next part.
            sure = max(len(whole) - self.reach, len(lead))
            yield self.conceal(whole, is_cut_before=is_cut)[len(lead) : sure]
            start = max(sure - self.reach, 0)
            lead, held, is_cut = whole[start:sure], whole[sure:], is_cut and start == 0
        last = self.conceal(lead + held, is_cut_before=is_cut, is_cut_behind=is_cut_behind, is_end=not is_cut_behind)
        yield last[len(lead) :]

    def _mask_wrapped(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes with what stands in them as base64 that was broken into lines masked."""
        flat = data.translate(None, _ENDS) if self._encoded else data
        if len(flat) == len(data):
            return
        for anchor, forms in self._encoded_groups:
            for form in forms if anchor in flat else ():
                if form.text in flat and flat.count(form.text) > data.count(form.text):
                    yield form.wrapped().sub(lambda found: _stars(found[0]), data)

    def _overhang(self, data: bytes, *, backwards: bool = False, is_half: bool = False) -> int:
        """Return how many bytes at one end are the beginning, or backwards the end, of what goes on behind that.

        With ``is_half`` only those count that are at least half of it.
        """
        edge = (data[: self.reach] if backwards else data[max(len(data) - self.reach, 0) :])[:: -1 if backwards else 1]
        found = _longest(self._plain, edge, backwards=backwards, is_half=is_half)
        flat = edge.translate(None, _ENDS) if self._encoded else edge
        if len(flat) < len(edge):
            signs = _longest(self._encoded, flat, backwards=backwards, is_half=is_half)
            found = max(found, _with_ends(edge, signs))
        return found


class _Form:
    """One text that is looked for."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._backwards = text[::-1]
        self._wrapped: re.Pattern[bytes] | None = None

    def mask(self, data: bytes) -> bytes:
        """Return bytes with every occurrence masked."""
        if self._chain is not None:
            return self._chain.sub(lambda found: _stars(found[0]), data)
        return data.replace(self.text, _stars(self.text))

    @functools.cached_property
    def _chain(self) -> re.Pattern[bytes] | None:
        """Return what finds one that can overlap itself, with all that follow it like that."""
        borders = _borders(self.text) if len(self.text) <= _MOST_OVERLAP else ()
        more = b"|".join(re.escape(self.text[border:]) for border in borders)
        return re.compile(re.escape(self.text) + b"(?:" + more + b")*+") if borders else None

    def wrapped(self) -> re.Pattern[bytes]:
        """Return what finds it where it was broken into lines."""
        if self._wrapped is None:
            signs = [re.escape(self.text[place : place + 1]) for place in range(len(self.text))]
            self._wrapped = re.compile(b"(?:\r?\n)?".join(signs))
        return self._wrapped

    def overhang(self, edge: bytes, *, backwards: bool, is_half: bool) -> int:
        """Return how many of the last bytes are its first ones; backwards both are read from the end."""
        least = max(_LEAST_BEGUN, (len(self.text) + 1) // 2) if is_half else 1
        text = self._backwards if backwards else self.text
        start = max(len(edge) - len(text) + 1, 0)
        while (start := edge.find(text[:1], start)) >= 0:
            if text.startswith(edge[start:]):
                return len(edge) - start if len(edge) - start >= least else 0
            start += 1
        return 0


def _longest(forms: Iterable[_Form], edge: bytes, *, backwards: bool, is_half: bool) -> int:
    return max((form.overhang(edge, backwards=backwards, is_half=is_half) for form in forms), default=0)


def _grouped(forms: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, Sequence[_Form]]]:
    """Return what is looked for by its anchor, without which none of a group can be there."""
    groups: dict[bytes, list[_Form]] = {}
    for form in sorted(forms, key=len):
        groups.setdefault(forms[form], []).append(_Form(form))
    return list(groups.items())


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
