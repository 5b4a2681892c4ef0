"""Limits on memory, processes and priority hold for real processes, by control group where one can be made, else by rlimit."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import uuid

import pytest

from tests.process.execution_bench import ENVIRONMENT, is_alive
from tests.waiting import wait_until
from watchbell.execution import Limits, cgroups, limits

MIB = 1024 * 1024
HOG = f"{sys.executable} -c 'data = bytearray(300 << 20); print(len(data))'"
#: Ten helpers at once, and the sleeps are external commands.
CROWD = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3 & done; wait"


@pytest.fixture
def token():
    """Return the token of an attempt; nothing of its group is left with the test."""
    made = f"{uuid.uuid4().hex[:12]}.7.1"
    yield made
    group = cgroups.find(made)
    if group is not None:
        cgroups.kill(group)
        assert group.remove()


@pytest.fixture
def no_groups(monkeypatch):
    """Make this a machine on which no groups can be made, as in most containers."""
    monkeypatch.setattr(cgroups, "_find_hierarchies", lambda: ())
    cgroups._ready_hierarchies.cache_clear()
    yield
    cgroups._ready_hierarchies.cache_clear()


def run(text: str, bounds: Limits, token: str) -> subprocess.CompletedProcess[str]:
    argv = limits.wrap(("/bin/sh", "-c", text), ENVIRONMENT, bounds, token)
    return subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


def test_without_limits_nothing_is_wrapped_and_no_group_is_made(token):
    argv = ("sleep", "1")

    assert limits.wrap(argv, {"odd.name": "1"}, Limits(time_seconds=5, output_bytes=1), token) is argv

    assert cgroups.find(token) is None


def test_a_process_limit_holds_for_all_processes_of_a_run(token):
    done = run(CROWD, Limits(processes=5), token)

    group = cgroups.find(token)
    if cgroups.PIDS in cgroups.controllers():
        assert done.returncode != 0
        assert limits.explain(Limits(processes=5), group) == "process limit of 5 reached"
    else:
        print("No control group for processes can be made here:", limits.describe_limits())
        assert group is None or cgroups.MEMORY in cgroups.controllers()
        assert (done.returncode == 0) == (os.geteuid() == 0)


def test_what_stays_within_its_limits_is_not_blamed(token):
    bounds = Limits(processes=30, memory_bytes=512 * MIB)

    done = run(CROWD, bounds, token)

    assert done.returncode == 0
    assert limits.explain(bounds, cgroups.find(token)) == ""


def test_a_memory_limit_ends_what_takes_more(token):
    bounds = Limits(memory_bytes=100 * MIB)

    done = run(HOG, bounds, token)

    assert done.returncode != 0
    assert done.stdout == ""
    if cgroups.MEMORY in cgroups.controllers():
        assert limits.explain(bounds, cgroups.find(token)) == "memory limit of 100 MiB reached"
    else:
        print("No control group for memory can be made here:", limits.describe_limits())
        assert "MemoryError" in done.stderr
        assert "memory limit of 100 MiB for each process" in limits.remark(bounds, cgroups.find(token))


def test_without_groups_memory_is_bounded_by_rlimit(no_groups, token):
    done = run(f"ulimit -v; {HOG}", Limits(memory_bytes=100 * MIB), token)

    assert done.stdout == f"{100 * 1024}\n"
    assert "MemoryError" in done.stderr
    assert cgroups.find(token) is None


def test_without_groups_the_bound_on_processes_lies_above_what_the_user_has(no_groups, token, monkeypatch):
    """Root is not bound by it, so it is the number that is looked at."""
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    text = "ulimit -u 2>/dev/null || ulimit -p"

    most = int(run(text, Limits(processes=40), token).stdout.split()[-1])

    assert most == 40 + limits._count_processes(os.geteuid())


def test_niceness_is_added_to_our_own(token):
    ours = os.getpriority(os.PRIO_PROCESS, 0)

    assert int(run("nice", Limits(niceness=7), token).stdout) == min(ours + 7, 19)
    assert int(run("nice", Limits(niceness=7, memory_bytes=900 * MIB), token).stdout) == min(ours + 7, 19)


def test_a_negative_niceness_without_the_right_is_refused_before_anything_runs():
    code = (
        "from watchbell.execution import Limits, limits\n"
        "try: limits.wrap(('true',), {}, Limits(niceness=-5), 'a.1.1'); print('allowed')\n"
        "except limits.CannotLimit as error: print(error)"
    )
    command = [sys.executable, "-c", code]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-sys_nice", *command]

    done = subprocess.run(
        command, capture_output=True, text=True, check=True, preexec_fn=_give_up_niceness, env={**os.environ}
    )

    assert done.stdout == "a niceness of -5 needs a right that the scheduler's user does not have\n"


def test_variables_with_names_that_shells_drop_reach_the_command(token):
    environment = {"A": "1", "odd.name": "two words", "IFS": "x", "LC_ALL": "C"}
    command = (sys.executable, "-c", "import os; print(sorted(os.environ.items()))")
    argv = limits.wrap(command, environment, Limits(memory_bytes=900 * MIB), token)

    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "[('A', '1'), ('IFS', 'x'), ('LC_ALL', 'C'), ('odd.name', 'two words')]\n"


def test_arguments_and_exit_code_pass_through_unchanged(token):
    argv = limits.wrap(
        ("/bin/sh", "-c", 'printf "%s|" "$0" "$@"; exit 41', "a b", "", "$x", "'"),
        ENVIRONMENT,
        Limits(memory_bytes=900 * MIB, processes=100, niceness=1),
        token,
    )

    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    assert (done.stdout, done.returncode) == ("a b||$x|'|", 41)


@pytest.mark.skipif(not cgroups.controllers() and "CI" not in os.environ, reason="no control groups can be made here")
def test_a_daemon_that_has_hidden_itself_is_found_by_its_group(token, tmp_path):
    """It has left the session, forked twice and cleared its environment: nothing but the group tells whose it is."""
    inner = f"echo $$ >{tmp_path}/pid; trap : TERM; while :; do sleep 1; done"
    done = run(
        f"setsid env -i /bin/sh -c 'setsid env -i /bin/sh -c \"$0\" &' '{inner.replace(chr(39), '')}' >/dev/null 2>&1",
        Limits(processes=100),
        token,
    )
    assert done.returncode == 0
    daemon = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    group = cgroups.find(token)
    if group is None:
        print("No control group can be made here; such a daemon is not found:", limits.describe_limits())
        os.kill(daemon, signal.SIGKILL)
        return

    assert daemon in [member.pid for member in group.members()]

    cgroups.kill(group)

    wait_until(lambda: not is_alive(daemon))
    wait_until(group.remove)
    assert cgroups.find(token) is None


def test_groups_of_attempts_that_are_gone_are_removed_with_what_lives_in_them(token):
    home = token.split(".")[0]
    argv = limits.wrap(("sleep", "60"), ENVIRONMENT, Limits(processes=100), token)
    with subprocess.Popen(argv, env=ENVIRONMENT) as sleeper:
        if cgroups.find(token) is not None:
            wait_until(lambda: sleeper.pid in [member.pid for member in cgroups.find(token).members()])

            assert cgroups.remove_left_over(home, {"7.1"}) == 0
            assert sleeper.poll() is None
            cgroups.remove_left_over(home, set())

            assert sleeper.wait(10) == -signal.SIGKILL
            wait_until(lambda: cgroups.find(token) is None or cgroups.remove_left_over(home, set()))
        else:
            sleeper.kill()


def test_what_applies_on_this_machine_is_told_in_one_line(no_groups):
    told = limits.describe_limits()

    assert told.startswith("memory limits by rlimit, for each process; process limits ")
    assert ("root" in told) == (os.geteuid() == 0)


def _give_up_niceness() -> None:
    resource.setrlimit(resource.RLIMIT_NICE, (0, 0))


def test_groups_are_made_while_the_last_one_of_the_installation_is_removed(token):
    """Runs start in one thread and end in another; the folder that they share comes and goes with them."""
    home = token.split(".")[0]
    troubles: list[BaseException] = []

    def come_and_go(first: int) -> None:
        try:
            for number in range(first, first + 300):
                group = cgroups.make(f"{home}.{number}.1", {cgroups.PIDS: 10})
                if group is None:
                    assert not cgroups.controllers()
                else:
                    wait_until(group.remove)
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=come_and_go, args=(first,)) for first in (1000, 5000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert troubles == []
    assert cgroups.remove_left_over(home, set()) == 0
