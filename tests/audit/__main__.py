"""``python -m tests.audit``: look for holes in the code by bandit, and for known ones in what it is built on.

It fails for whatever it finds that ``accepted.toml`` gives no reason for, and for what it could not look at: an answer that
nobody gave is none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.audit.advisories import holes_in_assets, holes_installed

ROOT = Path(__file__).resolve().parents[2]
LOOKED_AT = ("app/watchbell", "docs", "migrations", "setup.py", "setup_assets.py", "wsgi.py")
#: Rules that say nothing here: asserts tell the type checker what is known and guard nothing; and running programs, always by
#: a list of arguments or by the shell that a person has asked for, is what a scheduler does.
SKIPPED = ("B101", "B404", "B603")


def main() -> int:
    """Return 1 if there is anything that should not be, or that could not be looked at."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument(
        "--offline", action="store_true", help="do not ask the registry for advisories, only the list kept here"
    )
    given = parser.parse_args()
    problems = list(told(bandit(), json.loads(json.dumps(accepted()))))
    problems += holes_installed()
    problems += holes_in_assets()
    problems += [] if given.offline else registry()
    print("\n".join(problems) or "nothing was found")
    return int(bool(problems))


def bandit() -> list[dict[str, Any]]:
    """Return what bandit finds."""
    command = ["bandit", "--quiet", "--recursive", "--format", "json", "--skip", ",".join(SKIPPED), *LOOKED_AT]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    if answer["errors"]:
        raise SystemExit(f"bandit could not read {answer['errors']}")
    found: list[dict[str, Any]] = answer["results"]
    return found


def accepted() -> list[dict[str, str]]:
    """Return what is all right all the same."""
    entries: list[dict[str, str]] = tomllib.loads((Path(__file__).parent / "accepted.toml").read_text())["accepted"]
    return entries


def told(found: Iterable[Mapping[str, Any]], entries: Iterable[Mapping[str, str]]) -> Iterable[str]:
    """Yield a line for each finding without a reason, and for each reason without a finding."""
    reasons = {(entry["rule"], entry["where"]) for entry in entries}
    seen = set()
    for one in found:
        place = (one["test_id"], one["filename"].removeprefix("./"))
        seen.add(place)
        if place not in reasons:
            yield f"{place[1]}:{one['line_number']}: {one['test_id']} {one['issue_text']}"
    for rule, where in sorted(reasons - seen):
        yield f"accepted.toml: {rule} is not found in {where} any more; remove the entry"


def registry() -> list[str]:
    """Return the known holes that the registry tells of what is installed, and what it could not tell of."""
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner=off", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [f"pip-audit could not look: {done.stderr.strip()[-300:]}"]
    asked = [package for package in packages if "skip_reason" not in package]
    print(f"the registry knows {len(asked)} of {len(packages)} packages")
    if not asked:
        return ["no advisories could be looked up: the registry knows none of the packages (--offline leaves this out)"]
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version'}"
        for package in asked
        for hole in package["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main())
