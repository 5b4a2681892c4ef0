"""The folder of kept outputs: files that no row names go, and the oldest when all together are too large."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt, add_output
from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound
from watchbell.services import runs
from watchbell.services.output_files import Sweep
from watchbell.store import retention
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.web.outputs import OutputGone, Stream


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


def put(root: Path, name: str, *, size: int = 100, hours: float = 2) -> Path:
    """Make a file that was last changed so many hours ago."""
    (root / name).write_bytes(b"x" * size)
    at = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(root / name, (at, at))
    return root / name


def sweep(db: Database, root: Path, limit_bytes: int | None = None, *, step: int = 500) -> tuple[int, int, int]:
    """Sweep once and return orphans, outputs given up and freed bytes."""
    work = Sweep(db, root, limit_bytes, now=NOW)
    orphans = given_up = freed = 0
    while (done := work.step(step)).more:
        orphans, given_up, freed = orphans + done.orphans, given_up + done.given_up, freed + done.freed_bytes
    return orphans, given_up, freed


def finished(db: Database, root: Path, *, size: int = 100, hours: float = 2, name: str = "") -> Run:
    """Make a run that has kept a file."""
    run = add_run(db, add_task(db, name or f"task-{size}-{hours}"), RunState.SUCCEEDED, attempts=1)
    file = f"{run.id}.1.out"
    put(root, file, size=size, hours=hours)
    add_output(db, add_attempt(db, run), None, file=file, size=size)
    return run


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_files_of_runs_that_are_not_there_any_more_go(db: Database, root: Path) -> None:
    kept = finished(db, root)
    put(root, "4711.1.out")
    put(root, f"{kept.id}.1.err")
    put(root, f".{kept.id}.2.out.0a1b2c3d")

    assert sweep(db, root, step=1) == (3, 0, 300)

    assert names(root) == ["1.1.out"]


def test_what_may_still_get_its_row_stays(db: Database, root: Path) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING)
    put(root, f"{run.id}.1.out")
    put(root, f".{run.id}.1.err.0a1b2c3d")
    put(root, "4711.1.out", hours=0.5)

    assert sweep(db, root) == (0, 0, 0)

    assert len(names(root)) == 3


def test_what_is_not_ours_stays(db: Database, root: Path) -> None:
    put(root, "notes.txt")
    put(root, "1.1.out.bak")
    (root / "5.1.out").mkdir()
    (root / "6.1.out").symlink_to(root / "notes.txt")

    assert sweep(db, root) == (0, 0, 0)

    assert names(root) == ["1.1.out.bak", "5.1.out", "6.1.out", "notes.txt"]


def test_a_folder_that_is_not_there_holds_nothing(db: Database, tmp_path: Path) -> None:
    assert sweep(db, tmp_path / "output", 1) == (0, 0, 0)


@pytest.mark.parametrize("step", [1, 2, 500])
def test_the_oldest_outputs_go_when_all_together_are_too_large(db: Database, root: Path, step: int) -> None:
    for hours in (5, 9, 3, 7):
        finished(db, root, size=1000, hours=hours)

    assert sweep(db, root, 2500, step=step) == (0, 2, 2000)

    assert names(root) == ["1.1.out", "3.1.out"]
    assert sweep(db, root, 2500) == (0, 0, 0)


def test_an_output_that_gave_way_says_so_and_its_run_stays(db: Database, root: Path) -> None:
    run = finished(db, root, size=1000)

    assert sweep(db, root, 10) == (0, 1, 1000)

    assert runs.get(db, run.id).state == "succeeded"
    kept = runs.find_output(db, run.id, "stdout").kept
    assert (kept.size, kept.file, kept.content) == (1000, None, None)
    with pytest.raises(OutputGone):
        Stream(db, root, run.id, "stdout").read(0, 10)


def test_without_a_bound_nothing_gives_way(db: Database, root: Path) -> None:
    finished(db, root, size=1_000_000)

    assert sweep(db, root) == (0, 0, 0)


def test_the_output_of_a_deleted_run_is_told_from_one_that_never_was(db: Database, root: Path) -> None:
    first, _second = finished(db, root, name="a"), finished(db, root, name="b")
    with db.write() as session:
        retention.delete_runs(session, [first.id])

    with pytest.raises(runs.RunDeleted):
        Stream(db, root, first.id, "stdout").read(0, 10)
    with pytest.raises(NotFound) as told:
        Stream(db, root, 99, "stdout").read(0, 10)
    assert not isinstance(told.value, runs.RunDeleted)
