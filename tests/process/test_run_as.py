"""Commands as other users of the system, by real schedulers of root: what they are, what they see, and what they must not get."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest

from tests.process.execution_bench import QUICK, Bench, make_bench
from watchbell import clock
from watchbell.domain.steps import Step
from watchbell.execution import Command, Finished, Limits, SpawnFailed, shell_command
from watchbell.scheduler.people import People, environment_of
from watchbell.services import triggers
from watchbell.services.streams import Stream

MIB = 1024 * 1024
SOMEBODY = "nobody"


@pytest.fixture
def open_folder():
    """Give a folder that everybody may look into, so that what is refused is refused by the installation's own modes."""
    with tempfile.TemporaryDirectory(prefix="watchbell-as-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def bench(open_folder):
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    made = make_bench(home)
    yield made
    made.watcher.stop()


def as_somebody(bench: Bench, text: str, *, limits: Limits = QUICK, run_id: str = "r1", **options) -> Finished:
    user = People((SOMEBODY,)).find("")
    assert user is not None
    environment = {**environment_of(user, os.environ), **options.pop("environment", {})}
    directory = options.pop("directory", user.home)
    argv = options.pop("argv", shell_command(text))
    command = Command(argv, environment, directory, steps=options.pop("steps", ()), user=user)
    bench.watcher.launch(run_id, bench.claim(run_id), command, limits)
    return bench.wait(run_id)


def lines(finished: Finished) -> list[str]:
    return finished.stdout.data.decode().splitlines()


def test_a_command_of_somebody_else_has_no_right_variable_or_descriptor_of_ours(bench, monkeypatch):
    monkeypatch.setenv("ONLY_OURS", "1")
    look = "grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status; pwd; env; ls /proc/self/fd; ls -di $HOME/."
    done = as_somebody(bench, look, environment={"OWN": "a b"})
    entry = pwd.getpwnam(SOMEBODY)

    assert done.outcome.exit_code == 0, done.stderr.data
    told = [" ".join(line.split()) for line in lines(done)]
    assert f"Uid: {' '.join([str(entry.pw_uid)] * 4)}" in told
    assert f"Gid: {' '.join([str(entry.pw_gid)] * 4)}" in told
    assert {"CapInh: " + "0" * 16, "CapPrm: " + "0" * 16, "CapEff: " + "0" * 16, "CapAmb: " + "0" * 16} <= set(told)
    assert {"OWN=a b", f"USER={SOMEBODY}", f"LOGNAME={SOMEBODY}"} <= set(told)
    assert not any(line.startswith("ONLY_OURS") for line in told)
    # Standard streams, and the folder that ls looks at.
    assert [line for line in told if line.isdigit()] == ["0", "1", "2", "3"]
    assert set(os.getgrouplist(SOMEBODY, entry.pw_gid)) == {
        int(group) for line in told if line.startswith("Groups:") for group in line.split()[1:]
    }


def test_what_belongs_to_the_installation_is_out_of_its_reach_and_its_output_is_its_own(bench):
    (bench.home / "secret.key").write_text("key")
    done = as_somebody(
        bench,
        f"cat {bench.home}/secret.key; ls {bench.home}; cat /proc/{os.getpid()}/environ; kill -0 {os.getpid()};"
        " echo told >>/dev/stderr; kill -9 $PPID; echo still",
    )

    assert lines(done) == ["still"]
    assert b"key\n" not in done.stderr.data
    assert done.stderr.data.count(b"ermission denied") == 3
    assert b"told\n" in done.stderr.data


def test_nothing_of_its_environment_reaches_anything_that_still_is_root(bench, open_folder):
    # The loader of programs says in a file what it loads, and whose the file is tells who that was.
    told = open_folder / "told"
    told.mkdir()
    told.chmod(0o777)
    done = as_somebody(
        bench,
        "id -u",
        environment={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(told / "loaded")},
        limits=Limits(time_seconds=20, memory_bytes=512 * MIB, processes=100, niceness=3),
    )

    uid = pwd.getpwnam(SOMEBODY).pw_uid
    assert lines(done) == [str(uid)]
    assert {file.stat().st_uid for file in told.iterdir()} == {uid}


def test_limits_hold_and_are_set_before_it_is_somebody_else(bench):
    done = as_somebody(bench, "nice; ulimit -v", limits=Limits(time_seconds=20, niceness=-3, memory_bytes=512 * MIB))

    assert lines(done)[0] == str(max(os.getpriority(os.PRIO_PROCESS, 0) - 3, -20))
    hog = as_somebody(
        bench,
        "exec dd if=/dev/zero of=/dev/null bs=300M count=1",
        limits=Limits(time_seconds=30, memory_bytes=64 * MIB),
        run_id="hog",
    )
    assert hog.outcome.exit_code != 0 or hog.outcome.signal
    late = as_somebody(
        bench, "(trap '' TERM; sleep 60)", limits=Limits(time_seconds=1, grace_seconds=0.1), run_id="late"
    )
    assert late.outcome.timed_out


def test_steps_are_noted_where_it_cannot_write(bench):
    steps = (
        Step("one", "id -u; ls /proc/self/fd", continue_on_failure=True),
        Step("two", "for file in /proc/$PPID/fd/*; do echo end 0 >>$file; done 2>/dev/null; exit 3"),
    )
    limits = Limits(time_seconds=20, has_steps=True)
    done = as_somebody(bench, "", steps=steps, limits=limits, argv=("/bin/sh",))

    assert lines(done)[:5] == [str(pwd.getpwnam(SOMEBODY).pw_uid), "0", "1", "2", "3"]
    assert [(trace.number, trace.exit_code) for trace in done.traces] == [(1, 0), (2, 3)]
    assert done.outcome.exit_code == 3
    bundle = bench.bundles.find("r1", 1)
    bench.bundles.remove(bundle)
    assert not list(Path(bundle.root).glob("r1.*"))


def test_what_it_may_not_enter_or_run_is_told_and_nothing_runs(bench, open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    program = open_folder / "program"
    program.write_text("#!/bin/sh\necho ran\n")
    program.chmod(0o700)

    away = as_somebody(bench, "true", directory=str(closed))
    kept = as_somebody(bench, "", argv=(str(program),), run_id="r2")

    assert (away.outcome.not_started, away.outcome.exit_code) == (True, 126)
    assert away.outcome.reason == f"the working directory {closed} may not be entered"
    assert (kept.outcome.not_started, kept.outcome.reason) == (True, f"{program}: permission denied")
    program.chmod(0o755)
    program.write_text("echo without an interpreter\n")
    assert lines(as_somebody(bench, "", argv=(str(program),), run_id="r3")) == ["without an interpreter"]


def test_only_those_whom_the_settings_name_and_never_root_unless_they_say_so():
    people = People((SOMEBODY, "daemon"))
    assert People(()).find("") is None
    assert people.find("").name == SOMEBODY
    assert people.find("daemon").uid == pwd.getpwnam("daemon").pw_uid
    # Root is the scheduler's own user, for which nothing is done, and only where it is named.
    assert People(("root", SOMEBODY)).find("") is None
    for allowed, name in ((people, "root"), (People(()), SOMEBODY), (People(("no-such-user",)), "")):
        with pytest.raises(SpawnFailed) as refused:
            allowed.find(name)
        assert refused.value.exit_code == 126


def test_a_scheduler_runs_tasks_as_the_first_user_and_others_as_they_say(make_lab):
    lab = make_lab(run_as=f"{SOMEBODY},daemon:editor")
    plain = lab.add("plain", "id -un")
    named = lab.add("named", "id -un", as_user="daemon")
    other = lab.add("other", "id -un", as_user="sys")
    runs = [triggers.run_now(lab.db, task.id, now=clock.now(), actor="t").id for task in (plain, named, other)]
    with lab.running():
        lab.wait_for_state(runs[0], "succeeded")
        lab.wait_for_state(runs[1], "succeeded")
        lab.wait_for_state(runs[2], "failed")

    def told(run_id: int) -> str:
        return Stream(lab.db, lab.config.output_path, run_id, "stdout").read(0, 99).slice.data.decode()

    assert [told(run_id) for run_id in runs[:2]] == [f"{SOMEBODY}\n", "daemon\n"]
    assert "may not run as sys" in lab.run(runs[2])["reason"]
