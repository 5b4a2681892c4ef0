#!/usr/bin/env python3
"""Step 3: publish DIRECTORY/summary.json as DIRECTORY/index.html and add a row to DIRECTORY/history.csv."""

from __future__ import annotations

import csv
import html
import json
import sys
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{host}</title>
<h1>{host}</h1>
<table>
{rows}
</table>
</html>
"""


def main() -> int:
    """Publish what the step before has summarised."""
    if len(sys.argv) != 2:
        print("usage: 30_publish.py DIRECTORY", file=sys.stderr)
        return 2
    work = Path(sys.argv[1])
    try:
        summary = json.loads((work / "summary.json").read_text())
    except (OSError, ValueError) as error:
        print(f"30_publish.py: there is no summary to publish: {error}", file=sys.stderr)
        return 1
    shown = {name: html.escape(str(value)) for name, value in summary.items()}
    rows = "\n".join(f"<tr><th>{html.escape(name)}</th><td>{value}</td></tr>" for name, value in shown.items())
    # The page is replaced in one step, so that nobody is ever served half of it.
    new = work / ".index.html"
    new.write_text(PAGE.format(host=shown["host"], rows=rows))
    new.replace(work / "index.html")
    history = work / "history.csv"
    with history.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(summary))
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(summary)
    print(f"published {work / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
