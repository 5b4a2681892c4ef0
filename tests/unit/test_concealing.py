"""Masking secrets in what a command writes, in whichever parts and encodings it stands there."""

from __future__ import annotations

import base64
import html
import itertools
import json
import os
import re
import shlex
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from xml.sax import saxutils

import markupsafe
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.concealing import Concealer
from watchbell.execution.capture import Slice
from watchbell.execution.concealed import masked_read

VALUE = 'p4ss/w"ord+ü&<x>'


def masked(text: str, *values: str) -> str:
    return Concealer(values or (VALUE,)).conceal(text.encode()).decode()


def test_a_value_becomes_as_many_stars_as_it_has_bytes_and_all_else_stays() -> None:
    assert masked(f"begin {VALUE} end {VALUE}") == f"begin {'*' * 17} end {'*' * 17}"
    assert masked("nothing here") == "nothing here"


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(json.dumps(VALUE)[1:-1], id="json"),
        pytest.param(json.dumps(VALUE, ensure_ascii=False)[1:-1], id="json in utf-8"),
        pytest.param(html.escape(VALUE), id="html"),
        pytest.param(html.escape(VALUE, quote=False), id="html without quotes"),
        pytest.param(urllib.parse.quote(VALUE), id="a path"),
        pytest.param(urllib.parse.quote(VALUE, safe=""), id="a parameter"),
        pytest.param(urllib.parse.quote(VALUE, safe="").lower().replace("w%22ord", "w%22ord"), id="lower case"),
    ],
)
def test_what_usual_encodings_make_of_a_value_is_masked(encoded: str) -> None:
    assert masked(f"GET /?token={encoded}&x=1") == f"GET /?token={'*' * len(encoded.encode())}&x=1"


ODD = "S3cr&t<p\"w>'q$x`y\\z/ü"


def _by_bash(command: str, **environment: str) -> str:
    run = subprocess.run(
        ["bash", "-c", command], env={"PATH": os.defpath, "V": ODD, **environment}, capture_output=True, check=True
    )
    return (run.stdout + run.stderr).decode()


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda: r"S3cr\u0026t\u003cp\"w\u003e'q$x`y\\z/ü", id="json of go and rails"),
        pytest.param(lambda: r"S3cr&t<p\"w>'q$x`y\\z\/\u00fc", id="json of php"),
        pytest.param(lambda: r"S3cr\u0026t\u003Cp\u0022w\u003E\u0027q$x\u0060y\\z/\u00FC", id="json of .net"),
        pytest.param(lambda: r"S3cr\u0026t\u003cp\"w\u003e\u0027q$x`y\\z/\u00fc", id="json in a page"),
        pytest.param(lambda: str(markupsafe.escape(ODD)), id="html of markupsafe"),
        pytest.param(lambda: html.escape(ODD).replace("&#x27;", "&#039;"), id="html of php"),
        pytest.param(lambda: saxutils.escape(ODD, {"'": "&apos;", '"': "&quot;"}), id="xml"),
        pytest.param(lambda: saxutils.escape(ODD).encode("ascii", "xmlcharrefreplace").decode(), id="xml in ascii"),
        pytest.param(lambda: shlex.quote(ODD), id="quoted by a program"),
        pytest.param(lambda: _by_bash('set -x; : "$V"', LC_ALL="C.UTF-8"), id="set -x"),
        pytest.param(lambda: _by_bash("export -p | grep ' V='", LC_ALL="C.UTF-8"), id="export -p"),
        pytest.param(lambda: _by_bash("declare -p V", LC_ALL="C"), id="declare -p in ascii"),
        pytest.param(lambda: _by_bash('printf %q "$V"', LC_ALL="C.UTF-8"), id="printf %q"),
        pytest.param(lambda: _by_bash('printf %q "$V"', LC_ALL="C"), id="printf %q in ascii"),
        pytest.param(lambda: repr(ODD), id="repr"),
        pytest.param(lambda: repr({"password": ODD}) + ascii([ODD]), id="repr in a list"),
        pytest.param(lambda: repr(ODD.encode()), id="repr of bytes"),
        pytest.param(lambda: "p: '" + ODD.replace("'", "''") + "'", id="yaml and sql"),
        pytest.param(lambda: '1,"' + ODD.replace('"', '""') + '"', id="a table"),
    ],
)
def test_what_programs_make_of_a_value_when_they_write_it_down_is_masked(encode: Callable[[], str]) -> None:
    written = encode()
    shown = masked(f"before {written} behind", ODD)
    assert len(shown.encode()) == len(f"before {written} behind".encode())
    # Nothing is left of it but what the program put around it.
    around = {"before", "behind", "+", "declare", "export", "-x", "--", "V", "p", "1", "b", "password"}
    assert set(re.findall(r"[^\s*:'\"$=,{}\[\]]+", shown)) <= around
    assert re.search(r"\*{23,}", shown)


def test_the_words_that_a_shell_makes_of_a_value_are_masked() -> None:
    assert masked("[abcdef] abcdef", "  abcdef \n") == "[******] ******"
    assert masked("[two words]", "two   words") == "[*********]"


@pytest.mark.parametrize("value", ["hunter2hunte", "hunter2hunter", "hunter2hunter2"])
@pytest.mark.parametrize("user", ["", "u:", "us:", "use:"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_base64_that_ends_with_a_value_is_masked_to_its_end(value: str, user: str, end: str) -> None:
    shown = masked(base64.b64encode(f"{user}{value}{end}".encode()).decode(), value)
    # What stays are signs of the line end alone.
    assert re.search(r"\*{16,}(|==?|o=|K|Cg==)$", shown)


def test_what_a_form_makes_of_white_space_is_masked() -> None:
    value = "two words & a sign"
    assert masked(urllib.parse.urlencode({"q": value, "x": 1}), value) == "q=********************&x=1"


@pytest.mark.parametrize("urlsafe", [False, True])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_base64_is_masked_wherever_the_value_begins_in_it(before: str, urlsafe: bool) -> None:
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    shown = masked(encode(f"{before}{VALUE}behind".encode()).decode())
    decoded = encode(f"{before}{VALUE}behind".encode()).decode()
    hidden = [place for place, sign in enumerate(shown) if sign == "*"]
    # Only the signs that others have part in stay, at most one on each side.
    assert len(hidden) >= len(VALUE.encode()) * 8 // 6 - 1
    assert hidden == list(range(hidden[0], hidden[-1] + 1))
    assert shown.replace("*", "") == decoded[: hidden[0]] + decoded[hidden[-1] + 1 :]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("before", range(60, 84))
def test_base64_that_is_broken_into_lines_is_masked_and_its_line_ends_stay(before: int, end: str) -> None:
    text = base64.b64encode(b"x" * before + VALUE.encode() + b"y" * 50).decode()
    lines = end.join(text[place : place + 76] for place in range(0, len(text), 76))
    shown = masked(lines)
    assert shown.count("*") >= 21
    assert [len(line) for line in shown.split(end)] == [len(line) for line in lines.split(end)]


def test_each_line_of_a_value_of_several_is_masked_and_line_ends_stay() -> None:
    key = "-----BEGIN KEY-----\nabcdefghijkl\nmn\n-----END KEY-----\n"
    assert masked(f"key: {key}", key).splitlines()[0] == f"key: {'*' * 19}"
    assert masked("line: abcdefghijkl.", key) == f"line: {'*' * 12}."
    # What is shorter is found by chance.
    assert masked("mn", key) == "mn"


def test_a_short_value_is_masked_as_it_stands_and_not_in_encodings() -> None:
    assert masked("pin=1234 pin", "1234") == "pin=**** pin"
    encoded = base64.b64encode(b"1234").decode()
    assert masked(encoded, "1234") == encoded


def test_values_that_overlap_are_masked_as_a_whole() -> None:
    assert masked("foobarbazquux!", "foobarbaz", "barbazquux") == "*************!"
    assert masked("xabababababx", "ababab") == "x**********x"
    assert masked("aaaaaaaaaaab", "aaaaaaaa") == "***********b"
    assert masked("abcabxabcabxabcab", "abcabxabcab") == "*" * 17


def test_a_value_that_holds_stars_or_nothing_but_usual_signs_changes_nothing_else() -> None:
    assert masked("****secret****", "**secret**") == "**************"
    assert masked(".*+ (a.b)", "(a.b)") == ".*+ *****"


@given(
    values=st.lists(st.text("ab\n+", min_size=4, max_size=12).filter(str.strip), min_size=1, max_size=2),
    data=st.lists(st.sampled_from(["a", "b", "ab", "\n", "+", "YWJ", "hYWJ", "YWJhYg", "%2B", "\\n"]), max_size=40),
    sizes=st.lists(st.integers(0, 9), max_size=30),
)
def test_whatever_parts_it_is_read_in_the_same_bytes_are_masked(
    values: list[str], data: list[str], sizes: list[int]
) -> None:
    concealer, whole = Concealer(values), "".join(data).encode()
    expected = concealer.conceal(whole, is_end=True)
    assert len(expected) == len(whole)
    parts = list(_cut(whole, sizes))
    assert b"".join(concealer.parts(parts, is_cut_before=False, is_cut_behind=False)) == expected
    read = masked_read(_reader(whole), concealer, is_complete=True)
    assert b"".join(read(place, 3).data for place in range(0, len(whole), 3)) == expected


@given(
    value=st.text("ab+", min_size=4, max_size=12),
    data=st.lists(st.sampled_from(["a", "b", "+", "x", "YWJ", "hYWJ", "YWJhYg", "\n", "%2B"]), max_size=40),
    steps=st.lists(st.integers(1, 9), max_size=60),
)
def test_whoever_reads_along_is_never_shown_what_is_masked_in_the_end(
    value: str, data: list[str], steps: list[int]
) -> None:
    concealer, whole = Concealer([value]), "".join(data).encode()
    expected, shown, place = concealer.conceal(whole, is_end=True), b"", 0
    for written in itertools.accumulate([*steps, len(whole)]):
        is_complete = written >= len(whole)
        read = masked_read(_reader(whole[:written]), concealer, is_complete=is_complete)
        found = read(place, 1000)
        assert found.offset == place <= found.next_offset <= found.size <= min(written, len(whole))
        shown, place = shown + found.data, found.next_offset
        if is_complete:
            break
    assert shown == expected


def test_a_secret_that_is_written_in_two_goes_is_held_back_until_it_is_whole() -> None:
    concealer = Concealer(["hunter2hunter2"])
    first = masked_read(_reader(b"password: hunter2hu"), concealer, is_complete=False)
    assert first(0, 100) == Slice(b"password: ", 0, 10, 10, None)
    assert first(0, 0).size == 10
    assert first(10, 100) == Slice(b"", 10, 10, 10, None)
    rest = masked_read(_reader(b"password: hunter2hunter2\n"), concealer, is_complete=False)
    assert rest(10, 100).data == b"**************\n"
    # It ended like that: half of it is told no more than all of it.
    ended = masked_read(_reader(b"password: hunter2hu"), concealer, is_complete=True)
    assert ended(0, 100).data == b"password: *********"
    assert ended(12, 100).data == b"*******"
    assert ended(0, 12).data == b"password: **"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("password: hunter2hunter", "password: *************"),
        ("password: hunter2", "password: *******"),
        # What is less than half of it, or does not stand at the end, is no news.
        ("password: hunter", "password: hunter"),
        ("password: hunter2hunter\n", "password: hunter2hunter\n"),
        ("aHVudGVyMmh1", "************"),
        ("aHVudGVyM\r\nmh1", "*********\r\n***"),
    ],
)
def test_a_secret_that_breaks_off_at_the_end_of_an_output_is_masked_from_its_half_on(written: str, shown: str) -> None:
    concealer = Concealer(["hunter2hunter2"])
    assert b"".join(concealer.parts([written.encode()], is_cut_before=False, is_cut_behind=False)).decode() == shown


def test_less_than_four_signs_of_a_short_value_are_no_news() -> None:
    concealer = Concealer(["1234", "98765"])
    for written, shown in (("pin 123", "pin 123"), ("pin 987", "pin 987"), ("pin 9876", "pin ****")):
        read = masked_read(_reader(written.encode()), concealer, is_complete=True)
        assert read(0, 100).data.decode() == shown


def test_what_a_dropped_middle_has_cut_in_two_is_masked_on_both_sides() -> None:
    concealer = Concealer(["hunter2hunter2"])

    def read(offset: int, limit: int) -> Slice:
        head, tail = b"head hunter2h", b"er2 tail"
        if 13 <= offset < 113:
            offset = 113
        if offset < 13:
            data = head[offset : offset + limit]
            stop = offset + len(data)
            return Slice(data, offset, 113 if stop == 13 else stop, 121, (13, 113))
        data = tail[offset - 113 : offset - 113 + limit]
        return Slice(data, offset, offset + len(data), 121, (13, 113))

    shown = masked_read(read, concealer, is_complete=True)
    assert shown(0, 100).data == b"head ********"
    assert shown(0, 9).data == b"head ****"
    assert shown(113, 100).data == b"*** tail"
    assert shown(115, 100).data == b"* tail"
    parts = concealer.parts([b"head hunt", b"er2h"], is_cut_before=False, is_cut_behind=True)
    assert b"".join(parts) == b"head ********"
    assert b"".join(concealer.parts([b"e", b"r2 tail"], is_cut_before=True, is_cut_behind=False)) == b"*** tail"


def _reader(data: bytes):  # type: ignore[no-untyped-def]
    def read(offset: int, limit: int) -> Slice:
        start = max(len(data) + offset, 0) if offset < 0 else min(offset, len(data))
        part = data[start : start + limit]
        return Slice(part, start, start + len(part), len(data), None)

    return read


def _cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data
