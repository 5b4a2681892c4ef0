"""The audit as its page shows it."""

from __future__ import annotations

from tests.database import DEFAULTS, NOW, add_task
from tests.web_fixtures import Person
from watchbell.services import tasks
from watchbell.store.session import Database


def test_what_an_entry_tells_at_length_is_folded_and_a_short_one_is_not(admin: Person, db: Database) -> None:
    add_task(db, "short", command="true")
    add_task(db, "long", command="echo begun\n" + "sleep 1\n" * 40)

    rows = admin.see("/audit?kind=task").select("#audit tbody tr")

    folded = {row.select("td")[3].text.strip(): bool(row.select("details > summary")) for row in rows}
    assert folded == {"long": True, "short": False}


def test_what_was_set_is_told_as_data_are_written_everywhere_and_not_as_the_program_holds_it(
    admin: Person, db: Database
) -> None:
    task = add_task(db, "asks", parameters=[{"name": "day", "type": "text"}])
    sets = {"b<i>": {"day": "1"}}
    tasks.update(db, task.id, {"parameter_sets": sets}, now=NOW, actor="admin", defaults=DEFAULTS)

    said = admin.see("/audit?kind=task").select_one("#audit tbody tr .wb-audit__fact ins")
    assert said is not None
    assert said.text == '{"b<i>": {"day": "1"}}'
