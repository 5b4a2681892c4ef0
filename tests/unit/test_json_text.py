"""JSON as people type it: what it says, on which line, and where it is none."""

from __future__ import annotations

import json

import pytest

from watchbell.domain import json_text
from watchbell.domain.json_text import NotJSON


@pytest.mark.parametrize(
    "value",
    [{}, [], 0, -1.5, 1e3, True, None, "", '\n\t"\\/é😀', {"a": [1, {"b": [[]]}], "": {"c": None}}, [[], {}, ""]],
    ids=repr,
)
def test_what_json_says_is_read_as_it_is_however_it_is_set(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False), json_text.write(value)):
        assert json_text.read(f" \r\n{text}\t").value == value


def test_every_part_has_the_line_on_which_it_begins() -> None:
    read = json_text.read('{\n  "steps": [\n    {"input": {"command": "df"}},\n    7\n  ],\n  "a":\n    1\n}')

    assert {path: read.lines[path] for path in ("", "steps", "steps.0", "steps.0.input.command", "steps.1", "a")} == {
        "": 1, "steps": 2, "steps.0": 3, "steps.0.input.command": 3, "steps.1": 4, "a": 7,
    }  # fmt: skip
    assert read.line_of("steps.0.timeoutSeconds") == 3
    assert read.line_of("nothing.of.this") is None


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "value is expected"),
        ('{"a": 1', 1, 8, "comma or } is expected"),
        ('{\n "a": 1,\n}', 2, 8, "comma must not stand before }"),
        ("[1,\n 2,]", 2, 3, "comma must not stand before ]"),
        ("{'a': 1}", 1, 2, "name in double quotes"),
        ("['a']", 1, 2, "double quotes"),
        ('{"a" 1}', 1, 6, "colon"),
        ('{"a": 1, "a": 2}', 1, 10, "twice"),
        ('["a\nb"]', 1, 4, "line break"),
        ('["abc', 1, 2, "no closing quote"),
        ('["\\x"]', 1, 3, "escape"),
        ('["\\ud800"]', 1, 2, "half characters"),
        ("{} {}", 1, 4, "follows"),
        ("[NaN]", 1, 2, "value is expected"),
        ("[1e999]", 1, 2, "too large"),
        ("[01]", 1, 3, "comma or ]"),
        (f"[{'9' * 5000}]", 1, 2, "too large"),
        ("[" * 5000, 1, 65, "deep"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_json_is_told_with_its_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(NotJSON) as refused:
        json_text.read(text)

    assert (refused.value.line, refused.value.column) == (line, column)
    assert words in refused.value.told
