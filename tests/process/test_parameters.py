"""Values of real runs: in the environment and in the arguments of real commands, whatever stands in them."""

from __future__ import annotations

from watchbell import clock
from watchbell.services import secrets, triggers
from watchbell.services.streams import Stream

HOSTILE = "a b'; touch $HOME/pwned #\"$(id)`id`${secret:db}"
VALUE = "Tr0ub4dor&3/x=7"


def test_values_reach_commands_and_retries_as_they_are_and_no_shell(lab):
    secrets.put(lab.db, "db", VALUE, now=clock.now(), actor="tester")
    note = {"name": "note", "default": "by default"}
    key = {"name": "key", "type": "secret", "choices": ["db"], "variable": "KEY"}
    shell = lab.add(
        "shell", 'printf "<%s>" "$WATCHBELL_PARAM_NOTE" "$KEY"; exit 3',
        parameters=[note, key], retries=1, retry_delay_seconds=0,
    )  # fmt: skip
    plain = lab.add(
        "plain", "/usr/bin/printf <%s> ${param:note} 'x${param:note}'".replace("<%s>", "'<%s>'"), parameters=[note]
    )
    given = {"note": HOSTILE}
    made = [
        triggers.run_now(lab.db, shell.id, now=clock.now(), actor="tester", given={**given, "key": "db"}).id,
        triggers.run_now(lab.db, plain.id, now=clock.now(), actor="tester", given=given).id,
        triggers.run_now(lab.db, plain.id, now=clock.now(), actor="tester").id,
    ]
    with lab.running():
        lab.wait_for_state(made[0], "failed")
        lab.wait_for_state(made[1], "succeeded")
        lab.wait_for_state(made[2], "succeeded")

    def told(run_id: int) -> str:
        return Stream(lab.db, lab.config.output_path, run_id, "stdout").read(0, 9999).slice.data.decode()

    assert lab.run(made[0])["attempts"] == 2
    assert told(made[0]) == f"<{HOSTILE}><{'*' * len(VALUE)}>"
    assert told(made[1]) == f"<{HOSTILE}><x{HOSTILE}>"
    assert told(made[2]) == "<by default><xby default>"


def test_what_a_line_of_the_schedule_gives_reaches_the_command(lab):
    notes = [{"name": "note", "default": "by default"}, {"name": "other", "default": "as it is"}]
    task = lab.add(
        "often", 'printf "<%s>" "$WATCHBELL_PARAM_NOTE" "$WATCHBELL_PARAM_OTHER"', every="1s", parameters=notes,
        line_values={"*": {"note": HOSTILE}},
    )  # fmt: skip
    with lab.running():
        found = lab.wait(
            lambda: lab.rows("SELECT id FROM run WHERE task_id = ? AND state = 'succeeded'", task.id), "a run"
        )

    told = Stream(lab.db, lab.config.output_path, found[0]["id"], "stdout").read(0, 9999).slice.data.decode()
    assert told == f"<{HOSTILE}><as it is>"
