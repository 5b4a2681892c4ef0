"""``watchbell alert``: rules about the numbers of runs, and the alerts that they raise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from watchbell import clock
from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import examples, json_option, moment, note, one_line, print_json, say, table
from watchbell.cli.task_options import span_of
from watchbell.domain.alerting import Severity
from watchbell.errors import InputError

_SEVERITIES = [severity.value for severity in Severity]
_RULE = click.argument("rule_name", metavar="RULE", callback=not_empty)
_ALL = "all tasks"


def _rule_options(function: Any) -> Any:
    for option in (
        click.option("--throttle", metavar="SPAN",
                     help="So long after an alert, further runs of the task are only counted in it. Default: 5m."),
        click.option("--severity", type=click.Choice(_SEVERITIES), metavar="WORD",
                     help=f"How much it matters: {', '.join(_SEVERITIES)}. Default: warning."),
        click.option("--task", "task_name", metavar="NAME", shell_complete=complete_task, callback=not_empty,
                     help="Only runs of this task. Default: of all tasks."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(short_help="Make rules about the numbers of runs, and see what they have raised.")
def alert() -> None:
    """Make rules about the numbers of runs, such as cpu_max > 80, and see the alerts that they have raised."""


@alert.command("list", short_help="List rules.", epilog=examples("watchbell alert list", "watchbell alert list --json"))
@json_option
@pass_program
def list_rules(program: Program, *, as_json: bool) -> None:
    """List all rules, how many alerts of each are kept, and how many of those nobody has acknowledged."""
    found = program.source.list_alert_rules()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["id"], one["name"], one["expression"], _ALL if one["task_id"] is None else one["task_name"],
            one["severity"], f"{one['throttle_seconds']} s", "yes" if one["enabled"] else "no", one["alerts"], one["open"],
        )
        for one in found
    ]  # fmt: skip
    heads = ("ID", "NAME", "WHEN", "TASK", "SEVERITY", "THROTTLE", "ENABLED", "ALERTS", "OPEN")
    table(heads, rows, right=(0, 5, 7, 8))
    for one in found:
        if one["untold"]:
            note(f"{one_line(one['name'])}: {one['untold']} run(s) cannot be told, the last #{one['untold_run_id']}: "
                 f"{one['untold_reason']}")  # fmt: skip


@alert.command(
    short_help="Make a rule.",
    epilog=examples(
        "watchbell alert add hot --when 'cpu_max > 80 and execution_time_seconds > 60' --severity critical",
        "watchbell alert add few-rows --when 'rows < 100' --task import --throttle 1h",
        "watchbell alert add --alert-config 'hot:cpu_max > 80'",
    ),
)
@click.argument("rule_name", metavar="[NAME]", required=False)
@click.option("--when", "expression", metavar="TEXT", help="The condition, as 'cpu_max > 80'.")
@click.option("--alert-config", metavar="NAME:TEXT", help="Name and condition in one, as the script runner has them.")
@_rule_options
@click.option("--disabled", is_flag=True, help="It raises nothing until it is enabled.")
@json_option
@pass_program
def add(
    program: Program, /, *, rule_name: str | None, expression: str | None, alert_config: str | None, disabled: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make a rule. It looks at runs that end from now on; try it on the last ones with "watchbell alert test"."""
    if alert_config is not None:
        if rule_name is not None or expression is not None:
            raise click.UsageError("--alert-config has name and condition; leave NAME and --when out.")
        rule_name, _colon, expression = (part.strip() for part in alert_config.partition(":"))
    if rule_name is None or not expression:
        raise click.UsageError("Give NAME and --when, or --alert-config 'NAME:TEXT'.")
    fields = {"name": rule_name, "expression": expression, "enabled": not disabled, **_fields(program, options)}
    _tell(program.source.add_alert_rule(fields), "Made", as_json)


@alert.command(
    short_help="Change a rule.",
    epilog=examples("watchbell alert edit hot --when 'cpu_max > 90'", "watchbell alert edit hot --disable"),
)
@_RULE
@click.option("--name", "new_name", metavar="NAME", callback=not_empty, help="Another name.")
@click.option("--when", "expression", metavar="TEXT", callback=not_empty, help="Another condition.")
@_rule_options
@click.option("--all-tasks", is_flag=True, help="Runs of all tasks.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it raises anything.")
@json_option
@pass_program
def edit(
    program: Program, /, *, rule_name: str, new_name: str | None, expression: str | None, all_tasks: bool,
    enabled: bool | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Change a rule; what is not named stays. Runs that have ended before do not matter to it any more."""
    if all_tasks and options["task_name"] is not None:
        raise click.UsageError("Give one of --task and --all-tasks.")
    fields = _fields(program, options)
    given = {"name": new_name, "expression": expression, "enabled": enabled}
    fields |= {name: value for name, value in given.items() if value is not None}
    if all_tasks:
        fields["task_id"] = None
    if not fields:
        raise click.UsageError("Nothing to change: name at least one option.")
    rule = program.source.find_alert_rule(rule_name)
    _tell(program.source.change_alert_rule(rule, fields), "Changed", as_json)


@alert.command(short_help="Remove a rule.", epilog=examples("watchbell alert remove hot"))
@_RULE
@json_option
@pass_program
def remove(program: Program, *, rule_name: str, as_json: bool) -> None:
    """Remove a rule; the alerts that it has raised stay until their runs are deleted."""
    rule = program.source.find_alert_rule(rule_name)
    program.source.remove_alert_rule(rule)
    if as_json:
        print_json({"id": rule["id"], "name": rule["name"], "removed": True})
    else:
        say(f"Removed rule {one_line(rule['name'])}. Its alerts stay.")


@alert.command(
    "test",
    short_help="Try a condition on the last runs.",
    epilog=examples("watchbell alert test hot", "watchbell alert test --when 'cpu_max > 80' --task backup --last 100"),
)
@click.argument("rule_name", metavar="[RULE]", required=False)
@click.option("--when", "expression", metavar="TEXT", help="This condition instead of that of a rule.")
@click.option("--task", "task_name", metavar="NAME", shell_complete=complete_task, callback=not_empty,
              help="Runs of this task. Default: those that the rule is about.")  # fmt: skip
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many of the last runs.")
@json_option
@pass_program
def try_out(
    program: Program, *, rule_name: str | None, expression: str | None, task_name: str | None, last: int, as_json: bool
) -> None:
    """Say of which of the last runs a rule, or a condition, would have held. Nothing is raised; throttling is left out."""
    if (rule_name is None) == (expression is None):
        raise click.UsageError("Give a RULE or --when.")
    task_id = program.source.find_task(task_name).id if task_name is not None else None
    if rule_name is not None:
        rule = program.source.find_alert_rule(rule_name)
        expression, task_id = rule["expression"], rule["task_id"] if task_id is None else task_id
    found = program.source.try_alert_rule(str(expression), task_id, last)
    if as_json:
        print_json(found)
        return
    words = {True: "fires", False: "-", None: "cannot be told"}
    rows = [
        (one["run_id"], one["task_name"], moment(one["at"], program.zone), one["state"], words[one["holds"]],
         one["seen"] if one["holds"] is not None else one["reason"])
        for one in found["items"]
    ]  # fmt: skip
    table(("RUN", "TASK", "ENDED", "STATE", "RULE", "SEEN"), rows, right=(0,))
    say(f"{found['would_fire']} of {len(rows)} would have fired, {found['untold']} cannot be told.")


@alert.command(
    short_help="List alerts.",
    epilog=examples("watchbell alert history --open", "watchbell alert history --severity critical --since 24h --json"),
)
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody has acknowledged.")
@click.option("--severity", "severities", type=click.Choice(_SEVERITIES), metavar="WORD", multiple=True,
              help="Only of this severity; give it again for more.")  # fmt: skip
@click.option("--task", "task_name", metavar="NAME", shell_complete=complete_task, callback=not_empty,
              help="Only about runs of this task.")  # fmt: skip
@click.option("--since", metavar="SPAN", callback=not_empty, help="Only of the last so long, as 24h or 7d.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at the most."
)
@json_option
@pass_program
def history(
    program: Program, *, only_open: bool, severities: tuple[str, ...], task_name: str | None, since: str | None,
    limit: int, as_json: bool,
) -> None:  # fmt: skip
    """List the alerts that were raised, newest first."""
    filters = {
        "severities": tuple(map(Severity, severities)),
        "task_id": program.source.find_task(task_name).id if task_name is not None else None,
        "acknowledged": False if only_open else None,
        "since": clock.now() - _span("since", since) if since is not None else None,
    }
    found = program.source.list_alerts(filters, limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (one["id"], one["severity"], moment(one["at"], program.zone), one["task_name"], one["run_id"], one["further"],
         one["acknowledged_by"] or ("yes" if one["acknowledged_at"] else "-"), one["message"])
        for one in found
    ]  # fmt: skip
    heads = ("ID", "SEVERITY", "AT", "TASK", "RUN", "FURTHER", "ACKNOWLEDGED", "MESSAGE")
    table(heads, rows, right=(0, 4, 5))


@alert.command(
    short_help="Acknowledge alerts.",
    epilog=examples("watchbell alert acknowledge 12 13", "watchbell alert acknowledge --all",
                    "watchbell alert acknowledge --undo 12"),
)  # fmt: skip
@click.argument("ids", metavar="[ID]...", type=click.IntRange(min=0), nargs=-1)
@click.option("--all", "all_open", is_flag=True, help="All that nobody has acknowledged, the newest thousand of them.")
@click.option("--undo", is_flag=True, help="Take it back.")
@json_option
@pass_program
def acknowledge(program: Program, *, ids: tuple[int, ...], all_open: bool, undo: bool, as_json: bool) -> None:
    """Say that you know of alerts, or take that back."""
    if bool(ids) == all_open or (all_open and undo):
        raise click.UsageError("Give ids, or --all.")
    if all_open:
        ids = tuple(one["id"] for one in program.source.list_alerts({"severities": (), "acknowledged": False}, 1000))
    changed = program.source.set_acknowledged(ids, is_known=not undo) if ids else []
    if as_json:
        print_json({"changed": changed})
        return
    verb = "open again" if undo else "acknowledged"
    say(f"{len(changed)} alert(s) {verb}" + (f": {', '.join(map(str, changed[:20]))}." if changed else "."))


def _fields(program: Program, options: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields of a rule that were given as options."""
    fields: dict[str, object] = {}
    if options["task_name"] is not None:
        fields["task_id"] = program.source.find_task(options["task_name"]).id
    if options["severity"] is not None:
        fields["severity"] = options["severity"]
    if options["throttle"] is not None:
        fields["throttle_seconds"] = int(_span("throttle_seconds", options["throttle"]).total_seconds())
    return fields


def _span(field: str, text: str) -> timedelta:
    try:
        span = span_of(text) if text.strip() != "0" else timedelta()
    except OverflowError:
        span = None
    if span is None:
        raise InputError.of(field, "must be a length of time", "5m")
    return span


def _tell(rule: Mapping[str, Any], verb: str, as_json: bool) -> None:
    if as_json:
        print_json(rule)
        return
    about = _ALL if rule["task_id"] is None else f"task {one_line(rule['task_name'])}"
    state = "" if rule["enabled"] else ", disabled"
    say(f"{verb} rule {one_line(rule['name'])}: {rule['severity']} when {rule['expression']}, for {about}{state}.")
