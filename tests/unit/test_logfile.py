"""The scheduler's log: what is written into it, and reading it meanwhile."""

from __future__ import annotations

import logging
import stat

import pytest

from watchbell import logs
from watchbell.control import logfile
from watchbell.control.logfile import LogLine

LINE = "[2026-11-22 12:00:00] [INFO] {}\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scheduler.log"


@pytest.fixture
def logger(path):
    """Give a logger whose lines go to the file."""
    handler = logs.BoundedFileHandler(path, limit_bytes=2000)
    handler.setFormatter(logs.LineFormatter())
    made = logging.getLogger(f"test.{path}")
    made.setLevel(logging.INFO)
    made.propagate = False
    made.addHandler(handler)
    yield made
    handler.close()


def test_a_line_has_time_level_and_message(logger, path):
    logger.warning("the %s is late", "tick")

    (line,) = logfile.tail(path, 5)
    assert (line.level, line.message) == ("WARNING", "the tick is late")
    assert len(line.timestamp) == 19
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_people_wrote_cannot_move_the_cursor_of_a_terminal(logger, path):
    logger.info("task \x1b[2J\r\x00\ud800\u202e é")

    assert logfile.tail(path, 1)[0].message == "task \\x1b[2J\\x0d\\x00\\ud800\\u202e é"


def test_a_login_link_cannot_be_used_by_whoever_reads_the_log(logger, path):
    link = "NP9cRfHzSC1JjJgT62QzE3JhyIWgxe8V1vAW0TBESeA"
    logger.info("request 1: GET '/bell/login/link/%s' from 192.0.2.7 answered 503", link)

    assert "'/bell/login/link/NP9c…' from" in path.read_text()
    assert link[4:] not in path.read_text()


def test_a_message_cannot_forge_a_line_but_a_traceback_has_its_own(logger, path):
    logger.info("one\n[2026-11-22 12:00:00] [ERROR] forged")
    try:
        raise ValueError("two")
    except ValueError:
        logger.exception("failed")

    found = logfile.tail(path, 20)
    assert [line.level for line in found if line.level] == ["INFO", "ERROR"]
    assert found[-1].message == "ValueError: two"


def test_the_file_never_grows_without_end(logger, path):
    for number in range(200):
        logger.info("line %d of many", number)

    both = [path, path.with_name("scheduler.log.1")]
    assert sum(file.stat().st_size for file in both if file.exists()) < 5000
    kept = [line.message for file in reversed(both) if file.exists() for line in logfile.tail(file, 1000)]
    assert kept[-1] == "line 199 of many"


def test_an_emptied_or_moved_file_is_written_on(logger, path):
    logger.info("one")
    assert logfile.clear(path)
    logger.info("two")
    path.rename(path.with_name("moved"))
    logger.info("three")

    assert [line.message for line in logfile.tail(path.with_name("moved"), 5)] == ["two"]
    assert [line.message for line in logfile.tail(path, 5)] == ["three"]


@pytest.mark.parametrize("wanted", [1, 3, 10, 5000])
def test_the_tail_counts_real_lines(path, wanted):
    path.write_text("".join(LINE.format(f"line {number} {'x' * 60}") for number in range(3000)))

    found = logfile.tail(path, wanted)

    assert len(found) == min(wanted, 3000)
    assert found[-1].message.startswith("line 2999 ")
    assert found[0].message.startswith(f"line {3000 - len(found)} ")


def test_a_line_that_goes_on_has_no_time_of_its_own(path):
    path.write_text(LINE.format("failed") + "Traceback:\n  here\n")

    assert [str(line) for line in logfile.tail(path, 3)] == [LINE.format("failed").rstrip("\n"), "Traceback:", "  here"]


@pytest.mark.parametrize("count", [0, -1])
def test_no_lines_are_none(path, count):
    path.write_text(LINE.format("x"))

    assert logfile.tail(path, count) == []


def test_without_a_file_there_is_no_line_and_nothing_to_clear(path):
    assert logfile.tail(path, 5) == []
    assert logfile.read_from(path, 0).lines == []
    assert logfile.clear(path) is False


def test_reading_goes_on_where_it_ended_and_waits_for_whole_lines(path):
    path.write_text(LINE.format("one") + "[2026-11-22 12:00:01] [INFO] ha")
    first = logfile.read_from(path, 0)
    with path.open("a") as file:
        file.write("lf\n")

    second = logfile.read_from(path, first.offset)

    assert first.lines == [LogLine("2026-11-22 12:00:00", "INFO", "one")]
    assert second.lines == [LogLine("2026-11-22 12:00:01", "INFO", "half")]
    assert logfile.read_from(path, second.offset).lines == []


def test_reading_starts_over_when_the_log_was_emptied(path):
    path.write_text(LINE.format("one") * 3)
    offset = logfile.read_from(path, 0).offset
    path.write_text(LINE.format("new"))

    part = logfile.read_from(path, offset)

    assert part.is_fresh
    assert [line.message for line in part.lines] == ["new"]


def test_bytes_that_are_no_text_do_not_hide_the_rest(path):
    path.write_bytes(LINE.format("ok").encode() + b"\xff\xfe\x00\n")

    assert logfile.tail(path, 2)[1].message == "\ufffd\ufffd\0"
