"""Quick commands load little, and tables on a terminal are as wide as it is."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.process.programs import environment_of
from watchbell import clock
from watchbell.services import triggers

LIBRARIES = ("sqlalchemy", "alembic", "flask", "apscheduler", "rich.table", "yaml")


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (("--help",), {}),
        (("task", "list"), {}),
        (("task", "list", "--json", "--enabled"), {}),
        (("list", "--all"), {}),
        (("task", "--help"), {}),
        (("crontab", "export", "--help"), {}),
        ((), {"_WATCHBELL_COMPLETE": "bash_complete", "COMP_WORDS": "watchbell task show b", "COMP_CWORD": "3"}),
    ],
    ids=["help", "list", "json", "jobs", "group", "crontab", "tab key"],
)
def test_a_quick_command_loads_no_library_that_it_does_not_need(lab, arguments, more):
    lab.add("backup", "true")
    command = [sys.executable, "-X", "importtime", "-m", "watchbell", *arguments]

    done = subprocess.run(
        command, env=environment_of(lab.home, **more), capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip

    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert {name for name in loaded if name.startswith(LIBRARIES)} == set()
    assert "backup" in done.stdout or "--help" in arguments


def on_terminal(lab, *arguments, columns=80, **more):
    """Return what a command prints on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = environment_of(lab.home, **{"TERM": "xterm-256color", "WATCHBELL_PORT": "0", **more})
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "watchbell", *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            # The other end is closed: whoever wrote has ended.
            break
        if not part:
            break
        seen += part
    os.close(master)
    process.wait(30)
    return seen.decode().replace("\r\n", "\n")


def test_a_table_on_a_terminal_is_drawn_as_wide_as_it_is(lab):
    lab.add("backup", "true", cron="30 2 * * *", tags=["daily"])
    lab.add("a name of many words that goes on", "true", cron="0 1 * * *\n0 2 * * *\n0 3 * * *")

    for columns in (70, 90, 200):
        shown = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(lab, "task", "list", columns=columns, NO_COLOR="1"))
        assert "─" in shown
        assert max(map(len, shown.splitlines())) <= columns
        assert "backup" in shown
        assert shown.lstrip("\n").startswith("ID ")
        assert ("…" in shown) == (columns < 200)


def test_the_id_of_a_run_is_whole_however_narrow_the_terminal_is(lab):
    lab.add("a name of many words that goes on", "true")
    triggered = [str(triggers.run_now(lab.db, 1, now=clock.now(), actor="somebody").id) for _ in range(10)]

    for columns in (80, 40):
        shown = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(lab, "runs", "list", columns=columns))
        assert [line.split()[0] for line in shown.splitlines()[2:12]] == triggered[::-1]


def test_colours_are_for_terminals_and_only_without_no_color(lab):
    lab.add("backup", "true")
    coloured = on_terminal(lab, "doctor", "--all")
    plain = on_terminal(lab, "doctor", "--all", NO_COLOR="1")
    piped = subprocess.run(
        [sys.executable, "-m", "watchbell", "doctor", "--all"], env=environment_of(lab.home), capture_output=True, text=True
    )  # fmt: skip

    assert "\x1b[3" in coloured
    assert "\x1b[3" not in plain
    assert "\x1b" not in piped.stdout


def test_what_a_person_wrote_is_no_markup(lab):
    lab.add("[red]x[/red]", "true")

    shown = on_terminal(lab, "task", "list", columns=120)

    assert "[red]x[/red]" in shown


def test_a_full_disk_behind_the_output_is_told_in_one_line(lab):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "watchbell", "export"], env=environment_of(lab.home), stdout=full, stderr=subprocess.PIPE, text=True
        )  # fmt: skip

    assert (done.returncode, done.stderr) == (
        1,
        "watchbell: error: the output could not be written: No space left on device\n",
    )
