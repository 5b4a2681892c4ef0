"""Debian's cron, which records nothing: each command adds one byte to a file, whose growth tells when they started.

The daemon has its own view of the file system, in which there are no crontabs but this one's, so a cron that runs on the
machine is not touched. That takes root. The rate is that of the starts; CPU is counted until cron has no child left.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import cpu_seconds
from benchmarks.peers.peer import cpu_just_before, started, tell, to_burst, wait_for

#: A crontab may not have more than a thousand lines.
_LINES = 500
_FOLDERS = ("/etc/cron.d", "/var/spool/cron/crontabs", "/run")
_LATEST_SECOND = 50


def main() -> None:
    """Measure one burst; takes up to a minute more, because cron knows no seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    count: int = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="watchbell-peer-", dir="/dev/shm") as folder:
        effect, tables = Path(folder) / "effect", Path(folder) / "tables"
        effect.touch()
        tables.mkdir()
        line = f"* * * * * root echo >>{effect}\n"
        for number in range(0, count, _LINES):
            text = 'SHELL=/bin/sh\nMAILTO=""\n' + line * min(_LINES, count - number)
            (tables / f"bench{number}").write_text(text)
        script = "".join(f"mount -t tmpfs none {place} && " for place in _FOLDERS)
        script += f"mount --bind /dev/null /etc/crontab && cp {tables}/* /etc/cron.d/ && exec cron -f -L 0"
        # A crontab that is read within the last seconds of a minute might be read too late for the next one.
        wait_for(lambda: time.time() % 60 < _LATEST_SECOND, 60)
        with started("unshare", "--mount", "--propagation", "private", "sh", "-c", script) as daemon:
            measure(count, effect, daemon.pid)


def measure(count: int, effect: Path, pid: int) -> None:
    """Watch the file grow and tell what that says."""
    due = time.time() // 60 * 60 + 60
    if not wait_for(lambda: Path(f"/proc/{pid}/comm").read_text() == "cron\n", 10):
        raise TimeoutError("cron did not start")
    before = cpu_just_before(due, pid)
    starts: list[float] = []
    while len(starts) < count and time.time() < due + 55:
        now, size = time.time(), effect.stat().st_size
        starts += [now] * (size - len(starts))
        time.sleep(0.005)
    wait_for(lambda: not Path(f"/proc/{pid}/task/{pid}/children").read_text(), 5)
    cpu = cpu_seconds(pid) - before
    found = subprocess.run(
        ("dpkg-query", "-W", "-f", "${Version}", "cron"), capture_output=True, text=True, check=False
    )
    runs = [(start, 0) for start in starts]
    tell(to_burst(due, count, runs, starts[-1] if starts else due + 55, cpu, f"cron {found.stdout}".strip()))


if __name__ == "__main__":
    main()
