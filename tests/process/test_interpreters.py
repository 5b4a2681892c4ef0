"""Scripts of interpreters, as real processes: what they are handed, who can read it, and what is left of it."""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from tests.process.execution_bench import QUICK, Bench, make_bench
from watchbell import clock
from watchbell.domain.steps import Step
from watchbell.execution import Command, Finished, Limits, SpawnFailed
from watchbell.execution.bundle import shared_folder
from watchbell.scheduler.people import People, environment_of
from watchbell.services import triggers
from watchbell.services.streams import Stream

#: The programs of the system, which everybody may run.
PYTHON, ENVIRONMENT = "/usr/bin/python3", {"PATH": "/usr/local/bin:/usr/bin:/bin"}
LOOK = "import os, stat, sys\nfound = os.stat(sys.argv[0])\nprint(sys.argv[0], oct(stat.S_IMODE(found.st_mode)), found.st_uid)\n"


@pytest.fixture
def bench():
    with tempfile.TemporaryDirectory(prefix="watchbell-script-") as name:
        Path(name).chmod(0o755)
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        made = make_bench(home)
        yield made
        made.watcher.stop()
        made.bundles.leave()


def execute(bench: Bench, words: tuple[str, ...], script: str = "", *, run_id: str = "r1", **options) -> Finished:
    user = options.pop("user", None)
    environment = {**ENVIRONMENT, **(environment_of(user, os.environ) if user else {})}
    argv = ("/bin/sh",) if "steps" in options else words
    command = Command(argv, environment, "/", interpreter=words, script=script, user=user, **options)
    limits = Limits(time_seconds=20, has_steps="steps" in options)
    bench.watcher.launch(run_id, bench.claim(run_id), command, limits if "steps" in options else QUICK)
    return bench.wait(run_id)


def lines(finished: Finished) -> list[str]:
    return finished.stdout.data.decode().splitlines()


def test_a_script_is_a_file_of_its_user_however_long_and_goes_with_the_bundle(bench):
    done = execute(
        bench, (PYTHON, "-I", "-u"), LOOK + "print(sys.stdin.read(), len(open(sys.argv[0]).read()))\n" + "#" * 250_000
    )

    assert done.outcome.exit_code == 0, done.stderr.data
    path, mode, uid = lines(done)[0].split()
    assert (mode, uid) == ("0o600", str(os.geteuid()))
    assert int(lines(done)[1]) > 250_000
    assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
    bench.bundles.remove(bench.bundles.find("r1", 1))
    assert not Path(path).exists()


def test_what_a_shell_would_take_for_its_own_is_only_text(bench):
    done = execute(bench, ("/bin/bash", "-e", "-u"), "echo \"$(echo 'a'\\''b')\" `echo c`; false; echo never\n")

    assert (lines(done), done.outcome.exit_code) == (["a'b c"], 1)


def test_each_step_is_a_script_of_its_own(bench):
    steps = (Step("one", "print('it\\'s', 1)"), Step("two", LOOK + "raise SystemExit(3)"))
    done = execute(bench, (PYTHON, "-I"), steps=steps)

    assert lines(done)[0] == "it's 1"
    assert [(trace.number, trace.exit_code) for trace in done.traces] == [(1, 0), (2, 3)]
    bundle = bench.bundles.find("r1", 1)
    bench.bundles.remove(bundle)
    assert not list(Path(bundle.root).glob("r1.*"))


@pytest.mark.parametrize("steps", [{}, {"steps": (Step("one", "print(1)"),)}], ids=["command", "steps"])
def test_a_program_that_is_not_there_is_told_and_nothing_runs(bench, steps):
    with pytest.raises(SpawnFailed, match="the interpreter python9 was not found") as refused:
        execute(bench, ("python9", "-u"), "print(1)", **steps)

    assert refused.value.exit_code == 127


def test_a_script_of_somebody_else_is_theirs_alone(bench):
    user = People(("nobody",)).find("")
    done = execute(bench, (PYTHON, "-I"), LOOK + "os.listdir(os.path.dirname(sys.argv[0]))", user=user)

    path, mode, uid = lines(done)[0].split()
    assert (mode, uid) == ("0o600", str(pwd.getpwnam("nobody").pw_uid))
    assert b"PermissionError" in done.stderr.data
    bundle = bench.bundles.find("r1", 1)
    assert Path(path).parent == Path(shared_folder(bench.bundles.prefix))
    bench.bundles.remove(bundle)
    assert not Path(path).exists()
    bench.bundles.leave()
    assert not Path(path).parent.exists()


def test_nothing_is_handed_over_in_a_folder_of_somebody_else(bench):
    folder = Path(shared_folder(bench.bundles.prefix))
    folder.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    try:
        with pytest.raises(SpawnFailed, match="belongs to another user"):
            execute(bench, ("/bin/sh",), "true", user=People(("nobody",)).find(""))
        assert not list(folder.iterdir())
    finally:
        folder.rmdir()


def test_a_scheduler_gives_scripts_to_their_interpreters(make_lab):
    lab = make_lab()
    script = lab.add("script", "import os\nprint(os.environ['WATCHBELL_PARAM_DAY'])", interpreter="python3 -I",
                     parameters=[{"name": "day", "default": "x; $(id)"}])  # fmt: skip
    direct = lab.add("direct", "echo 'a  b' * $HOME ; id", interpreter="none")
    gone = lab.add("gone", "print(1)", interpreter="python9")
    steps = lab.add("steps", "", steps=[{"command": "printf %s\\\\n '*'"}], interpreter="none")
    runs = [triggers.run_now(lab.db, task.id, now=clock.now(), actor="t").id for task in (script, direct, gone, steps)]
    with lab.running():
        for run_id, state in zip(runs, ("succeeded", "succeeded", "failed", "succeeded"), strict=True):
            lab.wait_for_state(run_id, state)

    def told(run_id: int) -> str:
        return Stream(lab.db, lab.config.output_path, run_id, "stdout").read(0, 99).slice.data.decode()

    assert [told(runs[0]), told(runs[1]), told(runs[3])] == ["x; $(id)\n", "a  b * $HOME ; id\n", "*\n"]
    assert lab.run(runs[2])["reason"] == "the interpreter python9 was not found"
    assert not list(Path("/dev/shm").glob(f"watchbell-{os.geteuid()}-*/{runs[0]}.*.script*"))
