"""Secrets on the page and in the API: names for whoever may use them, values for nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.api_fixtures import Program
from tests.database import NOW, add_run, add_task
from tests.fleet import STEP, execute
from tests.unit.form_fields import soup
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.agent_protocol import STEP_ENVIRONMENT
from watchbell.errors import NotFound
from watchbell.services import accounts, agents, audit, enrolment, secrets, tokens
from watchbell.services.agents import Asked
from watchbell.services.tickets import Ticket
from watchbell.store.accounts import LoginSession
from watchbell.store.runs import Attempt
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
VALUE = "correct <horse> battery"
NEW = {"name": "db", "secret_value": VALUE}


@pytest.fixture
def put(db: Database) -> secrets.Secret:
    return secrets.put(db, "db", VALUE, now=NOW, actor="ann")


def use(db: Database, name: str = "backup") -> int:
    """Let a run be given the secret, and return its number."""
    task = add_task(db, name, environment={"P": "${secret:db}", "API_KEY": "typed in the open"})
    run = add_run(db, task)
    with db.write() as session:
        attempt = Attempt(run_id=run.id, number=1, fence=1, holder="me")
        session.add(attempt)
        session.flush()
        ticket = Ticket(run.id, attempt.id, 1, 1, task.id, task.version, task.name, NOW, "schedule")
    secrets.take(db, ["db"], ticket, now=NOW)
    return run.id


def long_ago(db: Database, person: Person) -> Person:
    """Return somebody who has a password and has not typed it for hours."""
    accounts.set_password(db, "admin", PASSWORD, now=clock.now())
    person.get(f"/login/link/{accounts.make_link(db, 'admin', now=clock.now())}")
    with db.write() as session:
        session.execute(update(LoginSession).values(created_at=clock.now() - timedelta(hours=3)))
    return person


def test_a_secret_is_made_named_used_replaced_and_deleted_and_no_page_ever_shows_its_value(
    admin: Person, db: Database
) -> None:
    assert "No secrets yet" in admin.see("/secrets").text
    made = admin.post("/secrets/new", NEW)
    assert (made.status_code, made.location) == (303, "/secrets/named/db")
    run = use(db)
    pages = [
        "/secrets", "/secrets.json", "/secrets.csv", "/secrets/named/db", "/secrets/named/db/replace", "/secrets/named/db/delete",
        "/tasks/1", "/tasks/1/edit", "/tasks.json", f"/runs/{run}?tab=definition", "/audit", "/audit.json",
        "/tasks/export.yaml", "/tasks/1/revisions",
    ]  # fmt: skip
    for page in pages:
        answer = admin.get(page)
        assert answer.status_code in {200, 404}, page
        assert "battery" not in answer.text, page
    shown = admin.see("/secrets/named/db")
    assert "backup" in shown.select_one("#facts").text  # type: ignore[union-attr]
    assert f"#{run}" in shown.select_one("#uses").text  # type: ignore[union-attr]
    # A name is no secret, so it is shown where a value of such a variable would be masked.
    assert "P=${secret:db}" in admin.see("/tasks/1").text
    assert "${secret:db}" in admin.see("/tasks/1/edit").select_one("#environment-help").text  # type: ignore[union-attr]
    assert admin.post("/secrets/named/db/replace", {"secret_value": "another\r\nvalue\r\n"}).status_code == 303
    assert secrets.get(db, "db").secret.version == 2
    assert "It is named in 1 place, which fails without it the next time." in admin.see("/secrets/named/db/delete").text
    assert admin.post("/secrets/named/db/delete").status_code == 303
    assert "There is no secret db, and backup names it, which fails the next time." in admin.see("/secrets").text
    told = [(one.action, one.actor, one.way) for one in audit.list_page(db, limit=20) if one.subject == "secret:db"]
    assert told == [(f"secret.{deed}", "admin", "page") for deed in ("delete", "replace", "create")]


def test_what_will_not_do_is_refused_at_its_field_and_a_value_is_not_sent_back(admin: Person, db: Database) -> None:
    for fields, field in (
        ({**NEW, "name": "no name"}, "name"),
        ({**NEW, "secret_value": "ab"}, "secret_value"),
        ({"name": "db"}, "secret_value"),
    ):
        answer = admin.post("/secrets/new", fields)
        assert answer.status_code == 422
        assert soup(answer.text).select_one(f"#{field}")["aria-invalid"] == "true"  # type: ignore[index]
        assert "battery" not in answer.text
    assert secrets.list_all(db) == []


def test_a_new_secret_never_overwrites_one_that_is_there(admin: Person, db: Database, put: object) -> None:
    answer = admin.post("/secrets/new", NEW)
    assert answer.status_code == 422
    assert "there is a secret db already" in answer.text.lower()
    assert secrets.get(db, "db").secret.version == 1


def test_after_a_login_of_long_ago_the_password_is_asked_for_before_anything_changes(
    admin: Person, db: Database, put: object
) -> None:
    person = long_ago(db, admin)
    changes = {
        "/secrets/new": {"name": "other", "secret_value": VALUE},
        "/secrets/named/db/replace": {"secret_value": "another value"},
        "/secrets/named/db/delete": {},
    }
    for url, fields in changes.items():
        assert person.see(url).select_one("#current") is not None
        assert person.post(url, {**fields, "current": "wrong"}).status_code == 422
        assert person.post(url, fields).status_code == 422
    assert [(view.secret.name, view.secret.version) for view in secrets.list_all(db)] == [("db", 1)]
    headers = {"If-Match": "*"}
    assert person.client.delete("/api/v2/secrets/db", headers=headers).status_code in {400, 403}
    assert person.post("/secrets/new", {**changes["/secrets/new"], "current": PASSWORD}).status_code == 303


def test_editors_see_names_and_uses_and_change_nothing_and_others_see_nothing(
    enter: Enter, db: Database, put: object
) -> None:
    editor, operator = enter("editor"), enter("operator")
    page = editor.see("/secrets")
    assert "db" in page.text
    assert not page.select("main a[href*=replace], main a[href*=delete], main a[href$=new]")
    for url in ("/secrets/new", "/secrets/named/db/replace", "/secrets/named/db/delete"):
        assert editor.get(url).status_code == 403
        assert editor.post(url, NEW).status_code == 403
    for url in ("/secrets", "/secrets.json", "/secrets.csv", "/secrets/named/db"):
        assert editor.get(url).status_code == 200
        assert operator.get(url).status_code == 403
    assert "Secrets" not in operator.see("/").select_one("header").text  # type: ignore[union-attr]


def test_a_key_that_is_gone_is_told_on_the_page_and_nothing_is_made_in_its_place(
    admin: Person, db: Database, put: object, web_config: Config
) -> None:
    key = web_config.home / "encryption.key"
    key.rename(key.with_suffix(".away"))
    assert "The key of the secrets is missing" in admin.see("/secrets").text
    answer = admin.post("/secrets/new", {**NEW, "name": "other"})
    assert answer.status_code == 422
    assert "the key of the secrets is missing" in answer.text.lower()
    assert not key.exists()


def test_the_api_takes_values_and_gives_none_back(program: Program, db: Database) -> None:
    headers = {"If-Match": "*"}
    made = program.want(200, "PUT", "/api/v2/secrets/db", {"value": VALUE}, headers={"If-Match": '"0"'})
    assert (made["name"], made["version"]) == ("db", 1)
    run = use(db)
    for url in ("/api/v2/secrets", "/api/v2/secrets/db", "/api/v2/tasks/1", f"/api/v2/runs/{run}"):
        assert "battery" not in str(program.want(200, "GET", url, None))
    found = program.want(200, "GET", "/api/v2/secrets/db", None)
    assert [one["run_id"] for one in found["uses"]] == [run]
    assert found["named_by"] == [{"kind": "task", "id": 1, "key": "1", "name": "backup", "variables": ["P"]}]
    stale = program.want(412, "PUT", "/api/v2/secrets/db", {"value": VALUE}, headers={"If-Match": '"7"'})
    assert stale["current"]["version"] == 1
    program.want(428, "PUT", "/api/v2/secrets/db", {"value": VALUE}, headers={})
    refused = program.want(409, "DELETE", "/api/v2/secrets/db", None, headers=headers)
    assert "ask backup would fail without the secret db" in refused["detail"]
    program.want(204, "DELETE", "/api/v2/secrets/db?force=true", None, headers=headers)
    with pytest.raises(NotFound):
        secrets.get(db, "db")


def test_a_token_needs_the_scope_for_it(anonymous: Person, db: Database, put: object) -> None:
    for scope, sees, changes in (("run", 403, 403), ("edit", 200, 403), ("admin", 200, 200)):
        made = tokens.create(db, "admin", f"a-{scope}", scope=scope, lifetime=None, now=clock.now())
        headers = {"Authorization": f"Bearer {made.secret}"}
        assert anonymous.client.get("/api/v2/secrets", headers=headers).status_code == sees
        headers["If-Match"] = "*"
        answer = anonymous.client.put("/api/v2/secrets/db", json={"value": "another value"}, headers=headers)
        assert answer.status_code == changes, answer.text


def test_the_pages_of_a_secret_tell_of_the_device_that_was_given_it_and_of_what_names_it_in_the_fleet(
    admin: Person, db: Database, put: secrets.Secret
) -> None:
    uuid = enrolment.join(db, enrolment.create(db, name="pi", now=NOW, actor="ann").secret, now=NOW).uuid
    step = {**STEP, "environment": {"TOKEN": "${secret:db}"}}
    job_id = execute(db, uuid, document={"version": "1.0", "steps": [step]}, now=clock.now()).execution.job_id
    assert agents.poll(
        db, uuid, Asked("1" * 32, (), 1, knows=frozenset({STEP_ENVIRONMENT}), is_private=True), now=clock.now()
    )

    listed, shown = admin.see("/secrets"), admin.see("/secrets/named/db")
    job = admin.see(f"/fleet/executions/{job_id}/devices/{uuid}").text

    assert f"/fleet/devices/{uuid}" in str(listed) and "device pi" in listed.text
    assert f"/fleet/executions/{job_id}" in str(shown) and "execution check" in shown.text
    assert "TOKEN=${secret:db}" in job
    found = admin.client.get("/api/v2/secrets/db").get_json()
    assert [(use["device_name"], use["job_id"], use["run_id"]) for use in found["uses"]] == [("pi", job_id, 0)]
    assert not any(VALUE in text for text in (listed.text, shown.text, job, str(found)))
