#!/usr/bin/env python3
"""Summarise a log file into a CSV file: how many entries of each level there were per hour or day.

    summarise_log.py LOG CSV [--by hour|day] [--min-level warning]

An entry is a line that begins with a date and a time, as "2026-11-22 02:30:00", "[2026-11-22 02:30:00]" or
"2026-11-22T02:30:00.123+01:00"; its level is the first word DEBUG, INFO, WARNING, ERROR or CRITICAL in it, in any case.
Other lines, such as those of a traceback, belong to the entry above them and are not counted. A LOG that ends
in .gz is unpacked on the way. The CSV file is replaced in one step, so a reader never sees half of it.
Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import collections
import csv
import gzip
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

LEVELS = ("debug", "info", "warning", "error", "critical")
ALIASES = {"warn": "warning", "err": "error", "fatal": "critical", "crit": "critical"}
ENTRY = re.compile(r"\[?(\d{4}-\d{2}-\d{2})[ T](\d{2}):\d{2}")
LEVEL = re.compile(rf"\b({'|'.join((*LEVELS, *ALIASES))})\b", re.IGNORECASE)
#: The level of an entry stands near its beginning; further on, the word is part of a sentence.
HEAD = 120

Row = dict[str, "str | int"]


def read_lines(path: Path) -> Iterator[str]:
    """Return the lines of a log; bytes that are no text do no harm."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            yield line.decode("utf-8", "replace")


def count(lines: Iterable[str], by: str) -> dict[str, collections.Counter[str]]:
    """Return for each period how many entries there were of each level."""
    periods: dict[str, collections.Counter[str]] = {}
    for line in lines:
        entry = ENTRY.match(line)
        if entry is None:
            continue
        period = f"{entry[1]} {entry[2]}:00" if by == "hour" else entry[1]
        found = LEVEL.search(line[:HEAD], entry.end())
        word = found[1].lower() if found else "other"
        periods.setdefault(period, collections.Counter())[ALIASES.get(word, word)] += 1
    return periods


def write(path: Path, rows: Iterable[Row], columns: list[str]) -> None:
    """Replace the CSV file in one step."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval=0)
            writer.writeheader()
            writer.writerows(rows)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main() -> int:
    """Summarise the log that the command line names."""
    parser = argparse.ArgumentParser(description="Summarise a log file into a CSV file.")
    parser.add_argument("log", type=Path, metavar="LOG")
    parser.add_argument("csv", type=Path, metavar="CSV")
    parser.add_argument("--by", choices=("hour", "day"), default="hour", help="length of a period (default hour)")
    parser.add_argument("--min-level", choices=LEVELS, default="debug", help="least level that gets a column")
    options = parser.parse_args()
    levels = [*LEVELS[LEVELS.index(options.min_level) :]]
    if options.min_level == LEVELS[0]:
        levels.append("other")
    try:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        periods = count(read_lines(options.log), options.by)
        rows: list[Row] = [
            {"period": period, "entries": counts.total(), **{level: counts[level] for level in levels}}
            for period, counts in sorted(periods.items())
        ]
        write(options.csv, rows, ["period", "entries", *levels])
    except (OSError, EOFError, zlib.error) as error:
        place, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
        print(f"summarise_log.py: {place or options.log}: {reason or error}", file=sys.stderr)
        return 1
    total = sum(counts.total() for counts in periods.values())
    print(f"{total} entries in {len(rows)} {options.by}(s) from {options.log} -> {options.csv}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
