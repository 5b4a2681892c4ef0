"""Variables of shared sets in real commands: in their order, below a task's own, and as they were when a run was due."""

from __future__ import annotations

from tests.database import DEFAULTS
from watchbell import clock
from watchbell.services import environment_sets, secrets, tasks, triggers
from watchbell.services.streams import Stream

VALUE = "Tr0ub4dor&3/x=7"


def test_commands_get_the_variables_of_their_sets_and_what_is_due_keeps_those_it_had(lab):
    how = {"now": clock.now(), "actor": "tester"}
    secrets.put(lab.db, "db", VALUE, **how)
    for name, given in (("base", {"A": "base", "B": "base", "C": "base"}), ("more", {"B": "more", "C": "more"})):
        environment_sets.create(lab.db, {"name": name, "variables": {**given, "KEY": "${secret:db}"}}, **how)
    task = lab.add("shell", 'printf "<%s>" "$A" "$B" "$C" "$P" "$KEY"', parameters=[{"name": "p", "variable": "P"}])
    defaults = tasks.Defaults(DEFAULTS.zone, "tester", "", environment_sets=environment_sets.finder(lab.db))
    fields = {"environment_sets": ["base", "more"], "environment": {"C": "own"}}
    tasks.update(lab.db, task.id, fields, defaults=defaults, **how)
    before = triggers.run_now(lab.db, task.id, given={"p": "said"}, **how)
    environment_sets.update(lab.db, "more", {"variables": {"B": "later", "P": "never"}}, **how)
    after = triggers.run_now(lab.db, task.id, given={"p": "said"}, **how)

    with lab.running():
        lab.wait_for_state(before.id, "succeeded")
        lab.wait_for_state(after.id, "succeeded")

    told = [
        Stream(lab.db, lab.config.output_path, run.id, "stdout").read(0, 9999).slice.data.decode()
        for run in (before, after)
    ]
    hidden = "*" * len(VALUE)
    assert told == [f"<base><more><own><said><{hidden}>", f"<base><later><own><said><{hidden}>"]
