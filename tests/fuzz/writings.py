"""What people write beside commands and times: runbooks, calendars, blackouts, parameters with their values, and what runs a run again."""

from __future__ import annotations

import html.parser
import re
import shlex
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.fuzzing import Target
from tests.fuzz.material import texts, values
from watchbell.domain import interpreters, parameters, placeholders, reproduction, runbooks, secret_names
from watchbell.domain.blackouts import build_blackout
from watchbell.domain.day_calendar import build_calendar
from watchbell.domain.plain_command import plain_argv, shell_command
from watchbell.domain.policies import Policies, build_policies
from watchbell.domain.reproduction import Ran
from watchbell.domain.schedule import build_schedule, from_json, line_values, to_json
from watchbell.domain.steps import Step
from watchbell.errors import InputError
from watchbell.services import calendar_sources
from watchbell.web import markdown

#: Nothing else comes out of a runbook, and of it only these attributes.
_TAGS = frozenset(
    "p h3 h4 h5 h6 em strong code pre a ul ol li blockquote hr br table thead tbody tr th td".split()
)  # fmt: skip
_ATTRIBUTES = frozenset({"href", "title", "rel", "start"})
_MARKDOWN = [
    "# ", "- ", "1. ", "> ", "**", "*", "_", "`", "```", "~~~\n", "[a](", "](", "![", "](javascript:alert(1))", "[a]: ", "<", ">", "<script>", "<img src=x onerror=y>", "<!--",
    "&#106;", "&lt;", "|a|b|\n|-|-|\n", "|", "\n", "\n\n", "    ", "\\", "https://a.example/", "//evil", "data:text/html,", "http://a@b", "---\n", "\t", ")", "(", "\"",
]  # fmt: skip
_ICAL = [
    "BEGIN:VCALENDAR\r\n", "END:VCALENDAR\r\n", "BEGIN:VEVENT\r\n", "END:VEVENT\r\n", "BEGIN:VTIMEZONE\r\n", "END:VTIMEZONE\r\n", "BEGIN:STANDARD\r\n", "END:STANDARD\r\n",
    "DTSTART;VALUE=DATE:20261225\r\n", "DTEND;VALUE=DATE:20261226\r\n", "DTSTART;TZID=Europe/Berlin:20261224T180000\r\n", "DURATION:P1D\r\n", "DURATION:PT9999999H\r\n", "SUMMARY:x\r\n",
    "RRULE:FREQ=YEARLY\r\n", "RRULE:FREQ=SECONDLY;COUNT=99999999\r\n", "TZOFFSETFROM:+0100\r\n", "TZID:x\r\n", "RDATE:20260101\r\n", "\r\n ", ";X=\"", ":", ",",
]  # fmt: skip
_EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Christmas\r\n"
    "DTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\nRRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
_DAYS = [
    "2026-12-25",
    "12-25",
    "/",
    "2026-12-31T12:00",
    "Christmas",
    "\n",
    " ",
    "mon",
    "0000-00-00",
    "9999-12-31",
    "02-29",
    "2026-12-25/2027-01-06 Closed",
]
_SPEC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["day", "a-b", "x" * 51, "1", "LD_PRELOAD", ""]) | st.text(max_size=5),
        "type": st.sampled_from([*parameters.ParameterType, "x", ""]),
        "default": st.text(max_size=12),
        "choices": st.lists(st.text(max_size=6), max_size=4) | st.sampled_from(["a,b", 3, None]),
        "pattern": texts(
            ["[a-z]", "+", "*", "(a+)+", "{1,9}", "|", "$", "^", "\\d", "(?=", ".", "a"], ["[a-z]{1,20}", "(a|b)+"], 400
        ),
        "required": st.sampled_from([True, False, "yes", "maybe", 2]),
        "help": st.text(max_size=20),
        "variable": st.sampled_from(["DAY", "PATH", "LD_X", "a b", "_", "WATCHBELL_X"]),
        "odd": st.none(),
    },
)


class _Reader(html.parser.HTMLParser):
    """Refuses what a runbook must never become."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, tag
        assert {name for name, _value in attrs} <= _ATTRIBUTES, attrs
        for name, value in attrs:
            assert name != "href" or re.match(r"(https?://|/(?!/)|#)", value or "", re.IGNORECASE), value

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


def _take_runbook(text: str) -> None:
    try:
        kept = runbooks.build_runbook(text)
    except InputError:
        return
    reader = _Reader()
    reader.feed(str(markdown.render.__wrapped__(kept)))
    reader.close()


def _take_links(given: Any) -> None:
    try:
        found = runbooks.build_links(given)
    except InputError:
        return
    assert all(runbooks.is_safe_address(link.url) for link in found)


def _take_ical(text: str) -> None:
    try:
        days = calendar_sources.read_ical(text)
    except InputError:
        return
    _take_days((days, "closed"))


def _take_days(given: tuple[str, str]) -> None:
    days, name = given
    try:
        made = build_calendar(name, days, "")
    except InputError:
        return
    # What is kept is read back as the same.
    assert build_calendar(made.name, made.days, made.weekdays) == made


def _take_blackout(given: dict[str, Any]) -> None:
    try:
        build_blackout(given, default_zone="UTC", task_ids=[])
    except InputError:
        return


def _take_parameters(given: tuple[list[Any], dict[str, str], str]) -> None:
    """Declare parameters, give values, and fill a command with them: each stays one argument, whatever stands in it."""
    declared, texts_given, command = given
    try:
        found = parameters.build_parameters(declared)
        read = parameters.read_values(found, dict(zip((one.name for one in found), texts_given.values(), strict=False)))
    except InputError:
        return
    assert not any("\n" in value or "\0" in value for value in read.values())
    try:
        template = placeholders.template_of(command, found)
    except InputError:
        return
    if template:
        assert len(placeholders.fill(template, read)) == len(template)
    environment = {"A": command[:50]}
    try:
        secret_names.check_environment(environment.items())
    except InputError:
        # No task has such a variable.
        environment = {}
    ran = Ran(command, (), None, environment, found, read, Policies(), {}, {})
    for line in (*reproduction.variables_of(ran).lines, reproduction.script_of(ran)):
        shlex.split(line, comments=True)
    said = command or "x"
    stepped = Ran("", (Step("a", said),), "/", {}, (), {}, Policies(), {}, {})
    written = shlex.split(reproduction.script_of(stepped), comments=True)
    # A shell is given it as it stands; where a program is called without one, it is by the words that a shell makes of it.
    argv = list(shell_command(said) if plain_argv(said) is None else shlex.split(said))
    assert any(written[place : place + len(argv)] == argv for place in range(len(written)))


def _take_line_values(given: tuple[str, Any]) -> None:
    """Say what lines of a schedule give; what is kept can be typed again, and means the same."""
    cron, said = given
    fields = {"cron": cron.replace("|", "\n"), "line_values": said}
    now = datetime(2026, 11, 30, tzinfo=UTC)
    try:
        made = build_schedule(fields, now=now, default_zone="UTC")
    except InputError:
        return
    assert from_json(to_json(made)) == made
    assert all(line_values.given_by(made, line) is not None for line in range(len(made.expressions)))
    if any("\n" in value or "\r" in value for values in made.line_values.values() for value in values.values()):
        # Parameters take no such value; see check_value.
        return
    if all(name and not set(name) & set("= '\"\\\t\n\r") for values in made.line_values.values() for name in values):
        again = {**fields, "line_values": line_values.as_text(made)}
        assert build_schedule(again, now=now, default_zone="UTC").line_values == made.line_values


def _take_interpreter(given: tuple[str, str]) -> None:
    """Name an interpreter and give it a text: the text is never among what a shell reads."""
    named, text = given
    try:
        interpreter = interpreters.read("interpreter", named)
    except InputError:
        return
    assert interpreters.read("interpreter", interpreter) == interpreter
    if interpreters.find_fault(text, interpreter):
        return
    argv = interpreters.argv_of(text, interpreter)
    assert argv
    assert interpreter == "" or argv[:2] != ("/bin/sh", "-c") or "-c" in named or "-c" in text


def _take_policies(given: dict[str, Any]) -> None:
    try:
        made = build_policies(given)
    except InputError:
        return
    assert Policies.from_json(made.to_json()) == made


def _blackouts(_longest: int) -> SearchStrategy[Any]:
    moment = texts(["2026-", "12", "-25", " ", "T", "18:00", "24:00", "99:99"], ["2026-12-24 18:00", "22:00"], 100)
    names = ("name", "description", "zone", "starts", "ends", "weekdays", "from_time", "to_time", "odd")
    return st.dictionaries(
        st.sampled_from(names), moment | st.sampled_from(["UTC", "mon,tue", "Europe/Berlin", "x"]) | st.none()
    )


def _parameters(longest: int) -> SearchStrategy[Any]:
    command = texts(
        ["${param:day}", "${param:", "}", " ", "'", '"', "$(", "echo", "-c", "sh", "python", "|", ";"],
        ["echo ${param:day}", "tar -C '${param:day}' x"],
        min(longest, 5000),
    )
    return st.tuples(
        st.lists(_SPEC | st.none(), max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=20)), command
    )


TARGETS = (
    Target("runbooks", lambda longest: texts(_MARKDOWN, ["# A\n\n- [b](https://c.example/d)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"], longest), _take_runbook, 40_000),
    Target("links", lambda longest: texts(["https://", "a", " ", "/", "@", ":", "\\", "#", "?", "%0a", "[::1]"], ["Wiki https://wiki.example/x"], longest) | values(["title", "url"], st.text(max_size=20)), _take_links, 100_000),
    Target("calendar files", lambda longest: texts(_ICAL, [_EVENT], longest), _take_ical, calendar_sources.LONGEST_FILE),
    Target("days of calendars", lambda longest: st.tuples(texts(_DAYS, ["2026-12-25 Christmas\n12-31"], longest), st.text(max_size=8)), _take_days, 1_000_000),
    Target("blackouts", _blackouts, _take_blackout, 1000),
    Target("parameters and values", _parameters, _take_parameters, 20_000),
    Target("values of lines", lambda longest: st.tuples(st.sampled_from(["0 3 * * sun|0 3 * * *", "@daily", "* * * * *"]), texts(["0 3 * * sun", "0 3 * * *", "@daily", "*", ": ", ":", "day=", "a b", "'", '"', "\\", "\n", "\u2028", " "], ["0 3 * * sun: target=live note='a b'"], min(longest, 5000)) | st.dictionaries(st.sampled_from(["*", "0 3 * * *", "@daily", "x"]), st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.booleans() | st.none()))), _take_line_values, 5000),
    Target("interpreters", lambda longest: st.tuples(texts(["/bin/", "bash", " ", "-e", "-c", "'", '"', "$(id)", "none", "../", "~", "=", "\n", "\u202e"], ["python3 -u", "none"], 600), texts(["'", '"', "\\", "echo", " ", "$", "*", ";", "\n", "#"], ["echo 'a b'"], min(longest, 5000))), _take_interpreter, 5000),
    Target("policies", lambda _longest: st.dictionaries(st.sampled_from([*Policies().to_json(), "odd"]), st.text(max_size=12) | st.integers() | st.none() | st.sampled_from(["1, 75-79, timeout", "root", "backup", "a: rows > 0"])), _take_policies, 1000),
)  # fmt: skip
