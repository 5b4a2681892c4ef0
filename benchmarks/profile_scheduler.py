"""Where the scheduler's CPU goes during a burst: by thread and process, and by function.

    python -m benchmarks.profile_scheduler [--command TEXT] [--lines 30] [1000]

Two bursts. The first one runs as in production, and the kernel tells the CPU of each thread of the scheduler, of its child
processes and of the commands. The second one runs under cProfile, one profile for each thread, which makes Python's calls
dearer than they are: trust its order and the modules' shares, not its seconds. Where py-spy is installed a third one is
sampled from outside and kept as a flame graph.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.burst import cpu_before
from benchmarks.figures import commit, cpu_seconds, machine, say, table
from benchmarks.lab import START, Lab, lab
from watchbell import clock
from watchbell.domain.schedule import Schedule, ScheduleKind

#: A thread that used less is not shown function by function.
_WORTH_SECONDS = 0.05
_COMMANDS = "commands, once they have ended"
_TICK = os.sysconf("SC_CLK_TCK")
#: A scheduler whose threads bear their Python names in /proc, too, and is otherwise as in production.
_NAMED = """
import sys, threading
plain_run = threading.Thread.run

def run_named(self):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as comm:
        comm.write(self.name[:15])
    plain_run(self)

threading.Thread.run = run_named
from watchbell.config import Config
from watchbell.scheduler.main import run
sys.exit(run(Config.load()))
"""
#: A scheduler each of whose threads is profiled from its beginning to its end.
_PROFILED = """
import cProfile, os, sys, threading
folder, plain_run = os.environ["BENCH_PROFILES"], threading.Thread.run

def run_profiled(self):
    profile = cProfile.Profile()
    try:
        profile.runcall(plain_run, self)
    finally:
        profile.dump_stats(os.path.join(folder, self.name.replace("/", "-")))

threading.Thread.run = run_profiled
profile = cProfile.Profile()
from watchbell.config import Config
from watchbell.scheduler.main import run
try:
    profile.runcall(run, Config.load())
finally:
    profile.dump_stats(os.path.join(folder, "main thread"))
"""


@dataclasses.dataclass
class Used:
    """CPU seconds in user space and in the kernel."""

    user: float
    system: float

    def minus(self, other: Used) -> Used:
        """Return what was used since."""
        return Used(self.user - other.user, self.system - other.system)


def threads(pid: int) -> dict[str, Used]:
    """Return the CPU time of a process's threads by name, of its living children, and of all that any of them reaped."""
    found: dict[str, Used] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = "main thread" if task.name == str(pid) else f"{(task / 'comm').read_text().strip()}"
        fields = _fields(task / "stat")
        found[f"scheduler: {name}"] = Used(fields[0], fields[1])
    reaped = Used(0.0, 0.0)
    for process in (pid, *_children(pid)):
        fields = _fields(Path(f"/proc/{process}/stat"))
        reaped.user += fields[2]
        reaped.system += fields[3]
        if process != pid:
            argv = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            words = " ".join(Path(word.decode(errors="replace")).name for word in argv[:4] if word)
            found[f"its process {process}: {words[:40]}"] = Used(fields[0], fields[1])
    found[_COMMANDS] = reaped
    return found


def _children(pid: int) -> list[int]:
    """Return the children that have run for as long as the scheduler: its helpers, and no command."""
    text = " ".join(file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(number) for number in text.split()]


def _fields(stat: Path) -> list[float]:
    return [int(field) / _TICK for field in stat.read_text().rsplit(")", 1)[1].split()[11:15]]


@contextlib.contextmanager
def burst(place: Lab, count: int, command: str, program: str) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run a program that is a scheduler with so many tasks; gives it and the moment at which they are due."""
    due = (clock.now() + timedelta(seconds=12 + count / 600)).replace(microsecond=0)
    place.add_tasks(count, command, Schedule(ScheduleKind.MOMENT, moments=(due,)))
    with place.scheduler(program) as process:
        yield process, due.timestamp()


def by_thread(count: int, command: str) -> None:
    """Print the CPU by thread and process."""
    with lab() as place, burst(place, count, command, _NAMED) as (process, due):
        used = cpu_before(process.pid, due)
        before = threads(process.pid)
        place.wait_until_recorded(count, 60 + count / 20)
        after, used = threads(process.pid), cpu_seconds(process.pid) - used
    rows: list[tuple[object, ...]] = []
    for name, now in sorted(after.items()):
        spent = now.minus(before.get(name, Used(0.0, 0.0)))
        both = spent.user + spent.system
        each = [f"{seconds / count * 1000:.3f}" for seconds in (spent.user, spent.system, both)]
        if name == _COMMANDS:
            # The kernel cannot tell the two apart for processes that end within a tick of its clock.
            each[:2] = "-", "-"
        rows.append((name, *each, f"{both / used * 100:.0f} %"))
    rows.append(("all", "", "", f"{used / count * 1000:.3f}", "100 %"))
    table(f"CPU of {count} runs of {command!r}", ("who", "user ms/run", "system ms/run", "both", "share"), rows)


def by_function(count: int, command: str, lines: int) -> None:
    """Print the dearest functions of each thread, and the modules' shares."""
    with tempfile.TemporaryDirectory(prefix="watchbell-bench-") as folder:
        os.environ["BENCH_PROFILES"] = folder
        with lab() as place, burst(place, count, command, _PROFILED):
            place.wait_until_recorded(count, 120 + count / 10)
        del os.environ["BENCH_PROFILES"]
        for file in sorted(Path(folder).iterdir()):
            show(file, lines)


def show(file: Path, lines: int) -> None:
    """Print one profile."""
    stats = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    waits = ("poll", "sleep", "acquire", "select", "wait")
    own = {
        function: (calls, own_time, whole)
        for function, (_primitive, calls, own_time, whole, _callers) in stats.items()
        if not (function[0] == "~" and any(word in function[2] for word in waits))
    }
    total = sum(own_time for _calls, own_time, _whole in own.values())
    if total < _WORTH_SECONDS:
        say(f"{file.name} used {total:.3f} s and is left out")
        return
    modules: Counter[str] = Counter()
    for (path, _line, _name), (_calls, own_time, _whole) in own.items():
        modules[_module(path)] += own_time
    rows = [(name, f"{seconds:.3f}", f"{seconds / total * 100:.0f} %") for name, seconds in modules.most_common(15)]
    table(f"{file.name}: modules by their own time ({total:.2f} s)", ("module", "own s", "share"), rows)
    dearest = sorted(own.items(), key=lambda item: -item[1][1])[:lines]
    table(
        f"{file.name}: functions by their own time",
        ("function", "calls", "own s", "with callees s"),
        [
            (f"{_module(path)}:{line} {name}", calls, f"{own_time:.3f}", f"{whole:.3f}")
            for (path, line, name), (calls, own_time, whole) in dearest
        ],
    )


def _module(path: str) -> str:
    """Return a short name of a file: ours by its path, a library by its name."""
    if path == "~":
        return "built in"
    for mark in ("/app/watchbell/", "/site-packages/", "/lib/python"):
        if mark in path:
            rest = path.partition(mark)[2]
            return f"watchbell/{rest}" if mark == "/app/watchbell/" else rest.split("/")[0 if "site" in mark else -1]
    return path


def sampled(count: int, command: str, to: Path) -> None:
    """Let py-spy sample a burst, where it is installed."""
    program = shutil.which("py-spy")
    if program is None:
        say("py-spy is not installed, so there is no flame graph")
        return
    with lab() as place, burst(place, count, command, START) as (process, due):
        time.sleep(max(0.0, due - 0.5 - time.time()))
        argv = (program, "record", "--pid", str(process.pid), "--format", "flamegraph", "--output", str(to))
        sampler = subprocess.Popen(argv)
        place.wait_until_recorded(count, 60 + count / 20)
        sampler.terminate()
        sampler.wait(20)
    say(f"the flame graph is {to}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--command", default="true")
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--flame", type=Path, default=Path(tempfile.gettempdir()) / "watchbell-flame.svg")
    options = parser.parse_args()
    print(f"\n{commit()}; {machine()}; {sys.executable}")
    by_thread(options.count, options.command)
    by_function(options.count, options.command, options.lines)
    sampled(options.count, options.command, options.flame)


if __name__ == "__main__":
    main()
