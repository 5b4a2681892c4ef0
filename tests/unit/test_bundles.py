"""Bundles of runs: a script that runs the same again elsewhere, and no secret in any of its files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_task
from tests.unit.run_rows import add_attempt, add_output
from tests.web_fixtures import Person
from watchbell.cli.main import main
from watchbell.domain.task_definition import TaskDefinition
from watchbell.domain.task_document import read_document
from watchbell.services import bundles, secrets, tasks, triggers
from watchbell.store.session import Database
from watchbell.store.tasks import Task

HOSTILE = "a b'; echo pwned #\"$(id)`id`${secret:db}\\"
#: The same in a variable of the task, where those signs would name a secret.
PLAIN = HOSTILE.replace("${secret:db}", "")
NOTE = {"name": "note"}
KEY = {"name": "key", "type": "secret", "choices": ["db"], "variable": "KEY"}


def unpack(db: Database, task: Task, folder: Path, **given: object) -> Path:
    """Return the folder with the files of a run that was asked for with these values."""
    made = triggers.run_now(db, task.id, now=NOW, actor="ann", given=given)
    base = {"PATH": os.environ["PATH"], "DATABASE_PASSWORD": "of-the-m4chine"}
    with bundles.write(db, made.id, output_path=folder, base=base) as file, zipfile.ZipFile(file) as bundle:
        bundle.extractall(folder)
    return folder / f"run-{made.id}"


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(["sh", "run.sh"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("fields", "printed", "code"),
    [
        ({"command": 'printf "<%s>" "$WATCHBELL_PARAM_NOTE" "$PLAIN"; exit 3'}, f"<{HOSTILE}><{PLAIN}>", 3),
        ({"command": "printf '<%s>' ${param:note} 'x${param:note}'"}, f"<{HOSTILE}><x{HOSTILE}>", 0),
        ({"command": 'printf "<%s>" "$DSN" "$KEY" "$API_TOKEN" "$PWD"'},
         "<postgres://app:v4lue@db><v4lue><t0ken-of-the-task></>", 0),
        ({"command": 'import os, sys\nsys.stdout.write(os.environ["WATCHBELL_PARAM_NOTE"])\nsys.exit(4)', "interpreter": "python3 -I"},
         HOSTILE, 4),
        ({"command": "printf '<%s>' ${param:note} 'a  b' '*'", "interpreter": "none"}, f"<{HOSTILE}><a  b><*>", 0),
        ({"command": "", "steps": [{"command": "print(1, end='')"}, {"command": "raise SystemExit(5)"}],
          "interpreter": "python3"}, "1", 5),
        ({"command": "", "steps": [{"command": "printf 1; false", "continue_on_failure": True}, {"command": "printf 2"}]}, "12", 1),
    ],
)  # fmt: skip
def test_the_script_runs_what_the_run_ran(
    db: Database, tmp_path: Path, fields: dict[str, Any], printed: str, code: int
) -> None:
    secrets.put(db, "db", "v4lue", now=NOW, actor="ann")
    environment = {"PLAIN": PLAIN, "DSN": "postgres://app:${secret:db}@db",
                   "API_TOKEN": "t0ken-of-the-task"}  # fmt: skip
    task = add_task(db, directory="/", environment=environment, parameters=[NOTE, KEY], **fields)
    folder = unpack(db, task, tmp_path, note=HOSTILE, key="db")

    refused = run(folder)
    done = run(folder, SECRET_DB="v4lue", API_TOKEN="t0ken-of-the-task")

    # It says what is missing, and runs nothing.
    assert (refused.stdout, refused.returncode != 0) == ("", True)
    assert "SECRET_DB" in refused.stderr
    assert (done.stdout, done.returncode) == (printed, code)
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"v4lue" not in everything
    assert b"t0ken" not in everything
    assert b"of-the-m4chine" not in everything


def test_a_bundle_holds_what_the_run_was_and_what_it_wrote(
    admin: Person, program: Program, db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_file: Path
) -> None:
    task = add_task(db, parameters=[NOTE], time_limit_seconds=5)
    made = triggers.run_now(db, task.id, now=NOW, actor="ann", given={"note": "x"})
    add_output(db, add_attempt(db, made), b"\x00bytes\n")

    answer = admin.get(f"/runs/{made.id}/bundle")
    same = program.call("GET", f"/api/v2/runs/{made.id}/bundle")

    same.close()
    assert (answer.mimetype, same.mimetype) == ("application/zip", "application/zip")
    assert f"run-{made.id}.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
        read = {name.partition("/")[2]: bundle.read(name) for name in bundle.namelist()}
    assert read["output/stdout"] == b"\x00bytes\n"
    assert json.loads(read["parameters.json"]) == {"note": "x"}
    assert json.loads(read["limits.json"])["time_limit_seconds"] == 5
    assert json.loads(read["run.json"])["id"] == made.id
    assert b"timeout -k" in read["run.sh"]
    document = read_document(json.loads(read["task.json"]), {})
    assert isinstance(document.tasks[0].fields, dict)
    assert TaskDefinition.from_json(tasks.definition_of(task).to_json()).name == document.tasks[0].name
    monkeypatch.setenv("WATCHBELL_HOME", str(database_file.parent))
    assert main(["runs", "bundle", str(made.id), "-o", str(tmp_path / "b.zip")]) == 0
    assert zipfile.is_zipfile(tmp_path / "b.zip")
    assert admin.get("/runs/999/bundle").status_code == 404
