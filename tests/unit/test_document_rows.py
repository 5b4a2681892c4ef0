"""A job document as rows: what nobody changes comes back as it was, and what is changed changes nothing else."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from watchbell.errors import InputError
from watchbell.web.forms import document_rows
from watchbell.web.forms.document_rows import DocumentRows

WHOLE: dict[str, Any] = {
    "version": "1.0",
    "reportProgress": True,
    "steps": [
        {
            "name": " spaced ",
            "type": "runCommand",
            "input": {"command": "echo,\r\n a\\, b ,,c"},
            "allowStdErr": 3,
            "environment": {"A": "1", "B": " x=${secret:a} ", "C": 7, "D": "a\nb"},
        },
        {"action": {"type": "runHandler", "input": {"handler": "x", "args": ["", "a", "b c", ""], "path": "/opt"}}},
        {"type": "runCommand", "input": {"command": "docker ps | grep web"}, "timeoutSeconds": "soon"},
        {"name": 7, "type": "runCommand", "input": {"command": "true"}, "ignoreStepFailure": "true", "x": [1]},
        {},
    ],
    "finalStep": {"type": "runCommand", "input": {"command": "sync"}, "runAsUser": "root", "timeoutSeconds": 5},
    "conditions": [{"key": "site", "value": ["a", " b"], "type": "stringEqual"}, {"key": "x", "value": "no list"}],
    "variables": {"A": {"description": "d\nd", "defaultValue": ""}, "B": {}, " C": {"defaultValue": "1"}},
    "includeStdOut": "true",
    "schedule": {"type": "interval", "intervalMinutes": 5},
}
SMALL = {"version": "1.0", "steps": [{"name": "a", "type": "runCommand", "input": {"command": "true"}}]}


def sent(rows: DocumentRows) -> MultiDict[str, str]:
    """Return what a browser sends for rows that nobody has touched."""
    fields: list[tuple[str, str]] = []
    for kind, listed in (("step", rows.steps), ("condition", rows.conditions), ("variable", rows.variables)):
        for row in listed:
            for name in row.__slots__:
                value = html.unescape(html.escape(getattr(row, name)))
                fields.append((f"{kind}_{name}", value.replace("\r\n", "\n").replace("\n", "\r\n")))
    if rows.includes_stdout:
        fields.append(("includes_stdout", "y"))
    return MultiDict(fields)


def changed(document: dict[str, Any], **cells: list[str]) -> dict[str, Any]:
    """Return the document after some columns of its rows were typed over."""
    form = sent(document_rows.rows_of(document))
    for name, values in cells.items():
        form.setlist(name, values)
    return document_rows.document_of(document_rows.from_form(form), document)


@pytest.mark.parametrize("document", [WHOLE, SMALL, {"steps": []}, {"version": "1.0"}, {"steps": None}], ids=repr)
def test_a_document_that_nobody_touches_comes_back_as_it_was(document: dict[str, Any]) -> None:
    assert document_rows.refusal(document) is None
    rows = document_rows.from_form(sent(document_rows.rows_of(document)))

    made = document_rows.document_of(rows, document)

    assert made == (document if "steps" in document else {**document, "steps": []})
    assert [list(made), list(made.get("variables", ()))] == [list(made), list(document.get("variables", ()))]


def test_what_is_changed_changes_nothing_else() -> None:
    names = ["one", "", "", "7", ""]

    made = changed(WHOLE, step_name=[*names, ""])

    assert made["steps"][0] == {**WHOLE["steps"][0], "name": "one"}
    assert made["steps"][1:] == WHOLE["steps"][1:]
    assert {**made, "steps": 0} == {**WHOLE, "steps": 0}


def test_a_step_is_made_of_what_is_typed() -> None:
    form = MultiDict(
        [
            ("step_name", "fetch"), ("step_type", "runHandler"), ("step_handler", "download-file"),
            ("step_args", "{{URL}}\r\n/tmp/x\r\n"), ("step_user", " root "), ("step_limit", "5m"),
            ("step_failure", "go_on"), ("variable_name", "URL"), ("variable_default", "http://h"),
            ("condition_key", "site"), ("condition_values", "north\r\n\r\nsouth"), ("includes_stdout", "y"),
        ]
    )  # fmt: skip

    assert document_rows.document_of(document_rows.from_form(form)) == {
        "version": "1.0",
        "steps": [
            {
                "name": "fetch",
                "type": "runHandler",
                "input": {"handler": "download-file", "args": ["{{URL}}", "/tmp/x"]},
                "runAsUser": "root",
                "timeoutSeconds": 300,
                "ignoreStepFailure": True,
            }
        ],
        "conditions": [{"key": "site", "value": ["north", "south"]}],
        "variables": {"URL": {"defaultValue": "http://h"}},
        "includeStdOut": True,
    }


@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ("A=2\r\n\r\n B=x=y ", {"A": "2", "B": "x=y "}),
        ("no sign", {"no sign": None}),
        ("", None),
    ],
)
def test_variables_of_a_step_are_typed_one_a_line(typed: str, made: object) -> None:
    document = {**SMALL, "steps": [{**SMALL["steps"][0], "environment": {"A": "1"}}]}

    assert changed(document, step_environment=[typed])["steps"][0].get("environment") == made


def test_another_kind_of_step_leaves_the_old_input_behind() -> None:
    document = {**SMALL, "steps": [WHOLE["steps"][1]]}

    made = changed(document, step_type=["runCommand"], step_command=["df,-h"])

    assert made["steps"] == [{"action": {"type": "runCommand", "input": {"command": "df,-h"}}}]


def test_what_is_emptied_is_left_out() -> None:
    made = changed(
        {**SMALL, "finalStep": WHOLE["finalStep"], "conditions": WHOLE["conditions"][:1], "includeStdOut": True},
        step_name=["a", ""], step_command=["true", ""], step_user=["", ""], step_limit=["", ""],
        condition_key=[""], condition_values=[""], includes_stdout=[],
    )  # fmt: skip

    assert made == {**SMALL, "includeStdOut": False}


@pytest.mark.parametrize(
    ("act", "names"),
    [
        ("add-step", ["a", "b", "c", ""]),
        ("remove-step:2", ["a", "c"]),
        ("up-step:3", ["a", "c", "b"]),
        ("down-step:1", ["b", "a", "c"]),
        ("up-step:1", ["a", "b", "c"]),
        ("down-step:3", ["a", "b", "c"]),
        ("remove-step:9", ["a", "b", "c"]),
        ("remove-step:x", ["a", "b", "c"]),
        ("explode", ["a", "b", "c"]),
    ],
)
def test_buttons_add_move_and_remove_steps_and_leave_the_final_one_at_the_end(act: str, names: list[str]) -> None:
    steps = [{**SMALL["steps"][0], "name": name} for name in "abc"]  # type: ignore[index]
    rows = document_rows.rows_of({**SMALL, "steps": steps, "finalStep": SMALL["steps"][0]})

    document_rows.act(rows, act)

    assert [row.name for row in rows.in_order] == names
    assert rows.final is not None and rows.steps[-1] is rows.final


def test_a_final_step_variables_and_conditions_come_and_go() -> None:
    rows = document_rows.rows_of(SMALL)
    for act in ("add-final", "add-final", "add-variable", "add-condition"):
        document_rows.act(rows, act)
    assert (rows.final is not None, len(rows.steps), len(rows.variables), len(rows.conditions)) == (True, 2, 1, 1)

    for act in ("remove-final", "remove-variable:1", "remove-condition:1"):
        document_rows.act(rows, act)

    assert (rows.final, rows.variables, rows.conditions) == (None, [], [])


@pytest.mark.parametrize(
    "document",
    [[], "x", {"version": "0.0", "operation": "reboot"}, {"steps": {}}, {"steps": ["x"]}, {"steps": [], "finalStep": []},
     {"steps": [], "variables": []}, {"steps": [], "variables": {"A": "x"}}, {"steps": [{"name": "a\0"}]}],
    ids=repr,
)  # fmt: skip
def test_what_rows_cannot_show_stays_json(document: object) -> None:
    assert document_rows.refusal(document)


def test_two_variables_of_one_name_are_refused_and_neither_is_lost() -> None:
    form = MultiDict(
        [("variable_name", "A"), ("variable_default", "1"), ("variable_name", "A"), ("variable_default", "2")]
    )
    rows = document_rows.from_form(form)

    with pytest.raises(InputError) as refused:
        document_rows.document_of(rows)

    assert [problem.field for problem in refused.value.problems] == ["job_document.variables.A"]
    assert [row.default for row in rows.variables] == ["1", "2"]


@pytest.mark.parametrize(
    "was", ["{", "[]", "7", '"\\ud800"', "[" * 99999, json.dumps({"action": 1})], ids=lambda t: t[:9]
)
def test_a_forged_memory_of_a_row_does_no_harm(was: str) -> None:
    form = MultiDict([("step_name", "a"), ("step_command", "true"), ("step_was", was), ("variable_was", was),
                      ("variable_name", "B"), ("condition_was", was), ("condition_key", "k")])  # fmt: skip

    made = document_rows.document_of(document_rows.from_form(form))

    assert made["steps"][0]["name"] == "a"
