"""The four ways this product gets onto a machine, each made once, and a real server started from each."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("app", "templates", "static", "migrations")
FILES = (
    "setup.py", "setup_assets.py", "pyproject.toml", "MANIFEST.in", "requirements.txt", "package.json",
    "package-lock.json", "LICENSE", "Makefile", "wsgi.py",
)  # fmt: skip


@dataclass(frozen=True)
class Install:
    """An interpreter and the environment and folder in which it finds the package."""

    python: str
    environment: dict[str, str]
    directory: Path
    #: What gunicorn is told to serve: the documented ``wsgi:app`` where there is a checkout.
    application: str = "watchbell.web.factory:create_app()"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the interpreter to its end."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def without_node(folder: Path) -> dict[str, str]:
    """Return an environment with nothing of ours in it, no npm on PATH and no package index to reach."""
    folder.mkdir(exist_ok=True)
    for name in ("sh", "tar", "gzip", "env", "uname"):
        found = shutil.which(name)
        if found and not (folder / name).exists():
            (folder / name).symlink_to(found)
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "TMPDIR", "TZ"}}
    return {**kept, "PATH": str(folder), "HOME": str(folder), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def checked(arguments: list[str], directory: Path, environment: dict[str, str]) -> None:
    """Run a command and fail with what it said."""
    done = subprocess.run(
        arguments, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{arguments} answered {done.returncode}\n{done.stdout}\n{done.stderr}"


def copy_checkout(target: Path) -> Path:
    """Copy what a build reads, so that no build leaves anything in the tree that the other tests read."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".vendor-*")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, target / name)
    for readme in ROOT.glob("*.md"):
        shutil.copy(readme, target)
    return target


def build(kind: str, source: Path, environment: dict[str, str]) -> Path:
    """Build a wheel or an sdist with the backend of this environment, without any network."""
    checked(
        [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", "dist", "."], source, environment
    )
    (made,) = (source / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def unpack(archive: Path, target: Path) -> Path:
    """Unpack an sdist and return its one folder."""
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    (folder,) = target.iterdir()
    return folder


def make_environment(folder: Path, environment: dict[str, str], *what: str) -> Install:
    """Install into a fresh virtual environment that borrows everything but this package from the present one."""
    checked([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent, environment)
    python = folder / "bin" / "python"
    library = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # The name sorts last, so that what is installed here is found before what is borrowed.
    (library / "zz_borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # pip must not take a copy of this package in the borrowed folder for an installed one.
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    checked([*pip, *what], folder.parent, environment)
    return Install(str(python), environment, folder)


@contextlib.contextmanager
def serving(install: Install, home: Path) -> Iterator[str]:
    """Migrate a new database, serve the pages with gunicorn and yield their address."""
    environment = {**install.environment, "WATCHBELL_HOME": str(home)}
    checked([install.python, "-m", "watchbell", "db", "upgrade"], install.directory, environment)
    log = home / "server.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = subprocess.Popen(
            [install.python, "-m", "gunicorn", "--no-control-socket", "--bind", f"fd://{listener.fileno()}",
             install.application],
            cwd=install.directory, env=environment, pass_fds=[listener.fileno()], stdout=output, stderr=output,
        )  # fmt: skip
        try:
            wait_until(lambda: server.poll() is not None or b"Booting worker" in log.read_bytes(), 30, "the server")
            assert server.poll() is None, log.read_text()
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def get(url: str) -> tuple[int, str, bytes]:
    """Return status, content type and body."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.status, answer.headers.get_content_type(), answer.read()
