"""A command's own result: exit codes, signals, environment, output."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sys

import pytest

from tests.process.execution_bench import ENVIRONMENT, kept_bytes, make_bench
from watchbell.execution import (
    Bundles,
    SpawnFailed,
    kernel,
    runtime_root,
)
from watchbell.execution.keeping import HasFailed


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


@pytest.mark.parametrize("code", [0, 1, 3, 42, 125, 126, 127, 130, 137, 143, 255])
def test_an_exit_code_is_told_as_it_is(bench, code):
    outcome = bench.run(f"(exit {code})").outcome

    assert (outcome.exit_code, outcome.signal, outcome.lost) == (code, None, False)


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT", "HUP", "USR1"])
def test_a_death_by_signal_is_told_apart_from_an_exit_code(bench, name):
    outcome = bench.run(f"kill -{name} $$").outcome

    assert outcome.exit_code is None
    assert outcome.signal is not None
    assert f"SIG{name}" in outcome.reason
    assert ("out of memory?" in outcome.reason) == (name == "KILL")


def test_the_shells_words_about_a_death_do_not_reach_the_commands_stderr(bench):
    finished = bench.run(("sh", "-c", "printf partial >&2; kill -KILL $$"))

    assert kept_bytes(finished, "stderr") == b"partial"


def test_an_exit_code_that_looks_like_a_signal_says_so_in_words(bench):
    outcome = bench.run("sleep 0 & exit 143").outcome

    assert outcome.exit_code == 143
    assert "128+15" in outcome.reason
    assert "SIGTERM" in outcome.reason


def test_a_program_that_is_not_there_is_known_not_to_have_started(bench):
    with pytest.raises(SpawnFailed) as caught:
        bench.launch(("no-such-program", "x"))

    assert caught.value.exit_code == 127
    assert "no-such-program" in caught.value.reason


def test_a_program_that_may_not_be_executed_is_126(bench, tmp_path):
    program = tmp_path / "plain.txt"
    program.write_text("echo hi\n")
    program.chmod(0o600)

    with pytest.raises(SpawnFailed) as caught:
        bench.launch((str(program),))

    assert caught.value.exit_code == 126


@pytest.mark.parametrize(("text", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_the_shell_answers_126_and_127_for_its_own_commands(bench, text, code):
    finished = bench.run(text)

    assert finished.outcome.exit_code == code
    assert b"sh: 1:" in kept_bytes(finished, "stderr")


@pytest.mark.parametrize(
    ("directory", "code"), [("/nonexistent/place", 127), ("/etc/passwd/x", 127), ("/etc/passwd", 1), ("relative", 1)]
)
def test_a_wrong_working_directory_is_known_not_to_have_started(bench, directory, code):
    with pytest.raises(SpawnFailed) as caught:
        bench.launch("true", directory=directory)

    assert caught.value.exit_code == code
    assert directory in caught.value.reason


def test_a_command_that_is_too_long_is_known_not_to_have_started(bench):
    outcome = bench.run(("true", "x" * 3_000_000)).outcome

    assert (outcome.not_started, outcome.exit_code, outcome.lost) == (True, 1, False)
    assert "too long" in outcome.reason


def test_a_script_without_an_interpreter_is_run_by_a_shell_as_a_shell_would(bench, tmp_path):
    program = tmp_path / "plain"
    program.write_text("echo $1; exit 3\n")
    program.chmod(0o700)

    finished = bench.run((str(program), "an argument"))

    assert (finished.outcome.exit_code, kept_bytes(finished)) == (3, b"an argument\n")


def test_a_script_whose_interpreter_is_not_there_is_known_not_to_have_started(bench, tmp_path):
    program = tmp_path / "odd"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o700)

    outcome = bench.run((str(program),)).outcome

    assert (outcome.not_started, outcome.exit_code) == (True, 127)
    assert "interpreter" in outcome.reason


def test_a_nul_in_an_argument_is_known_not_to_have_started(bench):
    with pytest.raises(ValueError, match="null"):
        bench.launch(("echo", "a\0b"))
    assert len(bench.watcher) == 0


def test_an_attempt_is_never_started_twice(bench, tmp_path):
    """The second start finds the mark, and gives the result of the first."""
    effect = tmp_path / "effect"
    first = bench.run(f"echo ran >> {effect}; exit 3")
    bench.finished.clear()

    second = bench.run(f"echo ran >> {effect}; exit 4")

    assert (first.outcome.exit_code, second.outcome.exit_code) == (3, 3)
    assert effect.read_text() == "ran\n"


def test_a_command_sees_its_environment_and_the_marker_only(bench):
    environment = {**ENVIRONMENT, "WITH.DOT": "1", "IFS": "x", "MANY": "a\nb", "PWD": "/stale", "OLDPWD": "/stale"}

    bundle, _ = bench.start(("env", "-0"), environment=environment)

    seen = dict(entry.split("=", 1) for entry in kept_bytes(bench.wait()).decode().split("\0") if entry)
    marker = {"WATCHBELL_RUN_TOKEN": bundle.token}
    assert seen == {**ENVIRONMENT, "WITH.DOT": "1", "IFS": "x", "MANY": "a\nb", **marker}


def test_a_command_inherits_no_descriptor(bench):
    inheritable = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    kernel.close_inherited_descriptors_on_exec()

    finished = bench.run(("ls", "/proc/self/fd"))

    os.close(inheritable)
    # The fourth is the listing's own.
    assert kept_bytes(finished).split() == [b"0", b"1", b"2", b"3"]


def test_a_command_finds_every_signal_unblocked_and_at_its_default(bench):
    finished = bench.run(("grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"))

    blocked, ignored = (int(line.split()[1], 16) for line in kept_bytes(finished).splitlines())
    # The C library ignores its two internal signals (32 and 33) in whatever it spawns.
    assert (blocked, ignored & ~0x180000000) == (0, 0)


def test_the_command_runs_in_its_directory_and_reads_nothing(bench, tmp_path):
    finished = bench.run(("sh", "-c", "pwd; cat"))

    assert kept_bytes(finished).decode() == f"{tmp_path}\n"


def test_arguments_arrive_unchanged(bench):
    arguments = ("a b", "", "$HOME", "*", "'", '"', "\\", "-n", "é", "new\nline")

    finished = bench.run(("printf", "%s\\0", *arguments))

    assert kept_bytes(finished).decode().split("\0")[:-1] == list(arguments)


def test_a_program_named_like_a_builtin_is_the_program(bench, tmp_path):
    program = tmp_path / "exit"
    program.write_text("#!/bin/sh\necho the program $0\n")
    program.chmod(0o700)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    finished = bench.run(("exit", "5"), environment=environment)

    assert finished.outcome.exit_code == 0
    assert kept_bytes(finished).startswith(b"the program")


def test_usage_covers_the_whole_tree(bench):
    usage = bench.run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; ls / >/dev/null").usage

    assert usage.user_seconds > 0.01
    assert usage.minor_faults > 0


def test_a_small_command_is_not_charged_with_the_memory_of_its_starter(bench):
    usage = bench.run("sh -c 'exit 0'").usage

    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert usage.max_rss_kib is None or usage.max_rss_kib < ours / 2


def test_a_peak_of_memory_is_seen_even_between_samples(bench):
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wanted = ours * 1024 + 100 * 1024 * 1024

    usage = bench.run((sys.executable, "-c", f"x = b'x' * {wanted}")).usage

    assert usage.max_rss_kib > wanted / 1024


def test_a_longer_run_is_sampled(bench):
    finished = bench.run("sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'; sleep 0.3")

    elapsed, percents, sizes, processes = zip(*finished.series, strict=True)
    assert elapsed == tuple(sorted(elapsed))
    assert max(percents) > 20
    assert min(sizes) > 100_000
    assert set(processes) <= {1, 2}


def test_a_relative_result_of_many_runs_is_complete(bench):
    keys = [f"m{number}" for number in range(60)]
    for number, key in enumerate(keys):
        bench.start(f"echo {number}; exit {number % 7}", run_id=key)

    results = {key: bench.wait(key) for key in keys}

    assert [results[key].outcome.exit_code for key in keys] == [number % 7 for number in range(60)]
    assert [kept_bytes(results[key]) for key in keys] == [f"{number}\n".encode() for number in range(60)]


def test_a_bundle_of_an_untrusted_folder_is_not_used(tmp_path):
    stranger = tmp_path / "stranger"
    (tmp_path / "elsewhere").mkdir()
    stranger.symlink_to(tmp_path / "elsewhere")
    bundles = Bundles(stranger, tmp_path / "active", 1 << 20)
    bundles.prepare()

    bundle = bundles.claim("r1", 1)

    assert not bundle.on_tmpfs
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert oct((tmp_path / "active").stat().st_mode)[-3:] == "700"


def test_bundles_go_to_disk_when_the_bound_of_tmpfs_is_reached(bench):
    first = bench.claim("a")
    bench.bundles.charge(first, 1 << 30)

    second = bench.claim("b")
    bench.bundles.remove(first)
    third = bench.claim("c")

    assert [bundle.on_tmpfs for bundle in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize(
    ("step", "number", "has_no_room"),
    [
        ("mark", errno.ENOSPC, True),
        ("spawn", errno.ENOSPC, True),
        ("spawn", errno.EDQUOT, True),
        ("mark", errno.ENOENT, True),
        ("spawn", errno.ENOENT, False),
        ("spawn", errno.EACCES, False),
    ],
)
def test_a_folder_without_room_for_any_of_the_files_is_told_from_a_command_that_is_not_there(step, number, has_no_room):
    assert HasFailed(1, step, number).has_no_room is has_no_room


def test_what_is_too_long_for_any_system_costs_the_keeper_nothing(bench):
    keeper = bench.watcher._kept[0].keeper
    much = {f"V{number}": "\u00e4" * 32_000 for number in range(150)}

    with pytest.raises(ValueError, match="too long"):
        bench.launch("true", environment=ENVIRONMENT | much)

    assert bench.run("exit 3", run_id="r2").outcome.exit_code == 3
    assert bench.watcher._kept[0].keeper == keeper
