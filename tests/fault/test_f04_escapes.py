"""F04: the leader of a command is killed while others of it have escaped in every way there is; nothing of it lives on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import pytest

from tests.fault.bounds import is_alive, start, wait
from tests.process.lives import list_processes
from tests.waiting import wait_until
from watchbell import clock
from watchbell.execution import cgroups
from watchbell.services import runs

pytestmark = pytest.mark.fault

#: Leaves session, parent, directory, descriptors and, with a word more, its environment behind.
DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir("/")
with open(sys.argv[1], "a") as file: file.write(f"{os.getpid()}\\n")
for descriptor in (0, 1, 2): os.close(descriptor)
time.sleep(300)
"""
NOTE = "echo \\$\\$ >>{pids}; sleep 300; :"
WAYS = {
    "setsid": f'setsid sh -c "{NOTE}" &',
    "double fork": f'(setsid sh -c "{NOTE}" &) ;',
    "daemon": "{python} {script} {pids};",
    "stubborn": f"setsid sh -c \"trap '' TERM HUP; {NOTE}\" &",
}
#: Only a control group tells whose these are.
HIDDEN = {
    "hidden daemon": "env -i {python} {script} {pids};",
    "hidden, ignores TERM": "env -i sh -c \"trap '' TERM; exec {python} {script} {pids}\";",
}
SECONDS = 5.0


@pytest.mark.parametrize("end", ["the leader is killed", "cancelled", "the leader exits"])
def test_what_has_escaped_ends_with_its_run(lab, claims, end):
    ways = {name: (text, {}) for name, text in WAYS.items()}
    if cgroups.controllers():
        ways |= {name: (text, {"process_limit": 200}) for name, text in HIDDEN.items()}
    else:
        print("No control group can be made here, so commands that clear their environment are left out")
    script = lab.home / "daemon.py"
    script.write_text(DAEMON)
    last = {"the leader is killed": "kill -9 $$", "cancelled": "sleep 300; :", "the leader exits": "exit 3"}[end]
    wrong: list[str] = []
    with lab.running():
        begun = {}
        for number, (name, (text, limits)) in enumerate(ways.items()):
            pids = lab.home / f"pids-{number}"
            text = text.format(pids=pids, script=script, python=sys.executable)
            command = f"{text} until [ -s {pids} ]; do sleep 0.05; done; {last}"
            begun[name] = (start(lab, f"escape-{number}", command, grace_seconds=1, **limits), pids)
        for name, (run, pids) in begun.items():
            if end == "cancelled":
                lab.wait(lambda pids=pids: pids.exists() and pids.read_text().strip(), f"{name} to escape")
                runs.cancel(lab.db, run, now=clock.now(), actor="tester")
            row = wait(lab, run)
            wrong += judge(end, name, row)
            escaped = [int(pid) for pid in pids.read_text().split()]
            # What lives on after all is counted below.
            with contextlib.suppress(AssertionError):
                wait_until(lambda escaped=escaped: not any(map(is_alive, escaped)), SECONDS)
            for pid in filter(is_alive, escaped):
                wrong.append(f"{name}: process {pid} lives on; {row['reason']}")
                os.kill(pid, signal.SIGKILL)
        lab.wait(lambda: not list_processes(lab.token), "all processes of the commands to be gone", SECONDS)

    claims.none_of("F04", "processes that outlive their run, or ends told wrongly", 2 * len(ways), wrong)


def judge(end: str, name: str, row) -> list[str]:
    """Return what is wrong with the row of a run that has ended so."""
    told = (row["state"], row["exit_code"], row["signal"]) if "signal" in row.keys() else (row["state"],)  # noqa: SIM118
    wanted = {"the leader is killed": "failed", "cancelled": "cancelled", "the leader exits": "failed"}[end]
    word = {"the leader is killed": "SIGKILL", "cancelled": "", "the leader exits": "exit code 3"}[end]
    return [] if row["state"] == wanted and word in row["reason"] else [f"{name}: {told} {row['reason']!r}"]
