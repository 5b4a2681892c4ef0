"""Completion in the shells themselves: each is started on a terminal, and the tab key pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys

import pytest

from tests.process.programs import environment_of, watchbell
from tests.waiting import wait_until

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(watchbell completion bash 2>/dev/null)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -U compinit; compinit -u -D; eval "$(watchbell completion zsh 2>/dev/null)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "watchbell completion fish 2>/dev/null | source"),
}


class Terminal:
    """A shell that believes that a person sits before it."""

    def __init__(self, command, environment):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self._seen = ""

    def type(self, text):
        os.write(self._master, text.encode())

    def wait_for(self, pattern):
        def look():
            while select.select([self._master], [], [], 0)[0]:
                self._seen += os.read(self._master, 65536).decode(errors="replace")
            return re.search(pattern, self._seen)

        found = wait_until(look, 40, f"{pattern!r} in {self._seen[-500:]!r}")
        self._seen = self._seen[found.end() :]
        return found

    def close(self):
        self._process.kill()
        self._process.wait(10)
        os.close(self._master)


@pytest.fixture
def environment(lab, tmp_path):
    """Give a program of that name, as an installation has it, and a home without settings of a person."""
    program = tmp_path / "bin" / "watchbell"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m watchbell "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return environment_of(lab.home, PATH=path, HOME=str(tmp_path), TERM="dumb", LC_ALL="C.UTF-8", PS1="$ ")


def installed(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tab_key_completes_commands_and_names_of_tasks(lab, environment, shell):
    installed(shell)
    lab.add("backup-of-everything", "true")
    command, setup = SHELLS[shell]
    terminal = Terminal(command, environment)
    try:
        terminal.type(f"{setup}; echo rea''dy\n")
        terminal.wait_for("ready\r")
        terminal.type("watchbell task sho\t")
        terminal.wait_for("show ")
        terminal.type("backup-of\t")
        terminal.wait_for("-of-everything")
    finally:
        terminal.close()


def test_fish_completes_commands_and_names_of_tasks(lab, environment):
    installed("fish")
    lab.add("backup-of-everything", "true")

    def complete(line):
        script = f"{SHELLS['fish'][1]}; complete -C '{line}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return [found.split("\t")[0] for found in done.stdout.splitlines()]

    assert complete("watchbell task sho") == ["show"]
    assert complete("watchbell task show back") == ["backup-of-everything"]
    assert {"export", "edit", "enable"} <= set(complete("watchbell e"))


def test_a_hostile_name_is_quoted_before_bash_gets_it(lab, environment, tmp_path):
    evil = f"x$(touch {tmp_path}/obeyed);a b"
    lab.add(evil, "true")
    script = (
        f"{SHELLS['bash'][1]}; COMP_WORDS=(watchbell task show x); COMP_CWORD=3; _watchbell_completion watchbell\n"
        'eval "set -- ${COMPREPLY[0]}"; printf %s "$1"'
    )

    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == evil
    assert not (tmp_path / "obeyed").exists()


def test_without_data_or_with_broken_settings_nothing_is_said(environment, tmp_path):
    for settings in ({"WATCHBELL_HOME": str(tmp_path / "nowhere")}, {"WATCHBELL_PORT": "many"}):
        asked = {"_WATCHBELL_COMPLETE": "bash_complete", "COMP_WORDS": "watchbell task show x", "COMP_CWORD": "3"}
        done = subprocess.run(
            ["watchbell"], env={**environment, **settings, **asked}, capture_output=True, text=True, timeout=60
        )  # fmt: skip

        assert (done.stdout.strip(), done.stderr) == ("", "")
    assert not (tmp_path / "nowhere").exists()


def test_the_script_goes_to_standard_output_and_the_instructions_beside_it(lab):
    for shell in SHELLS:
        done = watchbell(lab.home, "completion", shell)

        assert done.returncode == 0
        assert "watchbell" in done.stdout
        assert done.stderr.startswith("watchbell: to use it: ")
