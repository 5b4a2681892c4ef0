"""``watchbell runs group``: the runs of a chain."""

from __future__ import annotations

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, moment, one_line, pairs, print_json, span, table

_NUMBER = click.IntRange(min=1, max=2**63 - 1)


@click.command("group", short_help="Show the runs of a chain.", epilog=examples("watchbell runs group 17"))
@click.argument("run_id", metavar="ID", type=_NUMBER)
@json_option
@pass_program
def group(program: Program, *, run_id: int, as_json: bool) -> None:
    """Show the runs of a chain, by the number of the run that began it, or of any step."""
    found = program.source.find_group(program.source.find_run(run_id).group_id or run_id)
    if as_json:
        print_json(dict(found))
        return
    zone, ended = program.zone, found["ended_at"]
    names = {step["task_id"]: step["task_name"] for step in found["steps"]}
    by_run = {step["run_id"]: step["task_name"] for step in found["steps"]}
    pairs(
        {
            "Chain": f"{found['task_name']} (run {found['id']})",
            "Began": moment(found["began_at"], zone),
            "Ended": moment(ended, zone) if ended else "still going",
            "Took": span((ended - found["began_at"]).total_seconds()) if ended else None,
            "Rounds": found["rounds"] if found["rounds"] > 1 else None,
            "What took the time": " -> ".join(by_run.get(one, f"run {one}") for one in found["critical_run_ids"]),
        }
    )
    rows = []
    for step in found["steps"]:
        after = ", ".join(f"{names.get(one['task_id'], one['task_id'])} {one['on']}" for one in step["after"])
        rows.append(
            (
                one_line(step["task_name"]),
                step["run_id"] or "-",
                step["state"] or "waiting",
                after or "-",
                step["reason"],
            )
        )
    table(("TASK", "RUN", "STATE", "AFTER", "WHY"), rows)
