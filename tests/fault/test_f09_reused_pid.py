"""F09: the PID file of a killed scheduler names a number that now belongs to a stranger, who must never be signalled.

Where the machine lets us make a PID namespace of our own, the very number is reused; elsewhere the number in the stale
file is exchanged for that of a living stranger, which is the same to whoever reads the file; more of that is in
tests/process/test_control.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.lives import ROOT

pytestmark = pytest.mark.fault

#: Runs as the first process of a namespace, or beside everybody else.
DRIVER = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

home, private = Path(sys.argv[1]), sys.argv[2] == "private"
watchbell = [sys.executable, "-m", "watchbell", "--home", str(home), "scheduler"]
pid_file = home / "scheduler.pid"

def run(word):
    done = subprocess.run([*watchbell, word], capture_output=True, text=True, timeout=90)
    return [done.returncode, done.stdout + done.stderr]

def reap():
    # The first process of a namespace is the parent of all orphans.
    while private:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return

told = {"start": run("start")}
old = int(pid_file.read_text().split()[0])
os.kill(old, signal.SIGKILL)
while Path(f"/proc/{old}").exists():
    reap()
    time.sleep(0.01)
stranger = None
for _ in range(50):
    if private:
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(old - 1))
    stranger = subprocess.Popen(["sleep", "600"])
    if stranger.pid == old or not private:
        break
    stranger.kill()
    stranger.wait()
if not private:
    pid_file.write_text(pid_file.read_text().replace(str(old), str(stranger.pid), 1))
told["reused"] = int(pid_file.read_text().split()[0]) == stranger.pid
for word in ("status", "stop", "start", "stop"):
    told.setdefault("then", []).append([word, *run(word)])
told["stranger lives"] = stranger.poll() is None
stranger.kill()
stranger.wait()
print(json.dumps(told))
"""


def may_make_namespaces() -> bool:
    made = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", "echo 100 >/proc/sys/kernel/ns_last_pid"],
        capture_output=True,
        check=False,
    )
    return os.geteuid() == 0 and made.returncode == 0


def test_a_stranger_under_the_number_of_a_dead_scheduler_is_left_alone(lab, claims):
    private = may_make_namespaces()
    namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if private else []
    told = subprocess.run(
        [*namespace, sys.executable, "-c", DRIVER, str(lab.home), "private" if private else "beside"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "app"), "WATCHBELL_ZONE": "UTC"},
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout.splitlines()[-1])

    assert answer["start"][0] == 0, answer
    assert answer["reused"], answer
    codes = {word: code for word, code, _text in answer["then"][:3]}
    wrong = [] if answer["stranger lives"] else ["the stranger was ended"]
    wrong += [] if codes["stop"] == 3 and codes["start"] == 0 else [str(answer["then"])]
    claims.none_of("F09", "strangers harmed, or starts hindered, by a reused PID", 1, wrong)
    claims.figure(
        "F09", "way", "a namespace where the number came again" if private else "number exchanged in the file"
    )
    if not private:
        # What the last stop has left, if anything.
        leftover = lab.home / "scheduler.pid"
        if leftover.exists():
            os.kill(int(Path(leftover).read_text().split()[0]), signal.SIGKILL)
