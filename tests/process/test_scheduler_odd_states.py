"""What a reader of the code found: states that no kill had reached, and queues that no one looked at again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.process.lives import list_processes
from watchbell import clock
from watchbell.services import triggers

pytestmark = pytest.mark.fault


def run_now(lab, task):
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")


def forget_files(lab, run_id: int) -> None:
    """Take the files of a run away, as the end of a login session does with what lies on tmpfs."""
    (row,) = lab.rows("SELECT folder FROM attempt WHERE run_id = ?", run_id)
    for file in ("status", "out", "err"):
        Path(f"{row['folder']}.{file}").unlink()


def test_a_living_command_whose_files_were_taken_away_is_lost_only_when_it_has_ended(make_lab):
    lab = make_lab()
    task = lab.add_task("bare", 3)
    run = run_now(lab, task)
    life = lab.start()
    lab.wait_for_state(run.id, "running")
    life.kill()
    forget_files(lab, run.id)

    with lab.running():
        second = run_now(lab, task)
        lab.wait(lambda: lab.states(id=second.id) == ["queued"], "the second run to wait its turn")
        ended = lab.wait_for_state(run.id, "lost")
        lab.wait_for_state(second.id, "succeeded")

    assert "files are gone" in ended["reason"]
    ends = {line[0]: index for index, line in enumerate(lab.effect_lines("END"))}
    assert list(ends) == [str(run.id), str(second.id)]
    assert list_processes(lab.token) == {}


def test_a_started_command_is_never_said_to_have_never_started(make_lab):
    lab = make_lab()
    run = run_now(lab, lab.add_task("once", 3))
    life = lab.start()
    lab.wait_for_state(run.id, "running")
    life.kill()
    forget_files(lab, run.id)
    # As a scheduler leaves it that is killed between the start of the process and the next transaction.
    lab.execute("UPDATE run SET state = 'starting' WHERE id = ?", run.id)
    lab.execute("UPDATE attempt SET pid = NULL, start_ticks = NULL, boot_id = NULL, started_at = NULL, folder = ''")

    with lab.running():
        lab.wait_for_state(run.id, "lost")

    assert len(lab.effect_lines("START")) == 1


def test_a_run_that_was_taken_over_while_starting_is_shown_as_running(make_lab):
    lab = make_lab()
    run = run_now(lab, lab.add_task("taken", 3, 5))
    life = lab.start()
    lab.wait_for_state(run.id, "running")
    life.kill()
    lab.execute("UPDATE run SET state = 'starting', started_at = NULL WHERE id = ?", run.id)
    lab.execute("UPDATE attempt SET pid = NULL, start_ticks = NULL, boot_id = NULL, started_at = NULL, folder = ''")

    with lab.running():
        row = lab.wait_for_state(run.id, "running")
        (attempt,) = lab.rows("SELECT * FROM attempt")
        ended = lab.wait_for_state(run.id, "failed")

    assert row["started_at"]
    assert attempt["pid"]
    assert attempt["folder"]
    assert ended["exit_code"] == 5


def test_queued_runs_of_one_task_do_not_hide_those_of_another(make_lab):
    lab = make_lab(max_running=4)
    slow, other = lab.add_task("slow", 20), lab.add_task("other")
    for _ in range(12):
        run_now(lab, slow)
    wanted = run_now(lab, other)

    with lab.running():
        lab.wait_for_state(wanted.id, "succeeded", timeout=10)

        assert lab.states(task_id=slow.id).count("queued") == 11


def test_a_queue_is_emptied_as_far_as_there_is_room(make_lab):
    lab = make_lab(max_running=100)
    task = lab.add_task("many", 4, overlap="allow")
    for _ in range(90):
        run_now(lab, task)

    with lab.running():
        lab.wait(lambda: len(lab.effect_lines("START")) == 90, "all 90 to start while all of them run")

        assert lab.effect_lines("END") == []


def test_a_task_that_cannot_be_read_does_not_keep_the_others_from_running(make_lab):
    lab = make_lab()
    broken, sound = lab.add_task("broken"), lab.add_task("sound")
    lab.execute(
        "UPDATE task SET schedule = json_set(schedule, '$.zone', 'US/Nowhere', '$.kind', 'cron', "
        "'$.expressions', json('[\"* * * * *\"]')) WHERE id = ?",
        broken.id,
    )
    run = run_now(lab, sound)

    with lab.running():
        lab.wait_for_state(run.id, "succeeded")

    assert "broken" in lab.scheduler_words()


def test_a_data_directory_that_was_moved_frees_its_tasks(make_lab, tmp_path):
    lab = make_lab()
    run = run_now(lab, lab.add_task("moved", 2))
    life = lab.start()
    lab.wait_for_state(run.id, "running")
    life.kill()
    # What another path of the same directory looks like to its scheduler.
    lab.execute("UPDATE run SET holder = substr(holder, 1, length(holder) - 12) || '000000000000'")

    with lab.running():
        ended = lab.wait_for_state(run.id, "succeeded", "lost")

    assert ended["state"] == "succeeded"


def test_a_command_of_a_database_that_is_gone_is_never_taken_for_a_run_of_the_new_one(make_lab):
    old = make_lab()
    foreign = run_now(old, old.add_task("foreign", 60))
    life = old.start()
    old.wait_for_state(foreign.id, "running")
    life.kill()
    old.db.close()
    shutil.rmtree(old.home)
    lab = make_lab()
    task = lab.add_task("ours", 0, 3)
    before = run_now(lab, task)
    assert before.id == foreign.id

    with lab.running():
        missed = lab.wait_for_state(before.id, "missed")
        after = run_now(lab, task)
        ended = lab.wait_for_state(after.id, "failed")

    assert "goes on under its number" in missed["reason"]
    assert (ended["exit_code"], after.id > foreign.id) == (3, True)
    assert [line[0] for line in lab.effect_lines("START")] == [str(after.id)]
    # Nobody has ended it.
    assert len(list_processes(old.token)) >= 1
