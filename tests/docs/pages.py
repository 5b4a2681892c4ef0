"""What the tests of the documentation read: its pages, the links in them, the words in tables and the commands to type."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
#: Every page that a person reads, by its path from the top.
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
}
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_SETTING = re.compile(r"[A-Z_]+=\S+")


def text_of(name: str) -> str:
    return PAGES[name].read_text()


def blocks(name: str, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    return [match["text"] for match in _BLOCK.finditer(text_of(name)) if match["language"] == language]


def links(name: str) -> list[str]:
    """Return the targets of links and pictures outside code."""
    return [match["target"] for match in _LINK.finditer(_BLOCK.sub("", text_of(name)))]


def anchors(name: str) -> set[str]:
    """Return the names by which the headings of a page can be linked."""
    heads = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text_of(name)), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head)).lower().replace(" ", "-")
        for head in heads
    }


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in a text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not set(line) <= set("|-: ")]


def section(name: str, head: str) -> str:
    """Return the part of a page below a heading, up to the next one of its level."""
    level = head.split(" ")[0]
    _, found, rest = f"\n{text_of(name)}".partition(f"\n{head}\n")
    assert found, f"{name} has no heading {head!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def calls(name: str, program: str) -> list[list[str]]:
    """Return the words of each call of a program in the shell blocks of a page, as a shell would split them."""
    found = []
    for block in blocks(name, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            while words and _SETTING.fullmatch(words[0]):
                words.pop(0)
            if words and words[0] == program:
                found.append(words[1:])
    return found


def load_script(name: str) -> ModuleType:
    """Return a script of the docs folder as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
