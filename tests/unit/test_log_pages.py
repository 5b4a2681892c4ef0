"""The scheduler's log page by page: what is older, what is newer, and what belongs together."""

from __future__ import annotations

import pytest

from watchbell.control import log_pages, logfile
from watchbell.control.log_pages import Entry, Page, Place

TRACE = ["[2026-11-22 12:00:00] [ERROR] it failed", "Traceback (most recent call last):", "ValueError: two"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scheduler.log"


def line(number: int, level: str = "INFO", more: str = "") -> str:
    return f"[2026-11-22 12:00:00] [{level}] line {number}{more}"


def write(path, lines, mode="w"):
    with path.open(mode) as file:
        file.writelines(f"{text}\n" for text in lines)


def everything(entry: Entry) -> bool:
    return True


def errors(entry: Entry) -> bool:
    return entry[0].level == "ERROR"


def texts(page: Page) -> list[str]:
    return [str(found.line) for found in page.lines]


def walked(path, lines: int, wanted=everything) -> list[list[str]]:
    """Return all pages from the newest to the oldest."""
    page = log_pages.newest(path, lines, wanted)
    found = [texts(page)]
    while page.begin:
        page = log_pages.older(path, page.begin, lines, wanted)
        found.append(texts(page))
    return found


@pytest.mark.parametrize("size", [1, 7, 200, 1000])
def test_pages_from_the_end_to_the_begin_hold_every_line_once_over_both_files(path, size, monkeypatch):
    monkeypatch.setattr(log_pages, "_BLOCK", 500)
    old, new = [line(n) for n in range(150)], [line(n) for n in range(150, 260)]
    write(logfile.set_aside(path), old)
    write(path, new)

    pages = walked(path, size)

    assert [text for page in reversed(pages) for text in page] == old + new
    assert {len(page) for page in pages[:-1]} <= {size}


def test_an_entry_with_its_traceback_is_never_parted_and_passes_a_filter_whole(path, monkeypatch):
    monkeypatch.setattr(log_pages, "_BLOCK", 100)
    write(path, [line(1), *TRACE, line(2), *TRACE, line(3)])

    assert walked(path, 2) == [[*TRACE, line(3)], [*TRACE, line(2)], [line(1)]]
    assert walked(path, 3, errors) == [TRACE, TRACE, []]


def test_one_look_is_bounded_and_says_where_to_go_on(path, monkeypatch):
    monkeypatch.setattr(log_pages, "_BLOCK", 1000)
    monkeypatch.setattr(log_pages, "LOOK_BYTES", 4000)
    write(path, [*TRACE, *(line(n) for n in range(1000))])

    pages = walked(path, 200, errors)

    assert pages[-1] == TRACE
    assert len(pages) == pytest.approx(path.stat().st_size / 4000, abs=3)


def test_a_line_without_end_does_not_hold_up_who_looks_back(path, monkeypatch):
    monkeypatch.setattr(log_pages, "_LONGEST_ENTRY", 4000)
    monkeypatch.setattr(log_pages, "_BLOCK", 1000)
    path.write_bytes(b"[2026-11-22 12:00:00] [INFO] first\n" + b"x" * 20_000 + b"\n")

    assert sum(len(text) for page in walked(path, 1) for text in page) > 20_000


def test_what_is_written_later_follows_even_when_the_file_was_set_aside_meanwhile(path):
    write(path, [line(1)])
    end = log_pages.newest(path, 10, everything).end
    write(path, [line(2)], "a")
    path.rename(logfile.set_aside(path))
    write(path, [line(3)])

    first = log_pages.newer(path, end, 10, everything)
    second = log_pages.newer(path, first.end, 10, everything)
    third = log_pages.newer(path, second.end, 10, everything)

    assert (texts(first), texts(second), texts(third)) == ([line(2)], [line(3)], [])
    assert not (first.is_fresh or second.is_fresh or third.is_fresh)


def test_an_emptied_log_begins_anew(path):
    write(path, [line(n) for n in range(50)])
    end = log_pages.newest(path, 10, everything).end
    logfile.clear(path)
    write(path, [line(51)], "a")

    found = log_pages.newer(path, end, 10, everything)

    assert (texts(found), found.is_fresh) == ([line(51)], True)


def test_a_traceback_that_goes_on_has_the_level_of_its_message(path):
    write(path, [TRACE[0]])
    end = log_pages.newest(path, 10, everything).end
    write(path, TRACE[1:], "a")

    assert [found.level for found in log_pages.newer(path, end, 10, errors).lines] == ["ERROR", "ERROR"]


@pytest.mark.parametrize("place", [Place(1, 5), Place(2**63, 2**63)])
def test_a_place_that_is_gone_has_nothing_before_it(path, place):
    write(path, [line(1)])

    assert log_pages.older(path, place, 10, everything).lines == []
    assert log_pages.newer(path, place, 10, everything).is_fresh


def test_no_log_is_an_empty_one(path):
    found = log_pages.newest(path, 10, everything)

    assert (found.lines, found.begin) == ([], None)
    assert not log_pages.newer(path, found.end, 10, everything).is_fresh
    assert b"".join(log_pages.chunks(path)) == b""


def test_clearing_removes_what_was_set_aside_as_well(path):
    write(logfile.set_aside(path), [line(1)])
    write(path, [line(2)])
    assert log_pages.extent(path).since == "2026-11-22 12:00:00"

    assert logfile.clear(path)

    assert log_pages.extent(path).size_bytes == 0


@pytest.mark.parametrize("text", ["", "x", "1", "1-", "-1", "1-2-3", "\uff19-1", "1" * 20 + "-1"])
def test_what_names_no_place_is_none(text):
    assert Place.read(text) is None
    assert Place.read("12-34") == Place(12, 34)
