"""The page speaks the language that was chosen, or the one that the browser asks for; programs are answered in English."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.web_fixtures import Enter
from watchbell.web import i18n


@pytest.mark.parametrize(
    ("asked", "language"),
    [("", "en"), ("de-DE,de;q=0.9,en;q=0.8", "de"), ("fr, en;q=0.5, de;q=0.4", "en"), ("fr", "en"), ("de-AT", "de")],
)
def test_the_language_that_the_browser_asks_for_is_taken(app: Flask, asked: str, language: str) -> None:
    page = app.test_client().get("/login", headers={"Accept-Language": asked})

    assert f'<html lang="{language}"' in page.text


def test_a_choice_is_kept_in_the_browser_and_can_be_given_up(enter: Enter) -> None:
    person = enter("viewer")

    person.post("/language", {"language": "de", "next": "/runs"})
    chosen = person.see("/runs")
    person.post("/language", {"language": "auto"})
    given_up = person.see("/runs")

    assert chosen.html is not None and chosen.html["lang"] == "de"
    assert given_up.html is not None and given_up.html["lang"] == "en"


def test_a_language_that_is_not_there_is_refused(enter: Enter) -> None:
    answer = enter("viewer").post("/language", {"language": "xx"})

    assert answer.status_code == 422 and "must be one of en, de, auto" in answer.text


def test_programs_are_answered_in_english(app: Flask) -> None:
    with app.test_request_context("/api/v2/runs", headers={"Accept-Language": "de"}):
        assert i18n.language() == "en"


@pytest.mark.parametrize(
    ("headers", "language"), [({}, "en"), ({"X-Requested-With": "fetch"}, "de")], ids=["program", "script of a page"]
)
def test_twins_of_pages_are_in_english_unless_a_script_of_a_page_shows_them(
    app: Flask, headers: dict[str, str], language: str
) -> None:
    for path in ("/search.json", "/settings.csv", "/next-runs.ics"):
        with app.test_request_context(path, headers={"Accept-Language": "de", **headers}):
            assert i18n.language() == language


def test_the_texts_of_scripts_are_kept_by_browsers_under_the_mark_of_their_content(app: Flask) -> None:
    client = app.test_client()

    kept = client.get(f"/words/{i18n.words_stamp('de')}/de.json")
    old = client.get("/words/0123/de.json")
    unknown = client.get("/words/0123/xx.json")

    assert "immutable" in kept.headers["Cache-Control"] and isinstance(kept.json, dict)
    assert old.headers["Cache-Control"] == "no-cache"
    assert unknown.status_code == 404
