"""Readers of small languages: commands, conditions, gates, names of secrets, and what commands write to a terminal."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.fuzzing import Target
from tests.fuzz.material import texts, values
from watchbell.domain import concealing, expressions, gates, masking, scripts, secret_names, shown_text
from watchbell.domain.expressions import ExpressionError
from watchbell.domain.job_document import command
from watchbell.domain.job_document import scripts as job_scripts
from watchbell.domain.searching import find_lines, marked, words_of
from watchbell.errors import InputError
from watchbell.execution.command import plain_argv
from watchbell.services.command_lines import read_line

_SHELL = [
    "cd ", "cd /x && ", "echo ", "a", " ", "  ", "'", '"', "\\", "\\,", ",", ";", "|", "&&", "$(", ")", "`", "$A", "${A}", "{{A}}", "{{B_C}}", "#", "sh", "-c", "bash",
    "eval", "su", "--command=", "-", "~", "*", "=", "A=b ", "\n", "\t", "python3", "./x.py", "x.py", ">", "<<", "export", "/usr/bin/env",
]  # fmt: skip
_LINES = [
    "cd /srv && ./run.sh 'a b'",
    "df,-h",
    "echo \"a\" 'b c' d",
    "sh -c 'echo {{A}}'",
    "python3 report.py --day 1",
    "tar c /home | gzip > x",
]


def _take_command(given: tuple[str, list[str]]) -> None:
    text, argv = given
    plain_argv(text)
    if not command.is_shell_line(text):
        found = command.argv_of(text)
        again = command.command_of(found)
        assert again is None or command.split(again) == found, (text, found, again)
    written = command.command_of(argv)
    assert written is None or command.split(written) == argv, (argv, written)
    job_scripts.misplaced(text)
    scripts.to_script(text)
    try:
        scripts.to_command(text, python="python3")
        line = read_line([text, *argv], here="/srv", directory=argv[0] if argv else None, python="python3")
    except InputError:
        return
    assert len(line.name) <= 255, line.name


def _commands(longest: int) -> SearchStrategy[Any]:
    word = texts(_SHELL, _LINES, longest)
    return st.tuples(word, st.lists(texts(_SHELL, _LINES, min(longest, 1000)), max_size=5))


_EXPRESSION = [
    "cpu_max", "rows", "execution_time_seconds", "exit_code", " > ", "<", "<=", "==", "!=", "=", " and ", " or ", "not ", "!", "&&", "||", "(", ")", "+", "-", "*", "/",
    "80", "0", "1e300", "1e-9", "0.1", ".", " ", "\n", "fast: ", ":", "a.b", "True", "__class__", "lambda", "NOT", "\u0661",
]  # fmt: skip
_CONDITIONS = [
    "cpu_max > 80 and execution_time_seconds > 60",
    "fast: execution_time_seconds < 60\nrows >= 1",
    "not (a / b > 1 or -c == 0)",
    "cpu_max:80",
]


def _take_expression(given: tuple[str, dict[str, float]]) -> None:
    text, numbers = given
    try:
        found = expressions.parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= max(len(text), expressions.LENGTH_LIMIT)
        assert len(str(error)) < 1000
    else:
        verdict = found.evaluate(numbers)
        assert verdict.holds is not None or verdict.why_not_told
        assert expressions.parse(found.text).steps == found.steps
    for reads_own in (True, False):
        try:
            again = gates.check(text, reads_own=reads_own)
        except InputError as error:
            assert all(len(problem.message) < 1000 for problem in error.problems)
        else:
            assert gates.check(again, reads_own=reads_own) == again
            gates.broken(again, numbers)


def _expressions(longest: int) -> SearchStrategy[Any]:
    numbers = st.floats() | st.floats(allow_nan=False, allow_infinity=False)
    names = st.sampled_from(["cpu_max", "rows", "a", "b", "c", "a.b", "exit_code"])
    return st.tuples(texts(_EXPRESSION, _CONDITIONS, longest), st.dictionaries(names, numbers, max_size=5))


_NAMES = [
    "${secret:",
    "}",
    "{",
    "$",
    "${",
    "db",
    "database-password",
    ".",
    "_",
    "é",
    "://",
    "@",
    ":",
    "user",
    "?token=",
    "&key=",
    "-----BEGIN PRIVATE KEY-----",
    "A",
    "PASSWORD",
]


def _take_secret(given: tuple[str, str, str, bytes, list[int]]) -> None:
    variable, text, secret, around, borders = given
    # As long as a name of a variable may be that gets this far.
    variable = variable[:255]
    masking.mask_all({variable: text})
    masking.is_secret_name(variable)
    names = secret_names.names_in(text)
    try:
        secret_names.check_environment([(variable, text)])
    except InputError as error:
        assert all(len(problem.message) < 1000 for problem in error.problems)
    else:
        filled = secret_names.fill({variable: text}, dict.fromkeys(names, "${secret:db}"))
        assert secret_names.is_reference(text) is (len(names) == 1 and text == secret_names.reference(names[0]))
        assert filled[variable].count(secret_names.OPENING) == text.count(secret_names.OPENING)
    try:
        secret_names.check_name(text)
        secret_names.check_value(secret)
    except InputError:
        pass  # Refusing is what it may do.
    _take_concealed(secret, around, borders)


def _take_concealed(secret: str, around: bytes, borders: list[int]) -> None:
    """Hide a secret in bytes, plain and as base64, cut anywhere: it must not be seen in what is shown."""
    try:
        secret_names.check_value(secret)
    except InputError:
        return
    plain = secret.encode()
    concealer = concealing.Concealer([secret])
    data = b"".join((around, plain, b"|", base64.b64encode(plain), b"\n", around))
    cuts = sorted({border % (len(data) + 1) for border in borders})
    parts = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    shown = b"".join(concealer.parts(parts, is_cut_before=False, is_cut_behind=False))
    assert len(shown) == len(data)
    assert plain not in shown or set(plain) <= set(b"*\r\n"), (secret, shown[:200])


def _secrets(longest: int) -> SearchStrategy[Any]:
    word = texts(
        _NAMES, ["${secret:db}", "postgres://ann:p@ss@db/x?token=abc", "${secret:a}-${secret:b}"], min(longest, 200_000)
    )
    secret = st.text(min_size=1, max_size=40) | st.sampled_from(
        ["hunter2!", "a b\nc", "ääää", "aaaa", "\U0001f514" * 4]
    )
    return st.tuples(word, word, secret, st.binary(max_size=60), st.lists(st.integers(0, 500), max_size=4))


_TERMINAL = [
    "\x1b", "\x9b", "\x1b[", "[", "31m", "1;31;4m", "38;5;", "38;2;1;2;3m", "48;5;300m", "0m", "m", ";", ":", "A", "2K", "J", "\x1b]8;;javascript:alert(1)\x07", "\x1b]52;c;", "\x1b\\", "\x07",
    "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b#8", "\r", "\n", "\r\n", "\x08", "\0", "é", "\u202e", "FAILED", "<script>", "\x1b(0", " ", "0", "?", "999999999999",
]  # fmt: skip


def _take_output(given: tuple[str, list[int]]) -> None:
    text, borders = given
    data = text.encode("utf-8", "surrogatepass")
    shown = shown_text.plain_text(data)
    assert not any(sign in shown for sign in "\x1b\x9b\0\r\x07\u202e"), repr(shown[:200])
    words = words_of(text[:200])
    list(find_lines(data, b"", words))
    assert "".join(piece for piece, _ in marked(text, words)) == text
    browser = _browser()
    if browser is not None and len(text) <= 200_000:
        _take_in_browser(browser, text, borders)


def _take_in_browser(program: subprocess.Popen[str], text: str, borders: list[int]) -> None:
    """Let the page's own reader of output take a text, cut anywhere."""
    plain = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    cuts = sorted({border % (len(plain) + 1) for border in borders})
    parts = [plain[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(plain)], strict=True)]
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(json.dumps(parts) + "\n")
    program.stdin.flush()
    found = json.loads(program.stdout.readline())
    assert not found["problem"], found
    assert found["milliseconds"] < 1000, found


@cache
def _browser() -> subprocess.Popen[str] | None:
    """Return a process that runs the page's reader of output; None where nothing runs it."""
    node = shutil.which("node")
    if node is None:
        return None
    script = Path(__file__).parent / "output.mjs"
    return subprocess.Popen([node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _outputs(longest: int) -> SearchStrategy[Any]:
    samples = [
        "\x1b[1;31mFAILED\x1b[0m\rSUCCESS\n",
        "a\x1b]8;;http://x\x1b\\link\x1b]8;;\x07b",
        "10%\r20%\r30%\ndone\n",
    ]
    return st.tuples(texts(_TERMINAL, samples, longest), st.lists(st.integers(0, 5000), max_size=4))


def _take_json(value: Any) -> None:
    masking.mask_all({str(name): inner for name, inner in value.items()})


TARGETS = (
    Target("commands", _commands, _take_command, 100_000),
    Target("conditions", _expressions, _take_expression, 100_000),
    Target("secret names", _secrets, _take_secret, 200_000),
    Target("terminal output", _outputs, _take_output, 2_000_000),
    Target(
        "masked values",
        lambda longest: st.dictionaries(st.text(), values(["PASSWORD", "KEY"], st.text())),
        _take_json,
        10_000,
    ),
)
