"""What is given the command of a task: what may be said, what each makes of a text, and where it is shown and carried."""

from __future__ import annotations

import dataclasses

import pytest
from bs4 import BeautifulSoup

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_task
from tests.shell import home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.form_fields import edit_fields
from tests.web_fixtures import Person
from watchbell import errors
from watchbell.domain import interpreters
from watchbell.domain.crontab.writing import write_crontab
from watchbell.domain.task_document import entry_of, read_document
from watchbell.errors import InputError
from watchbell.services import tasks
from watchbell.store.session import Database
from watchbell.web.api.task_dashboard.words import fields_of

# ruff: noqa: F811
SCRIPT = "import sys\nprint('a b', sys.argv)\n"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        (" none ", "none"),
        ("None", "none"),
        ("/bin/bash   -e", "/bin/bash -e"),
        ("python3 -u", "python3 -u"),
        ("'/opt/my tools/run' -x 'a b'", "'/opt/my tools/run' -x 'a b'"),
        ("perl5.36", "perl5.36"),
    ],
)
def test_an_interpreter_has_one_spelling(given: str, kept: str) -> None:
    assert interpreters.read("interpreter", given) == kept
    assert interpreters.read("interpreter", kept) == kept


@pytest.mark.parametrize(
    "given",
    ["./run", "bin/run", "/opt/", "-e", "A=b sh", "'", "''", "sh\n-e", "sh \u202e", "~/run", "sh " + "x " * 20, "$(id)", "a" * 501],
)  # fmt: skip
def test_what_is_no_program_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="interpreter"):
        interpreters.read("interpreter", given)


@pytest.mark.parametrize(
    ("text", "interpreter", "argv", "program"),
    [
        ("tar -c /home", "", ("tar", "-c", "/home"), "tar"),
        ("tar -c * | gzip", "", ("/bin/sh", "-c", "tar -c * | gzip"), ""),
        ("tar -c * | 'g zip'", "none", ("tar", "-c", "*", "|", "g zip"), "tar"),
        ("echo $HOME", "none", ("echo", "$HOME"), "echo"),
        ("echo $HOME", "/bin/bash -e", ("/bin/bash", "-e"), "/bin/bash"),
    ],
)
def test_each_makes_something_else_of_a_text(text: str, interpreter: str, argv: tuple[str, ...], program: str) -> None:
    assert interpreters.argv_of(text, interpreter) == argv
    assert interpreters.called(text, interpreter) == program


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"command": "echo 'x", "interpreter": "none"}, "command"),
        ({"steps": [{"command": "echo 'x"}], "interpreter": "none"}, "steps"),
        ({"command": "echo ${param:day}", "interpreter": "/bin/bash"}, "command"),
        ({"command": "#" * 40_000}, "command"),
        ({"command": "#" * 262_145, "interpreter": "python3"}, "command"),
        ({"command": "true", "interpreter": "./x"}, "interpreter"),
    ],
)
def test_a_text_has_to_fit_to_what_it_is_given_to(db: Database, fields: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refused:
        tasks.create(
            db, {"name": "a", "parameters": [{"name": "day"}], **fields}, now=NOW, actor="ann", defaults=DEFAULTS
        )

    assert [problem.field for problem in refused.value.problems] == [field]


def test_what_fits_only_to_the_old_interpreter_keeps_it_from_being_changed(db: Database) -> None:
    long = add_task(db, command="#" * 40_000, interpreter="python3")

    with pytest.raises(InputError, match="without an interpreter"):
        tasks.update(db, long.id, {"interpreter": ""}, now=NOW, actor="ann", defaults=DEFAULTS)


def test_it_goes_through_the_form_the_api_and_files_and_is_shown(admin: Person, program: Program, db: Database) -> None:
    task = add_task(db, command=SCRIPT)
    fields = {**edit_fields(admin, task.id), "interpreter": "no-such-program  -u"}

    page = admin.post(f"/tasks/{task.id}/edit", fields, follow_redirects=True).get_data(as_text=True)

    assert "no-such-program was not found on this machine" in page
    assert "no-such-program -u" in BeautifulSoup(page, "html.parser").select_one("#decisions").text  # type: ignore[union-attr]
    told = program.want(200, "GET", f"/api/v2/tasks/{task.id}")
    assert told["interpreter"] == "no-such-program -u"
    etag = {"If-Match": f'"{told["version"]}"'}
    changed = program.want(
        200, "PATCH", f"/api/v2/tasks/{task.id}", {"interpreter": "none", "command": "true 'a b'"}, headers=etag
    )
    assert changed["interpreter"] == "none"
    definition = tasks.definition_of(tasks.get(db, task.id))
    document = read_document({"watchbell": 1, "tasks": [entry_of(definition)]}, {})
    again = document.definition(document.tasks[0], now=NOW, defaults=DEFAULTS, earlier=definition)
    assert again.policies == definition.policies
    compared = admin.see(f"/tasks/{task.id}/revisions/3").text
    assert "no-such-program -u" in compared
    assert "none, it is run without a shell" in compared
    refused = program.want(422, "PATCH", f"/api/v2/tasks/{task.id}", {"interpreter": "./x"}, headers={"If-Match": "*"})
    assert "interpreter" in str(refused)


def test_two_who_have_chosen_differently_are_asked(admin: Person, db: Database) -> None:
    task = add_task(db, command=SCRIPT)
    mine = {**edit_fields(admin, task.id), "interpreter": "python3"}
    tasks.update(db, task.id, {"interpreter": "node"}, now=NOW, actor="bob", defaults=DEFAULTS)

    answer = admin.post(f"/tasks/{task.id}/edit", mine)

    page = BeautifulSoup(answer.data, "html.parser")
    assert answer.status_code == 409
    assert page.select_one("[name=take-interpreter]") is not None


def test_cron_is_given_only_what_its_shell_takes_for_the_same(db: Database) -> None:
    definition = tasks.definition_of(add_task(db, command="tar -c /home", cron="0 3 * * *", interpreter="none"))

    def written(command: str, interpreter: str) -> str:
        policies = dataclasses.replace(definition.policies, interpreter=interpreter)
        made = dataclasses.replace(definition, command=command, policies=policies)
        found = write_crontab([made], now=NOW, defaults=DEFAULTS)
        return found.left_out[0][1] if found.left_out else "written"

    assert written("tar -c /home", "none") == "written"
    assert "without a shell" in written("tar -c * ; id", "none")
    assert "a script for python3 -u" in written("print(1)", "python3 -u")


def test_a_script_of_a_folder_takes_the_place_of_the_interpreter(db: Database) -> None:
    task = add_task(db, command=SCRIPT, interpreter="python3")

    assert fields_of({"ScriptName": "report.py"}, task, python="python3")["interpreter"] == ""
    assert "interpreter" not in fields_of({"ScriptFolder": "/srv"}, task, python="python3")


def test_the_command_line_takes_shows_and_warns_of_it(shell) -> None:
    made = shell("task", "add", "report", "--command", SCRIPT, "--manual", "--interpreter", "no-such-program -u")

    assert "watchbell: no-such-program was not found on this machine" in made.err
    assert "no-such-program -u" in shell("task", "show", "report").out
    assert shell("task", "edit", "report", "--interpreter", "", "--json").json()["policies"]["interpreter"] == ""
    assert shell("task", "edit", "report", "--interpreter", "sh -e").err == ""
    refused = shell("task", "edit", "report", "--interpreter", "./sh")
    assert (refused.code, "--interpreter" in refused.err) == (errors.EXIT_USAGE, True)
