"""What programs that mean harm send to the API: it is refused at the door, bounded, or kept as the text that it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api_fixtures import Program
from tests.database import add_run, add_task
from tests.waiting import spends_at_most
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.services import tasks
from watchbell.store.session import Database

#: One address of each family that lists, and one that makes.
LISTS = ["/api/jobs", "/api/tasks/all", "/api/cron/logs", "/api/v2/tasks"]
FAMILIES = {
    "/api/jobs": {"name": "x", "cron": "@daily", "command": "true"},
    "/api/task": {"ScriptName": "x.py"},
    "/api/cron/start": {"interval_seconds": 60},
    "/api/v2/tasks": {"name": "x", "command": "true"},
}


@pytest.mark.parametrize("host", ["evil.example", "169.254.169.254", "localhost:0@evil.example", "a.evil:5000"])
@pytest.mark.parametrize("path", LISTS)
def test_a_server_that_is_called_by_another_name_answers_nobody(program: Program, path: str, host: str) -> None:
    assert program.call("GET", path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("path", FAMILIES)
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["foreign", "null", "cross-site"],
)
def test_a_page_elsewhere_makes_nothing(program: Program, db: Database, path: str, headers: dict[str, str]) -> None:
    assert program.call("POST", path, FAMILIES[path], headers=headers).status_code == 403
    assert tasks.list_page(db).total == 0


@pytest.mark.parametrize("path", LISTS)
def test_answers_open_to_no_other_site_and_are_no_page(program: Program, path: str) -> None:
    answer = program.call("GET", f"{path}?callback=steal&format=html", headers={"Origin": "https://evil.example"})

    assert answer.content_type.startswith("application/json")
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-allow")]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "field", ["run_as", "uid", "id", "created_by", "next_run", "is_admin", "env.LD_PRELOAD", "version"]
)
@pytest.mark.parametrize("path", FAMILIES)
def test_a_field_that_nobody_offers_is_refused_and_nothing_is_stored(
    program: Program, db: Database, path: str, field: str
) -> None:
    assert program.call("POST", path, {**FAMILIES[path], field: "root"}).status_code in {400, 422}
    assert tasks.list_page(db).total == 0


@pytest.mark.parametrize(
    "name",
    ["; rm -rf ~", "$(id)", "`id`", "-rf", "@/etc/passwd", "a'b\"c", "<script>alert(1)</script>", "\u202egnp.exe"],
)
def test_a_hostile_name_is_a_text_or_is_refused(program: Program, db: Database, name: str) -> None:
    made = program.call("POST", "/api/v2/tasks", {"name": name, "command": "true"})

    if made.status_code == 201:
        assert program.get(f"/api/v2/tasks/{made.get_json()['id']}")["name"] == name
        assert tasks.list_page(db).tasks[0].command == "true"
    else:
        assert made.status_code == 422


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_variable_of_several_lines_is_refused(program: Program, value: str) -> None:
    body = {"name": "x", "command": "true", "environment": {"LANG": value}}

    assert program.call("POST", "/api/v2/tasks", body).status_code == 422


@pytest.mark.parametrize(
    "cron",
    [
        "${7*7} * * * *",
        "* " * 500_000,
        "0-59/0 * * * *",
        "*/0 * * * *",
        "61 * * * *",
        "0 0 30 2 *",
        ",".join(["1"] * 10_000) + " * * * *",
        "#{1+1} * * * *",
    ],
    ids=["braces", "1 MB", "step 0", "star step 0", "61", "30 February", "10,000 commas", "expression"],
)
def test_a_hostile_schedule_is_refused_soon(program: Program, cron: str) -> None:
    body = {"name": "x", "command": "true", "cron": cron}
    answer = spends_at_most(1, lambda: program.call("POST", "/api/v2/tasks", body))

    assert answer.status_code in {422, 413}


#: A letter whose small form PostgreSQL takes for a plain i, as its searches then do.
_LETTER = pytest.param("\u0130", marks=pytest.mark.embedded)


@pytest.mark.parametrize("words", ["' OR 1=1 --", "%", "_", "\\", "'; DROP TABLE task; --", "(a+)+$", _LETTER, "\0"])
def test_what_means_something_to_a_database_is_only_searched_for(program: Program, db: Database, words: str) -> None:
    add_run(db, add_task(db, "plain", command="true"), RunState.FAILED)

    for path, name in (
        ("/api/v2/tasks", "search"),
        ("/api/v2/tasks", "tag"),
        ("/api/v2/tasks", "owner"),
        ("/api/v2/runs", "search"),
        ("/api/v2/runs", "queue"),
        ("/api/jobs", "tag"),
        ("/api/tasks", "user"),
        ("/api/runs", "job_name"),
    ):
        answer = program.call("GET", path, query_string={name: words})
        assert answer.status_code in {200, 400, 422}, (path, name, answer.text)
        if answer.status_code == 200:
            rows = answer.get_json()
            assert not (rows if isinstance(rows, list) else rows["items"]), (path, name)


@pytest.mark.parametrize("sort", ["name; DROP TABLE task", "command", "(SELECT 1)", "name desc"])
def test_nothing_is_sorted_by_what_is_not_offered(program: Program, sort: str) -> None:
    assert program.call("GET", "/api/v2/tasks", query_string={"sort": sort}).status_code == 422


@pytest.mark.parametrize(
    "part", ["..", "..%2f..%2fetc%2fpasswd", "%252e%252e", "%2fetc%2fpasswd", "1%00", "0x1", "\u0661"]
)
@pytest.mark.parametrize(
    "place", ["/api/runs/{}", "/api/v2/runs/{}", "/api/v2/runs/{}/output", "/api/v2/runs/{}/output/raw"]
)
def test_ids_are_numbers_and_never_lead_anywhere(program: Program, place: str, part: str) -> None:
    assert program.client.get(place.format(part)).status_code in {404, 405, 422}


@pytest.mark.parametrize("path", ["/api/runs", "/api/logs", "/api/v2/runs", "/api/v2/tasks", "/api/v2/events"])
@pytest.mark.parametrize("limit", ["1000000000", "-1", "1e9", "0", "9" * 400])
def test_no_list_is_longer_than_it_says(program: Program, path: str, limit: str) -> None:
    assert program.call("GET", path, query_string={"limit": limit}).status_code in {400, 422}


@pytest.mark.parametrize("path", FAMILIES)
def test_a_body_is_bounded_in_size_and_depth(program: Program, path: str) -> None:
    large = program.call("POST", path, data=b" " * (1024 * 1024 + 1), content_type="application/json")
    deep = program.call("POST", path, data=b"[" * 10_000 + b"]" * 10_000, content_type="application/json")

    assert large.status_code == 413
    assert deep.status_code in {400, 422}


@pytest.mark.parametrize("path", FAMILIES)
def test_a_form_of_a_million_parts_is_not_even_read(program: Program, path: str) -> None:
    # The last of them is no text, of which whoever reads them all has to complain.
    answer = program.call(
        "POST", path, data=b"a=1&" * 200_000 + b"%ff=1", content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code in {400, 422}
    assert "more than 10,000 fields" in answer.text


@pytest.mark.parametrize("path", [*LISTS, "/api/v2/runs", "/api/status"])
def test_a_database_that_is_gone_is_told_without_its_secrets(program: Program, database_file: Path, path: str) -> None:
    program.call("GET", path)
    database_file.rename(database_file.with_name("moved.db"))

    answer = program.call("GET", path)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    for secret in ("Traceback", "SELECT", "sqlite", "/home", "watchbell.db", ".py"):
        assert secret not in answer.text


def test_a_viewer_reads_and_changes_nothing(enter, db: Database) -> None:
    task = add_task(db, "watched")
    viewer: Person = enter("viewer")

    assert viewer.get("/api/v2/tasks").status_code == 200
    for method, path in (
        ("POST", f"/api/v2/tasks/{task.id}/runs"),
        ("PATCH", f"/api/v2/tasks/{task.id}"),
        ("DELETE", "/api/jobs/watched"),
        ("POST", "/api/cron/stop"),
        ("PUT", f"/api/task/{task.id}"),
    ):
        assert viewer.client.open(path, method=method, json={}).status_code in {400, 403}, path
    assert tasks.get(db, task.id).version == 1
