"""Whatever short cut the shim takes, a command does exactly what it would do in a shell of its own."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.process.execution_bench import ENVIRONMENT, kept_bytes, make_bench
from watchbell.execution import plain_argv, runtime_root, shell_command
from watchbell.execution.shim import parse_record, prepare

#: Texts that may run in the shim's own shell.
SHARED = [
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
]
#: Texts that could see the difference.
OWN_SHELL = [
    "echo $$",
    "echo $PPID $0 $#",
    "echo `date`",
    'echo "$HOME"',
    "trap 'echo x' EXIT",
    "set -e; false; echo on",
    "sleep 1 &",
    "(exit 3)",
    "{ echo a; }",
    "if true; then echo a; fi",
    "X=1 env",
    "a() { echo; }; a",
    "exec ls",
    "eval 'echo a'",
    ". ./file",
    "times",
    "ulimit -n",
    "kill -9 0",
    "! true",
    "echo a\necho b",
    "cat <<E",
    "echo *",
    "echo ~",
    "echo a >&2",
    "echo a 2>&",
    "echo 'a",
    "| true",
    "true ||",
    "> file",
    "true && && true",
    "true ;; true",
    ") ; (true",
    "true) ; (false",
    "",
    " ",
    "echo a # b",
    "echo \\n",
    "echo 'a'\"$x\"",
    "-x",
    "time true",
]


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def shares_the_shim(text: str) -> bool:
    return prepare(shell_command(text), ENVIRONMENT, "/", "M=1", is_shell=True).arguments[0] == "/bin/sh"


@pytest.mark.parametrize("text", SHARED)
def test_a_text_in_the_shims_shell_does_what_it_does_in_its_own(bench, tmp_path, text):
    (tmp_path / "alone").mkdir()
    alone = subprocess.run(
        shell_command(text), env=ENVIRONMENT, cwd=tmp_path / "alone", capture_output=True, stdin=subprocess.DEVNULL
    )

    finished = bench.run(text)

    assert shares_the_shim(text)
    assert finished.outcome.exit_code == alone.returncode
    # The directories differ, and the marker is ours.
    seen = kept_bytes(finished).replace(f"WATCHBELL_RUN_TOKEN={_token(bench)}\n".encode(), b"")
    assert seen == alone.stdout.replace(b"/alone", b"")
    assert kept_bytes(finished, "stderr") == alone.stderr


@pytest.mark.parametrize("text", OWN_SHELL)
def test_a_text_that_could_tell_the_difference_gets_its_own_shell(text):
    assert not shares_the_shim(text)


@pytest.mark.parametrize("text", [*OWN_SHELL[:13], "echo a >&2", "cat <<E\nx\nE", "echo 'a", ") ; (true"])
def test_a_text_with_its_own_shell_does_what_it_does_alone(bench, tmp_path, text):
    if "$$" in text or "PPID" in text:
        text = "echo $#; test $$ -gt 1"
    alone = subprocess.run(
        shell_command(text), env=ENVIRONMENT, cwd=tmp_path, capture_output=True, stdin=subprocess.DEVNULL
    )

    finished = bench.run(text)

    assert finished.outcome.exit_code == alone.returncode
    assert kept_bytes(finished, "stderr") == alone.stderr
    if "env" not in text:
        assert kept_bytes(finished) == alone.stdout


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


def test_half_a_record_is_no_result():
    whole = b"4711\n0m0.01s 0m0.02s\n0m1.00s 0m2.00s\nend 5\n"

    for length in range(len(whole)):
        assert parse_record(whole[:length], 1).exit_code is None
    assert parse_record(whole, 1).exit_code == 5


def test_what_the_shell_says_about_a_death_makes_it_one():
    quiet = parse_record(b"4711\n0m0s 0m0s\n0m0s 0m0s\nend 137\n", 1)
    spoken = parse_record(b"4711\nKilled\n0m0s 0m0s\n0m0s 0m0s\nend 137\n", 1)

    assert (quiet.by_signal, spoken.by_signal) == (False, True)


def _token(bench) -> str:
    return next(bench.bundles.list()).token
