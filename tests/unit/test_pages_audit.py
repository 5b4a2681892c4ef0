"""The audit as its page shows it."""

from __future__ import annotations

from tests.database import add_task
from tests.web_fixtures import Person
from watchbell.store.session import Database


def test_what_an_entry_tells_at_length_is_folded_and_a_short_one_is_not(admin: Person, db: Database) -> None:
    add_task(db, "short", command="true")
    add_task(db, "long", command="echo begun\n" + "sleep 1\n" * 40)

    rows = admin.see("/audit?kind=task").select("#audit tbody tr")

    folded = {row.select("td")[3].text.strip(): bool(row.select("details > summary")) for row in rows}
    assert folded == {"long": True, "short": False}
