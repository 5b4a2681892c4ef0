"""Parameters of tasks: what may be declared, which values are taken, and how they are asked for and recorded."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.waiting import spends_at_most
from tests.web_fixtures import Enter, Person
from watchbell.domain import bounded_pattern, parameters, placeholders
from watchbell.domain.crontab.writing import write_crontab
from watchbell.domain.parameters import Parameter, ParameterType, build_parameters, check_value, read_values
from watchbell.domain.run_state import RunState
from watchbell.domain.task_document import entry_of, read_document
from watchbell.errors import InputError
from watchbell.services import bulk_parts, secrets, task_templates, tasks, triggers
from watchbell.store.session import Database

DAY = {"name": "day", "type": "date", "default": "2026-11-30", "help": "The day to report on."}
TARGET = {"name": "target", "type": "choice", "choices": ["staging", "live"], "required": True}
HOSTILE = "'; rm -rf / #\"$(id)`id`<script>${secret:db}"


def words(error: pytest.ExceptionInfo[InputError]) -> str:
    return " ".join(f"{problem.field}: {problem.message}" for problem in error.value.problems)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "a b"}, "its name"),
        ({"name": ""}, "its name"),
        ({"name": "x", "type": "file"}, "its type must be one of text"),
        ({"name": "x", "type": "choice"}, "needs choices"),
        ({"name": "x", "choices": "a, b"}, "has no choices"),
        ({"name": "x", "type": "integer", "default": "1.5"}, "its default must be a whole number"),
        ({"name": "x", "type": "date", "default": "2026-02-30"}, "its default must be a date"),
        ({"name": "x", "type": "secret", "choices": ["a b"]}, "the name of a secret must begin with a letter"),
        ({"name": "x", "pattern": "(a+)+b"}, "too many repetitions"),
        ({"name": "x", "type": "number", "pattern": "a"}, "only a text has a pattern"),
        ({"name": "x", "variable": "LD_PRELOAD"}, "tells programs what to load"),
        ({"name": "x", "variable": "PATH"}, "tells programs what to load"),
        ({"name": "x", "variable": "JAVA_TOOL_OPTIONS"}, "tells programs what to load"),
        ({"name": "x", "variable": "LESSOPEN"}, "tells programs what to load"),
        ({"name": "x", "variable": "WATCHBELL_RUN_ID"}, "is not the name of a variable of yours"),
        ({"name": "x", "color": "red"}, "has no field 'color'"),
        ({"name": "x", "help": "a\x1b[2J"}, "can be seen"),
        ("x", "must be an object"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused_with_its_number(entry: object, said: str) -> None:
    with pytest.raises(InputError) as error:
        build_parameters([{"name": "good"}, entry])

    assert words(error).startswith("parameters: parameter 2: ")
    assert said in words(error)


def test_two_parameters_never_share_a_variable() -> None:
    with pytest.raises(InputError, match="WATCHBELL_PARAM_A_B"):
        build_parameters([{"name": "a-b"}, {"name": "A_b"}])


@pytest.mark.parametrize(
    ("fields", "given", "recorded"),
    [
        ({}, HOSTILE, HOSTILE),
        ({}, 5, "5"),
        ({"type": "number"}, 1.5, "1.5"),
        ({"type": "number"}, " -2e3 ", "-2e3"),
        ({"type": "integer"}, "007", "007"),
        ({"type": "yes_no"}, True, "true"),
        ({"type": "yes_no"}, "No", "false"),
        ({"type": "date"}, "2026-02-28", "2026-02-28"),
        ({"type": "choice", "choices": ["a", "b"]}, "b", "b"),
        ({"pattern": "[a-z]+"}, "abc", "abc"),
        ({}, "", ""),
        ({}, None, ""),
    ],
)
def test_a_value_is_recorded_as_a_text(fields: dict[str, Any], given: object, recorded: str) -> None:
    (one,) = build_parameters([{"name": "x", **fields}])

    assert check_value(one, given) == recorded


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({}, "two\nlines"),
        ({}, "nul\0"),
        ({}, "half\ud800"),
        ({}, "x" * 4001),
        ({}, ["list"]),
        ({}, True),
        ({"type": "number"}, "nan"),
        ({"type": "number"}, float("inf")),
        ({"type": "integer"}, "1" * 19),
        ({"type": "integer"}, "٣"),
        ({"type": "yes_no"}, "perhaps"),
        ({"type": "date"}, "20260228"),
        ({"type": "choice", "choices": ["a"]}, "A"),
        ({"pattern": "[a-z]+"}, "abc\n"),
        ({"pattern": "a*"}, "a" * 201),
    ],
)
def test_a_value_that_does_not_fit_is_refused_on_its_own_field(fields: dict[str, Any], given: object) -> None:
    (one,) = build_parameters([{"name": "x", **fields}])

    with pytest.raises(InputError) as error:
        check_value(one, given)

    assert error.value.problems[0].field == "parameters.x"


def test_a_run_gets_the_defaults_of_what_is_not_given_and_all_problems_at_once() -> None:
    declared = build_parameters([DAY, TARGET, {"name": "n", "type": "integer"}])

    assert read_values(declared, {"target": "live"}) == {"day": "2026-11-30", "target": "live", "n": ""}
    with pytest.raises(InputError) as error:
        read_values(declared, {"n": "x", "colour": "red"})
    assert {problem.field for problem in error.value.problems} == {
        "parameters.n", "parameters.target", "parameters.colour",
    }  # fmt: skip


@pytest.mark.parametrize(
    "pattern",
    ["(a|a)*b", "(a+)+b", r"(\w+\s?)*$", "(?=a)", r"(a)\1", "(a{1,30}){30}", "a*a*a*a*b", "(a|b){99999}", "("],
)
def test_a_pattern_that_may_keep_the_server_busy_is_refused(pattern: str) -> None:
    assert bounded_pattern.trouble(pattern)


@pytest.mark.parametrize("pattern", ["[[a]b", "[a--b]", r"x[^\]a&&b]", r"\[[a||b]", "[a~~]", "[[a", "([]--a])?"])
def test_a_pattern_that_another_python_may_read_otherwise_is_refused_before_this_one_warns(pattern: str) -> None:
    assert "must not begin a set with [" in bounded_pattern.trouble(pattern)


@pytest.mark.parametrize("pattern", [r"[\[a]--", r"[a\--]", "[a-z-]", r"\[[a&]&&", "[]a]||", "[a[]", "[^[]"])
def test_a_pattern_with_such_signs_in_their_plain_sense_is_taken(pattern: str) -> None:
    assert bounded_pattern.trouble(pattern) == ""


@pytest.mark.parametrize("pattern", [r"\d{1,3}(\.\d{1,3}){3}", "[a-z]*[a-z0-9]*[^b]*[b_]", "a?" * 23 + "[b_]"])
def test_a_pattern_that_is_taken_is_quick_with_the_worst_of_texts(pattern: str) -> None:
    assert not bounded_pattern.trouble(pattern)
    spends_at_most(2, lambda: bounded_pattern.fits(pattern, "a" * 200))


def test_patterns_of_one_task_together_keep_the_server_busy_no_longer_than_one() -> None:
    slow = [{"name": f"p{number}", "pattern": "(|a){22}[bx]"} for number in range(3)]
    plain = [{"name": f"q{number}", "pattern": "[a-z]+-[0-9]{4}"} for number in range(27)]

    assert len(build_parameters([*slow[:2], *plain])) == 29
    with pytest.raises(InputError, match="together"):
        build_parameters(slow)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("report --day ${param:x} -v", ("report", "--day", HOSTILE, "-v")),
        ("echo 'a ${param:x} b'", ("echo", f"a {HOSTILE} b")),
        ("tar --file=${param:x}", ("tar", f"--file={HOSTILE}")),
        ("echo ${param:x}; id", None),
        ('echo "$(date)" ${param:x}', None),
        ("${param:x} now", None),
        ("cd ${param:x}", None),
    ],
)
def test_a_value_stays_one_argument_and_no_shell_ever_reads_it(command: str, arguments: tuple[str, ...] | None) -> None:
    template = placeholders.template_of(command, [Parameter("x")])

    assert (placeholders.fill(template, {"x": HOSTILE}) if template else None) == arguments


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": "echo ${param:day} | cat"}, "command: a value is never put into what a shell reads"),
        ({"command": "echo ${param:week}"}, "command: names a parameter that the task does not have"),
        ({"command": "", "steps": [{"command": "echo ${param:day}"}]}, "steps: a value is never put"),
        ({"environment": {"DAY": "x"}, "parameters": [{**DAY, "variable": "DAY"}]}, "DAY is set by the environment"),
        ({"cron": "0 1 * * *", "parameters": [TARGET]}, "target is required: the schedule gives nothing"),
        ({"parameter_sets": {"x": {"day": "soon"}}}, "parameter_sets: set 'x', day: must be a date"),
        ({"parameter_sets": {"x": {"week": "1"}}}, "week: is not a parameter"),
        ({"command": "echo ${param:k}", "parameters": [{"name": "k", "type": "secret", "choices": ["db"]}]},
         "command: a secret cannot stand in a command"),
    ],
)  # fmt: skip
def test_a_task_whose_parts_do_not_fit_together_is_refused(db: Database, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        add_task(db, **{"parameters": [DAY], **fields})

    assert said in words(error)


def test_a_free_text_that_begins_an_argument_cannot_pass_for_an_option(db: Database) -> None:
    task = add_task(db, command="tar ${param:x} --y=${param:y}", parameters=[{"name": "x"}, {"name": "y"}])

    with pytest.raises(InputError, match="must not begin with -"):
        triggers.run_now(db, task.id, now=NOW, actor="ann", given={"x": "--checkpoint-action=exec=sh", "y": "-"})
    made = triggers.run_now(db, task.id, now=NOW, actor="ann", given={"x": "a", "y": "-"})
    assert made.parameters == {"x": "a", "y": "-"}


def test_a_change_of_the_parameters_keeps_of_the_sets_what_still_fits(db: Database) -> None:
    sets = {"both": {"day": "2026-01-01", "target": "live"}, "one": {"target": "staging"}}
    task = add_task(db, parameters=[DAY, TARGET], parameter_sets=sets)

    changed = tasks.update(db, task.id, {"parameters": [DAY]}, now=NOW, actor="ann", defaults=DEFAULTS)

    assert changed.parameter_sets == {"both": {"day": "2026-01-01"}}
    assert tasks.revision(db, task.id, 1).definition["parameter_sets"] == sets


def test_a_repeated_run_keeps_the_values_that_the_task_still_takes(db: Database) -> None:
    task = add_task(db, parameters=[DAY, TARGET])
    first = triggers.run_now(db, task.id, now=NOW, actor="ann", given={"day": "2026-01-01", "target": "live"})
    tasks.update(db, task.id, {"parameters": [TARGET, {"name": "n"}]}, now=NOW, actor="ann", defaults=DEFAULTS)

    (part,) = bulk_parts.change_runs(db, bulk_parts.RunAction.AGAIN, [first.id], now=NOW, actor="ann")
    with db.read() as session:
        assert session.get(type(first), first.id + 1).parameters == {"target": "live", "n": ""}
    assert part.outcome == "queued"


def test_what_a_bulk_order_cannot_give_is_told_and_stops_nothing_else(db: Database) -> None:
    asks, plain = add_task(db, "asks", parameters=[TARGET]), add_task(db, "plain")
    ids = [add_run(db, task, RunState.SUCCEEDED).id for task in (asks, plain)]

    done = bulk_parts.change_runs(db, bulk_parts.RunAction.AGAIN, ids, now=NOW, actor="ann")

    assert [part.outcome for part in done] == ["", "queued"]
    assert "target: is required" in done[0].reason


def test_a_secret_that_a_parameter_may_name_is_not_deleted_under_it(db: Database) -> None:
    secrets.put(db, "db-a", "value-of-a", now=NOW, actor="ann")
    task = add_task(db, parameters=[{"name": "key", "type": "secret", "choices": ["db-a", "db-b"]}])

    assert [place.name for place in secrets.get(db, "db-a").places] == [task.name]
    assert secrets.list_missing(db) == {"db-b": [task.name]}
    with pytest.raises(Exception, match="would fail"):
        secrets.delete(db, "db-a", now=NOW, actor="ann")


def test_files_templates_and_crontabs_know_of_parameters(db: Database) -> None:
    task = add_task(db, cron="0 1 * * *", parameters=[DAY], parameter_sets={"old": {"day": "2020-01-01"}})
    definition = tasks.definition_of(task)

    document = read_document({"watchbell": 1, "tasks": [entry_of(definition)]}, {})
    again = document.definition(document.tasks[0], now=NOW, defaults=DEFAULTS, earlier=None)
    template = task_templates.save(db, task.id, now=NOW, actor="ann")

    assert (again.parameters, again.parameter_sets) == (definition.parameters, definition.parameter_sets)
    assert task_templates.definition_of(template).parameters[0].type is ParameterType.DATE
    assert write_crontab([definition], now=NOW, defaults=DEFAULTS).left_out[0][1].startswith("it has parameters")


def test_the_api_takes_values_and_tells_them(program: Program) -> None:
    body = {
        "name": "report",
        "command": "true",
        "parameters": [DAY, TARGET],
        "parameter_sets": {"l": {"target": "live"}},
    }
    task = program.want(201, "POST", "/api/v2/tasks", body)
    place = f"/api/v2/tasks/{task['id']}/runs"
    values = {"day": "2026-11-30", "target": "live"}

    refused = program.want(422, "POST", place, {"parameters": {"day": "x", "week": 3}})
    made = program.want(201, "POST", place, {"parameters": {"target": "live"}})

    assert task["parameters"][0]["default"] == "2026-11-30"
    assert {one["field"] for one in refused["errors"]} == {
        "parameters.day", "parameters.week", "parameters.target",
    }  # fmt: skip
    assert made["parameters"] == values
    assert program.want(201, "POST", f"/api/v2/runs/{made['id']}/rerun")["parameters"] == values
    by_set = program.want(201, "POST", place, {"value_set": "l", "parameters": {"day": "2026-01-02"}})
    assert by_set["parameters"] == {"day": "2026-01-02", "target": "live"}
    unknown = program.want(422, "POST", place, {"value_set": "x"})
    assert [(one["field"], one["example"]) for one in unknown["errors"]] == [("value_set", "l")]
    program.want(422, "POST", place, {"asap": True, "value_set": "l"})
    # A run that waits already keeps its own values, and one that needs some cannot be asked for without.
    program.want(422, "POST", place, {"asap": True, "parameters": values})
    program.want(422, "POST", place, {"asap": True})


def test_a_page_asks_for_the_values_and_a_link_only_fills_them_in(admin: Person, db: Database) -> None:
    task = add_task(db, parameters=[DAY, TARGET, {"name": "note"}], parameter_sets={"go": {"target": "live"}})
    place = f"/tasks/{task.id}/run"
    before = admin.see("/runs.json").text

    asked = admin.post(place)
    page = admin.see(f"{place}?set=go&param.note=%3Cscript%3E&param.day=never&param.colour=red")

    assert (asked.status_code, asked.location) == (303, place)
    assert page.select_one("#param-target option[selected]")["value"] == "live"  # type: ignore[index]
    assert page.select_one("#param-note")["value"] == "<script>"  # type: ignore[index]
    assert "Must be a date" in page.select_one("#param-day-error").text  # type: ignore[union-attr]
    assert "colour" in page.select_one(".wb-notice").text  # type: ignore[union-attr]
    assert admin.see("/runs.json").text == before


def test_values_are_checked_recorded_shown_and_filled_in_again(admin: Person, db: Database) -> None:
    task = add_task(db, parameters=[DAY, TARGET, {"name": "note"}])
    place = f"/tasks/{task.id}/run"

    wrong = admin.post(place, {"asked": "1", "param.target": "moon", "param.note": HOSTILE, "param.day": "2026-01-01"})
    right = admin.post(place, {"asked": "1", "param.target": "live", "param.note": HOSTILE, "param.day": "2026-01-01"})

    assert wrong.status_code == 422
    assert "Must be one of staging, live" in wrong.text
    run = f"/{right.location.split('/', 1)[1]}"
    assert HOSTILE in admin.see(f"{run}?tab=definition").text
    assert admin.see("/runs.json").text.count("live") == 1
    assert "target=live" in admin.get("/runs.csv").text
    again = admin.post(f"{run}/again")
    assert admin.see(again.location).select_one("#param-note")["value"] == HOSTILE  # type: ignore[index]


def test_the_form_of_a_task_declares_parameters_without_scripts(admin: Person, db: Database) -> None:
    task = add_task(db, parameters=[DAY])
    place = f"/tasks/{task.id}/edit"
    rows = {
        "param_name": ["day", "size"], "param_type": ["date", "integer"], "param_default": ["2026-11-30", "x"],
        "param_required": ["yes", ""], "param_choices": ["", ""], "param_pattern": ["", ""],
        "param_variable": ["", "SIZE"], "param_help": ["", ""],
    }  # fmt: skip
    base = {"name": "backup", "what": "command", "command": "true", "kind": "manual", "version": "1",
            "was_enabled": "1", "enabled": "y"}  # fmt: skip

    more = admin.post(place, {**base, **rows, "param_act": "add"})
    moved = admin.post(place, {**base, **rows, "param_act": "up:2"})
    wrong = admin.post(place, {**base, **rows})
    saved = admin.post(place, {**base, **rows, "param_default": ["2026-11-30", "5"]})

    assert (more.status_code, more.text.count('name="param_name"')) == (200, 3)
    assert moved.text.index('value="size"') < moved.text.index('value="day"')
    assert wrong.status_code == 422
    assert "Parameter 2: its default must be a whole number" in wrong.text
    assert saved.status_code == 303
    kept = tasks.definition_of(tasks.get(db, task.id)).parameters
    assert [(one.name, one.required, one.variable_name) for one in kept] == [
        ("day", True, "WATCHBELL_PARAM_DAY"), ("size", False, "SIZE"),
    ]  # fmt: skip


def test_two_people_who_change_the_parameters_are_shown_both(admin: Person, db: Database) -> None:
    task = add_task(db, parameters=[DAY])
    tasks.update(db, task.id, {"parameters": [TARGET]}, now=NOW, actor="ben", defaults=DEFAULTS)
    fields = {"name": "backup", "what": "command", "command": "true", "kind": "manual", "version": "1",
              "was_enabled": "1", "enabled": "y", "param_name": "mine", "param_type": "text"}  # fmt: skip

    refused = admin.post(f"/tasks/{task.id}/edit", fields)
    taken = admin.post(f"/tasks/{task.id}/edit", {**fields, "version": "2", "take-parameters": "theirs"})

    assert refused.status_code == 409
    assert "target (choice; required; staging, live)" in refused.text
    assert taken.status_code == 303
    assert [one["name"] for one in tasks.get(db, task.id).parameters] == ["target"]


def test_sets_of_values_are_kept_and_deleted_by_who_may_edit(admin: Person, enter: Enter, db: Database) -> None:
    task = add_task(db, parameters=[DAY, TARGET])
    operator = enter("operator")
    fields = {"param.target": "live", "param.day": "", "set_name": "to live"}

    assert operator.post(f"/tasks/{task.id}/sets", fields).status_code == 403
    assert "set_name" not in operator.get(f"/tasks/{task.id}/run").text
    assert admin.post(f"/tasks/{task.id}/sets", {**fields, "set_name": ""}).status_code == 422
    kept = admin.post(f"/tasks/{task.id}/sets", fields)
    assert tasks.get(db, task.id).parameter_sets == {"to live": {"target": "live"}}
    assert admin.see(kept.location).select_one("[aria-current=true]").text == "to live"  # type: ignore[union-attr]
    admin.post(f"/tasks/{task.id}/sets/delete", {"set": "to live"})
    assert tasks.get(db, task.id).parameter_sets == {}


def test_every_type_has_words_and_a_stored_parameter_is_read_back() -> None:
    declared = build_parameters(
        [{"name": f"p{index}", "type": kind.value, "choices": ["ab"] if kind in {"choice", "secret"} else []}
         for index, kind in enumerate(ParameterType)]
    )  # fmt: skip

    assert parameters.from_json([one.to_json() for one in declared]) == declared
    assert all(dataclasses.asdict(one) for one in declared)
