"""``watchbell crontab`` as a person uses it, with a program that stands for cron's own."""

from __future__ import annotations

import os

import pytest

from tests.database import add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell import errors

# ruff: noqa: F811

CRONTAB = "# nightly dump\n30 2 * * * /usr/local/bin/dump\n@reboot start\nMAILTO=ann\n0 9 * * 1 make report\n"


@pytest.fixture
def cron(tmp_path, monkeypatch):
    """Put a crontab program before all others; what it prints and how it ends is in a file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n. {tmp_path}/answer\n')
    program.chmod(0o755)
    (tmp_path / "crontab").write_text(CRONTAB)
    (tmp_path / "answer").write_text(f"cat {tmp_path}/crontab\n")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def names(shell):
    return [task["name"] for task in shell("task", "list", "--json").json()]


def test_a_preview_shows_sentences_moments_and_what_cannot_be(shell, cron):
    shown = shell("crontab", "preview").out

    assert "task dump: At 02:30 every day, UTC" in shown
    assert shown.count("02:30:00") == 3
    assert "cannot be carried over: @reboot is not a time" in shown
    assert "MAILTO is left out" in shown
    assert (cron / "asked").read_text() == "-l\n"


def test_a_preview_needs_no_data_and_makes_none(shell, cron, tmp_path):
    done = shell("--home", str(tmp_path / "nowhere"), "crontab", "preview", "--user", "bob", "--json")

    (told,) = done.json()
    assert [job["name"] for job in told["jobs"]] == ["dump", "start", "make"]
    assert told["jobs"][0]["lines"] == [2]
    assert len(told["jobs"][0]["moments"]) == 3
    assert (cron / "asked").read_text() == "-u bob -l\n"
    assert not (tmp_path / "nowhere").exists()


def test_an_import_asks_and_makes_nothing_where_nobody_answers(shell, cron, typed):
    typed("")

    done = shell("crontab", "import")

    assert done.code == errors.EXIT_USAGE
    assert "--yes" in done.err
    assert "+ add    dump" in done.out
    assert names(shell) == []


def test_lines_that_follow_each_other_are_told_as_a_span(shell, cron):
    (cron / "crontab").write_text("# nightly\n1 1 * * * one\n2 1 * * * two\n3 1 * * * three\n\n4 1 * * * four\n")

    assert "line 2-4, 6: crontab -e" in shell("crontab", "import", "--yes").out


def test_an_import_makes_the_tasks_leaves_the_crontab_and_says_what_to_do(shell, cron):
    done = shell("crontab", "import", "--yes", "--tag", "cron", "--tag", "old")

    assert done.code == 0
    assert names(shell) == ["dump", "make"]
    dump = shell("task", "show", "dump", "--json").json()
    assert (dump["comment"], dump["tags"], dump["enabled"]) == ("nightly dump", ["cron", "old"], True)
    assert "line 2, 5: crontab -e" in done.out
    assert "line 3 is left out: @reboot" in done.err
    assert (cron / "crontab").read_text() == CRONTAB
    assert (cron / "asked").read_text() == "-l\n"


def test_a_second_import_makes_nothing_again(shell, cron):
    shell("crontab", "import", "--yes", "--disabled")
    again = shell("crontab", "import", "--yes")

    assert "line 2 is task dump already" in again.err
    assert again.out == "nothing to do.\n"
    assert [task["enabled"] for task in shell("task", "list", "--json").json()] == [False, False]


def test_a_name_that_is_taken_gets_a_number(shell, cron, db):
    add_task(db, "dump", command="mine")

    shell("crontab", "import", "--yes")

    assert names(shell) == ["dump", "dump-2", "make"]


def test_a_dry_run_of_an_import_makes_nothing(shell, cron):
    assert "2 to add" in shell("crontab", "import", "--dry-run").out
    assert names(shell) == []


def test_lines_of_others_are_taken_over_only_on_purpose(shell, tmp_path):
    file = tmp_path / "system"
    file.write_text("0 1 * * * ann mine\n0 2 * * * www-data theirs\n")

    done = shell("crontab", "import", "--system", str(file), "--yes")
    assert names(shell) == ["mine"]
    assert "runs as www-data" in done.err
    shell("crontab", "import", "--system", str(file), "--yes", "--all-users")
    assert names(shell) == ["mine", "theirs"]


def test_a_crontab_comes_from_standard_input(shell, typed):
    typed("@daily x\n")

    assert shell("crontab", "import", "-", "--yes").code == 0
    assert names(shell) == ["x"]


def test_a_line_that_no_task_can_be_is_told_and_the_others_are_made(shell, tmp_path):
    file = tmp_path / "mine"
    file.write_text("@daily " + "x" * 39_000 + "\n@daily fine\n")

    done = shell("crontab", "import", str(file), "--yes")

    assert names(shell) == ["fine"]
    assert "line 1 is left out: command: must be at most" in done.err


@pytest.mark.parametrize(
    ("answer", "says"),
    [("echo 'no crontab for ann' >&2; exit 1", "no crontab for ann"), ("exit 1", "it failed")],
)
def test_a_crontab_that_is_not_there_is_told_in_one_line(shell, cron, answer, says):
    (cron / "answer").write_text(answer)

    done = shell("crontab", "preview")

    assert done.code == errors.EXIT_FAILURE
    assert says in done.err
    assert done.err.count("\n") == 1


def test_a_machine_without_cron_is_told(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    done = shell("crontab", "preview")

    assert done.code == errors.EXIT_FAILURE
    assert "there is no cron here" in done.err


@pytest.mark.parametrize("options", [("--system", "--user", "x"), ("--user", "x", "file"), ("/no/such",)])
def test_a_wrong_call_is_refused(shell, options):
    assert shell("crontab", "preview", *options).code == errors.EXIT_USAGE


def test_an_export_says_on_standard_error_what_cron_cannot_do(shell, db):
    add_task(db, "nightly", command="date +%F", cron="30 2 * * *", retries=3, comment="why")
    add_task(db, "often", every="5m")

    done = shell("crontab", "export")

    assert "\n# why\n" in done.out
    assert r"30 2 * * * date +\%F" in done.out
    assert "left out often" in done.err
    assert "nightly: cron does not know retries" in done.err


def test_an_export_for_the_system_names_the_user(shell, db, tmp_path):
    add_task(db, "nightly", cron="30 2 * * *")

    shell("crontab", "export", "nightly", "--system", "root", "-o", str(tmp_path / "out"))

    assert (tmp_path / "out").read_text().endswith("\n30 2 * * * root true\n")
    assert shell("crontab", "export", "--system", "root x").code == errors.EXIT_USAGE


def test_what_was_exported_is_there_already_when_it_is_imported(shell, db, tmp_path):
    add_task(db, "nightly", cron="30 2 * * *", tags=["a"], retries=2)
    shell("crontab", "export", "-o", str(tmp_path / "out"))

    assert shell("crontab", "import", str(tmp_path / "out"), "--yes").out == "= keep   nightly\n1 to leave.\n"
    shell("task", "delete", "nightly", "--yes")
    shell("crontab", "import", str(tmp_path / "out"), "--yes")
    assert shell("task", "show", "nightly", "--json").json()["policies"]["retries"] == 2
