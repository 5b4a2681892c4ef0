"""Writes docs/dependencies.md: what is installed with Watchbell, with the licences that the packages themselves name.

``python docs/dependencies.py`` writes it from what is installed, ``--check`` says whether it is what it would be. A test runs
the same check.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: What a package calls its licence -> what the list of SPDX does.
_SAME = {
    "3-Clause BSD License": "BSD-3-Clause", "BSD 3-Clause License": "BSD-3-Clause", "BSD License": "BSD", "MIT License": "MIT",
    "Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC", "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
}  # fmt: skip
#: Longer texts are the licence itself.
_LONGEST_NAME = 60
#: It is fetched as an archive of its own, which the lock of the others does not list.
_BUNDLES = {"redoc": "MIT"}

HEAD = """\
<!-- Written by docs/dependencies.py from what is installed; change requirements.txt, setup.py or package.json instead, then run it. -->

# What Watchbell is built on

Watchbell itself is under the MIT licence. This is what it installs, with the licences that the packages themselves name; nothing else is
loaded. The agent needs nothing but Python. How to look for known holes in it is in [hardening.md](hardening.md#updates), and `make audit` does it in a
checkout.

"""
BROWSER = """
## In the browser

These libraries are part of the package, with their licences in `static/vendor/licences`. No page loads anything from elsewhere.

"""


def page() -> str:
    """Return the page."""
    parts = [HEAD, "## In Python\n\n| package | wanted | licence | for |\n|---|---|---|---|\n"]
    parts += [f"| {name} | {wanted} | {licence_of(name)} | {use} |\n" for name, wanted, use in packages()]
    parts += [BROWSER, "| library | version | licence |\n|---|---|---|\n"]
    parts += [f"| {name} | {version} | {licence} |\n" for name, version, licence in libraries()]
    return "".join(parts)


def packages() -> list[tuple[str, str, str]]:
    """Return name, range of versions and use of each package that is installed with Watchbell or one of its extras."""
    found: dict[str, tuple[str, str]] = {}
    for use, requirements in wanted().items():
        direct = [Requirement(line) for line in requirements]
        for requirement in direct:
            found.setdefault(canonicalize_name(requirement.name), (_range(requirement), use))
        for name in sorted(_below(direct, set())):
            found.setdefault(name, ("", use or "others"))
    return [(name, *rest) for name, rest in sorted(found.items())]


def wanted() -> dict[str, list[str]]:
    """Return the requirements of Watchbell itself, under an empty name, and of each of its extras but the tests'."""
    lines = (line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    found = {"": [line for line in lines if line and not line.startswith("#")]}
    tree = ast.parse((ROOT / "setup.py").read_text())
    lists = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    extras = next(
        node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "extras_require"
    )
    assert isinstance(extras, ast.Dict)
    for key, value in zip(extras.keys, extras.values, strict=True):
        if isinstance(key, ast.Constant) and key.value != "test":
            found[f"the extra {key.value}"] = (
                lists[value.id] if isinstance(value, ast.Name) else ast.literal_eval(value)
            )
    return found


def _below(requirements: list[Requirement], seen: set[str]) -> set[str]:
    """Return the names of all that these packages need in turn."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if name not in seen:
            seen.add(name)
            _below([one for extra in ("", *requirement.extras) for one in _needs(name, extra)], seen)
    return seen


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    for line in metadata.requires(name) or ():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate({"extra": extra}):
            yield one


def _range(requirement: Requirement) -> str:
    # The lowest first, as people read a range.
    return ", ".join(sorted(map(str, requirement.specifier), key=lambda part: (part.startswith("<"), part)))


def licence_of(name: str) -> str:
    """Return how a package calls its licence."""
    about = metadata.metadata(name)
    plain = str(about.get("License-Expression") or about.get("License") or "").strip()
    if not plain or len(plain) > _LONGEST_NAME or "\n" in plain:
        named = [
            line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License ::")
        ]
        plain = ", ".join(_SAME.get(one, one) for one in named)
    if not plain:
        raise SystemExit(f"{name} does not say its licence; look it up and add it here")
    return _SAME.get(plain, plain)


def libraries() -> list[tuple[str, str, str]]:
    """Return name, version and licence of each browser library, from the lock of what is fetched."""
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    found = [
        (path.removeprefix("node_modules/"), entry["version"], entry["license"]) for path, entry in lock.items() if path
    ]
    bundles = json.loads((ROOT / "package.json").read_text()).get("bundles", {})
    found += [(name, re.sub(r"^\D+", "", bundle["version"]), _BUNDLES[name]) for name, bundle in bundles.items()]
    # It only counts installations, is never copied into the package, and its script is not run.
    return sorted(entry for entry in found if entry[0] != "@scarf/scarf")


def main() -> int:
    """Write the page, or say whether it is up to date."""
    path, text = HERE / "dependencies.md", page()
    if path.is_file() and path.read_text() == text:
        return 0
    if "--check" in sys.argv[1:]:
        print("not up to date: dependencies.md; run: python docs/dependencies.py", file=sys.stderr)
        return 1
    path.write_text(text)
    print("wrote docs/dependencies.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
