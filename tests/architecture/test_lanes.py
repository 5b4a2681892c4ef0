"""Tests that must not run beside one another share one worker."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.architecture.rules import ROOT

#: Each tells in which worker it runs.
TELLS = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(6))
def test_it(number):
    with open(os.environ["TOLD"], "a") as told:
        told.write(f"{pathlib.Path(__file__).parent.name} {os.environ['PYTEST_XDIST_WORKER']}\\n")
"""


def test_the_tests_of_a_lane_share_one_worker(tmp_path):
    folders = ("process", "browser", "fault", "unit")
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
        timeout=60,
        capture_output=True,
    )

    workers = {folder: set() for folder in folders}
    for folder, worker in map(str.split, told.read_text().splitlines()):
        workers[folder].add(worker)
    assert [len(workers[lane]) for lane in ("process", "browser", "fault")] == [1, 1, 1]
    assert workers["process"] | workers["browser"] | workers["fault"] == {"gw0", "gw1"}
    assert len(told.read_text().splitlines()) == 6 * len(folders)
