from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links

RELATIVE = [
    pytest.param(name, target, id=f"{name} -> {target}")
    for name in PAGES
    for target in links(name)
    if "://" not in target
]


@pytest.mark.parametrize(("name", "target"), RELATIVE)
def test_a_link_leads_to_something(name: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (PAGES[name].parent / unquote(path)).resolve() if path else PAGES[name]

    assert file.exists(), f"{name} links to {target}, which is not there"
    assert file.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(file.relative_to(ROOT).as_posix()), f"{target} has no such heading"


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), ["README.md"]
    while todo:
        name = todo.pop()
        reached.add(name)
        for target in links(name):
            file = (PAGES[name].parent / target.partition("#")[0]).resolve()
            inner = file.relative_to(ROOT).as_posix() if "://" not in target and file.is_relative_to(ROOT) else ""
            if inner in PAGES and inner not in reached:
                todo.append(inner)

    assert reached == set(PAGES)


def test_every_picture_is_used_and_small() -> None:
    used = {
        (PAGES[name].parent / target).resolve() for name in PAGES for target in links(name) if target.endswith(".png")
    }
    stored = set((ROOT / "docs/img").glob("*"))

    assert used == stored
    assert all(Path(picture).stat().st_size < 250_000 for picture in stored)
