"""Run all benchmarks, one after the other, one table each.

    make bench        (or: python -m benchmarks [--quick] [--to FILE] [NAME ...])

Every table holds its own baseline, measured in the same run: quote ratios, not absolute times. With ``--to`` the page is written
anew when all are through and were measured in full; the tables are printed as they come in any case. ``--quick`` shows in some
minutes that all of them work, and measures next to nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import say

#: Every benchmark with its usual arguments and those of --quick. One of a long history takes an hour and is not among them.
BENCHMARKS: dict[str, tuple[str, str]] = {
    "keeper": ("", "200 1"),
    "burst": ("", "--rounds 1 200"),
    "steady": ("--minutes 2", "--minutes 1 60"),
    "api": ("", "--runs 10000 --seconds 1 --rounds 1"),
    "web_workers": ("", "--runs 1000 --seconds 1 --rounds 1"),
    "page_under_load": ("", "--tasks 300"),
    "recovery": ("", "--rounds 1 40"),
    "idle": ("", "0 1000"),
    "load": ("", "1000"),
    "save_to_start": ("", "10"),
    "chains": ("", "20"),
    "command_line": ("", "--tasks 100 3"),
    "agent": ("", "--minutes 0.1 --devices 20 --seconds 2"),
    "output": ("", "100M 1"),
    "sockets": ("", "0 200"),
    "live_pages": ("", "--pages 50 --rate 20 --seconds 5"),
    "metrics_cost": ("", "--seconds 3 --runs 2000 --burst 50 --rounds 1"),
    "profile_scheduler": ("--lines 20", "--lines 3 200"),
}
_PAGE = """# Figures of one run

`make bench` writes this page: every benchmark that [Benchmarks](benchmarks.md) describes, one after the other, in one run.
Absolute figures hold on that machine in that hour alone; quote ratios.
"""


def run(name: str, arguments: str) -> str:
    """Return what a benchmark prints; it is shown as it comes, too."""
    say(f"== {name} {arguments}")
    argv = (sys.executable, "-m", f"benchmarks.{name}", *arguments.split())
    lines = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        # The others are measured all the same, and the page does not hide it.
        lines.append(f"\nThis benchmark failed with exit code {process.returncode}.\n")
    return "".join(lines)


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; all without one")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that everything works")
    parser.add_argument("--to", type=Path, help="write the page there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {min(unknown)!r}")
    found = {name: run(name, BENCHMARKS[name][options.quick]) for name in options.names or BENCHMARKS}
    if options.to and not options.quick and not options.names:
        options.to.write_text(_PAGE + "".join(f"\n## {name}\n{text}" for name, text in found.items()))
    return int(any("\nThis benchmark failed" in text for text in found.values()))


if __name__ == "__main__":
    sys.exit(main())
