"""F13: a damaged database is found when a scheduler starts; it is named, left as it is, and nothing new takes its place."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3

import pytest

from tests.fault.scale import SEED, rounds
from watchbell import clock
from watchbell.errors import EXIT_CONFIG
from watchbell.services import triggers

pytestmark = pytest.mark.fault
PAGE = 4096


@pytest.fixture
def used(make_lab):
    """Give an installation whose scheduler was killed, with runs in its database and in the log beside it."""
    lab = make_lab("used")
    for number in range(20):
        task = lab.add_task(f"job-{number}", 0, 0, 3000)
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    with lab.running():
        lab.wait(lambda: lab.states().count("succeeded") == 20, "the runs")
    life = lab.start()
    life.wait_for_beat()
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    lab.wait(lambda: lab.states().count("succeeded") == 21, "one more run")
    life.kill()
    # A connection stays open: the last one to be closed would move the log into the file.
    return lab


def copy_of(used, make_lab, name: str, *, worked_off: bool):
    """Return another installation in the same state; with ``worked_off`` the log has been moved into the file."""
    shutil.copytree(used.home, used.home.with_name(name))
    lab = make_lab(name)
    lab.db.close()
    pulse = lab.home / "scheduler.pulse"
    pulse.write_bytes(pulse.read_bytes().replace(str(used.file).encode(), str(lab.file).encode()))
    if worked_off:
        with contextlib.closing(sqlite3.connect(lab.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return lab


def is_whole(file) -> bool:
    """Return what the database's own check says, which is not the product's."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
    except sqlite3.DatabaseError:
        return False


def refuses(lab, words: str) -> list[str]:
    """Start a scheduler and return what is wrong with how it refuses."""
    before = {path.name: path.read_bytes() for path in (lab.file,) if path.exists()}
    life = lab.start()
    code = life.reap()
    said = (lab.home / "words.txt").read_text().splitlines()
    wrong = [] if code == EXIT_CONFIG else [f"exit code {code}: {lab.scheduler_words()}"]
    if not said or words not in said[-1] or lab.file.name not in said[-1]:
        wrong.append(f"said {said[-1:]}")
    after = {path.name: path.read_bytes() for path in (lab.file,) if path.exists()}
    if before != after:
        wrong.append("the file was changed")
    return wrong


@pytest.mark.parametrize("how", ["truncated", "of no bytes", "missing", "noise", "without its log", "header flipped"])
def test_a_damaged_database_stops_a_start_and_is_left_as_it_is(used, make_lab, claims, how):
    lab = copy_of(used, make_lab, "copy", worked_off=how != "without its log")
    words = "damaged"
    match how:
        case "truncated":
            with lab.file.open("r+b") as file:
                file.truncate(lab.file.stat().st_size // 2 // PAGE * PAGE)
        case "of no bytes":
            lab.file.write_bytes(b"")
            words = "is missing or empty"
        case "missing":
            lab.file.unlink()
            words = "is missing or empty"
        case "noise":
            lab.file.write_bytes(random.Random(SEED).randbytes(lab.file.stat().st_size))
        case "without its log":
            lab.file.with_name("watchbell.db-wal").unlink()
            words = "has lost its newest rows"
        case "header flipped":
            with lab.file.open("r+b") as file:
                file.write(b"SQLite format 9\0")

    claims.none_of("F13", f"{how}: started or changed", 1, refuses(lab, words))
    assert not lab.effect_lines("END", 22)


def test_flipped_pages_are_found_wherever_the_database_itself_finds_them(used, make_lab, claims):
    chance = random.Random(SEED)
    violations, found, unseen = [], 0, 0
    for number in rounds("SEEDS", short=6, long=200):
        lab = copy_of(used, make_lab, f"copy-{number}", worked_off=True)
        pages = lab.file.stat().st_size // PAGE
        with lab.file.open("r+b") as file:
            for page in chance.sample(range(1, pages), chance.randint(1, 4)):
                file.seek(page * PAGE)
                file.write(chance.randbytes(PAGE))
        if is_whole(lab.file):
            # Only pages that hold nothing were hit.
            unseen += 1
        else:
            found += 1
            violations += [f"copy {number}: {wrong}" for wrong in refuses(lab, "damaged")]
        lab.close()
        shutil.rmtree(lab.home)
    claims.none_of("F13", "damage not found, or a file changed", found, violations)
    claims.figure("F13", "copies of which only empty pages were hit", str(unseen))
