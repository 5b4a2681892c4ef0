"""The steps of a job as an agent does them, with real commands."""

from __future__ import annotations

import base64
import os
import pwd
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until
from watchbell.agent import steps
from watchbell.agent.steps import Done, Output
from watchbell.domain import job_document


def command(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "runCommand", "input": {"command": text}, **more}


def do(
    folder: Path, *given: dict[str, Any], seconds: float = 60, stop: threading.Event | None = None, **more: Any
) -> Done:
    secrets = more.pop("secrets", None)
    document = job_document.read({"version": "1.0", "steps": list(given), **more}, is_filled=True)
    stop = stop or threading.Event()
    return steps.run(document, handlers=folder, seconds=seconds, stop=stop, secrets=secrets)


def test_steps_are_done_one_after_the_other_and_what_they_say_is_told_by_step(tmp_path: Path) -> None:
    done = do(tmp_path, command("echo,one, two", name="a"), command("echo three >&2", name="b"))

    assert (done.succeeded, done.exit_code, done.executed_steps, done.failed_step) == (True, 0, 2, None)
    assert (done.stdout, done.stderr) == ("== a\none two\n", "== b\nthree\n")


def test_what_a_step_is_not_to_send_is_in_no_report(tmp_path: Path) -> None:
    quiet = command("echo secret; echo told >&2", name="a", includeStdOut=False)
    done = do(tmp_path, quiet, command("echo,one", name="b"))
    assert (done.stdout, done.stderr) == ("== b\none\n", "== a\ntold\n")
    assert do(tmp_path, command("echo,one"), includeStdOut=False).stdout == ""


def test_the_first_failure_ends_it_and_the_final_step_is_not_done(tmp_path: Path) -> None:
    done = do(tmp_path, command("sh,-c,exit 3", name="bad"), command("echo,no"), finalStep=command("echo,final"))

    assert (done.succeeded, done.exit_code, done.executed_steps, done.failed_step) == (False, 3, 1, "bad")
    assert (done.reason, done.stdout) == ("bad: exit code 3", "")


def test_a_failure_that_is_ignored_ends_nothing(tmp_path: Path) -> None:
    done = do(
        tmp_path, command("false", ignoreStepFailure=True), command("echo,on"), finalStep=command("echo,last", name="f")
    )

    assert (done.succeeded, done.exit_code, done.executed_steps) == (True, 0, 3)
    assert "== f\nlast" in done.stdout


@pytest.mark.parametrize(
    ("step", "code", "reason"),
    [
        (command("no-such-program-anywhere"), 127, "could not be started"),
        (command("sh,-c,kill -9 $$"), 137, "exit code 137"),
        (command("echo a >&2; echo b >&2", allowStdErr=1), 1, "2 line(s) on its standard error, and 1 allowed"),
        ({"type": "runHandler", "input": {"handler": "missing"}}, 127, "could not be started"),
    ],
)
def test_what_fails_says_why(tmp_path: Path, step: dict[str, Any], code: int, reason: str) -> None:
    done = do(tmp_path, step)

    assert (done.succeeded, done.exit_code) == (False, code)
    assert reason in done.reason


def test_lines_on_the_standard_error_are_no_failure_unless_they_are_counted(tmp_path: Path) -> None:
    assert do(tmp_path, command("echo a >&2")).succeeded
    assert do(tmp_path, command("echo a >&2", allowStdErr=1)).succeeded


def test_a_step_whose_time_is_over_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    done = do(
        tmp_path, command(f"sleep 600 & echo $! > {mark}; echo begun; wait", timeoutSeconds=1), command("echo,no")
    )

    assert (done.succeeded, done.executed_steps, done.stdout) == (False, 1, "begun\n")
    assert done.reason.endswith("its time was over")
    child = Path(f"/proc/{int(mark.read_text())}/stat")
    wait_until(lambda: not child.exists() or child.read_text().split()[2] == "Z", 20, "the end of the child")


def test_the_time_of_the_whole_ends_a_step_even_if_its_failure_is_ignored(tmp_path: Path) -> None:
    done = do(tmp_path, command("sleep,600", ignoreStepFailure=True), command("echo,no"), seconds=0.5)

    assert (done.succeeded, done.executed_steps) == (False, 1)


def test_a_job_that_nobody_wants_any_more_is_ended(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()

    done = do(tmp_path, command("sleep,600"), command("echo,no"), stop=stop)

    assert (done.succeeded, done.reason) == (False, "step 1: cancelled")


def test_a_handler_gets_its_user_first_and_then_its_arguments_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "show"
    script.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    script.chmod(0o700)

    done = do(tmp_path, {"type": "runHandler", "input": {"handler": "show", "args": ["a b", "$(id)", ""]}})

    assert done.stdout == "[][a b][$(id)][]"


def test_of_a_long_output_the_beginning_and_the_end_are_kept(tmp_path: Path) -> None:
    done = do(tmp_path, command("echo begin; head -c 3000000 /dev/zero | tr '\\0' x; echo end"))

    assert done.stdout.startswith("begin\nxxx")
    assert done.stdout.endswith("xxxend\n")
    assert len(done.stdout) < steps.OUTPUT_LIMIT + 100
    assert "bytes were not kept" in done.stdout


def test_an_output_counts_what_it_drops() -> None:
    output = Output()
    for _ in range(5):
        output.add(b"x" * steps.OUTPUT_LIMIT)

    assert f"[{4 * steps.OUTPUT_LIMIT} bytes were not kept]" in output.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_executes_a_handler_that_only_the_agent_can_reach(tmp_path: Path) -> None:
    folder = tmp_path / "handlers"
    folder.mkdir(mode=0o700)
    (folder / "who").write_text("#!/bin/sh\nid -un\necho $1 $2\n")
    (folder / "who").chmod(0o700)
    step = {"type": "runHandler", "input": {"handler": "who", "args": ["x"]}, "runAsUser": "nobody"}
    before = set(Path(tempfile.gettempdir()).glob("watchbell-handler-*"))

    done = do(folder, step)

    assert (done.exit_code, done.stdout) == (0, "nobody\nnobody x\n"), done.stderr
    assert set(Path(tempfile.gettempdir()).glob("watchbell-handler-*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_has_nothing_of_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever started the agent, as sudo or a shell says it, is not the user of a step.
    monkeypatch.setenv("LOGNAME", "nobody")
    monkeypatch.setenv("SUDO_USER", "somebody")
    monkeypatch.setenv("KEPT", "yes")
    groups = os.getgroups()
    os.setgroups([0, 4, 24])
    try:
        told = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SUDO_USER $KEPT; head -c 1 /etc/shadow || echo no"
        done = do(tmp_path, command(told, runAsUser="nobody"))
    finally:
        os.setgroups(groups)

    nobody = pwd.getpwnam("nobody")
    own = " ".join(map(str, dict.fromkeys([nobody.pw_gid, *os.getgrouplist("nobody", nobody.pw_gid)])))
    assert done.stdout.splitlines() == [
        *(str(nobody.pw_uid), str(nobody.pw_gid), own),
        *(f"{nobody.pw_dir} nobody nobody yes", "no"),
    ], done.stderr


def test_a_user_who_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "who").write_text("#!/bin/sh\n")
    step = {"type": "runHandler", "input": {"handler": "who"}, "runAsUser": "nobody-of-this-name"}

    assert do(tmp_path, step).exit_code != 0


SECRET = "correct horse battery staple"
NAMED = {"TOKEN": "Bearer ${secret:db}", "PLAIN": "as it is"}


def test_a_step_has_its_variables_and_no_other_step_and_no_argument_has_them(tmp_path: Path) -> None:
    look = f"echo $PLAIN; printenv TOKEN > {tmp_path}/token; tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/argv"
    done = do(tmp_path, command(look, environment=NAMED), command("echo ${TOKEN-none}"), secrets={"db": SECRET})

    assert done.stdout == "== step 1\nas it is\n\n== step 2\nnone\n"
    assert (tmp_path / "token").read_text() == f"Bearer {SECRET}\n"
    assert SECRET not in (tmp_path / "argv").read_text()


def test_what_a_step_says_of_a_secret_is_masked_also_in_base64_and_at_the_edges_of_what_is_kept(tmp_path: Path) -> None:
    # It lies across the end of what is kept of the beginning, and of the end.
    fill = "head -c $1 /dev/zero | tr '\\0' x"
    half = steps.OUTPUT_LIMIT // 2
    script = tmp_path / "say"
    script.write_text(
        f'#!/bin/sh\nset -- {half - 9}\n{fill}\nprintf %s "$S"\nset -- 70000\n{fill}\nprintf %s "$S"\nset -- {half - 9}\n{fill}\n'
        'printf %s "user:$S" | base64 >&2\nprintf %s "$S" | cut -c1-20 | tr -d "\\n" >&2; kill -9 $$\n'
    )
    script.chmod(0o700)
    handler = {"type": "runHandler", "input": {"handler": "say"}, "environment": {"S": "${secret:db}"}}

    done = do(tmp_path, handler, secrets={"db": SECRET})

    head, _gap, tail = done.stdout.partition("\n[")
    assert head == "x" * (half - 9) + "*" * 9
    assert tail.endswith("]\n" + "*" * 9 + "x" * (half - 9))
    assert "horse" not in done.stderr
    assert base64.b64encode(SECRET.encode())[4:-4].decode() not in done.stderr
    assert done.stderr.endswith("*" * 20)


def test_a_step_whose_secret_was_not_given_is_not_begun(tmp_path: Path) -> None:
    done = do(tmp_path, command("touch,x", environment=NAMED))

    assert (done.exit_code, done.reason) == (
        127,
        "step 1: could not be started: the server has not given the secret db",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_has_the_variables_of_the_step_too(tmp_path: Path) -> None:
    done = do(tmp_path, command("id -un; echo $PLAIN", runAsUser="nobody", environment={"PLAIN": "seen"}))

    assert done.stdout == "nobody\nseen\n", done.stderr
