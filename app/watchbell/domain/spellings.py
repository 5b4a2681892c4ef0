"""How usual programs write a text down: what JSON, HTML, addresses, shells, program text and base64 make of a value.

Each spelling comes with an anchor, a part of it that stands in all of its family: where the anchor is not, none of them is, so
that a long output need not be looked through for each.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

#: From so many bytes on a value is looked for in its encodings, too, and a line of one by itself.
FULL = 8
#: And from so many without the white space around it.
LEAST = 4
_MOST_LINES = 500
#: Which signs of base64 are another value's as well, by how many bytes stand before ours in a group of three.
_SHARED = (0, 2, 3)
#: What may stand behind a value that base64 ends with: nothing, or the line end of who printed it.
_ENDS_OF_TEXT = (b"", b"\n")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_Table = Mapping[int, str]
_Encode = Callable[[str], bytes]


def _utf8(text: str) -> bytes:
    return text.encode()


def _utf16(form: str) -> _Encode:
    """Return what writes every character beyond ASCII as the numbers of its UTF-16."""

    def units(found: re.Match[str]) -> str:
        raw = found[0].encode("utf-16-be", "surrogatepass")
        return "".join(form % int.from_bytes(raw[place : place + 2]) for place in range(0, len(raw), 2))

    return lambda text: _NOT_ASCII.sub(units, text).encode()


def _bytewise(form: str) -> _Encode:
    """Return what writes every character beyond ASCII as the bytes of its UTF-8."""
    return lambda text: _NOT_ASCII.sub(lambda found: "".join(form % byte for byte in found[0].encode()), text).encode()


def _run_of(characters: Iterable[str]) -> re.Pattern[str]:
    return re.compile("[" + re.escape("".join(characters)) + "]+")


@dataclasses.dataclass(frozen=True)
class _Family:
    """Spellings that leave the same characters as they are."""

    tables: Sequence[_Table]
    #: What is done with the characters beyond ASCII.
    encoders: Sequence[_Encode]

    @functools.cached_property
    def kept(self) -> re.Pattern[str]:
        """What finds the parts that all of them leave as they are."""
        changed = set(itertools.chain.from_iterable(self.tables))
        return _run_of(chr(code) for code in range(128) if code not in changed)


def _table(*parts: Mapping[str, str]) -> _Table:
    return {ord(char): text for part in parts for char, text in part.items()}


def _numbered(characters: str, form: str) -> dict[str, str]:
    return {char: form % ord(char) for char in characters}


def _escaped(characters: str) -> dict[str, str]:
    return {char: f"\\{char}" for char in characters}


def _json_tables() -> Iterator[_Table]:
    quoted = {chr(code): json.dumps(chr(code))[1:-1] for code in (*range(32), ord('"'), ord("\\"))}
    slash, lower, upper = {"/": "\\/"}, "\\u%04x", "\\u%04X"
    for also in (
        {},
        slash,
        # Where it may stand in a page, as the encoders of several languages see to by themselves or are told to.
        _numbered("<>&\u2028\u2029", lower),
        _numbered("<>&'", lower),
        _numbered("<>&'", upper),
        _numbered("<>&'\"", upper),
        _numbered("<>&'\"", upper) | slash,
        _numbered("<>&'\"+`\x7f", upper),
    ):
        yield _table(quoted, also)


def _html_tables() -> Iterator[_Table]:
    least = {"&": "&amp;", "<": "&lt;"}
    most = least | {">": "&gt;"}
    for double, single in itertools.product(
        ('"', "&quot;", "&#34;", "&#x22;"), ("'", "&#39;", "&#039;", "&apos;", "&#x27;")
    ):
        yield _table(most, {'"': double, "'": single})
    yield _table(least)
    yield _table(least, {'"': "&quot;"})
    yield _table(most, {'"': "&#34;", "'": "&#39;", "+": "&#43;"})
    yield _table(most, {'"': "&quot;", "'": "&#39;", "`": "&#96;"})
    yield _table(most, {'"': "&quot;", "'": "&#39;", "/": "&#x2F;", "`": "&#x60;", "=": "&#x3D;"})


#: What a shell takes for more than itself.
_OF_SHELLS = " \t\n'\"\\|&;()<>!{}*[]?^$`,"
_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_MORE_CONTROLS = {"\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f", "\x1b": "\\E"}
_BACKSLASH = _escaped("\\")
_RARE = {chr(code): f"\\x{code:02x}" for code in (*range(32), 127)}

_FAMILIES = (
    _Family(tuple(_json_tables()), (_utf8, _utf16("\\u%04x"), _utf16("\\u%04X"), _utf16("\\x%02X"))),
    _Family(tuple(_html_tables()), (_utf8, lambda text: text.encode("ascii", "xmlcharrefreplace"))),
    # Doubled as in YAML, SQL and tables, and in the quotes of shells.
    _Family(
        (
            _table({"'": "''"}),
            _table({'"': '""'}),
            _table({"'": "''"}, _BACKSLASH),
            _table({"'": "'\\''"}),
            _table({"'": "'\"'\"'"}),
            _table(_escaped('"$`\\')),
        ),
        (_utf8,),
    ),
    _Family((_table(_escaped(_OF_SHELLS)), _table(_escaped(_OF_SHELLS + "~#"))), (_utf8,)),
    _Family((_table(_BACKSLASH, _escaped("'"), _CONTROLS, _MORE_CONTROLS),), (_utf8, _bytewise("\\%03o"))),
    # As program text, with the quotes that happen to be around it.
    _Family(
        tuple(_table(_RARE, _BACKSLASH, _CONTROLS, _escaped(quotes)) for quotes in ("", "'", '"', "'\"")),
        (_utf8, lambda text: text.encode("ascii", "backslashreplace"), _bytewise("\\x%02x")),
    ),
)


def _percent_tables() -> Iterator[_Table]:
    unreserved = _PLAIN | frozenset("-._~")
    #: What else the several encoders of addresses leave as it is: none, paths, and the two functions of browsers.
    for left, form, space in itertools.product(
        ("", "/", "!*'()", "!*'();/?:@&=+$,#"), ("%%%02X", "%%%02x"), (True, False)
    ):
        table = {code: form % code for code in range(256) if chr(code) not in unreserved and chr(code) not in left}
        yield table | ({ord(" "): "+"} if space else {})


_ALPHANUMERIC = _run_of(_PLAIN)
_PERCENT = tuple(_percent_tables())


def plain(value: str) -> dict[bytes, bytes]:
    """Return the spellings of a value, without base64, each with its anchor."""
    raw, stripped = value.encode(), value.strip()
    found = {raw: raw}
    # As a shell makes words of it that is not told to leave it whole.
    texts = [value, *(text for text in (stripped, " ".join(value.split())) if len(text.encode()) >= LEAST)]
    for text in texts:
        found[text.encode()] = text.encode()
    if len(raw) < FULL:
        return found
    crlf = value.replace("\n", "\r\n").encode()
    found[crlf] = crlf
    for line in value.splitlines()[:_MOST_LINES]:
        found |= {part: part for part in (line.encode(), line.strip().encode()) if len(part) >= FULL}
    for text in dict.fromkeys(text for text in texts if len(text.encode()) >= FULL):
        for form, anchor in _spelled(text):
            found.setdefault(form, anchor)
    return found


def _spelled(text: str) -> Iterator[tuple[bytes, bytes]]:
    for family in _FAMILIES:
        anchor = _anchor(text, family.kept)
        encoders = family.encoders if _NOT_ASCII.search(text) else family.encoders[:1]
        for made in {text.translate(table) for table in family.tables}:
            yield from _with_anchor((encode(made) for encode in encoders), anchor)
    raw = text.encode().decode("latin-1")
    forms = (raw.translate(table).encode("latin-1") for table in _PERCENT)
    yield from _with_anchor(forms, _anchor(text, _ALPHANUMERIC))


def _with_anchor(forms: Iterable[bytes], anchor: bytes) -> Iterator[tuple[bytes, bytes]]:
    for form in forms:
        yield form, anchor if anchor in form else form


def _anchor(text: str, kept: re.Pattern[str]) -> bytes:
    """Return the longest part of a text that is kept."""
    return max(kept.findall(text), key=len, default="").encode()


def in_base64(value: str) -> dict[bytes, bytes]:
    """Return what base64 makes of a value wherever in a group of three it begins, each with its anchor.

    The signs that others have part in are left out, but for the last one of what nothing or only a line end follows.
    """
    data, found = value.encode(), dict[bytes, bytes]()
    if len(data) < FULL:
        return found
    for before, shared in enumerate(_SHARED):
        sure = (before + len(data)) * 8 // 6
        for end in _ENDS_OF_TEXT:
            whole = base64.b64encode(bytes(before) + data + end).rstrip(b"=")
            form, longer = whole[shared:sure], whole[shared : max(sure, -(-(before + len(data)) * 8 // 6))]
            for made, anchor in ((form, form), (longer, form)):
                found.setdefault(made, anchor)
                found.setdefault(made.translate(_URL_SAFE), anchor.translate(_URL_SAFE))
    return found
