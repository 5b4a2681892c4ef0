"""Readers of times: cron text, words, intervals, moments, and whole crontabs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.database import DEFAULTS, NOW
from tests.fuzz.fuzzing import Target
from tests.fuzz.material import texts
from watchbell.domain.crontab import read_crontab, understand, write_crontab
from watchbell.domain.crontab.lines import LONGEST_TEXT
from watchbell.domain.schedule import build_schedule, describe, from_json, next_transitions, occurrences, to_json
from watchbell.errors import InputError

_CRON_SIGNS = [
    *" ,-/*#?LW", *("*/5", "0", "59", "7", "31", "29", "2", "1-5", "5-1", "*/0", "0-59/7", "jan", "DEC", "mon", "sun", "sun-mon"),
    *("L", "LW", "1#5", "5L", "@daily", "@reboot", "@", "00", "007", "1.5", "\u0663", " \t", "\xa0", "${a}", "60", "30 2 * * *\n"),
]  # fmt: skip
CRON_SAMPLES = [
    "30 2 * * mon-fri", "*/5 9-17 * jan-mar 1,3,5", "0 0 29 2 *", "0 0 31 2 *", "@monthly", "0 0 LW * *", "0 0 * * fri#5", "0 0 1,15 * sun",
    "55-5/5 22-2 * * *", "* * * * *", "59 23 31 12 7", "0,0,0,0 0 * * *", "0 0 * * 5L",
]  # fmt: skip
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca", "posix/UTC"])
_CRONTAB_SIGNS = [
    *_CRON_SIGNS, "\n", "\n", "\r\n", "#", "# ", "=", ' = "', "'", "MAILTO", "PATH", "SHELL=/bin/bash\n", "CRON_TZ=Europe/Berlin\n", "CRON_TZ=x\n",
    "RANDOM_DELAY=45\n", "HOME=/srv\n", "TZ=UTC\n", "30 2 * * * ", "root ", "%", "\\%", "\\", "echo ", "#watchbell: ", '{"name": "a"}',
    '{"environment": {"A": "1"}, "policies": [1], "name": 5}', "-", "  ", "A=x", " " * 50, "\t\x0b", "\x0c",
]  # fmt: skip
_CRONTAB_SAMPLES = [
    "# backup\nMAILTO=ann\n30 2 * * * /usr/local/bin/backup --all\n\n*/5 * * * * echo 5%% done%input\n",
    "SHELL=/bin/bash\nPATH=/bin:/usr/bin\nCRON_TZ=Europe/Berlin\n@daily root run-parts /etc/cron.daily\n-0 0 * * 7 root true\n",
    '#watchbell: {"environment": {"A": "b c"}, "name": "x", "policies": {"retries": 3}}\n0 0 * * * export A=\'b c\'; make\n1 0 * * * export A=\'b c\'; make\n',
]  # fmt: skip


def _take_cron(given: tuple[str, str]) -> None:
    text, zone = given
    _take_schedule({"cron": text, "zone": zone})


def _take_schedule(fields: Mapping[str, object]) -> None:
    try:
        schedule = build_schedule(fields, now=NOW, default_zone="UTC")
    except InputError as error:
        _told(error)
        return
    assert from_json(to_json(schedule)) == schedule
    assert describe(schedule)
    found = list(occurrences(schedule, NOW, 3))
    assert all(early.due_at < late.due_at for early, late in itertools.pairwise(found)), found
    next_transitions(schedule.zone, NOW, 1)


def _told(error: InputError) -> None:
    """Look at a refusal: one line of bounded length for each problem, which can be sent."""
    for problem in error.problems:
        words = f"{problem.field}: {problem.message} {problem.example}"
        assert len(words) < 2000, words[:200]
        assert problem.message


def _cron(longest: int) -> SearchStrategy[Any]:
    fields = st.lists(st.sampled_from(_CRON_SIGNS), min_size=1, max_size=3).map("".join)
    five = st.lists(fields, min_size=5, max_size=5).map(" ".join)
    return st.tuples(five | texts(_CRON_SIGNS, CRON_SAMPLES, longest), _ZONES)


def _schedules(longest: int) -> SearchStrategy[Any]:
    signs = [
        *("every ", "5", "m", "min", " hours", "d", "week", "day", "weekday", "monday", "month", "now", "02:30", "2:3", "24:00", ":", "T", "Z"),
        *("2030-01-31 09:30", "2026-03-29 02:30", "+25:00", "0001-01-01 00:00", "9999-12-31 23:59", "-14:00", "s", "3661", "1,15", " ", "last"),
    ]  # fmt: skip
    samples = [
        "2030-01-31T09:30:00+02:00",
        "every 90 minutes",
        "2026-10-25 02:30",
        "weekday",
        "02:30",
        "14 days",
        "mon,wed",
    ]
    word = texts(signs, samples, min(longest, 100_000))
    value = (
        word
        | word
        | st.integers(-1, 2**65)
        | st.lists(word, max_size=25)
        | st.none()
        | st.booleans()
        | st.floats()
        | st.datetimes()
    )
    names = ["kind", "cron", "every", "unit", "at", "zone", "every_word", "at_time", "anchor_at", "dst", "when"]
    kinds = st.sampled_from(["cron", "interval", "moment", "words", "manual", "", "x"])
    shaped = st.fixed_dictionaries(
        {
            "every_word": st.sampled_from(
                ["day", "weekday", "week", "month", "hour", "minutes", "monday", "hours", "days"]
            )
        },
        optional={
            "at_time": value,
            "zone": _ZONES,
            "anchor_at": word,
            "dst": st.sampled_from(["both", "cron-like", "x"]),
        },
    )
    return st.one_of(
        shaped,
        st.dictionaries(st.sampled_from(names), value, max_size=4),
        st.fixed_dictionaries({"every": value}, optional={"unit": word, "kind": kinds, "zone": _ZONES}),
        st.fixed_dictionaries({"at": value}, optional={"zone": _ZONES, "kind": kinds}),
    )


def _take_crontab(given: tuple[str, bool]) -> None:
    text, is_system = given
    understand(text, now=NOW)
    try:
        crontab = read_crontab(text, system=is_system, taken={"true"})
    except InputError as error:
        _told(error)
        return
    definitions = []
    for job in crontab.jobs[:50]:
        if job.problem:
            continue
        try:
            definitions.append(job.definition(now=NOW, defaults=DEFAULTS))
        except InputError as error:
            _told(error)
    written = write_crontab(definitions, now=NOW, defaults=DEFAULTS, user="root" if is_system else None)
    count = sum(not line.startswith("#") and "=" not in line[:8] for line in written.text.split("\n") if line)
    # Nothing that stands in a crontab can make a second entry of itself on the way back.
    assert count == sum(
        len(one.schedule.expressions) for one in definitions if one.name not in dict(written.left_out)
    ), written.text


def _crontabs(longest: int) -> SearchStrategy[Any]:
    return st.tuples(texts(_CRONTAB_SIGNS, _CRONTAB_SAMPLES, longest), st.booleans())


TARGETS = (
    Target("cron text", _cron, _take_cron, 1_000_000),
    Target("schedule words", _schedules, _take_schedule, 1_000_000),
    Target("crontab lines", _crontabs, _take_crontab, LONGEST_TEXT),
)
