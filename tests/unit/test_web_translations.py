"""Each text of the page stands in each other language, with the same places for values."""

from __future__ import annotations

import ast
import functools
import re
import warnings
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask

from tests.web_fixtures import Enter
from watchbell.web.i18n import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "app/watchbell/web/translations"
SOURCES = (
    ("templates", "**.html", "jinja2"),
    ("app/watchbell/web", "**.py", "python"),
    ("static/js", "**.js", "javascript"),
)
KEYWORDS = {"_": None, "lazy": None, "gettext": None, "t": None, "ngettext": (1, 2), "tn": (1, 2)}
HIDDEN = re.compile(r"\{(?:_|lazy|gettext|ngettext|t|tn)\(")
PLACE = re.compile(r"%\((\w+)\)[sd]")


@functools.cache
def texts() -> frozenset[str]:
    """Return every text of the page in English; of those for numbers the one for one."""
    found = set()
    for folder, pattern, method in SOURCES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            messages = extract_from_dir(
                str(ROOT / folder),
                [(pattern, method)],
                {pattern: {"silent": "false"} if method == "jinja2" else {}},
                keywords=KEYWORDS,
                directory_filter=lambda _path: True,
            )
            found |= {one[2] if isinstance(one[2], str) else one[2][0] for one in messages}
    return frozenset(found)


def catalog(language: str) -> Catalog:
    with (FILES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def key(message: object) -> str:
    return message if isinstance(message, str) else message[0]  # type: ignore[index]


OTHERS = sorted(set(LANGUAGES) - {"en"})


def test_no_text_stands_within_a_formatted_one_where_the_translators_never_find_it() -> None:
    hidden = []
    for path in (ROOT / "app/watchbell/web").rglob("*.py"):
        # Only these are worth a reading by the compiler.
        if re.search(HIDDEN, text := path.read_text()):
            formatted = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.JoinedStr)]
            calls = [part for node in formatted for part in ast.walk(node) if isinstance(part, ast.Call)]
            names = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in KEYWORDS]
            hidden += [f"{path.name}:{call.lineno}" for call in names]

    assert not hidden
    scripts = [path for path in (ROOT / "static/js").rglob("*.js") if "vendor" not in path.parts]
    assert not [path.name for path in scripts if re.search(r"\$" + HIDDEN.pattern, path.read_text())]


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_nothing_else_is(language: str) -> None:
    told = {key(one.id): one for one in catalog(language) if one.id}

    assert len(texts()) > 1000
    assert not texts() - set(told), "run: make translations, and translate these"
    assert not set(told) - texts(), "run: make translations; these are said nowhere any more"
    empty = [name for name, one in told.items() if not all([one.string] if isinstance(one.string, str) else one.string)]
    assert not empty
    assert not [name for name, one in told.items() if one.fuzzy]


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_places_for_values_that_the_text_has(language: str) -> None:
    wrong = []
    for one in catalog(language):
        if not one.id:
            continue
        is_plain = isinstance(one.id, str)
        allowed = set(PLACE.findall(one.id if is_plain else " ".join(one.id)))
        for text in [one.string] if is_plain else one.string:
            used = set(PLACE.findall(text))
            if not used <= allowed | {"num"} or (is_plain and used != allowed):
                wrong.append((one.id, text))

    assert not wrong


def test_pages_are_in_german_for_whoever_reads_german(enter: Enter, app: Flask) -> None:
    person = enter("admin")
    person.post("/language", {"language": "de"})

    for path, title in (
        ("/", "Übersicht"), ("/tasks", "Aufgaben"), ("/runs", "Läufe"), ("/queues", "Warteschlangen"),
        ("/account/sessions", "Sitzungen"), ("/tasks/new", "Neue Aufgabe"),
    ):  # fmt: skip
        page = person.see(path)
        assert page.html is not None and page.html["lang"] == "de"
        assert page.h1 is not None and page.h1.text == title, path
    assert "Anmelden" in app.test_client().get("/login", headers={"Accept-Language": "de"}).text
    assert person.get("/tasks.json").json == []
