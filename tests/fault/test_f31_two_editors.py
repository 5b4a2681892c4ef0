"""F31: two people edit one task at once, again and again: nobody overwrites what they have not seen, nothing is mixed."""

from __future__ import annotations

import json
import threading

import pytest

from tests.fault.scale import count
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict
from watchbell.services import tasks
from watchbell.store.session import Database

pytestmark = pytest.mark.fault

DEFAULTS = Defaults(zone="UTC", owner="tester", host="")


class Editor(threading.Thread):
    """Reads, thinks for a moment, and saves; mostly against the version that it has read."""

    def __init__(self, url: str, task_id: int, name: str, edits: int, start: threading.Barrier) -> None:
        super().__init__(name=name)
        self._db = Database.open(url)
        self._task_id, self._edits, self._start = task_id, edits, start
        self.accepted: list[tuple[int, int, str]] = []
        self.refused = 0
        self.failed: list[str] = []

    def run(self) -> None:
        try:
            for number in range(self._edits):
                self._start.wait(60)
                self._edit(f"{self.name} {number}")
        except Exception as error:
            self.failed.append(repr(error))
            self._start.abort()
        finally:
            self._db.close()

    def _edit(self, mark: str) -> None:
        seen = tasks.get(self._db, self._task_id).version
        fields = {"command": f"echo {mark}", "comment": mark, "environment": {"MARK": mark}}
        try:
            saved = tasks.update(
                self._db,
                self._task_id,
                fields,
                now=clock.now(),
                actor=self.name,
                defaults=DEFAULTS,
                expected_version=seen,
            )
        except Conflict:
            self.refused += 1
        else:
            self.accepted.append((seen, saved.version, mark))


def test_of_two_who_save_at_once_one_is_told_and_no_edit_is_lost(lab, claims):
    rounds = count("EDITS", 60, 1000)
    task = lab.add_task("job", 0, 0)
    both = threading.Barrier(2)
    editors = [Editor(lab.config.database_url, task.id, name, rounds, both) for name in ("ann", "bob")]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join(60 + rounds)
    assert not [editor.failed for editor in editors if editor.failed]

    accepted = sorted(saved for editor in editors for saved in editor.accepted)
    refused = sum(editor.refused for editor in editors)
    revisions = {row["version"]: row for row in lab.rows("SELECT * FROM task_revision WHERE task_id = ?", task.id)}
    wrong = [
        f"{seen} -> {made}: an edit that was not seen is overwritten" for seen, made, _ in accepted if made != seen + 1
    ]
    wrong += [] if sorted(revisions) == list(range(1, len(accepted) + 2)) else ["the versions have a gap"]
    for _seen, version, mark in accepted:
        said = json.loads(revisions[version]["definition"])
        parts = {said["command"].removeprefix("echo "), said["comment"], said["environment"]["MARK"]}
        wrong += [] if parts == {mark} else [f"version {version} is mixed: {parts}"]
    claims.figure("F31", "edits refused because another came first", f"{refused} of {2 * rounds}")
    claims.none_of("F31", "edits lost, mixed or made unseen over another's", len(accepted), wrong)
    assert len(accepted) + refused == 2 * rounds
    assert refused, "they never met"
