"""Handlers on the page: their list, their editor, what they said before, and who names them."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import NOW
from tests.fleet import add_device, execute, poll
from tests.unit.form_fields import soup
from tests.unit.test_pages_fleet_templates import HOSTILE, fields_of, send
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.errors import NotFound
from watchbell.services import fleet_jobs, job_handlers, job_library
from watchbell.store.job_library import JobHandler
from watchbell.store.session import Database

SCRIPT = "#!/bin/sh\necho one\n"
NAMES_IT = {"version": "1.0", "steps": [{"type": "runHandler", "input": {"handler": "clean"}}]}


def add(db: Database, name: str = "clean", **fields: Any) -> JobHandler:
    given = {"name": name, "script_content": SCRIPT, **fields}
    return job_library.create_handler(db, given, now=clock.now(), actor="ann")


def change(db: Database, handler: JobHandler, script: str) -> JobHandler:
    return job_handlers.update(db, handler.id, {"script_content": script}, now=clock.now(), actor="bo")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_list_shows_size_digest_version_and_who_names_each(admin: Person, db: Database) -> None:
    made = change(db, add(db, description=HOSTILE), "#!/bin/sh\necho two\n")
    job_library.create_template(db, {"name": HOSTILE, "document": NAMES_IT}, now=clock.now(), actor="ann")

    page = admin.see("/fleet/handlers?q=clean")

    (row,) = page.select("#handlers tbody tr")
    assert HOSTILE in row.text and not row.select("script")
    assert made.sha256[:12] in row.text and "19 B" in row.text
    assert len(admin.see("/fleet/handlers").select("#handlers tbody tr")) == 3
    (told,) = admin.get("/fleet/handlers.json?q=clean").json  # type: ignore[misc]
    assert (told["version"], told["bytes"], told["sha256"]) == (2, 19, made.sha256)
    assert "download-file" in admin.get("/fleet/handlers.csv").text
    assert "No handler matches" in admin.see("/fleet/handlers?q=nothing-like-it").text


def test_a_handler_is_made_and_another_script_is_another_version(admin: Person, db: Database) -> None:
    fields = [("name", "clean"), ("script_type", "bash"), ("script_content", SCRIPT.replace("\n", "\r\n")),
              ("default_args", "a b\r\nc\r\n")]  # fmt: skip
    answer = send(admin, "/fleet/handlers/new", fields)
    assert answer.status_code == 303
    address = answer.headers["Location"]
    (made,) = [one for one in job_library.list_handlers(db) if one.name == "clean"]
    assert (made.script_content, made.sha256, made.default_args) == (SCRIPT, digest(SCRIPT), ["a b", "c"])

    form = fields_of(admin.see(f"{address}/edit"), "#handler-form")
    assert send(admin, f"{address}/edit", form, description="why").status_code == 303
    assert [one.number for one in job_handlers.versions(db, made.id)] == [1]
    assert send(admin, f"{address}/edit", form, script_content="#!/bin/sh\n<b>\n").status_code == 303

    assert [one.number for one in job_handlers.versions(db, made.id)] == [2, 1]
    page = admin.see(address)
    assert "#!/bin/sh\n<b>\n" in page.select_one("#script pre").text  # type: ignore[union-attr]
    assert digest("#!/bin/sh\n<b>\n") in page.text
    stale = send(admin, f"{address}/edit", form, script_content="mine")
    assert stale.status_code == 412 and soup(stale.text).select_one("#script_content").text.strip() == "mine"  # type: ignore[union-attr]
    assert send(admin, f"{address}/edit", fields_of(soup(stale.text), "#handler-form")).status_code == 303


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": "../x"}, "name"), ({"name": "download-file"}, "name"), ({"script_content": ""}, "script_content"),
     ({"script_content": "x" * 300_000}, "script_content"), ({"script_type": "perl"}, "script_type"),
     ({"description": "x" * 2001}, "description")],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_wrong_handler_is_refused_at_its_field(admin: Person, fields: dict[str, str], field: str) -> None:
    given = {"name": "ok", "script_type": "bash", "script_content": SCRIPT, **fields}

    answer = send(admin, "/fleet/handlers/new", list(given.items()))

    assert answer.status_code in {409, 422}
    assert soup(answer.text).select_one(f"#{field}-error") is not None
    assert soup(answer.text).select_one("#script_content").text.strip() == given["script_content"].strip()  # type: ignore[union-attr]


def test_the_ends_of_lines_stay_what_they_were_if_nobody_touches_them(admin: Person, db: Database) -> None:
    script = "#!/bin/sh\r\necho a\rb\n"
    made = add(db, script_content=script)
    form = fields_of(admin.see(f"/fleet/handlers/{made.id}/edit"), "#handler-form")

    assert send(admin, f"/fleet/handlers/{made.id}/edit", form, description="why").status_code == 303

    assert job_handlers.get(db, made.id).script_content == script
    assert len(job_handlers.versions(db, made.id)) == 1


def test_versions_are_compared_saved_and_taken_back(admin: Person, db: Database) -> None:
    made = change(db, add(db), "#!/bin/sh\necho 2026-11-29\n")
    address = f"/fleet/handlers/{made.id}"

    page = admin.see(f"{address}?version=2&against=1")

    lines = [line.text for line in page.select(".wb-diff__line--before, .wb-diff__line--after")]
    assert [line.lstrip("0123456789+-") for line in lines] == ["echo one", "echo 2026-11-29"]
    saved = admin.get(f"{address}/versions/1/script")
    assert (saved.data, saved.headers["Content-Disposition"]) == (SCRIPT.encode(), "attachment; filename=clean")
    assert saved.headers["X-Content-Type-Options"] == "nosniff"
    assert "says again what version 1 said" in admin.post(f"{address}/versions/1/restore", follow_redirects=True).text
    found = job_handlers.versions(db, made.id)
    assert [(one.number, one.restores, one.sha256) for one in found][::2] == [
        (3, 1, digest(SCRIPT)),
        (1, None, digest(SCRIPT)),
    ]
    assert admin.post(f"{address}/versions/1/restore").status_code == 409
    for wrong in ("version=9", "version=x", "version=1&against=9"):
        assert admin.get(f"{address}?{wrong}").status_code in {404, 422}


def test_a_handler_that_something_names_is_not_deleted(admin: Person, db: Database) -> None:
    made = add(db)
    template = job_library.create_template(db, {"name": "t", "document": NAMES_IT}, now=clock.now(), actor="ann")
    given = execute(db, add_device(db), document=NAMES_IT, name=HOSTILE)
    page = admin.see(f"/fleet/handlers/{made.id}")
    assert {"t", HOSTILE} <= {link.text for link in page.select("#uses a")}
    assert page.select_one(f"form[action$='/{made.id}/delete']") is None

    assert "is not deleted" in admin.post(f"/fleet/handlers/{made.id}/delete", follow_redirects=True).text
    job_library.delete_template(db, template.id, now=clock.now(), actor="ann")
    fleet_jobs.cancel(db, given.execution.job_id, now=NOW, actor="ann", force=True)
    assert "is deleted" in admin.post(f"/fleet/handlers/{made.id}/delete", follow_redirects=True).text

    assert admin.get(f"/fleet/handlers/{made.id}").status_code == 404


def test_a_device_gets_the_script_whose_digest_it_was_told_though_it_was_changed_meanwhile(db: Database) -> None:
    made = add(db)
    device = add_device(db)
    execute(db, device, document=NAMES_IT)
    told = poll(db, device).offer
    assert told is not None and [one.sha256 for one in told.handlers] == [digest(SCRIPT)]

    change(db, made, "another")

    got = job_handlers.handler_for(db, device, "clean", digest(SCRIPT), now=NOW)
    assert (got.name, got.script_content, got.sha256) == ("clean", SCRIPT, digest(SCRIPT))
    assert job_handlers.handler_for(db, device, "clean", now=NOW).script_content == "another"
    again = poll(db, device).offer
    assert again is not None and [one.sha256 for one in again.handlers] == [digest("another")]
    with pytest.raises(NotFound):
        job_handlers.handler_for(db, device, "clean", digest("never"), now=NOW)


def test_a_program_of_a_device_asks_by_digest(program: Program, db: Database) -> None:
    made = add(db)
    device = add_device(db)
    execute(db, device, document=NAMES_IT)
    poll(db, device)
    change(db, made, "another")

    address = f"/api/v1/devices/{device}/handlers/clean"

    assert program.get(f"{address}?sha256={digest(SCRIPT)}")["script_content"] == SCRIPT
    assert program.get(address)["script_content"] == "another"
    program.want(404, "GET", f"{address}?sha256={digest('never')}")


def test_handlers_of_the_beginning_have_a_first_version(db: Database) -> None:
    for handler in job_library.list_handlers(db):
        (version,) = job_handlers.versions(db, handler.id)
        assert (version.number, version.sha256) == (1, digest(handler.script_content))


def test_only_editors_change_handlers(enter: Enter, db: Database) -> None:
    made = add(db)
    operator = enter("operator")

    assert operator.get(f"/fleet/handlers/{made.id}").status_code == 200
    for address in (f"{made.id}/edit", "new"):
        assert operator.get(f"/fleet/handlers/{address}").status_code == 403
    for address in (f"{made.id}/edit", f"{made.id}/delete", f"{made.id}/versions/1/restore"):
        assert operator.post(f"/fleet/handlers/{address}").status_code == 403
