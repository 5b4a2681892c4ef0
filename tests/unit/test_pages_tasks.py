from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound
from watchbell.services import runs, tasks
from watchbell.store.session import Database
from watchbell.web.twins import defused

HOSTILE = [
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "${7*7}",
    "__proto__",
    "</script><script>alert(1)</script>",
    "a' onclick='x",
]
TABLE = "/tasks/data?draw=7&start=0&length=10&order[0][column]=0&order[0][dir]=asc"


def names(page: BeautifulSoup) -> list[str]:
    return [link.text for link in page.select("#tasks tbody .wb-task-name > a")]


def test_an_empty_list_leads_to_the_first_task(admin: Person) -> None:
    page = admin.see("/tasks")

    assert "No task yet" in page.text
    assert page.select_one('.wb-empty a[href="/tasks/new"]') is not None


def test_the_list_says_how_many_there_are(admin: Person, db: Database) -> None:
    add_task(db, "one")
    add_task(db, "two", enabled=False)

    page = admin.see("/tasks")

    assert "2 tasks, 1 enabled." in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert names(page) == ["one", "two"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=back", ["backup"]),
        ("enabled=no", ["zebra"]),
        ("enabled=yes", ["backup", "sync"]),
        ("order=-0", ["zebra", "sync", "backup"]),
        ("owner=mine", ["sync"]),
        ("q=nothing-like-this", []),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(
    admin: Person, db: Database, query: str, expected: list[str]
) -> None:
    add_task(db, "backup")
    add_task(db, "zebra", enabled=False)
    add_task(db, "sync", owner=admin.username)

    assert names(admin.see(f"/tasks?{query}")) == expected


def test_a_list_without_scripts_has_pages(admin: Person, db: Database) -> None:
    for number in range(30):
        add_task(db, f"task-{number:02}")

    first, second = admin.see("/tasks"), admin.see("/tasks?page=2")

    assert len(names(first)) == 25
    assert names(second) == [f"task-{number}" for number in range(25, 30)]
    assert first.select_one('noscript a[rel="next"]')["href"] == "/tasks?page=2"  # type: ignore[index]


def test_the_table_is_answered_in_its_protocol(admin: Person, db: Database) -> None:
    add_task(db, "backup")
    add_task(db, "sync")

    answer = admin.get(f"{TABLE}&search[value]=syn").get_json()

    assert (answer["draw"], answer["recordsTotal"], answer["recordsFiltered"]) == (7, 2, 1)
    (row,) = answer["data"]
    assert row["DT_RowId"] == "task-2"
    assert set(row) == {"DT_RowId", *map(str, range(9))}
    assert "sync" in BeautifulSoup(row["1"], "html.parser").text


@pytest.mark.parametrize(
    "change",
    [
        "draw=x", "length=-1", "length=1000", "start=-5", "order[0][column]=3", "order[0][column]=99", "order[0][dir]=up",
        "owner=everybody", "enabled=perhaps", "draw=",
    ],
)  # fmt: skip
def test_a_table_request_out_of_bounds_is_refused(admin: Person, change: str) -> None:
    name, _, value = change.partition("=")
    sent = {"draw": "1", "start": "0", "length": "10", "order[0][column]": "0", "order[0][dir]": "asc", name: value}

    answer = admin.get("/tasks/data", query_string=sent)

    assert answer.status_code == 422
    assert "error" in answer.get_json()


@pytest.mark.parametrize("query", ["order=3", "order=x", "page=0", "page=-1", "owner=x", "enabled=x"])
def test_an_address_that_means_nothing_is_refused_by_name(admin: Person, query: str) -> None:
    answer = admin.get(f"/tasks?{query}")

    assert answer.status_code == 422
    assert query.split("=")[0] in answer.text.lower()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_everywhere(admin: Person, db: Database, name: str) -> None:
    task = add_task(
        db, name, tags=[name[:50].replace(",", "")], comment=name, owner=name, every="1h", command=f"echo {name}"
    )
    run = add_run(db, task, RunState.FAILED, reason=name, requested_by=name)
    hover = admin.see("/tasks").select_one(".wb-strip title")
    assert hover is not None and hover.text.endswith(name)

    for url in ("/tasks", f"/tasks/{task.id}", f"/tasks/{task.id}/edit", "/next-runs", "/runs", f"/runs/{run.id}"):
        page = admin.see(url)
        assert name in page.text or any(name == field.get("value") for field in page.select("input")), url
        assert not page.select("img, [onclick], [onerror]"), url
        assert all(script.get("src") for script in page.select("script")), url
    cell = BeautifulSoup(admin.get(TABLE).get_json()["data"][0]["1"], "html.parser")
    assert name in cell.text
    assert not cell.select("img, script, [onclick]")


def test_the_strip_shows_what_the_last_runs_were(admin: Person, db: Database) -> None:
    task = add_task(db)
    for seconds in (2, 4, 60):
        add_run(db, task, RunState.SUCCEEDED, started_at=NOW, ended_at=NOW + timedelta(seconds=seconds))
    failed = add_run(db, task, RunState.FAILED, started_at=NOW)

    page = admin.see("/tasks")

    marks = page.select(".wb-strip a")
    assert len(marks) == 4
    assert marks[-1]["href"] == f"/runs/{failed.id}"
    assert [int(mark.select_one("rect")["height"]) for mark in marks[:3]] == [5, 10, 20]
    assert marks[-1].title is not None and marks[-1].title.text.startswith(f"#{failed.id} failed in <1s, due 2")
    assert "Last 4 runs: 3 succeeded, the last one failed" in page.text
    assert page.select_one('td[data-label="Usual"]').text == "4s"  # type: ignore[union-attr]


def test_json_and_csv_hold_the_same_tasks(admin: Person, db: Database) -> None:
    add_task(db, "backup", tags=["a", "b"], every="1h")
    add_task(db, "off", enabled=False)

    as_json = admin.get("/tasks.json?enabled=yes").get_json()
    as_csv = list(csv.DictReader(io.StringIO(admin.get("/tasks.csv?enabled=yes").text)))

    assert [task["name"] for task in as_json] == [row["name"] for row in as_csv] == ["backup"]
    assert as_json[0]["tags"] == ["a", "b"]
    assert as_csv[0]["tags"] == "a, b"
    assert as_csv[0]["next_due_at"] == as_json[0]["next_due_at"] and as_csv[0]["next_due_at"].endswith("+01:00")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_spreadsheet_takes_a_cell_for_a_formula(cell: str) -> None:
    assert defused(cell) == f"'{cell}"


def test_numbers_in_a_csv_stay_numbers() -> None:
    assert [defused(-1), defused(2.5), defused(None), defused("a-1")] == [-1, 2.5, "", "a-1"]


def test_a_formula_in_a_name_is_defused_in_the_csv(admin: Person, db: Database) -> None:
    add_task(db, "=cmd|calc")

    rows = list(csv.DictReader(io.StringIO(admin.get("/tasks.csv").text)))

    assert rows[0]["name"] == "'=cmd|calc"


def test_run_now_queues_a_run_and_says_when_nobody_will_start_it(admin: Person, db: Database) -> None:
    task = add_task(db)

    answer = admin.post(f"/tasks/{task.id}/run")

    (run,) = runs.list_page(db).runs
    assert answer.headers["Location"].endswith(f"/runs/{run.id}")
    assert (run.state, run.trigger, run.requested_by) == ("queued", "manual", admin.username)
    assert "nothing will start until you press Start" in admin.see(f"/runs/{run.id}").text


def test_disabling_and_enabling_goes_back_to_where_one_was(admin: Person, db: Database) -> None:
    task = add_task(db, every="1h")

    from_list = admin.post(f"/tasks/{task.id}/disable", {"back": "list"})
    assert from_list.headers["Location"] == "/tasks"
    assert not tasks.get(db, task.id).enabled

    from_task = admin.post(f"/tasks/{task.id}/enable")
    assert from_task.headers["Location"] == f"/tasks/{task.id}"
    assert tasks.get(db, task.id).enabled


def test_a_copy_is_disabled_and_opened_in_the_form(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")

    answer = admin.post(f"/tasks/{task.id}/copy")

    made = tasks.find_by_name(db, "backup-2")
    assert not made.enabled
    assert answer.headers["Location"] == f"/tasks/{made.id}/edit"


def test_deleting_does_not_ask_keeps_the_runs_and_can_be_taken_back(admin: Person, db: Database) -> None:
    task = add_task(db, "backup", cron="0 2 * * *")
    run = add_run(db, task, RunState.SUCCEEDED)
    button = admin.see(f"/tasks/{task.id}").select_one(f'form[action="/tasks/{task.id}/delete"]')
    assert button is not None
    assert "data-confirm" not in button.attrs

    admin.post(f"/tasks/{task.id}/delete")

    page = admin.see("/tasks")
    assert "backup is deleted" in page.text
    undo = page.select_one(f'form[action="/tasks/{task.id}/restore"]')
    assert undo is not None
    for place in ("", "/edit", "/metrics"):
        gone = admin.get(f"/tasks/{task.id}{place}")
        assert (gone.status_code, "Restore" in gone.text) == (410, True), place
        assert admin.get(f"/tasks/{task.id + 1}{place}").status_code == 404
    assert "backup" in admin.see(f"/runs/{run.id}").text
    with pytest.raises(NotFound):
        tasks.get(db, task.id)

    admin.post(f"/tasks/{task.id}/restore")
    assert "backup is there again" in admin.see(f"/tasks/{task.id}").text
    assert tasks.get(db, task.id).enabled


def test_a_deletion_whose_name_was_taken_says_what_to_do(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    admin.post(f"/tasks/{task.id}/delete")
    add_task(db, "backup")
    assert admin.post(f"/tasks/{task.id}/restore").status_code == 303

    page = BeautifulSoup(admin.get(f"/tasks/{task.id}").text, "html.parser")
    told = [notice.text for notice in page.select(".wb-notice")]

    assert any("Another task is called 'backup' by now" in text for text in told)


def test_the_page_of_a_deleted_task_says_who_deleted_it_and_leads_back(
    admin: Person, enter: Enter, db: Database
) -> None:
    task = add_task(db, "backup", command="tar cf x", environment={"API_TOKEN": "geheim-1234"})
    run = add_run(db, task, RunState.SUCCEEDED)
    tasks.delete(db, task.id, now=clock.now(), actor="bob")
    # The notice of the deletion is gone, and only the runs still lead to the task.
    link = admin.see(f"/runs/{run.id}").select_one("h1 a")
    assert link is not None

    answer = admin.get(str(link["href"]))
    page = BeautifulSoup(answer.text, "html.parser")

    assert answer.status_code == 410
    assert "Deleted by bob" in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert "tar cf x" in page.text
    assert "geheim-1234" not in page.text
    button = page.select_one(f'form[action="/tasks/{task.id}/restore"]')
    assert button is not None
    assert admin.post(str(button["action"])).headers["Location"] == f"/tasks/{task.id}"
    assert admin.get(f"/tasks/{task.id}").status_code == 200
    tasks.delete(db, task.id, now=clock.now(), actor="bob")
    assert "/restore" not in enter("viewer").get(f"/tasks/{task.id}").text
    assert admin.get("/tasks/999").status_code == 404


def test_tasks_that_were_deleted_together_have_one_undo_however_many_they_are(admin: Person, db: Database) -> None:
    made = [add_task(db, f"task-{number}", enabled=number != 1) for number in range(3)]
    ids = ".".join(str(task.id) for task in made)
    admin.post("/tasks/bulk", {"action": "delete", "ids": ids, "sure": "1", "back": f"/tasks?tag={'x' * 1400}"})

    undo = admin.see("/tasks").select_one('.wb-notice form[action="/tasks/restore"]')
    assert undo is not None
    fields = {field["name"]: field["value"] for field in undo.select("input[type=hidden]")}
    admin.post("/tasks/restore", {name: value for name, value in fields.items() if name != "csrf_token"})

    assert "3 restored." in admin.see("/tasks").select_one(".wb-notice").text  # type: ignore[union-attr]
    assert [tasks.get(db, task.id).enabled for task in made] == [True, False, True]
    assert admin.post("/tasks/restore").status_code == 422


@pytest.mark.parametrize(("act", "back"), [("enable", "disable"), ("disable", "enable")])
def test_what_a_switch_did_can_be_taken_back(admin: Person, db: Database, act: str, back: str) -> None:
    task = add_task(db, "backup", enabled=act == "disable")

    admin.post(f"/tasks/{task.id}/{act}", {"back": "list"})

    undo = admin.see("/tasks").select_one(f'.wb-notice form[action="/tasks/{task.id}/{back}"]')
    assert undo is not None
    assert undo.select_one("input[name=back]")["value"] == "list"  # type: ignore[index]


def test_the_page_of_a_task_says_when_and_how(admin: Person, db: Database) -> None:
    task = add_task(db, "backup", cron="30 2 * * *", zone="Europe/Berlin", command="tar cf x", environment={"A": "1"})

    page = admin.see(f"/tasks/{task.id}")

    assert "At 02:30 every day, Europe/Berlin" in page.select_one(".wb-answer").text  # type: ignore[union-attr]
    assert len(page.select(".wb-moments li")) == 10
    assert len(page.select(".wb-clock-change")) == 2
    assert [block.text.strip() for block in page.select(".wb-code")] == ["tar cf x", "A=1"]
    assert "Version 1 by ann" in page.text


def test_a_viewer_may_look_and_not_touch(enter: Enter, db: Database) -> None:
    task = add_task(db)
    viewer = enter("viewer")

    assert viewer.get("/tasks").status_code == viewer.get(f"/tasks/{task.id}").status_code == 200
    assert viewer.get("/tasks/new").status_code == 403
    assert viewer.post(f"/tasks/{task.id}/run").status_code == 403
    assert runs.list_page(db).filtered == 0


def test_many_tasks_are_switched_without_an_undo_where_the_cookie_has_no_room_for_it(
    admin: Person, db: Database
) -> None:
    ids = ".".join(str(add_task(db, f"task-{number}").id) for number in range(3))
    for action, back in (("disable", "/tasks?tag=few"), ("enable", f"/tasks?tag={'x' * 1500}")):
        admin.post("/tasks/bulk", {"action": action, "ids": ids, "sure": "1", "back": back})
        page = admin.see("/tasks")
        assert f"3 {action}d." in page.select_one(".wb-notice").text  # type: ignore[union-attr]
        assert bool(page.select('.wb-notice form[action="/tasks/bulk"]')) is (action == "disable")


def test_next_runs_show_each_task_and_not_only_the_busiest(admin: Person, db: Database) -> None:
    now = clock.now()
    add_task(db, "busy", now=now, every="10s")
    add_task(db, "calm", now=now, every="5h")

    rows = [row.select_one("td a").text for row in admin.see("/next-runs").select("tr[data-group]")]  # type: ignore[union-attr]

    assert rows.count("busy") == 3
    assert rows.count("calm") == 3


def test_next_runs_look_as_far_as_they_are_asked(admin: Person, db: Database) -> None:
    add_task(db, "calm", now=clock.now(), every="5h")

    assert "Nothing is due so soon" in admin.see("/next-runs?within=1h").text
    assert len(admin.get("/next-runs.json?within=24h").get_json()) == 4
    assert admin.get("/next-runs?within=9y").status_code == 422


def test_next_runs_without_any_task_say_what_to_do(admin: Person, db: Database) -> None:
    assert admin.see("/next-runs").select_one('.wb-empty a[href="/tasks/new"]') is not None

    add_task(db, "off", enabled=False, every="1h")

    assert "All tasks are disabled" in admin.see("/next-runs").text


def test_the_calendar_can_be_read_by_calendars(admin: Person, db: Database) -> None:
    add_task(db, "night; backup, of all " + "ü" * 60, now=clock.now(), cron="0 2 * * *", zone="Europe/Berlin")

    answer = admin.get("/next-runs.ics?within=7d")

    lines = answer.get_data().split(b"\r\n")
    assert answer.mimetype == "text/calendar"
    assert max(map(len, lines)) <= 75
    unfolded = answer.get_data().replace(b"\r\n ", b"").decode()
    assert unfolded.count("BEGIN:VEVENT") == 7
    assert "SUMMARY:night\\; backup\\, of all " + "ü" * 60 in unfolded
    assert len({line for line in unfolded.split("\r\n") if line.startswith("UID:")}) == 7


@pytest.mark.parametrize(
    ("asked", "leads"), [("q=task&page=99999", "/tasks?q=task&page=2"), ("q=none&page=7", "/tasks?q=none&page=1")]
)
def test_a_page_behind_the_last_one_leads_to_the_last(admin: Person, db: Database, asked: str, leads: str) -> None:
    for number in range(3):
        add_task(db, f"task-{number}")

    answer = admin.get(f"/tasks?{asked}&length=2")

    assert answer.headers["Location"] == f"{leads}&length=2"
    assert admin.get(f"{leads}&length=2").status_code == 200
