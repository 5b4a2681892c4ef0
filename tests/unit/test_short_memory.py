"""What is remembered is bounded in size, and not in number alone."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from datetime import date, timedelta

from tests.database import NOW
from watchbell.domain import schedule as schedules
from watchbell.domain.day_calendar import build_calendar
from watchbell.domain.schedule import CalendarRule, build_schedule, next_occurrence
from watchbell.domain.short_memory import LARGEST, remembers
from watchbell.services import coming
from watchbell.store.tasks import decoded


def test_small_arguments_are_remembered_and_large_ones_are_not() -> None:
    asked = []

    @remembers(2, len)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    large = "x" * (LARGEST + 1)
    assert [length(text) for text in ("a", "a", large, large)] == [1, 1, LARGEST + 1, LARGEST + 1]
    assert asked == ["a", large, large]


def test_no_preview_keeps_the_large_calendar_that_somebody_has_made_up_for_it() -> None:
    """Each left up to 2 MiB behind, up to 16,384 times."""
    kept = []
    for number in range(5):
        first = date(2020, 1, 1) + timedelta(days=number)
        days = "\n".join(f"{first + timedelta(days=4 * step)} {'a label'.ljust(60, 'x')}" for step in range(1000))
        plain = build_schedule({"cron": "0 9 * * *"}, now=NOW, default_zone="UTC")
        made_up = {"calendar": build_calendar("made up", days), "calendar_rule": CalendarRule.NEXT}
        schedule = dataclasses.replace(plain, **made_up)  # type: ignore[arg-type]
        for _ in range(50):
            assert next_occurrence(schedule, NOW) is not None
        kept.append(weakref.ref(schedule.calendar))
    del schedule, made_up

    gc.collect()

    assert [one for one in kept if one() is not None] == []


def test_of_a_stored_schedule_no_text_of_a_large_calendar_is_kept() -> None:
    """Each task has a text of its own, be the calendar in it the same or not."""
    plain = schedules.to_json(build_schedule({"cron": "0 9 * * *"}, now=NOW, default_zone="UTC"))
    small = json.dumps(plain)
    more = {"calendar": "c", "calendar_days": "2026-12-25 " + "x" * LARGEST, "calendar_rule": "next"}
    large = json.dumps({**plain, **more})

    for read in (decoded, coming._plan_of):
        assert read(small) is read(small)
        assert read(large) is not read(large)
        assert read(large) == read(large)
