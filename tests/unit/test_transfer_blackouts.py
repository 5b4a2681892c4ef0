"""Blackouts travel in files with the tasks that they concern, and previews of schedules tell them."""

from __future__ import annotations

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import errors

# ruff: noqa: F811

GOOD = """
watchbell: 1
tasks:
  - {name: deploy, command: 'true', schedule: {cron: 0 9 * * *, zone: UTC}}
blackouts:
  - {name: night, zone: UTC, from_time: '01:00', to_time: '03:00', weekdays: [sat, sun]}
  - {name: release, zone: UTC, starts: 2030-12-24 18:00, ends: 2030-12-27 06:00, tasks: [deploy], description: Freeze}
"""


def test_blackouts_come_with_a_file_and_go_into_one(shell, home):
    file = home / "tasks.yaml"
    file.write_text(
        GOOD.replace("2030-12-24 18:00", "'2030-12-24 18:00'").replace("2030-12-27 06:00", "'2030-12-27 06:00'")
    )

    planned = shell("import", str(file), "--dry-run")
    assert "+ add    blackout night" in planned.out and shell("blackout", "list", "--json").json() == []
    assert shell("import", str(file)).out.endswith("Done: 3 added.\n")
    night, release = shell("blackout", "list", "--json").json()
    assert (night["weekdays"], release["tasks"], release["ends"]) == (["sat", "sun"], ["deploy"], "2030-12-27 06:00")
    again = home / "again.yaml"
    shell("export", "-o", str(again))
    assert shell("import", str(again)).out.endswith("Done: 3 left as they are.\n")
    one = shell("export", "deploy").out
    assert "release" in one and "night" not in one

    again.write_text(again.read_text().replace("01:00", "00:30"))
    assert shell("import", str(again)).code == errors.EXIT_CONFLICT
    changed = shell("import", str(again), "--replace")
    assert "from_time: 01:00 -> 00:30" in changed.out
    assert shell("blackout", "list", "--json").json()[0]["from_time"] == "00:30"


def test_a_blackout_of_a_task_that_is_nowhere_is_refused_with_its_place(shell, home):
    file = home / "tasks.yaml"
    file.write_text("watchbell: 1\nblackouts:\n  - {name: x, from_time: '01:00', to_time: '03:00', tasks: [gone]}\n")
    refused = shell("import", str(file))
    assert refused.code == errors.EXIT_USAGE and "blackouts[0].tasks" in refused.err and "gone" in refused.err
    file.write_text("watchbell: 1\nblackouts:\n  - {name: x, from_time: soon}\n")
    assert "blackouts[0].from_time" in shell("import", str(file)).err


def test_the_preview_of_a_schedule_tells_blackouts_of_all_tasks(shell, home):
    asked = ("schedule", "preview", "0 2 * * *", "--zone", "UTC", "--from", "2030-01-01 00:00", "-n", "1")
    shell("task", "add", "x", "--command", "true", "--manual")
    shell("blackout", "add", "own", "--from-time", "01:00", "--to-time", "03:00", "--zone", "UTC", "--task", "x")
    assert "blackout" not in shell(*asked).out
    shell("blackout", "add", "night", "--from-time", "01:00", "--to-time", "03:00", "--zone", "UTC")
    assert "blackout night" in shell(*asked).out
    assert list(shell(*asked, "--json").json()["left_out"].values()) == ["blackout night"]
