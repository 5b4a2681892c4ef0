"""What a new task begins from: presets whose commands work, and templates that people keep."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.database import DEFAULTS, add_task
from tests.web_fixtures import Enter, Person
from watchbell import errors
from watchbell.services import task_templates, tasks
from watchbell.store.session import Database
from watchbell.web.forms.presets import PRESETS


def run(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home)}
    return subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def command_of(key: str) -> str:
    return str(PRESETS[key].data["command"])


def filled(page: BeautifulSoup) -> dict[str, object]:
    """Return what a browser would send of the form as it is shown."""
    fields: dict[str, Any] = {}
    for field in page.select("#task-form input[name], #task-form textarea[name], #task-form select[name]"):
        if field.get("type") in {"radio", "checkbox"} and not field.has_attr("checked"):
            continue
        chosen = field.select_one("option[selected]") if field.name == "select" else None
        text = (
            field.text.removeprefix("\r\n").removeprefix("\n") if field.name == "textarea" else field.get("value", "")
        )
        fields.setdefault(str(field["name"]), []).append(str(chosen["value"] if chosen else text))
    return fields


@pytest.mark.parametrize("key", PRESETS)
def test_every_preset_is_a_task_as_it_stands(admin: Person, db: Database, key: str) -> None:
    page = admin.see(f"/tasks/new?start=preset:{key}")
    assert len(page.select(".wb-moments li")) == 10
    assert page.select_one(f'.wb-start[href$="preset:{key}"][aria-current]') is not None
    answer = admin.post(f"/tasks/new?start=preset:{key}", filled(page))

    assert answer.status_code == 303, answer.text
    made = tasks.find_by_name(db, str(PRESETS[key].data["name"]))
    assert made.command or len(made.steps) == 3


def test_the_backup_keeps_seven_dated_archives(tmp_path: Path) -> None:
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents" / "letter").write_text("dear")
    kept = tmp_path / "backups"
    kept.mkdir()
    for number in range(9):
        old = kept / f"Documents-2020010{number}-000000.tar.gz"
        old.touch()
        os.utime(old, (number, number))
    done = run(command_of("backup"), tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(list(kept.iterdir())) == 7
    newest = Path(done.stdout.removeprefix("wrote ").strip())
    assert subprocess.run(["tar", "-tzf", newest], capture_output=True, text=True, check=True).stdout.split() == [
        "Documents/",
        "Documents/letter",
    ]


def test_a_backup_of_what_is_not_there_fails_and_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    assert run(command_of("backup"), tmp_path).returncode != 0
    assert list((tmp_path / "backups").glob("*.tar.gz")) == []


@pytest.fixture
def server() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


def test_the_check_of_a_page_fails_on_an_error_and_on_silence(tmp_path: Path, server: str) -> None:
    def check(address: str) -> int:
        return run(command_of("page").replace("https://example.org/", address), tmp_path).returncode

    assert check(f"{server}/good") == 0
    assert check(f"{server}/bad") != 0
    assert check("http://127.0.0.1:9/") != 0


def test_the_disk_is_full_at_ninety_percent(tmp_path: Path) -> None:
    (tmp_path / "df").write_text("#!/bin/sh\necho Filesystem\necho /dev/x 100 $used 10 $used% /\n")
    (tmp_path / "df").chmod(0o755)

    for used, status in ((89, 0), (90, 1)):
        done = run(f"PATH={tmp_path}:$PATH; export used={used}; {command_of('disk')}", tmp_path)
        assert (done.returncode, done.stdout) == (status, f"/ is {used} % full\n")


def test_only_old_files_are_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    for name, age in (("old", 40 * 86_400), ("new", 0)):
        (folder / name).touch()
        moment = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (moment, moment))

    assert run(command_of("tidy"), tmp_path).returncode == 0
    assert [file.name for file in folder.iterdir()] == ["new"]


def test_the_steps_hand_on_what_they_make(tmp_path: Path) -> None:
    rows: Any = PRESETS["steps"].data["steps"]
    done = [run(row.command, tmp_path) for row in rows]

    assert [one.returncode for one in done] == [0, 0, 0]
    assert done[-1].stdout == "3 lines collected\n"


def test_a_task_is_kept_as_a_template_and_a_new_one_begins_from_it(admin: Person, db: Database) -> None:
    task = add_task(
        db, "report", command="make report", cron="0 7 * * *", tags="a, b", retries="2", owner="bob", enabled=False
    )
    assert admin.post(f"/tasks/{task.id}/template").status_code == 303
    link = admin.see("/tasks/new").select_one(".wb-starts--own a")
    assert link is not None and link.text == "report"
    page = admin.see(str(link["href"]))
    fields = {**filled(page), "name": "second report"}

    assert page.select_one("#name")["value"] == ""  # type: ignore[index]
    assert admin.post(str(link["href"]), fields).status_code == 303
    made = tasks.definition_of(tasks.find_by_name(db, "second report"))
    assert (made.command, made.tags, made.policies.retries) == ("make report", ("a", "b"), 2)
    assert (made.owner, made.enabled) == (admin.username, True)
    assert tasks.list_page(db).total == 2


def test_a_template_of_the_same_name_is_replaced_and_one_can_be_deleted(admin: Person, db: Database) -> None:
    task = add_task(db, "report", command="one")
    admin.post(f"/tasks/{task.id}/template")
    tasks.update(db, task.id, {"command": "two"}, now=task.updated_at, actor="ann", defaults=DEFAULTS)
    admin.post(f"/tasks/{task.id}/template")
    rows = admin.get("/tasks/templates.json").json

    assert [(row["name"], row["command"], row["saved_by"]) for row in rows] == [("report", "two", admin.username)]
    assert admin.get("/tasks/templates.csv").text.splitlines()[0].startswith("id,name,schedule")
    assert admin.see("/tasks/templates").select_one("#templates tbody tr") is not None
    admin.post(f"/tasks/templates/{rows[0]['id']}/delete")
    assert task_templates.list_all(db) == []
    assert "No template yet" in admin.see("/tasks/templates").text


@pytest.mark.parametrize("word", ["preset:nothing", "template:999", "template:x", "odd"])
def test_nothing_begins_from_what_is_not_there(admin: Person, word: str) -> None:
    assert admin.get(f"/tasks/new?start={word}").status_code == 404


def test_there_is_an_end_to_templates(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_templates, "MOST_TEMPLATES", 1)
    one, two = add_task(db, "one"), add_task(db, "two")
    task_templates.save(db, one.id, now=one.updated_at, actor="ann")

    with pytest.raises(errors.Conflict, match="delete one first"):
        task_templates.save(db, two.id, now=one.updated_at, actor="ann")
    task_templates.save(db, one.id, now=one.updated_at, actor="ann")


def test_who_may_only_look_sees_templates_and_can_change_none(enter: Enter, admin: Person, db: Database) -> None:
    task = add_task(db, "report")
    admin.post(f"/tasks/{task.id}/template")
    viewer = enter("viewer")

    page = viewer.see("/tasks/templates")
    assert page.select("#templates form") == []
    assert viewer.post(f"/tasks/{task.id}/template").status_code == 403
