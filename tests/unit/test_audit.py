"""The audit: what is written down, that it cannot be changed unseen, and who may read it."""

from __future__ import annotations

import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain import audit_chain
from watchbell.domain.audit_chain import FIRST, Link
from watchbell.domain.task_definition import Defaults
from watchbell.services import accounts, audit, pauses, queues, runs, tasks, tokens, triggers
from watchbell.services.audit import Origin
from watchbell.store.session import Database


def chain(contents: list[dict[str, object]]) -> list[Link]:
    links, previous = [], FIRST
    for number, content in enumerate(contents, start=1):
        digest = audit_chain.digest(previous, content)
        links.append(Link(number, previous, digest, content))
        previous = digest
    return links


CONTENTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=5)), min_size=2, max_size=8)


@given(CONTENTS, st.data())
def test_no_entry_can_be_changed_left_out_or_moved_unseen(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    links = chain(contents)
    place = data.draw(st.integers(0, len(links) - 2))
    one = links[place]
    changed = [*links[:place], Link(one.number, one.previous, one.digest, {**one.content, "x": 1}), *links[place + 1 :]]
    left_out = links[:place] + links[place + 1 :]
    swapped = [*links[:place], links[place + 1], one, *links[place + 2 :]]

    assert audit_chain.verify(links).is_whole
    for forged in (changed, left_out, swapped):
        assert not audit_chain.verify(forged).is_whole


@given(CONTENTS)
def test_a_chain_that_was_cut_short_is_found_out_by_the_digest_that_was_kept(contents: list[dict[str, object]]) -> None:
    links = chain(contents)

    assert audit_chain.verify(links[:-1]).is_whole
    assert not audit_chain.verify(links[:-1], anchor=links[-1].digest).is_whole
    assert audit_chain.verify(links, anchor=links[0].digest).is_whole


def deeds(db: Database) -> list[tuple[str, str, str]]:
    return [(one.action, one.subject, one.actor) for one in reversed(audit.list_page(db, limit=100))]


def test_every_deed_is_written_down_with_who_did_it_to_what(db: Database) -> None:
    task = add_task(db, "backup", actor="ann")
    run = add_run(db, task)
    defaults = Defaults(zone="UTC", owner="ann", host="here")
    tasks.update(db, task.id, {"command": "false"}, now=NOW, actor="bob", defaults=defaults)
    tasks.update(db, task.id, {"command": "false"}, now=NOW, actor="bob", defaults=defaults)
    tasks.set_enabled(db, task.id, False, now=NOW, actor="bob")
    triggers.run_now(db, task.id, now=NOW, actor="eve")
    runs.cancel(db, run.id, now=NOW, actor="eve")
    queues.set_bounds(db, "nightly", max_running=2, comment="", now=NOW, actor="eve")
    queues.remove(db, "nightly", now=NOW, actor="eve")
    pauses.pause(db, "everything", now=NOW, actor="eve", reason="disk")
    pauses.resume(db, "everything", now=NOW, actor="eve")
    pauses.resume(db, "everything", now=NOW, actor="eve")
    tasks.delete(db, task.id, now=NOW, actor="ann")

    assert deeds(db) == [
        ("task.create", "task:1", "ann"),
        ("task.change", "task:1", "bob"),
        ("task.disable", "task:1", "bob"),
        ("task.run", "task:1", "eve"),
        ("run.cancel", f"run:{run.id}", "eve"),
        ("queue.change", "queue:nightly", "eve"),
        ("queue.remove", "queue:nightly", "eve"),
        ("pause.begin", "everything", "eve"),
        ("pause.end", "everything", "eve"),
        ("task.delete", "task:1", "ann"),
    ]
    assert audit.verify(db).is_whole


def test_what_changed_is_told_and_values_of_the_environment_are_not(db: Database) -> None:
    task = add_task(db, "backup", environment={"PLACE": "/a", "KEY": "hunter2"})
    defaults = Defaults(zone="UTC", owner="ann", host="here")
    changed = {"command": "cp -a", "environment": {"PLACE": "/a", "KEY": "hunter3"}}
    tasks.update(db, task.id, changed, now=NOW, actor="ann", defaults=defaults)

    detail = audit.list_page(db, limit=1)[0].detail

    assert detail["command"] == [task.command, "cp -a"]
    assert detail["environment"] == ["KEY"]
    assert "hunter" not in str(detail)


def test_accounts_sessions_and_tokens_leave_their_marks(db: Database) -> None:
    now = clock.now()
    admin = accounts.ensure_first(db, now=now)
    accounts.add(db, "ann", role="viewer", password="a long sentence", now=now, actor=admin.username)
    grant = accounts.log_in(db, "ann", "a long sentence", now=now, address="10.0.0.1")
    refused = accounts.log_in(db, "ann", "another", now=now)
    stranger = accounts.log_in(db, "hunter2 typed as a name", "x", now=now)
    token = tokens.create(db, "ann", "monitor", scope="read", lifetime=None, now=now).token
    tokens.revoke(db, token.id, now=now, actor=admin.username)
    accounts.set_role(db, "ann", "editor", now=now, actor=admin.username)
    accounts.set_active(db, "ann", False, now=now, actor=admin.username)

    assert grant is not None and refused is None and stranger is None
    assert deeds(db) == [
        ("account.create", "account:ann", "admin"),
        ("login.password", "account:ann", "ann"),
        ("login.refuse", "account:ann", "ann"),
        ("login.refuse", "account:", ""),
        ("token.create", f"token:{token.id}", "ann"),
        ("token.revoke", f"token:{token.id}", "admin"),
        ("account.role", "account:ann", "admin"),
        ("account.disable", "account:ann", "admin"),
    ]
    assert accounts.resume(db, grant.token, now=now) is None
    assert "hunter2" not in str([vars(one) for one in audit.list_page(db, limit=100)])


def test_what_is_undone_leaves_no_mark(db: Database) -> None:
    task = add_task(db)
    with db.rehearse() as session:
        tasks.set_enabled(db.within(session), task.id, False, now=NOW, actor="ann")

    assert deeds(db) == [("task.create", "task:1", "ann")]


def test_the_database_itself_refuses_to_change_or_remove_an_entry(db: Database, database_file: Path) -> None:
    add_task(db)
    with sqlite3.connect(database_file) as connection:
        for order in ("UPDATE audit_entry SET actor = 'eve'", "DELETE FROM audit_entry"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(order)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        ("UPDATE audit_entry SET actor = 'eve' WHERE id = 2", "it was changed after it was written"),
        ("DELETE FROM audit_entry WHERE id = 2", "1 entry is missing before it"),
        ("DELETE FROM audit_entry WHERE id = 3", "the newest entries are missing"),
    ],
)
def test_whoever_gets_around_the_database_is_found_out(
    db: Database, database_file: Path, forge: str, reason: str
) -> None:
    for name in ("a", "b", "c"):
        add_task(db, name)
    with sqlite3.connect(database_file) as connection:
        connection.execute("DROP TRIGGER audit_entry_no_update")
        connection.execute("DROP TRIGGER audit_entry_no_delete")
        connection.execute(forge)

    verdict = audit.verify(db)

    assert not verdict.is_whole and reason in verdict.reason


def test_where_a_deed_came_from_is_told(db: Database) -> None:
    with audit.coming_from(Origin("page", "10.0.0.7", "abc")):
        add_task(db)

    entry = audit.list_page(db, limit=1)[0]
    assert (entry.way, entry.address, entry.request_id) == ("page", "10.0.0.7", "abc")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"actor": "bob"}, ["b"]),
        ({"action": "task."}, ["c", "b", "a"]),
        ({"action": "tas"}, []),
        ({"subject": "task:1"}, ["a"]),
        ({"search": "B"}, ["b"]),
        ({"search": "%"}, []),
        ({"before": 2}, ["a"]),
        ({"after": 2}, ["c"]),
        ({"actor": "\ud800"}, []),
    ],
)
def test_filters(db: Database, filters: dict[str, object], found: list[str]) -> None:
    for name, actor in (("a", "zoe"), ("b", "bob"), ("c", "zoe")):
        add_task(db, name, actor=actor)

    assert [one.name for one in audit.list_page(db, limit=10, **filters)] == found


def test_the_page_shows_it_to_administrators_and_a_refusal_is_written_down_too(enter: Enter, db: Database) -> None:
    add_task(db, "backup")
    viewer, admin = enter("viewer"), enter("admin")

    refused = viewer.get("/audit")
    page = admin.see("/audit?kind=request")

    assert refused.status_code == 403
    assert "request.refuse" in page.text and "a-viewer" in page.text and "127.0.0.1" in page.text
    assert "task.create" not in page.text
    assert admin.get("/audit.csv").text.startswith("id,at,actor,way")
    assert admin.get("/audit.json?kind=task").json[0]["name"] == "backup"


def test_the_pages_of_the_audit_lead_to_all_entries_and_back(admin: Person, db: Database) -> None:
    for number in range(120):
        add_task(db, f"task-{number}")
    seen: list[str] = []
    address: str | None = "/audit?kind=task"
    while address:
        page = admin.see(address)
        seen += [row["id"] for row in page.select("tr[id^=entry-]")]
        older = page.select_one("a[rel=next]")
        last, address = address, str(older["href"]) if older else None
    back = admin.see(str(admin.see(last).select_one("a[rel=prev]")["href"]))

    assert len(seen) == len(set(seen)) == 120
    assert [row["id"] for row in back.select("tr[id^=entry-]")] == seen[50:100]


def test_the_audit_can_be_turned_round_and_read_from_its_oldest_entry(admin: Person, db: Database) -> None:
    for number in range(70):
        add_task(db, f"task-{number}")
    newest, oldest = admin.see("/audit?kind=task"), admin.see("/audit?kind=task&order=when")
    end = admin.see(str(newest.find("a", string=re.compile("Oldest"))["href"]))  # type: ignore[index]
    following = admin.see(str(oldest.select_one("a[rel=prev]")["href"]))  # type: ignore[index]

    assert entries(oldest) == entries(end)[::-1] != entries(newest)
    assert sorted(set(entries(newest) + entries(following))) == sorted(entries(newest))
    assert len(set(entries(oldest) + entries(following))) == 70
    assert "order=when" in str(oldest.select_one("a[rel=prev]")["href"])  # type: ignore[index]
    assert admin.get("/audit?order=who").status_code == 422


def test_the_script_of_the_audit_gets_the_rows_of_the_address(admin: Person, enter: Enter, db: Database) -> None:
    for number in range(30):
        add_task(db, f"task-{number}")
    address = "kind=task&q=task-2"
    page = admin.see(f"/audit?{address}&length=25")
    sent = {"draw": 2, "start": 0, "length": 25, "cols": "what.when.who.of", "address": address}
    answer = admin.get("/audit/data", query_string=sent).get_json()

    assert [row["DT_RowId"] for row in answer["data"]] == entries(page)
    assert answer["recordsFiltered"] == len(entries(page)) == 11
    assert "task-29" in answer["data"][0]["3"]
    assert "q=task-2" in answer["parts"]
    turned = admin.get("/audit/data", query_string={**sent, "address": f"{address}&order=when"}).get_json()
    assert [row["DT_RowId"] for row in turned["data"]] == entries(page)[::-1]
    assert enter("viewer").get("/audit/data", query_string=sent).status_code == 403


def entries(page: Any) -> list[str]:
    return [row["id"] for row in page.select("tr[id^=entry-]")]


def test_the_page_of_the_audit_shows_until_when_and_what_it_was_done_to(admin: Person, db: Database) -> None:
    today, before = clock.now(), clock.now().replace(hour=12) - timedelta(days=3)
    first = add_task(db, "backup", now=before)
    add_task(db, "report", now=today)
    day = f"{before:%Y-%m-%d}"

    assert len(entries(admin.see("/audit?kind=task"))) == 2
    assert len(entries(admin.see(f"/audit?kind=task&until={day}"))) == 1
    assert len(entries(admin.see(f"/audit?kind=task&since={day}&until={day}"))) == 1
    assert admin.get(f"/audit.json?kind=task&until={day}").json[0]["name"] == "backup"
    of_one = admin.see(f"/audit?subject=task:{first.id}")
    assert len(entries(of_one)) == 1
    assert of_one.select_one("#filter-subject")["value"] == f"task:{first.id}"  # type: ignore[index]
    assert admin.get("/audit?until=tomorrow").status_code == 422


def test_the_audit_has_as_many_rows_and_the_columns_that_its_reader_chooses(admin: Person, db: Database) -> None:
    for number in range(30):
        add_task(db, f"task-{number}")
    shown = admin.see("/audit?kind=task&length=25")
    assert len(entries(shown)) == 25
    assert "length=25" in str(shown.select_one("a[rel=next]")["href"])  # type: ignore[index]

    admin.get("/audit?remember=1&col=what&col=who&length=25")
    remembered = admin.see("/audit?kind=task")
    assert [head.text for head in remembered.select("thead th")] == ["What", "By whom"]
    assert len(entries(remembered)) == 25


def test_a_saved_view_of_the_audit_is_met_first(admin: Person, db: Database) -> None:
    add_task(db, "backup")
    saved = {"page": "audit", "name": "Tasks alone", "query": "kind=task", "is_default": "1"}
    assert admin.post("/views", saved).headers["Location"] == "/audit?kind=task"

    assert admin.get("/audit").headers["Location"] == "/audit?kind=task"
    assert len(entries(admin.see("/audit?view=all"))) > 1
    assert "Tasks alone" in admin.see("/views").text
    assert "Tasks alone" in admin.see("/audit?kind=login").text


def test_verifying_on_the_page_says_what_was_found(admin: Person, db: Database) -> None:
    add_task(db)
    admin.post("/audit/verify")

    assert "entries are as they were written" in admin.see("/audit").text


def test_an_administrator_makes_an_account_and_its_owner_logs_in_by_the_link(admin: Person, anonymous: Person) -> None:
    made = admin.post("/users/new", {"username": "ann", "role": "operator"})
    link = made.text.partition("/login/link/")[2].partition('"')[0]

    anonymous.get(f"/login/link/{link}")

    assert made.status_code == 200 and anonymous.is_in()
    assert "ann" in admin.see("/users").text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"username": "no spaces", "role": "viewer"}, "Must be 1 to 64"),
        ({"username": "admin", "role": "viewer"}, "There is an account"),
        ({"username": "ann", "role": "king"}, "Must be one of"),
    ],
)
def test_a_bad_account_is_refused_at_its_field(admin: Person, fields: dict[str, str], told: str) -> None:
    answer = admin.post("/users/new", fields)

    assert answer.status_code == 422 and told in answer.text


def test_the_last_administrator_stays_one(admin: Person, db: Database) -> None:
    account = accounts.find(db, "admin")

    demoted = admin.post(f"/users/{account.id}", {"role": "viewer", "is_active": "y"})
    disabled = admin.post(f"/users/{account.id}", {"role": "admin"})

    assert demoted.status_code == disabled.status_code == 422
    assert "last administrator" in demoted.text and "last administrator" in disabled.text
    assert accounts.find(db, "admin").is_active


def test_another_role_ends_the_sessions_of_the_account(enter: Enter, admin: Person, db: Database) -> None:
    viewer = enter("viewer")
    account = accounts.find(db, viewer.username)

    admin.post(f"/users/{account.id}", {"role": "editor", "is_active": "y"})

    assert not viewer.is_in()
    assert accounts.find(db, viewer.username).role == "editor"


def test_one_sees_ones_own_sessions_and_ends_the_others(enter: Enter, db: Database, app: object) -> None:
    here = enter("viewer")
    elsewhere = Person(here.client.application.test_client(), here.username)
    elsewhere.get(f"/login/link/{accounts.make_link(db, here.username, now=clock.now())}")

    page = here.see("/account/sessions")
    here.post("/account/sessions/end-others")

    assert "2 places" in page.text and len(page.select("form[action*='/end']")) >= 2
    assert here.is_in() and not elsewhere.is_in()


def test_nobody_ends_a_session_of_somebody_else(enter: Enter, db: Database) -> None:
    viewer, operator = enter("viewer"), enter("operator")
    login = accounts.list_logins(db, operator.username, now=clock.now())[0]

    answer = viewer.post(f"/account/sessions/{login.id}/end")

    assert answer.status_code == 404 and operator.is_in()


def test_no_token_makes_accounts(app: object, db: Database, admin: Person) -> None:
    secret = tokens.create(db, "admin", "all", scope="admin", lifetime=None, now=clock.now()).secret
    client = admin.client.application.test_client()
    header = {"Authorization": f"Bearer {secret}"}

    answer = client.post("/users/new", data={"username": "eve", "role": "admin"}, headers=header)

    assert answer.status_code == 403
    assert [one.username for one in accounts.list_all(db)] == ["admin"]


def test_refusals_are_written_down_but_fill_no_disk(enter: Enter, db: Database) -> None:
    viewer = enter("viewer")
    for _ in range(30):
        assert viewer.get("/audit").status_code == 403

    assert len(audit.list_page(db, limit=100, action="request.refuse")) == 10
