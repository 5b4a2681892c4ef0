"""German sentences of schedules: what they say, and that no schedule leaves an English word in one."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, g
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.schedule_samples import cron_schedule, cron_texts
from watchbell.domain.schedule import EVERY_WORDS, Schedule, build_schedule, describe, to_json
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.errors import InputError
from watchbell.store.tasks import Task
from watchbell.web import schedule_german, schedule_words
from watchbell.web.i18n import LANGUAGES

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ZONE = "Europe/Berlin"
#: All words that a sentence may have; a zone follows the last comma.
KNOWN = frozenset(
    """
    ab alle am an arbeitstag bei bis das dem den der die ein eine einem einmal es freitag im in ist jede jedem jeden jeder jedes jahr
    jeweils letzte letzten monats mitternacht montag dienstag mittwoch donnerstag samstag sonntag nur oder sekunde sekunden
    minute minuten stunde stunden stündlich tag tage sofern um und vier vollen vom von zu zur zusätzlich hand angabe
    weitere weiteren zeitpunkt zeitpunkten erste ersten zweite zweiten dritte dritten vierte vierten fünfte fünften
    januar februar märz april mai juni juli august september oktober november dezember
    """.split()
)


def german(text: str) -> str:
    return schedule_german.describe(cron_schedule(text, ZONE)).removesuffix(f", {ZONE}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("15 2 * * *", "Jeden Tag um 02:15"),
        ("* * * * *", "Jede Minute"),
        ("*/5 * * * *", "Alle 5 Minuten"),
        ("0 * * * *", "Zu jeder vollen Stunde"),
        ("15 * * * *", "Jede Stunde zur Minute 15"),
        ("0,20 * * * *", "Zu den Minuten 0 und 20 jeder Stunde"),
        ("*/7 * * * *", "Jede 7. Minute von 0 bis 56 jeder Stunde"),
        ("0,30 9-17 * * mon-fri", "Alle 30 Minuten von 09:00 bis 17:59, von Montag bis Freitag"),
        ("30 8-20/3 * * *", "Alle 3 Stunden von 08:30 bis 20:30"),
        ("0 */4 * * *", "Alle 4 Stunden ab 00:00"),
        ("10-20 3 * * *", "Jede Minute von 03:10 bis 03:20"),
        ("*/10 */2 * * *", "Alle 10 Minuten in jeder 2. Stunde von 00:00 bis 22:59"),
        ("0 9 * * mon", "Jeden Montag um 09:00"),
        ("0 0 * * 0,6", "Jeden Samstag und Sonntag um 00:00"),
        ("0 9 1 * *", "Am 1. jedes Monats um 09:00"),
        ("0 9 1-7 * *", "Vom 1. bis 7. jedes Monats um 09:00"),
        ("0 0 1 1 *", "Jedes Jahr am 1. Januar um 00:00"),
        ("0 9 L * *", "Am letzten Tag jedes Monats um 09:00"),
        ("0 9 LW * *", "Am letzten Arbeitstag (Montag bis Freitag) jedes Monats um 09:00"),
        ("0 9 * * fri#2", "Am zweiten Freitag jedes Monats um 09:00"),
        ("0 9 * 1-3 *", "Jeden Tag von Januar bis März um 09:00"),
        ("0 9 * * 5L", "Am letzten Freitag jedes Monats um 09:00"),
        # Cron's own rule: two days without a star are met by either, and one with a star has to be met, too.
        ("0 0 1,15 * mon", "Am 1. und 15. jedes Monats und zusätzlich jeden Montag um 00:00"),
        ("0 0 1-31 * mon", "Jeden Tag um 00:00"),
        ("0 0 */2 * mon", "An jedem 2. Tag vom 1. bis 31. jedes Monats, sofern es ein Montag ist, um 00:00"),
    ],
)  # fmt: skip
def test_a_cron_text_reads_as_a_german_would_say_it(text: str, said: str) -> None:
    assert german(text) == said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"every": "1m"}, "Jede Minute"),
        ({"every": "1500s"}, "Alle 1\u202f500 Sekunden"),
        ({"every": "2d", "anchor_at": "2026-11-30 09:30"}, f"Alle 2 Tage um 09:30, {ZONE}"),
        ({"at": "2026-12-01 09:30"}, f"Einmal am 2026-12-01 um 09:30:00, {ZONE}"),
        ({"at": "2026-12-01 09:30\n2026-12-02 09:30"}, f"Am 2026-12-01 um 09:30:00 und 2026-12-02 um 09:30:00, {ZONE}"),
        ({"every_word": "weekday", "at_time": "09:30"}, f"Von Montag bis Freitag um 09:30, {ZONE}"),
        ({"every_word": "tuesday", "at_time": "09:30"}, f"Jeden Dienstag um 09:30, {ZONE}"),
        ({"every_word": "hours", "at_time": "3"}, "Alle 3 Stunden"),
        ({"cron": "0 9 * * *\n30 17 * * fri"}, f"Jeden Tag um 09:00; jeden Freitag um 17:30, {ZONE}"),
        ({"kind": "manual"}, "Nur von Hand"),
    ],
)  # fmt: skip
def test_every_kind_of_schedule_reads_as_german(fields: dict[str, object], said: str) -> None:
    assert schedule_german.describe(build_schedule(fields, now=NOW, default_zone=ZONE)) == said


def schedules() -> st.SearchStrategy[Schedule]:
    """Return schedules of every kind."""
    crons = st.lists(cron_texts(), min_size=1, max_size=6).map(lambda texts: {"cron": "\n".join(texts)})
    counts = st.tuples(st.integers(1, 9999), st.sampled_from("smhd")).map(
        lambda one: {"every": f"{one[0] % 3000 + 1}{one[1]}"}
    )
    moments = st.lists(st.integers(1, 10_000), min_size=1, max_size=6).map(
        lambda hours: {"at": [NOW + timedelta(hours=hour) for hour in hours]}
    )
    words = st.sampled_from(EVERY_WORDS).map(
        lambda word: {"every_word": word, "at_time": "3" if word in {"seconds", "minutes", "hours"} else "09:30"}
    )
    fields = st.one_of(crons, counts, moments, words, st.just({"kind": "manual"}))
    return fields.map(_built).filter(lambda found: found is not None)  # type: ignore[return-value]


def _built(fields: dict[str, object]) -> Schedule | None:
    # Some dates never come, such as 31 February.
    with contextlib.suppress(InputError):
        return build_schedule(fields, now=NOW, default_zone=ZONE)
    return None


@given(schedules())
def test_no_schedule_leaves_a_word_in_its_sentence_that_is_not_german(schedule: Schedule) -> None:
    said = schedule_german.describe(schedule)

    assert said[0].isupper()
    words = re.findall(r"[^\W\d_]+", said.removesuffix(f", {ZONE}").lower())
    assert words
    assert not set(words) - KNOWN, said


@given(cron_texts(), cron_texts())
def test_schedules_that_differ_are_not_told_alike(one: str, other: str) -> None:
    """Times of day and dates that are not the same make sentences that are not the same."""
    first = second = None
    # Some dates never come, such as 31 February.
    with contextlib.suppress(InputError):
        first, second = read_cron(one).pattern, read_cron(other).pattern
    assume(first is not None and second is not None)
    assert first is not None
    assert second is not None
    if first.times != second.times:
        assert german(one) != german(other)


def test_a_language_of_the_page_has_sentences_for_schedules() -> None:
    assert set(schedule_words.DESCRIBERS) == set(LANGUAGES) - {"en"}


def test_a_stored_sentence_is_told_anew_in_german_and_stays_in_english(app: Flask) -> None:
    schedule = build_schedule({"cron": "15 2 * * *"}, now=NOW, default_zone=ZONE)
    task = Task(schedule=to_json(schedule), schedule_words=describe(schedule))
    broken = Task(schedule={"kind": "cron", "expressions": ["what"]}, schedule_words="At some time")

    with app.test_request_context():
        g.language = "de"
        assert schedule_words.sentence_of(task) == f"Jeden Tag um 02:15, {ZONE}"
        assert schedule_words.sentence_of(broken) == "At some time"
        g.language = "en"
        assert schedule_words.sentence_of(task) == f"At 02:15 every day, {ZONE}"
