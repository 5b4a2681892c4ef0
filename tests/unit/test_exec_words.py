"""``watchbell exec``: what a command line means, whose an option is, what reports and analyses say."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.cli import reports
from watchbell.cli.execute import execute
from watchbell.cli.main import main
from watchbell.cli.run_analysis import Wanted, describe, to_json
from watchbell.cli.runner_words import REFUSED
from watchbell.domain.analysis import anomaly, baseline
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import Recorded
from watchbell.domain.task_fields import NAME_LIMIT
from watchbell.execution import plain_argv
from watchbell.services.command_lines import read_line
from watchbell.store.samples import Measured

START = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("words", "directory", "command", "inside", "name"),
    [
        (["job.py"], None, "py job.py", "/here", "/here/job.py"),
        (["./in/job.py", "a b"], None, "py job.py 'a b'", "/here/in", "/here/in/job.py"),
        (["/x/job.py"], ".", "py /x/job.py", "/here", "/x/job.py"),
        (["-job.py"], None, "py ./-job.py", "/here", "/here/-job.py"),
        (["make", "check"], None, "make check", "/here", "make"),
        (["./build.sh"], "/w", "/here/build.sh", "/w", "/here/build.sh"),
    ],
)
def test_a_script_runs_in_its_folder_and_anything_else_here(words, directory, command, inside, name):
    line = read_line(words, here="/here", directory=directory, python="py")

    assert (line.command, line.directory, line.name) == (command, inside, name)


def test_a_path_that_is_too_long_for_a_name_is_cut_and_stays_apart_from_others():
    names = {read_line([f"/{'x' * 150}/{end}.py"], here="/", directory=None, python="py").name for end in "ab"}

    assert len(names) == 2
    assert max(map(len, names)) <= NAME_LIMIT


def test_a_long_name_with_half_a_character_is_cut_as_well():
    line = read_line([f"{'x' * 300}\ud800"], here="/", directory=None, python="py")

    assert len(line.name) <= NAME_LIMIT


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_arguments_reach_the_command_as_they_are(arguments):
    command = read_line(["/bin/program", *arguments], here="/", directory=None, python="py").command

    argv = plain_argv(command)
    assert argv is None or argv == ("/bin/program", *arguments), "None leaves it to a shell, which sees the same"


@pytest.mark.parametrize("text", ["true 'a", "echo 'a;b'", "x 'a'$HOME", "'a=b' '*'", "x  '*'"])
def test_what_only_looks_quoted_is_left_to_the_shell(text):
    assert plain_argv(text) is None


def words_of(*arguments: str) -> tuple[dict[str, object], list[str]]:
    context = click.Context(execute)
    execute.parse_args(context, list(arguments))
    return context.params, list(context.params["words"])


def test_options_behind_a_command_are_its_own():
    assert words_of("--retry", "2", "a.py", "--verbose", "-x")[1] == ["a.py", "--verbose", "-x"]
    assert words_of("a.py", "--", "--retry", "3")[1] == ["a.py", "--retry", "3"]
    assert words_of("--", "a.py", "--retry", "3")[1] == ["a.py", "--retry", "3"]


def test_options_alone_behind_a_script_are_taken_as_the_runner_took_them(capsys):
    params, words = words_of("my_script.py", "--retry", "3")

    assert (params["retry"], words) == (3, ["my_script.py"])
    assert "--retry is taken as if put before my_script.py" in capsys.readouterr().err


@pytest.mark.parametrize("rest", [["in.csv", "--retry", "3"], ["--retry", "many"], ["--timeout", "5", "--all"]])
def test_options_that_could_be_either_ones_are_refused(rest):
    if rest == ["--retry", "many"]:
        with pytest.raises(click.BadParameter):
            words_of("a.py", *rest)
        return
    with pytest.raises(click.UsageError, match="put it before"):
        words_of("a.py", *rest)


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_an_option_of_the_runner_that_is_of_no_use_is_refused_with_the_reason(option, capsys):
    assert main(["exec", option, "a.py"]) == 2
    assert REFUSED[option] in " ".join(capsys.readouterr().err.split())


TOLD = reports.Told(
    name="tests # & <all>",
    run_id=7,
    state=RunState.SUCCEEDED,
    reason="exit code 0",
    exit_code=0,
    started_at=START,
    seconds=1.5,
    metrics={"cpu_max": 12.5},
    stdout="fine\x00\x1b[31m",
    stderr="",
)


@pytest.mark.parametrize(
    ("state", "failures", "errors"),
    [
        (RunState.SUCCEEDED, "0", "0"),
        (RunState.FAILED, "1", "0"),
        (RunState.TIMED_OUT, "1", "0"),
        (RunState.LOST, "0", "1"),
    ],
)
def test_a_report_for_junit_is_xml_that_counts_rightly_whatever_was_written(state, failures, errors):
    root = ET.fromstring(reports.junit(dataclasses.replace(TOLD, state=state, reason="why <&> \x01")))

    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("failures"), suite.get("errors")) == (TOLD.name, failures, errors)
    assert suite.find("properties/property[@name='cpu_max']") is not None
    case = suite.find("testcase")
    assert case is not None
    assert (case.findtext("system-out") or "").startswith("fine")
    assert len(case) == (2 if state is RunState.SUCCEEDED else 3)


def test_a_report_in_tap_is_one_test():
    good, bad = (
        reports.tap(dataclasses.replace(TOLD, state=state, reason="it's\nbad")).decode().splitlines()
        for state in (RunState.SUCCEEDED, RunState.FAILED)
    )

    assert good[:3] == ["TAP version 13", "1..1", "ok 1 - tests \\# & <all>"]
    assert bad[2].startswith("not ok 1 - ")
    assert "  message: 'it''s bad'" in bad


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(tmp_path, capsys):
    assert main(["--home", str(tmp_path), "exec", "--junit", f"{tmp_path}/none/x.xml", "true"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def runs_of(values: list[float]) -> list[tuple[Measured, float]]:
    found = []
    for number, value in enumerate(values, 1):
        at = START + timedelta(hours=number)
        recorded = Recorded("succeeded", at, at, at, at, at + timedelta(seconds=value))
        found.append((Measured(number, 1, "task", 1, 0, recorded), value))
    return found


def test_an_analysis_tells_in_words_what_the_numbers_say():
    steady = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 60.0, 10.0]
    text = "\n".join(describe("execution_time_seconds", runs_of([*steady, *[12.0] * 5]), Wanted(), UTC_ZONE))

    assert "execution_time_seconds (s)" in text
    assert "regression  none: the last 5 runs average 12, the 10 before them 15.01 (-20.05 %" in text
    assert "run 9, 2026-11-01 11:30:00: 60" in text


def test_an_analysis_of_too_few_runs_says_so():
    text = "\n".join(describe("cpu_max", runs_of([5.0]), Wanted(), UTC_ZONE))

    assert "trend       not known of a single run" in text
    assert "regression  not known of fewer than 10 runs" in text
    assert "anomalies   not known of fewer than 3 runs" in text
    assert list(describe("rows", [], Wanted(), UTC_ZONE)) == ["rows", "  no run has a value of it"]


@pytest.mark.parametrize("method", list(baseline.Method))
@pytest.mark.parametrize("values", [[1.0], [3.0, 4.0], [1.0, 10.0, 100.0], [0.0] * 12, [1.0, 2.0] * 30])
def test_an_analysis_has_words_and_json_for_every_method_and_any_values(method, values):
    for odd in anomaly.Method:
        wanted = Wanted(base=method, method=odd, recent_since=START)
        told = to_json("cpu_max", runs_of(values), wanted)
        assert set(told) == {"metric", "data_points", "percentiles", "trend", "regression", "anomalies", "baseline"}
        assert any(line.startswith("  baseline") for line in describe("cpu_max", runs_of(values), wanted, UTC_ZONE))


@pytest.mark.parametrize("option", ["--junit", "--tap"])
def test_a_report_never_goes_to_the_output_of_the_command(tmp_path, capfd, option) -> None:
    assert main(["--home", str(tmp_path), "exec", option, "-", "true"]) == 2
    assert "standard output is the command's own" in capfd.readouterr().err
