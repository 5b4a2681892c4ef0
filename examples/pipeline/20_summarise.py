#!/usr/bin/env python3
"""Step 2: turn DIRECTORY/collected into DIRECTORY/summary.json, which holds numbers only."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def summarise(collected: Path) -> dict[str, str | float]:
    """Return the figures that were collected."""
    memory = dict(line.split(":") for line in (collected / "memory").read_text().splitlines())
    total, available = (int(memory[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    disk = (collected / "disk").read_text().splitlines()[-1].split()
    return {
        "at": (collected / "at").read_text().strip(),
        "host": (collected / "host").read_text().strip(),
        "load": float((collected / "load").read_text().split()[0]),
        "uptime_hours": round(float((collected / "uptime").read_text().split()[0]) / 3600, 1),
        "memory_used_percent": round(100 * (total - available) / total, 1),
        "disk_used_percent": float(disk[-2].rstrip("%")),
    }


def main() -> int:
    """Summarise what the step before has collected."""
    if len(sys.argv) != 2:
        print("usage: 20_summarise.py DIRECTORY", file=sys.stderr)
        return 2
    work = Path(sys.argv[1])
    try:
        summary = summarise(work / "collected")
    except (OSError, KeyError, ValueError, IndexError) as error:
        print(f"20_summarise.py: what was collected cannot be read: {error!r}", file=sys.stderr)
        return 1
    (work / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"summarised {len(summary)} figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
