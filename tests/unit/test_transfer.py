"""Tasks as a file: what is exported is imported as the same, a wrong file changes nothing, and a hostile one neither."""

from __future__ import annotations

import json
import shutil
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.database import DEFAULTS, NOW, add_task, url_of
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from tests.waiting import spends_at_most
from watchbell import errors
from watchbell.domain.task_definition import build_definition
from watchbell.domain.task_document import to_document
from watchbell.errors import InputError
from watchbell.services import task_files, tasks, transfer
from watchbell.store.session import Database

# ruff: noqa: F811

#: Texts that a careless writer or reader of YAML would turn into something else.
ODD = ["yes", "no", "on", "null", "~", "12:30", "1e3", "0x1f", "1_000", "007", "- x", "a: b", "#x", "'", '"', "{a}", "&x",
       "*x", "!x", "%x", "@x", "`x`", "é", "\u2028", "🔔", "=", "<<", "2030-01-31", ".inf", "True", "? x", "|", ">"]  # fmt: skip
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30) | st.sampled_from(ODD)
texts = st.lists(lines, min_size=1, max_size=3).map("\n".join)
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=10)
schedules = st.sampled_from(
    [
        {"cron": ["30 2 * * *"]}, {"cron": ["@daily", "0 0 l * *"], "dst": "both"}, {"every": "90s"},
        {"every": "2 days", "anchor_at": "2026-01-01T02:30:00+00:00"}, {"at": ["2030-01-31 09:30", "2031-01-31 09:30"]},
        {"every_word": "weekday", "at_time": "02:30"}, {"every_word": "minutes", "at_time": "5"}, {},
    ]
)  # fmt: skip
policies = st.fixed_dictionaries(
    {},
    optional={
        "overlap": st.sampled_from(["queue_all", "replace"]), "retries": st.integers(0, 100),
        "retry_multiplier": st.sampled_from(["1.5", "2.0", "10"]), "retry_on": st.just("1, 75-79, timeout"),
        "time_limit_seconds": st.integers(1, 1000), "niceness": st.integers(-20, 19), "queue": st.just("q.1"),
        "latest_start_seconds": st.integers(1, 100), "memory_limit_mib": st.integers(1, 512),
    },
)  # fmt: skip
what = st.fixed_dictionaries({"command": texts.filter(str.strip)}) | st.fixed_dictionaries(
    {
        "steps": st.lists(
            st.fixed_dictionaries({"name": words, "command": lines.filter(str.strip)}, optional={"timeout_seconds": st.integers(1, 60)}),
            min_size=1, max_size=3, unique_by=lambda step: step["name"],
        )
    }
)  # fmt: skip
plain = st.fixed_dictionaries(
    {},
    optional={
        "environment": st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), lines, max_size=3),
        "tags": st.lists(words, max_size=3), "comment": texts, "enabled": st.booleans(), "host": words,
        "zone": st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland"]), "directory": st.just("/"),
    },
)  # fmt: skip
definitions = st.tuples(what, plain, schedules, policies).map(
    lambda parts: {k: v for part in parts for k, v in part.items()}
)


def definition_from(fields, number):
    return build_definition({"name": f"task {number}", **fields}, base=None, now=NOW, defaults=DEFAULTS)


@given(st.lists(definitions, min_size=1, max_size=4), st.sampled_from(task_files.FORMATS))
@settings(max_examples=60, deadline=None)
def test_a_document_reads_back_as_the_same_definitions(given_fields, kind):
    made = [definition_from(fields, number) for number, fields in enumerate(given_fields)]

    document = task_files.read(task_files.write(to_document(made), kind))

    read = [document.definition(entry, now=NOW, defaults=DEFAULTS, earlier=None) for entry in document.tasks]
    assert read == made


@given(st.lists(definitions, min_size=1, max_size=3))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_export_makes_the_same_tasks_in_an_empty_database(migrated_file, tmp_path_factory, given_fields):
    databases = []
    for name in ("one", "other"):
        file = tmp_path_factory.mktemp(name) / "watchbell.db"
        shutil.copy(migrated_file, file)
        databases.append(Database.open(url_of(file)))
    one, other = databases
    for number, fields in enumerate(given_fields):
        tasks.create(one, {"name": f"task {number}", **fields}, now=NOW, actor="ann", defaults=DEFAULTS)

    document = task_files.read(task_files.write(to_document(*transfer.list_definitions(one)), "yaml"))
    plan = transfer.plan(other, document, now=NOW, defaults=DEFAULTS, replaces=False)
    transfer.apply(other, plan, now=NOW, actor="bob", defaults=DEFAULTS)

    assert transfer.list_definitions(other) == transfer.list_definitions(one)
    for database in databases:
        database.close()


def test_moments_that_have_passed_are_carried_along(db, shell, home):
    add_task(db, "once", at=["2030-01-31 09:30"])
    text = shell("export").out.replace("2030", "2020")

    (home / "tasks.yaml").write_text(text)
    done = shell("import", "--replace", str(home / "tasks.yaml"))

    assert done.code == 0
    assert shell("task", "show", "once", "--json").json()["schedule"]["moments"] == ["2020-01-31T09:30:00+00:00"]


def test_an_export_goes_to_a_file_for_its_owner_alone(db, shell, tmp_path):
    add_task(db, "one", environment={"TOKEN": "secret"})
    file = tmp_path / "tasks.json"
    file.write_text("old")

    done = shell("export", "-o", str(file))

    assert done.out == ""
    assert json.loads(file.read_text())["tasks"][0]["environment"] == {"TOKEN": "secret"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".tasks*")) == []


def test_only_what_was_named_is_exported_with_the_bounds_of_its_queue(db, shell):
    add_task(db, "one", queue="small")
    add_task(db, "two", queue="big")
    shell("queue", "set", "small", "--max-running", "1")
    shell("queue", "set", "big", "--max-running", "9")

    told = json.loads(shell("export", "one", "--format", "json").out)

    assert [task["name"] for task in told["tasks"]] == ["one"]
    assert told["queues"] == [{"name": "small", "max_running": 1}]
    assert shell("export", "nope").code == errors.EXIT_NOT_FOUND


GOOD = """
watchbell: 1
queues:
- {name: small, max_running: 2}
tasks:
- name: nightly
  command: make
  schedule: {cron: 30 2 * * *, zone: Europe/Berlin}
  policies: {queue: small}
- name: hourly
  command: |
    echo one
    echo two
  environment: {PORT: 8080, ANSWER: no}
  schedule: {every_word: day, at_time: 12:30}
  tags: [daily, 7]
"""


def imported(shell, home, text, *options):
    (home / "tasks.yaml").write_text(text)
    return shell("import", str(home / "tasks.yaml"), *options)


def test_a_file_that_a_person_wrote_is_read_as_it_reads(shell, home):
    done = imported(shell, home, GOOD)

    assert done.code == 0
    assert "+ add    nightly: At 02:30 every day, Europe/Berlin" in done.out
    assert done.out.endswith("Done: 3 added.\n")
    hourly = shell("task", "show", "hourly", "--json").json()
    assert hourly["environment"] == {"PORT": "8080", "ANSWER": "no"}
    assert hourly["schedule"]["at_time"] == "12:30"
    assert hourly["tags"] == ["daily", "7"]
    assert hourly["command"] == "echo one\necho two\n"
    assert shell("queue", "list", "--json").json()[1]["max_running"] == 2


def test_a_second_import_changes_nothing_and_a_dry_run_neither(shell, home):
    before = imported(shell, home, GOOD, "--dry-run")
    assert shell("task", "list", "--json").json() == []
    imported(shell, home, GOOD)
    again = imported(shell, home, GOOD)

    assert "3 to add.\n" in before.out and "Runs of the next 30 days" in before.out
    assert again.out.endswith("Done: 3 left as they are.\n")
    assert shell("task", "show", "nightly", "--json").json()["version"] == 1


def test_what_is_there_is_replaced_only_on_purpose(shell, home):
    imported(shell, home, GOOD)
    changed = GOOD.replace("30 2 * * *", "30 3 * * *").replace("hourly", "other")

    refused = imported(shell, home, changed)
    names = [task["name"] for task in shell("task", "list", "--json").json()]
    done = imported(shell, home, changed, "--replace")

    assert refused.code == errors.EXIT_CONFLICT
    assert "nightly" in refused.err
    assert "--replace" in refused.err
    assert names == ["hourly", "nightly"]
    assert 'schedule.expressions: ["30 2 * * *"] -> ["30 3 * * *"]' in done.out
    assert len(shell("task", "list", "--json").json()) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "command: make",
            "commandx: make",
            "line 7, tasks[0].commandx: is not a field of a task (for example: command)",
        ),
        ("zone: Europe", "zon: Europe", "line 8, tasks[0].schedule.zon"),
        ("30 2 *", "61 2 *", "line 8, tasks[0].schedule.cron: minute: 61"),
        ("queue: small", "queue: No Way", "line 9, tasks[0].policies.queue"),
        ("  policies: {queue: small}", "  queue: small", "line 9, tasks[0].queue: this stands below policies"),
        ("max_running: 2", "max_running: two", "line 4, queues[0].max_running"),
        ("watchbell: 1", "watchbell: 2", "line 2, watchbell"),
        ("name: hourly", "name: nightly", "a second time"),
        ("PORT: 8080", "PORT: true", "tasks[1].environment.PORT"),
        ("tags: [", "tags: [[1], ", "tags"),
        ("watchbell: 1", "watchbell: 1\nwatchbell: 1", "stands here twice"),
        ("tasks:", "more: 1\ntasks:", "line 5, more"),
        ("[daily, 7]", "*x", "line 16"),
        ("[daily, 7]", "!!python/object/apply:os.system [ls]", "line 16"),
        ("[daily, 7]", "[daily", "this is no YAML"),
        ("command: make", "comment: make", "tasks[0].command: is required"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_place_and_changes_nothing(shell, home, old, new, says):
    done = imported(shell, home, GOOD.replace(old, new, 1))

    assert done.code == errors.EXIT_USAGE
    assert says in done.err
    assert done.err.count("\n") == 1
    assert shell("task", "list", "--json").json() == []


@pytest.mark.parametrize(
    "text",
    ["", "- 1", "42", "[" * 100_000, "a: " + "[" * 100_000, "a: &x [1]\nb: *x", '{"watchbell": 1, "tasks": [1]}', "{",
     '{"a": 1, "a": 2}', "? [a]\n: b", "watchbell: 1\ntasks: 5", "x: \x00", "\ufeff: 1", "{" * 50_000, "a: !!" + "x" * 5000],
    ids=range(15),
)  # fmt: skip
def test_what_is_no_document_is_told_in_one_line(shell, home, text):
    done = imported(shell, home, text)

    assert done.code == errors.EXIT_USAGE
    assert done.err.count("\n") == 1
    assert len(done.err) < 500


@pytest.mark.parametrize("kind", task_files.FORMATS)
def test_a_command_with_an_unusual_end_of_a_line_comes_back_as_it_was(kind):
    for text in ("\x85b", "a\x85b", "a\n\x85b\u2028c\n"):
        made = definition_from({"command": text}, 1)

        document = task_files.read(task_files.write(to_document([made]), kind))

        assert document.definition(document.tasks[0], now=NOW, defaults=DEFAULTS, earlier=None) == made


def test_a_mapping_in_the_place_of_a_name_is_refused_without_telling_all_of_it():
    with pytest.raises(InputError, match="line 2: a list or a mapping is no name"):
        task_files.read("tasks:\n" + "? ? a:\n" * 20)


def test_a_reference_is_refused_where_it_would_lead_to_something_too():
    # Each of them doubles what those above it hold.
    with pytest.raises(InputError, match=r"a reference \(\*name\) is not taken here"):
        task_files.read("watchbell: 1\ntasks:\n- {name: a, command: &c b}\n- {name: d, command: *c}\n")


def test_half_a_character_is_refused_and_not_stumbled_over():
    with pytest.raises(InputError, match="half a character"):
        task_files.read("watchbell: 1\ntasks: [{name: '\ud800', command: a}]")


def test_more_than_can_be_read_soon_is_refused_before_it_is_read(shell, typed):
    with pytest.raises(InputError, match=r"more than 500,000 names and values in this.* write it as JSON"):
        task_files.read("a: [" + "a," * task_files.MOST_IN_YAML + "]")
    with pytest.raises(InputError, match="longer than 16 MiB"):
        task_files.read(" " * (task_files.LONGEST + 1))
    typed("#" * (16 * 1024 * 1024 + 1))
    assert "'-' is longer than 16 MiB" in shell("import", "-").err


def test_of_json_more_is_read_than_of_yaml_and_places_are_told_of_it_all_the_same():
    tags = "1," * task_files.MOST_IN_YAML + "2"
    task = f'{{"name": "a", "command": "b", "tags": [{tags}]}}'

    (entry,) = task_files.read(f'{{"watchbell": 1, "tasks": [{task}]}}').tasks
    assert len(entry.fields["tags"]) == task_files.MOST_IN_YAML + 1
    with pytest.raises(InputError) as refused:
        task_files.read(f'{{"watchbell": 1, "tasks": [{task}, 3]}}')
    assert [problem.field for problem in refused.value.problems] == ["tasks[1]"]


def test_a_name_that_stands_twice_among_very_many_is_found_at_once():
    text = "".join(f'"{number}": 0, ' for number in range(100_000))

    def read() -> None:
        with pytest.raises(InputError, match="'99999' stands twice"):
            task_files.read(f'{{{text}"99999": 1}}')

    # It was counted anew for each name: a minute and a half for this many.
    spends_at_most(5, read)


def test_lines_are_told_of_json_too(shell, home):
    done = imported(shell, home, '{\n"watchbell": 1,\n"tasks": [\n{"name": "x",\n "namex": "y", "command": "ls"}]}')

    assert "line 5, tasks[0].namex" in done.err


def test_a_missing_directory_is_told_before(shell, home):
    done = imported(shell, home, "watchbell: 1\ntasks: [{name: x, command: ls, directory: /no/such}]", "--dry-run")

    assert "note: its directory /no/such is not there" in done.out


def test_what_changes_between_plan_and_import_is_noticed(db, shell):
    add_task(db, "one", comment="old")
    document = task_files.read("watchbell: 1\ntasks: [{name: one, command: new}, {name: two, command: new}]")
    plan = transfer.plan(db, document, now=NOW, defaults=DEFAULTS, replaces=True)
    shell("task", "edit", "one", "--comment", "other")

    with pytest.raises(errors.Conflict, match="meanwhile"):
        transfer.apply(db, plan, now=NOW, actor="ann", defaults=DEFAULTS)

    assert [task.name for task in tasks.list_page(db).tasks] == ["one"]


def test_an_import_reads_standard_input(shell, typed):
    typed(GOOD)

    assert shell("import", "-", "--json").json()["steps"][1]["action"] == "add"
