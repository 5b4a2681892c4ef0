"""A command does exactly what it would do in a shell of its own, whether it is given one or not."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.process.execution_bench import ENVIRONMENT, kept_bytes, make_bench
from watchbell.execution import plain_argv, runtime_root, shell_command

#: What shells are asked to do.
TEXTS = [
    "true",
    "false",
    "exit 7",
    "echo hello world",
    "echo -n a 'b  c' \"d  e\" ''",
    "printf '%s|' a b; echo",
    "ls /nonexistent",
    "no-such-program",
    "/etc/passwd",
    "cd / && pwd",
    "cd /nonexistent || echo stayed; pwd",
    "env | sort",
    "cat /etc/passwd | sort | head -n 3 | wc -l",
    "echo one > made; cat made; echo two >> made; cat < made",
    "ls /nonexistent 2>&1 | wc -l",
    "echo to-err 1>&2; echo to-out",
    "test 1 = 2 && echo yes || echo no",
    "true; false",
    "false && echo never; true;",
    "readlink /proc/self/fd/0",
    "grep -c . < /etc/hostname > /dev/null",
    "true | exit 3",
    "python3 -c 'raise SystemExit(9)'",
    "sh -c 'exit 4'",
    "echo $#; test $$ -gt 1",
    "echo `date +%Y`",
    'echo "$PATH"',
    "trap 'echo x' EXIT",
    "set -e; false; echo on",
    "(exit 3)",
    "if true; then echo a; fi",
    "exec ls /",
    "! true",
    "echo a\necho b",
    "cat <<E\nx\nE",
    "echo 'a",
    ") ; (true",
    "",
    "echo a # b",
]


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


@pytest.mark.parametrize("text", TEXTS)
def test_a_command_does_what_it_does_in_a_shell_of_its_own(bench, tmp_path, text):
    (tmp_path / "alone").mkdir()
    alone = subprocess.run(
        shell_command(text), env=ENVIRONMENT, cwd=tmp_path / "alone", capture_output=True, stdin=subprocess.DEVNULL
    )

    finished = bench.run(text)

    assert finished.outcome.exit_code == alone.returncode
    # The directories differ, and the marker is ours.
    seen = kept_bytes(finished).replace(f"WATCHBELL_RUN_TOKEN={_token(bench)}\n".encode(), b"")
    assert seen == alone.stdout.replace(b"/alone", b"")
    assert kept_bytes(finished, "stderr") == alone.stderr


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("ls -l /tmp", ("ls", "-l", "/tmp")),
        ("backup 'my files' \"to here\"", ("backup", "my files", "to here")),
        (
            "/usr/bin/python3 -m http.server --bind=127.0.0.1",
            ("/usr/bin/python3", "-m", "http.server", "--bind=127.0.0.1"),
        ),
        ("  date  ", ("date",)),
    ],
)
def test_a_plain_command_is_taken_apart_as_a_shell_would(text, argv):
    assert plain_argv(text) == argv


@pytest.mark.parametrize(
    "text",
    ["", " ", "a | b", "a > b", "$X", "a*", "~/x", "A=1 b", "cd /tmp", "echo hi", "if", "a; b", "a &", "a # b", "'", "[ a ]",
     "a\nb", "a\\ b", "{a,b}", "-x", "!x", "a?b", "`a`"],
)  # fmt: skip
def test_what_a_shell_would_treat_specially_is_left_to_a_shell(text):
    assert plain_argv(text) is None


def test_a_shell_named_without_its_folder_reports_under_that_name(bench):
    alone = subprocess.run(("sh", "-c", "no-such"), env=ENVIRONMENT, capture_output=True)

    finished = bench.run(("sh", "-c", "no-such"))

    assert kept_bytes(finished, "stderr") == alone.stderr


def _token(bench) -> str:
    return next(bench.bundles.list()).token
