"""What comes in about a task: every wrong field is named, with an example that would have been accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import DEFAULTS, NOW
from watchbell.domain.policies import CatchUp, Overlap
from watchbell.domain.schedule import DSTRule, ScheduleKind
from watchbell.domain.task_definition import (
    PLAIN_FIELDS,
    POLICY_FIELDS,
    SCHEDULE_FIELDS,
    TaskDefinition,
    build_definition,
)
from watchbell.domain.task_fields import COMMAND_LIMIT, NAME_LIMIT
from watchbell.errors import InputError, Problem

VALID: dict[str, object] = {"name": "backup", "command": "tar c /home"}


def _build(fields: Mapping[str, object], base: TaskDefinition | None = None) -> TaskDefinition:
    return build_definition(fields, base=base, now=NOW, defaults=DEFAULTS)


def _problems(fields: Mapping[str, object], base: TaskDefinition | None = None) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        _build(fields, base)
    return caught.value.problems


# What the example is put into in order to be accepted: an interval is one text, a DST rule belongs to a cron text.
BAD_INPUT = [
    ("name", "", {}),
    ("name", " \t ", {}),
    ("name", "x" * (NAME_LIMIT + 1), {}),
    ("name", "12", {}),
    ("name", "a\0b", {}),
    ("name", "a\nb", {}),
    ("name", "a\x1b[31mb", {}),
    ("name", "a\ud800b", {}),
    ("name", "safe\u202egnp.exe", {}),
    ("name", "two\u200bnames", {}),
    ("name", "x" * 10_240, {}),
    ("command", "", {}),
    ("command", "\n \n", {}),
    ("command", "echo \0", {}),
    ("command", "echo \x1b]0;x\x07", {}),
    ("command", "echo \udcff", {}),
    ("command", "x" * (COMMAND_LIMIT + 1), {}),
    ("directory", "relative/path", {}),
    ("directory", "~", {}),
    ("directory", "/tmp/\0", {}),
    ("directory", "/tmp/\nx", {}),
    ("directory", "/tmp/\udcff", {}),
    ("directory", "/" + "x" * 5000, {}),
    ("environment", "NO_EQUALS", {}),
    ("environment", "1A=x", {}),
    ("environment", "A B=x", {}),
    ("environment", "=x", {}),
    ("environment", "ÄA=x", {}),
    ("environment", "A=x\0", {}),
    ("environment", "A=\udcff", {}),
    ("environment", "WATCHBELL_RUN_ID=7", {}),
    ("environment", "A" * 101 + "=x", {}),
    ("environment", "A=" + "x" * 40_000, {}),
    ("environment", {"A": "two\nlines"}, {}),
    ("tags", "x" * 51, {}),
    ("tags", "a\x07", {}),
    ("tags", ",".join(f"t{n}" for n in range(21)), {}),
    ("enabled", "perhaps", {}),
    ("enabled", "", {}),
    ("cron", "61 * * * *", {}),
    ("cron", "* * *", {}),
    ("cron", "0 0 30 2 *", {}),
    ("every", "0s", {}),
    ("every", "0", {"unit": "minutes"}),
    ("every", "soon", {}),
    ("unit", "fortnights", {"every": "2"}),
    ("at", "2026-11-22 11:59", {}),
    ("at", "tomorrow", {}),
    ("at", "2026-02-30 10:00", {}),
    ("zone", "Europe/Atlantis", {"cron": "0 0 * * *"}),
    ("dst", "guess", {"cron": "0 0 * * *"}),
    ("every_word", "blue moon", {"at_time": "09:30"}),
    ("at_time", "9:30", {"every_word": "day"}),
    ("at_time", "0", {"every_word": "hours"}),
    ("overlap", "maybe", {}),
    ("time_limit_seconds", "0", {}),
    ("spread_seconds", "-1", {}),
]


@pytest.mark.parametrize(("field", "value", "beside"), BAD_INPUT, ids=lambda value: ascii(value)[:30])
def test_bad_input_names_its_field_and_an_example_that_is_accepted(field: str, value: object, beside: dict) -> None:
    (problem,) = _problems({**VALID, **beside, field: value})

    assert problem.field == field
    assert problem.example is not None
    if problem.field == "every" and "unit" in beside:
        beside = {}
    assert _build({**VALID, **beside, field: problem.example})


@pytest.mark.parametrize(("field", "value", "beside"), BAD_INPUT, ids=lambda value: ascii(value)[:30])
def test_what_is_said_about_bad_input_can_be_shown_anywhere(field: str, value: object, beside: dict) -> None:
    text = str(InputError(*_problems({**VALID, **beside, field: value})))

    assert text.encode("utf-8")
    assert len(text) < 500
    assert text.isprintable()


@pytest.mark.parametrize("field", ["name", "command", "comment", "owner", "host", "directory"])
@pytest.mark.parametrize("value", [{"a": 1}, ["a"], 5, True, b"x"], ids=repr)
def test_a_text_field_takes_text_only(field: str, value: object) -> None:
    (problem,) = _problems({**VALID, field: value})

    assert (problem.field, problem.message) == (field, "must be a text")


@pytest.mark.parametrize("field", ["commands", "Name", "id", "version", "", "x" * 300, "a\0\n\ud800"], ids=ascii)
def test_an_unknown_field_is_refused_by_name(field: str) -> None:
    (problem,) = _problems({**VALID, field: "x"})

    assert problem.message == "is not a field of a task"
    assert problem.field.isprintable()
    assert len(problem.field) < 400
    assert problem.example in PLAIN_FIELDS | SCHEDULE_FIELDS | POLICY_FIELDS


def test_a_mistyped_field_is_answered_with_the_one_that_was_meant() -> None:
    (problem,) = _problems({**VALID, "commands": "x"})

    assert (problem.field, problem.example) == ("commands", "command")


def test_a_new_task_needs_a_name_and_a_command() -> None:
    problems = _problems({"every": "5m"})

    assert {(p.field, p.message) for p in problems} == {("name", "is required"), ("command", "is required")}
    assert _build({p.field: p.example for p in problems})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    fields = {"name": "", "command": "", "cron": "x", "zone": "Nowhere", "overlap": "x", "enabled": "x", "colour": 1}

    assert {p.field for p in _problems(fields)} == set(fields)


@pytest.mark.parametrize(
    "name",
    ["Sicherung täglich", "备份", "نسخة", "a" * NAME_LIMIT, "1st", "-x", "../etc", "<script>", "';--", "🕰 nightly"],
)
def test_a_name_in_any_language_or_with_any_sign_is_kept_as_it_is(name: str) -> None:
    assert _build({**VALID, "name": f"  {name} "}).name == name


def test_a_command_of_several_lines_is_kept_with_plain_line_ends() -> None:
    assert _build({**VALID, "command": "cd /x\r\n\techo ü\r\n"}).command == "cd /x\n\techo ü\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A=1\nB=two words\r\n\n  \nC=", {"A": "1", "B": "two words", "C": ""}),
        (" A =x=y", {"A": "x=y"}),
        ({"A": "1", "_b": "\t"}, {"A": "1", "_b": "\t"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=one\u2028line\x0bonly", {"A": "one\u2028line\x0bonly"}),
        ("", {}),
        (None, {}),
    ],
)
def test_environment_is_read_line_by_line(value: object, expected: dict[str, str]) -> None:
    assert _build({**VALID, "environment": value}).environment == expected


def test_tags_are_kept_once_each_in_their_order() -> None:
    assert _build({**VALID, "tags": " b, a ,,b"}).tags == ("b", "a")
    assert _build({**VALID, "tags": ["x", "x", "y"]}).tags == ("x", "y")


def test_a_new_task_gets_the_defaults() -> None:
    made = _build(VALID)

    assert (made.owner, made.host, made.schedule.zone) == (DEFAULTS.owner, "", DEFAULTS.zone)
    assert made.schedule.kind is ScheduleKind.MANUAL
    assert made.enabled


BASE = _build(
    {
        **VALID,
        "cron": "30 2 * * *",
        "zone": "Europe/Berlin",
        "dst": "skip",
        "overlap": "allow",
        "catch_up": "all",
        "environment": "A=1",
        "tags": "x",
        "comment": "why",
        "directory": "/tmp",
        "enabled": False,
    }
)


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"command": "true"}, {"command"}),
        ({"enabled": "on"}, {"enabled"}),
        ({"directory": ""}, {"directory"}),
        ({"comment": None}, {"comment"}),
        ({"overlap": "skip"}, {"policies"}),
        ({"cron": "0 4 * * *"}, {"schedule"}),
        ({"zone": "Asia/Tokyo"}, {"schedule"}),
        ({}, set()),
    ],
    ids=str,
)
def test_a_partial_change_leaves_the_rest_as_it_was(fields: dict[str, object], changed: set[str]) -> None:
    made = _build(fields, BASE)

    differing = {name for name in TaskDefinition.__dataclass_fields__ if getattr(made, name) != getattr(BASE, name)}
    assert differing == changed


def test_one_changed_policy_leaves_the_others_as_they_were() -> None:
    made = _build({"overlap": "queue_one"}, BASE)

    assert (made.policies.overlap, made.policies.catch_up) == (Overlap.QUEUE_ONE, CatchUp.ALL)


def test_a_new_zone_alone_keeps_the_moments_and_the_rule() -> None:
    made = _build({"zone": "Asia/Tokyo"}, BASE).schedule

    assert (made.expressions, made.dst, made.zone) == (("30 2 * * *",), DSTRule.SKIP, "Asia/Tokyo")


@pytest.mark.parametrize("fields", [{"every": "5m"}, {"every_word": "minutes", "at_time": "5"}], ids=str)
def test_saving_an_interval_again_does_not_move_its_moments(fields: dict[str, object]) -> None:
    base = _build({**VALID, **fields})

    again = build_definition({**VALID, **fields}, base=base, now=NOW + timedelta(seconds=77), defaults=DEFAULTS)

    assert again == base
    assert again.schedule.anchor_at == NOW


def test_another_interval_counts_from_when_it_was_saved() -> None:
    base = _build({**VALID, "every": "5m"})
    later = NOW + timedelta(seconds=77)

    again = build_definition({"every": "6m"}, base=base, now=later, defaults=DEFAULTS)

    assert again.schedule.anchor_at == later


def test_a_task_whose_moment_has_passed_can_still_be_renamed() -> None:
    base = _build({**VALID, "at": "2026-11-22 12:30"})
    fields = {"name": "other", "at": "2026-11-22 12:30"}

    again = build_definition(fields, base=base, now=NOW + timedelta(hours=1), defaults=DEFAULTS)

    assert (again.name, again.schedule) == ("other", base.schedule)


ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=60)


@given(st.dictionaries(st.sampled_from(sorted(PLAIN_FIELDS)) | ANY_TEXT, ANY_TEXT | st.none() | st.integers()))
def test_whatever_comes_in_is_either_a_task_that_can_be_stored_or_a_refusal(fields: dict[str, object]) -> None:
    try:
        made = _build({**VALID, **fields})
    except InputError as error:
        kept = [str(error)]
    else:
        kept = [made.name, made.command, made.comment, made.owner, made.host, made.directory or "", *made.tags]
        kept += [*made.environment, *made.environment.values()]

    assert b"\0" not in "".join(kept).encode("utf-8")


def test_an_emoji_that_is_joined_of_several_may_stand_in_a_name_and_a_lone_joiner_may_not() -> None:
    family = "backup 👩\u200d👩\u200d👧"

    assert _build({**VALID, "name": family, "tags": ["👩\u200d👧"]}).name == family
    assert [problem.field for problem in _problems({**VALID, "name": "back\u200dup"})] == ["name"]
