"""Tasks that a change of the clock touches soon are marked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.api_fixtures import Program
from tests.database import add_task
from tests.shell import home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.schedule_samples import cron_schedule
from tests.web_fixtures import Person
from watchbell.domain.schedule import DSTRule, around
from watchbell.domain.schedule.around import touched_soon
from watchbell.store.session import Database


@pytest.mark.parametrize(
    ("text", "rule", "now", "is_touched"),
    [
        ("30 2 * * *", DSTRule.CRON_LIKE, datetime(2026, 3, 20, tzinfo=UTC), True),
        ("30 2 * * *", DSTRule.SKIP, datetime(2026, 3, 20, tzinfo=UTC), True),
        ("0 3 * * *", DSTRule.CRON_LIKE, datetime(2026, 3, 20, tzinfo=UTC), False),
        ("30 2 * * 1", DSTRule.CRON_LIKE, datetime(2026, 3, 20, tzinfo=UTC), False),
        ("*/5 * * * *", DSTRule.CRON_LIKE, datetime(2026, 3, 20, tzinfo=UTC), False),
        ("30 2 * * *", DSTRule.CRON_LIKE, datetime(2026, 10, 20, tzinfo=UTC), True),
        ("*/5 * * * *", DSTRule.CRON_LIKE, datetime(2026, 10, 20, tzinfo=UTC), False),
        ("0 12 * * *", DSTRule.CRON_LIKE, datetime(2026, 10, 20, tzinfo=UTC), False),
        # The change is over, or far away.
        ("30 2 * * *", DSTRule.CRON_LIKE, datetime(2026, 3, 29, 1, tzinfo=UTC), False),
        ("30 2 * * *", DSTRule.CRON_LIKE, datetime(2026, 3, 10, tzinfo=UTC), False),
    ],
)
def test_a_task_is_marked_when_a_near_change_of_the_clock_touches_it(
    text: str, rule: DSTRule, now: datetime, is_touched: bool
) -> None:
    assert (touched_soon(cron_schedule(text, "Europe/Berlin", rule), now) is not None) is is_touched


def test_a_task_that_a_near_change_of_the_clock_touches_is_marked(
    admin: Person, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Near is what lies within two years here, so that the day of the test does not count.
    monkeypatch.setattr(around, "SOON", timedelta(days=730))
    add_task(db, "early", cron="30 2 * * *", zone="Europe/Berlin")
    add_task(db, "noon", cron="0 12 * * *", zone="Europe/Berlin")
    add_task(db, "elsewhere", cron="30 2 * * *", zone="UTC")
    page = admin.see("/tasks")

    marked = [row.select_one(".wb-task-name") for row in page.select("tbody tr") if "clock change" in row.text]
    assert [name.a.text for name in marked if name is not None and name.a is not None] == ["early"]
    assert "from 02:00 to 03:00" in str(marked[0]) or "from 03:00 to 02:00" in str(marked[0])


def test_programs_are_told_when_a_near_change_of_the_clock_touches_a_task(
    program: Program, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(around, "SOON", timedelta(days=730))
    add_task(db, "early", cron="30 2 * * *", zone="Europe/Berlin")
    add_task(db, "noon", cron="0 12 * * *", zone="Europe/Berlin")
    add_task(db, "off", cron="30 2 * * *", zone="Europe/Berlin", enabled=False)

    found = {one["name"]: one["clock_change_at"] for one in program.want(200, "GET", "/api/v2/tasks")["items"]}

    # All changes of this zone are at one hour of UTC.
    assert found["early"].endswith("T01:00:00+00:00") and found["noon"] is found["off"] is None


def test_the_shell_tells_when_a_near_change_of_the_clock_touches_a_task(shell, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(around, "SOON", timedelta(days=730))
    for name, text in (("early", "30 2 * * *"), ("noon", "0 12 * * *")):
        shell("task", "add", name, "--command", "true", "--cron", text, "--zone", "Europe/Berlin")

    told = {name: shell("task", "show", name).out for name in ("early", "noon")}

    assert re.search(r"Clock change +\d{4}-(03|10)-\d\d \d\d:00:00", told["early"])
    assert "Clock change" not in told["noon"]
