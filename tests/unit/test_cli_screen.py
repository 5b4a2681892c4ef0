"""What the command line prints of others: no terminal obeys it, and programs read it as it was."""

from __future__ import annotations

import json

import pytest

from watchbell.cli import main, screen

#: A C1 control that begins a sequence, its window title, a turn of direction, ends of lines, and a half character.
HOSTILE = "a\x9b2J\x9d0;t\x9c\x7f \u202egpj.exe\u2069 \u2028\u2029\x1b[2J\r\ud800 ä 😀 ✓"
OBEYED = ("\x9b", "\x9d", "\x9c", "\x7f", "\u202e", "\u2069", "\u2028", "\u2029", "\x1b", "\r", "\ud800")


def test_json_for_programs_moves_no_cursor_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    for indent in (2, None):
        screen.print_json({"name": HOSTILE, HOSTILE: [1.5]}, indent=indent)

        printed = capsys.readouterr().out
        assert [sign for sign in OBEYED if sign in printed] == []
        assert "ä 😀 ✓" in printed
        assert json.loads(printed) == {"name": HOSTILE, HOSTILE: [1.5]}


def test_sentences_remarks_and_errors_hold_nothing_that_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say(f"{HOSTILE}\nand so on")
    screen.note(HOSTILE)
    main._complain(HOSTILE, 1)
    screen.table(["NAME"], [[HOSTILE]])
    screen.pairs({"name": HOSTILE})

    printed = capsys.readouterr()
    told = printed.out + printed.err
    assert [sign for sign in OBEYED if sign in told] == []
    assert told.count("ä 😀 ✓") == 5
    assert "\nand so on\n" in printed.out


def test_colours_of_our_own_survive(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say("\x1b[31mred\x1b[0m")

    # What is not a terminal gets them taken away by click.
    assert capsys.readouterr().out in {"\x1b[31mred\x1b[0m\n", "red\n"}
