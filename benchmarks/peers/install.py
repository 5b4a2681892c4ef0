"""Make the peers' own environment, and say aloud which peers this machine does not have.

python -m benchmarks.peers.install
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import say

HERE = Path(__file__).parent
VENV = HERE.parent / ".peers-venv"
PYTHON = VENV / "bin" / "python"
_REQUIREMENTS = HERE / "requirements.txt"
_DONE = VENV / "requirements.txt"


def install() -> None:
    """Make the environment unless it is there and right."""
    if _DONE.exists() and _DONE.read_bytes() == _REQUIREMENTS.read_bytes():
        return
    say(f"installing the peers into {VENV}")
    subprocess.run((sys.executable, "-m", "venv", "--clear", str(VENV)), check=True)
    pip = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "-r", str(_REQUIREMENTS))
    subprocess.run(pip, check=True)
    shutil.copyfile(_REQUIREMENTS, _DONE)


def missing() -> dict[str, str]:
    """Return which modules cannot be measured on this machine, and why."""
    found = {}
    if shutil.which("redis-server") is None:
        found["celery_redis"] = "redis-server is not installed (on Debian: apt-get install redis-server)"
    if shutil.which("cron") is None and not Path("/usr/sbin/cron").exists():
        found["debian_cron"] = "cron is not installed (on Debian: apt-get install cron)"
    elif os.geteuid() != 0:
        found["debian_cron"] = "a cron apart from the machine's own takes root"
    elif not _may_unshare():
        found["debian_cron"] = (
            "a cron apart from the machine's own takes a file system view of its own, which is refused here"
        )
    return found


def _may_unshare() -> bool:
    tried = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/run"),
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def main() -> None:
    """Install and tell."""
    install()
    for name, reason in missing().items():
        say(f"{name} is left out: {reason}")


if __name__ == "__main__":
    main()
