"""What the layers below the page say is known in each language of the page, and told in it where somebody looks."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from flask import Flask, g
from hypothesis import given
from hypothesis import strategies as st

from tests import core_texts
from tests.waiting import spends_at_most
from watchbell.web import told
from watchbell.web.i18n import LANGUAGES

OTHERS = sorted(set(LANGUAGES) - {"en"})
PLACE = re.compile(r"%\((\w+)\)s")


@functools.cache
def texts(language: str) -> dict[str, str]:
    with (core_texts.FILES / f"{language}.po").open("rb") as file:
        return {str(one.id): str(one.string) for one in read_po(file, locale=language) if one.id}


def german(text: str) -> str:
    return told._table("de").text(text)


@pytest.mark.parametrize("language", OTHERS)
def test_everything_that_the_core_says_is_translated_and_nothing_else_is(language: str) -> None:
    said, known = core_texts.collect(), texts(language)

    assert len(said) > 400
    assert not sorted(set(said) - set(known)), "run: make translations, and translate these in translations/core"
    assert not sorted(set(known) - set(said)), "run: make translations; these are said nowhere any more"
    assert not [text for text, translation in known.items() if not translation]


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_values_of_its_text(language: str) -> None:
    wrong = [
        text for text, said in texts(language).items() if sorted(PLACE.findall(text)) != sorted(PLACE.findall(said))
    ]

    assert not wrong


def test_what_is_left_out_is_said_somewhere() -> None:
    """The lists of exceptions hold nothing that has gone from the code."""
    silent, extra = core_texts.SILENT, core_texts.EXTRA
    said = {text for text, _place in core_texts.everything()}

    assert not silent - said
    assert not silent & extra


def test_each_text_is_recognised_whatever_its_values_are() -> None:
    wrong = []
    for text, said in texts("de").items():
        values = {name: "17" if name == "number" else f"ab{name}cd" for name in PLACE.findall(text)}
        if german(text % values) != said % values:
            wrong.append((text % values, german(text % values)))

    assert not wrong


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("no scheduler was running; policy: run the last one", "kein Scheduler lief; Regel: den letzten nachholen"),
        ("time limit of 0.3 s reached: killed by SIGTERM", "Zeitgrenze von 0.3 s erreicht: getötet durch SIGTERM"),
        ("overlap: run #12 is still running; policy: skip on overlap",
         "Überschneidung: Lauf #12 ist noch nicht zu Ende (läuft); Regel: bei Überschneidung auslassen"),
        ("attempt 2 of 4: exit code 1; next attempt at 2026-11-29 12:00:00 UTC",
         "Versuch 2 von 4: Exit-Code 1; nächster Versuch um 2026-11-29 12:00:00 UTC"),
        ("the host was suspended from 02:00 to 05:00 and the clock was set back by 2 days; policy: skip what was missed",
         "der Rechner war im Ruhezustand von 02:00 bis 05:00, und die Uhr wurde um 2 Tage zurückgestellt; Regel: auslassen, was verpasst wurde"),
        ("queue nightly is paused by ann since 2030-01-31 09:30 UTC: the disk is changed",
         "Warteschlange nightly ist angehalten von ann seit 2030-01-31 09:30 UTC: the disk is changed"),
        ("2 of 5 steps failed: x (exit 3), y (timed out)",
         "2 von 5 Schritten fehlgeschlagen: x (Exit 3), y (Zeit überschritten)"),
        ("took 2.1 s; usually 18 to 26 s (median 22 s of 120 runs on Mondays at 09:00)",
         "dauerte 2.1 s; sonst 18 bis 26 s (Median 22 s aus 120 Läufen montags um 09:00)"),
        ("month: 'foo' is not understood; use *, 1 to 12 or jan to dec, lists (a,b), ranges (a-b) and steps (*/n)",
         "Monat: 'foo' ist nicht zu verstehen; möglich sind *, 1 bis 12 oder jan bis dec, Listen (a,b), Bereiche (a-b) und Schritte (*/n)"),
        ("host rebooted; it may have run in part or in full (taken over after a restart of the scheduler)",
         "Rechner neu gestartet; er ist vielleicht zum Teil oder ganz gelaufen (übernommen nach einem Neustart des Schedulers)"),
    ],
)  # fmt: skip
def test_reasons_that_are_made_of_parts_are_told_whole(english: str, said: str) -> None:
    assert german(english) == said


def test_words_of_people_and_quoted_names_are_left_alone() -> None:
    assert german("the disk is changed; ask: ann") == "the disk is changed; ask: ann"
    assert german("task 'running' is disabled") == "die Aufgabe 'running' ist ausgeschaltet"
    assert (
        german("must be one of failed, lost (for example: failed)")
        == "muss eines von diesen sein: failed, lost (zum Beispiel: failed)"
    )
    assert german("cancelled by %(a)s") == "abgebrochen von %(a)s"


def test_programs_and_english_readers_get_what_the_ledger_holds(app: Flask) -> None:
    with app.test_request_context():
        g.language = "de"
        assert told.told("host rebooted") == "Rechner neu gestartet"
        assert told.sentence("host rebooted") == "Rechner neu gestartet."
        g.language = "en"
        assert told.told("host rebooted") == "host rebooted"
    assert told.told("host rebooted") == "host rebooted"


def test_a_list_of_reasons_costs_a_small_part_of_its_page() -> None:
    reasons = [f"overlap: run #{number} is still running; policy: skip on overlap" for number in range(200)]
    german(reasons[0])

    # 200 rows, none of them seen before: measured at 4 ms.
    spends_at_most(0.05, lambda: [german(reason) for reason in reasons])


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(sorted(core_texts.collect())), min_size=1, max_size=6).map(": ".join)
)
def test_any_text_is_shown_and_quickly(text: str) -> None:
    assert isinstance(spends_at_most(1, lambda: german(text)), str)


def test_the_file_of_the_translators_is_as_the_tool_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in OTHERS:
        (tmp_path / f"{language}.po").write_bytes((core_texts.FILES / f"{language}.po").read_bytes())
    monkeypatch.setattr(core_texts, "FILES", tmp_path)

    core_texts.write()

    # In which module a text is said first is for translators to read, and changes with other texts.
    assert _without_places(tmp_path) == _without_places(core_texts.PACKAGE / "web/translations/core")


def _without_places(folder: Path) -> dict[str, list[str]]:
    return {
        file.name: [line for line in file.read_text().splitlines() if not line.startswith("#:")]
        for file in folder.glob("*.po")
    }
