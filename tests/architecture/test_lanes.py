"""Tests that must not run beside one another share one worker."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.architecture.rules import ROOT
from tests.lanes import SHARED_BY, lane_of

#: Each tells in which worker it runs.
TELLS = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    with open(os.environ["TOLD"], "a") as told:
        told.write(f"{pathlib.Path(__file__).parent.name} {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""


def test_the_tests_of_a_lane_share_one_worker(tmp_path):
    folders = ("process", "browser", "fault", "served", "unit")
    for folder in folders:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_tells.py").write_text(TELLS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    told = tmp_path / "told"

    subprocess.run(
        [sys.executable, "-m", "pytest", "-n2", "-p", "tests.lanes", "--import-mode=importlib", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"TOLD": str(told)},
        check=True,
        timeout=240,
        capture_output=True,
    )

    workers = {folder: set() for folder in folders}
    for folder, worker in map(str.split, told.read_text().splitlines()):
        workers[folder].add(worker)
    assert [len(workers[lane]) for lane in ("process", "browser", "fault", "served")] == [1, 1, 1, 1]
    assert set().union(*(workers[lane] for lane in ("process", "browser", "fault", "served"))) == {"gw0", "gw1"}
    assert len(told.read_text().splitlines()) == 6 * len(folders)


@pytest.mark.parametrize("lane", sorted(SHARED_BY))
def test_a_long_lane_is_shared_by_its_files_about_evenly_and_never_by_the_tests_of_one(lane):
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / lane).glob("test_*.py"))
    lanes = {file: {lane_of(f"{file}::test_{number}") for number in range(5)} for file in files}

    assert all(len(found) == 1 for found in lanes.values())
    counts = [sum(found == {f"{lane}-{part}"} for found in lanes.values()) for part in range(SHARED_BY[lane])]
    assert sum(counts) == len(files) and min(counts) >= len(files) / 4
