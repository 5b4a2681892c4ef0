"""All cron texts of a catalogue in all zones from 2000 to 2037: the product's moments against the diary's, none left out.

`make calendar` runs it on all cores; `python -m tests.fault.every_calendar --help` tells the options. Each zone is a piece
of its own whose result is kept in build/calendar, so that a run that was interrupted goes on where it was.

A text that is due at most 24 times a day is compared over all the years. One that is due more often, such as every minute,
is compared in the four days around every change of the zone's clock and over one year, unless --dense asks for all.
The rules "skip" and "both" differ from "cron_like" at changes only and are compared there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

from tests.fault.diary import FIRST_YEAR, LAST_YEAR, Diary, Due, Meaning, meaning_of, minute_of
from tests.unit.brute_force_calendar import fields_of
from watchbell.domain.schedule import DSTRule, Occurrence, Schedule, ScheduleKind, next_occurrence, occurrences
from watchbell.errors import InputError

#: What people write, and what reads differently in one cron or another.
WRITTEN = """
* * * * * | */5 * * * * | */7 * * * * | 0 * * * * | 15 0-23 * * * | 30 */2 * * * | 0 */5 * * * | 0 0 * * * | 59 23 * * *
0 1 * * * | 30 1 * * * | 0 2 * * * | 30 2 * * * | 15 2 * * * | 59 2 * * * | 0 3 * * * | 30 0 * * * | 0 23 * * * | 30 23 * * *
0,30 2 * * * | 0-59/20 2 * * * | 1-59 2 * * * | 0 1,2,3 * * * | 0 0-4 * * * | 30 22-4 * * * | */10 2 * * * | 0 2-3/1 * * *
0 0 1 * * | 0 0 31 * * | 0 12 29 2 * | 0 0 1 1 * | 0 0 L * * | 0 0 LW * * | 0 9 15,L * * | 0 0 30 * * | 0 0 28-31 * *
0 9 * * mon-fri | 0 9 * * 1-5 | 0 9 * * 0 | 0 9 * * 7 | 0 9 * * sun | 0 9 * * sat,sun | 0 9 * * fri-mon | 0 9 * * 5-7
0 9 1,15 * fri | 0 9 13 * 5 | 0 9 */2 * fri | 0 9 1-7 * mon | 0 9 * * */2 | 0 9 */10 * */3 | 0 9 1-31 * 1 | 0 9 10-20 * 0-3
0 9 * * mon#1 | 0 9 * * 5L | 0 9 * * sun#5 | 0 2 * * sun#1 | 30 1 * * 0L | 30 2 * 3 sun#2 | 0 2 * 3,10 7L | 0 0 * * fri#3
0 0 * jan * | 0 0 1 */3 * | 0 0 1 jan,jul * | 30 2 * 3,10 * | 30 2 * mar,oct sun | 0 0 * 9-10 6 | 0 0 25-31 3 0 | 0 0 * nov-feb 1
5 4 * * sun | 23 0-20/2 * * * | 5 0 * 8 * | 15 14 1 * * | 0 22 * * 1-5 | 0 0,12 1 */2 * | 0 4 8-14 * * | 3 3 3 3 * | 7 1 7 * 7
"""
_FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, ("jan", "mar", "oct")), (0, 7, ("sun", "wed", "sat")))
DENSE = 24


def catalogue(number: int, seed: int) -> list[str]:
    """Return the written texts, and random ones up to a number."""
    texts = [text.strip() for text in WRITTEN.replace("\n", "|").split("|") if text.strip()]
    chance = random.Random(seed)
    while len(texts) < number:
        text = " ".join(_field(chance, place) for place in range(5))
        try:
            list(occurrences(_schedule(text, "UTC", DSTRule.CRON_LIKE), datetime(2000, 1, 1, tzinfo=UTC), 1))
        except InputError:
            continue  # Its date never comes, such as 31 February.
        # Most people name a time; what is due each few minutes costs a hundred times as much to compare.
        minutes, hours, _dates = fields_of(text)
        if len(minutes) * len(hours) <= DENSE or chance.random() < 0.15:
            texts.append(text)
    return list(dict.fromkeys(texts[:number]))


def _field(chance: random.Random, place: int) -> str:
    low, high, names = _FIELDS[place]
    if chance.random() < (0.1, 0.3, 0.6, 0.6, 0.6)[place]:
        return "*" if place != 1 or chance.random() < 0.3 else f"*/{chance.randint(2, 12)}"
    items = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        a, b = chance.randint(low, high), chance.randint(low, high)
        step = chance.randint(1, (high - low) // 2)
        kinds = [str(a), str(a), f"{a}-{b}", f"{min(a, b)}-{max(a, b)}/{step}", f"{a}/{max(step, 3)}"]
        items.append(chance.choice([*kinds, *names]))
    return ",".join(items)


def zones(pool: Executor) -> dict[str, list[str]]:
    """Return all zones by one name of each clock, with the other names that show the same in all these years."""
    names = sorted(available_timezones() - {"localtime", "Factory", "posixrules"})
    groups: dict[str, list[str]] = {}
    for name, clock in zip(names, pool.map(_clock, names, chunksize=4), strict=True):
        groups.setdefault(clock, []).append(name)
    return {same[0]: same[1:] for same in groups.values()}


def _clock(zone: str) -> str:
    """Return what tells whether two zones show the same: when their clocks change, and to which offset."""
    return hashlib.sha256(json.dumps(Diary(zone, steps=False).offsets).encode()).hexdigest()


def _schedule(text: str, zone: str, rule: DSTRule) -> Schedule:
    return Schedule(ScheduleKind.CRON, expressions=(text,), zone=zone, dst=rule)


def product(text: str, zone: str, rule: DSTRule, start: int, end: int, *, singly: bool = False) -> list[Due]:
    """Return what the product says is due from one minute up to another, as a list or by asking for each next moment."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    after = epoch + timedelta(minutes=start, seconds=-1)
    until = epoch + timedelta(minutes=end, seconds=-1)
    listed = _singly if singly else occurrences
    found = listed(_schedule(text, zone, rule), after, sys.maxsize, until)
    return [(minute_of(o.due_at), minute_of(o.local), o.fold) for o in found]


def _singly(schedule: Schedule, after: datetime, _limit: int, until: datetime) -> Iterator[Occurrence]:
    while (found := next_occurrence(schedule, after)) is not None and found.due_at <= until:
        yield found
        after = found.due_at


def compare(zone: str, texts: list[str], years: tuple[int, int], *, dense: bool = False) -> tuple[int, list[str]]:
    """Return how many moments were compared in a zone, and the differences."""
    diary = Diary(zone, *years)
    compared, differences = 0, []
    for what, expected, found in _pairs(diary, zone, texts, dense=dense):
        compared += max(len(expected), len(found))
        if expected != found:
            odd = sorted(set(expected) ^ set(found))[:3]
            differences.append(f"{zone} {what}: {odd} (UTC minute, local minute, fold) on one side only")
    return compared, differences


def _pairs(diary: Diary, zone: str, texts: list[str], *, dense: bool) -> Iterator[tuple[str, list[Due], list[Due]]]:
    for text in texts:
        meaning = meaning_of(text)
        start, end = diary.start, diary.end
        if len(meaning.minutes) > DENSE and not dense:
            start = max(start, end - 366 * 1440)
        expected = [due for due in diary.due(text, "cron_like") if due[0] >= start]
        yield f"{text!r}", expected, product(text, zone, DSTRule.CRON_LIKE, start, end)
        yield from _at_changes(diary, zone, meaning)


def _at_changes(diary: Diary, zone: str, meaning: Meaning) -> Iterator[tuple[str, list[Due], list[Due]]]:
    rules = [DSTRule.SKIP, DSTRule.BOTH] if meaning.is_fixed else [DSTRule.SKIP]
    if len(meaning.minutes) > DENSE:
        rules.append(DSTRule.CRON_LIKE)
    for window in diary.windows:
        for rule in rules:
            expected = diary.due_in(window, meaning, rule.value)
            found = product(meaning.text, zone, rule, window.start, window.end, singly=True)
            yield f"{meaning.text!r} {rule} at {window.start}", expected, found


def _piece(zone: str, others: list[str], texts: list[str], dense: bool) -> dict[str, object]:
    compared, differences = compare(zone, texts, (FIRST_YEAR, LAST_YEAR), dense=dense)
    for other in others:
        # Its clock shows the same, so one text shows that the name leads to it.
        more, found = compare_alias(other, zone)
        compared += more
        differences += found
    return {"zone": zone, "compared": compared, "differences": differences}


def compare_alias(other: str, zone: str) -> tuple[int, list[str]]:
    """Compare two names of one clock over all years, at a time of day that many changes touch."""
    span = (minute_of(datetime(FIRST_YEAR, 1, 1)), minute_of(datetime(LAST_YEAR + 1, 1, 1)))
    here, there = (product("30 2 * * *", name, DSTRule.CRON_LIKE, *span) for name in (other, zone))
    return len(here), [] if here == there else [f"{other} differs from {zone}, whose clock shows the same"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=150, help="how many cron texts")
    parser.add_argument("--seed", type=int, default=2037, help="of the random ones among them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--dense", action="store_true", help="compare also what is due each minute over all years")
    parser.add_argument("--zone", action="append", help="only this one; may be given several times")
    parser.add_argument("--folder", type=Path, default=Path("build/calendar"), help="where results are kept")
    options = parser.parse_args()
    texts = catalogue(options.texts, options.seed)
    mark = hashlib.sha256(json.dumps([texts, options.dense]).encode()).hexdigest()[:12]
    folder = options.folder / mark
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs) as pool:
        print(f"{len(texts)} cron texts, {FIRST_YEAR} to {LAST_YEAR}, seed {options.seed}, {folder}; looking at clocks")
        groups = {zone: [] for zone in options.zone} if options.zone else zones(pool)
        print(f"{len(groups)} clocks")
        results = _all(pool, groups, texts, folder, options.dense)
    compared = sum(int(result["compared"]) for result in results)
    differences = [words for result in results for words in result["differences"]]
    print("\n".join(differences[:50]))
    names = sum(1 + len(others) for others in groups.values())
    print(
        f"{len(differences)} differences; {compared} moments of {len(texts)} cron texts on {len(groups)} clocks "
        f"({names} zones), {FIRST_YEAR} to {LAST_YEAR}; seed {options.seed}"
    )
    return 1 if differences or not compared else 0


def _all(
    pool: Executor, groups: dict[str, list[str]], texts: list[str], folder: Path, dense: bool
) -> list[dict[str, object]]:
    """Return the results of all zones, of those that were done before, too."""
    results, waiting = [], []
    for zone, others in groups.items():
        kept = folder / f"{zone.replace('/', '~')}.json"
        if kept.exists():
            results.append(json.loads(kept.read_text()))
        else:
            waiting.append((zone, others, kept))
    began = time.monotonic()
    pieces = {pool.submit(_piece, zone, others, texts, dense): kept for zone, others, kept in waiting}
    for done, piece in enumerate(as_completed(pieces), 1):
        result = piece.result()
        partial = pieces[piece].with_suffix(".part")
        partial.write_text(json.dumps(result))
        partial.rename(pieces[piece])
        results.append(result)
        left = (time.monotonic() - began) / done * (len(waiting) - done)
        print(
            f"{len(results)}/{len(groups)} {result['zone']}: {result['compared']} moments, "
            f"{len(result['differences'])} differences; about {left / 60:.0f} min left",
            flush=True,
        )
    return results


if __name__ == "__main__":
    sys.exit(main())
