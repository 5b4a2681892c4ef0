from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Appended to a module of a copy of the tree; each line must break the contract of that name.
VIOLATIONS = {
    "Imports only go downwards through the layers": ("store/intruder.py", "import watchbell.services\n"),
    "The rules know no I/O, no clock and no framework": ("domain/intruder.py", "import time\n"),
    "Only scheduler/clockwork knows APScheduler": ("services/intruder.py", "import apscheduler\n"),
    "Only the store knows SQLAlchemy and Alembic": ("control/intruder.py", "import sqlalchemy\n"),
    "Flask and its family stay in web; the dashboard starts its server": ("cli/intruder.py", "import flask\n"),
    "No package knows itself in a circle": ("services/intruder.py", "import watchbell.services.intruder_two\n"),
}


def lint_imports(app: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo", "--config", str(ROOT / "pyproject.toml")],
        env={**os.environ, "PYTHONPATH": str(app), "COLUMNS": "120"},
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_contract_is_kept() -> None:
    done = lint_imports(ROOT / "app")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def report_on_broken_tree(tmp_path_factory: pytest.TempPathFactory) -> str:
    app = tmp_path_factory.mktemp("broken") / "app"
    shutil.copytree(ROOT / "app", app, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for path, line in VIOLATIONS.values():
        with (app / "watchbell" / path).open("a") as module:
            module.write(line)
    (app / "watchbell/services/intruder_two.py").write_text("import watchbell.services.intruder\n")
    return lint_imports(app).stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_of_the_contract_is_noticed(report_on_broken_tree: str, contract: str) -> None:
    assert f"{contract} BROKEN" in report_on_broken_tree


def test_a_new_top_level_module_must_be_given_a_layer(tmp_path: Path) -> None:
    app = tmp_path / "app"
    shutil.copytree(ROOT / "app", app, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (app / "watchbell/newcomer.py").touch()

    done = lint_imports(app)

    assert done.returncode != 0
    assert "watchbell.newcomer" in done.stdout
