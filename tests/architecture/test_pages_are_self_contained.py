"""The policy of the pages is script-src 'self': nothing inline, nothing from another host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[2]
#: A field of a form that holds more than a proof of who one is.
TYPED = re.compile(r"forms\.(?:plain_)?field\(|parts\.control\(")
FOREIGN_IN_CODE = re.compile(r"""(?:import\s*\(?|from|url\(|@import)\s*["']?(?:https?:)?//[^\s"')]+""")


def faults(markup: str) -> Iterator[str]:
    page = BeautifulSoup(markup, "html.parser")
    for tag in page.find_all(True):
        assert isinstance(tag, Tag)
        yield from (f"inline handler {name} on <{tag.name}>" for name in tag.attrs if name.startswith("on"))
        if tag.name == "script" and not tag.get("src") and tag.get("type") != "application/json":
            yield "inline <script>"
        # A link to another site is fine; what the page itself loads is not.
        loaded = tag.get("src") or (tag.get("href") if tag.name == "link" else None)
        if loaded and re.match(r"(https?:)?//", str(loaded)):
            yield f"<{tag.name}> loads {loaded}"


def own_files(folder: str, *endings: str) -> list[Path]:
    found = [path for path in (ROOT / folder).rglob("*") if path.suffix in endings]
    return [path for path in found if not {"vendor", "node_modules"} & set(path.relative_to(ROOT).parts)]


def test_templates_hold_no_inline_script_and_load_nothing_foreign() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path in own_files("templates", ".html")
        for fault in faults(path.read_text())
    ]

    assert not broken, "\n".join(broken)


def test_styles_and_scripts_load_nothing_foreign() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in own_files("static", ".css", ".js")
        for match in FOREIGN_IN_CODE.finditer(path.read_text())
    ]

    assert not broken, "\n".join(broken)


#: What is typed into these is a password, a code or one word of an answer: nobody misses it.
FORGETFUL = {"auth", "provider", "passkeys", "second_factor", "lists", "delete"}


def test_leaving_a_form_in_which_one_types_asks_first() -> None:
    forms = [path for path in own_files("templates", ".html") if not {path.parent.name, path.stem} & FORGETFUL]
    typed = [path for path in forms if re.search(r"wb-form__end", text := path.read_text()) and re.search(TYPED, text)]
    careless = [str(path.relative_to(ROOT)) for path in typed if "data_guard=" not in path.read_text()]

    assert len(typed) > 15
    assert not careless, careless


@pytest.mark.parametrize(
    "markup",
    [
        "<p onclick='x()'>",
        "<script>x()</script>",
        "<script src='https://cdn.example/x.js'></script>",
        "<img src='//h/x'>",
    ],
)
def test_a_page_that_is_not_self_contained_is_noticed(markup: str) -> None:
    assert list(faults(markup))
