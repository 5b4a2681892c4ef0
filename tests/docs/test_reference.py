from __future__ import annotations

import subprocess
import sys

import click
import pytest

from tests.docs.pages import PAGES, ROOT, load_script, rows, section, text_of
from watchbell import errors
from watchbell.cli.main import EXIT_CODES, cli
from watchbell.config import SETTINGS

reference = load_script("reference")
COMMANDS = dict(reference.commands())


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_written_page_is_what_the_code_says_today(name: str) -> None:
    assert text_of(f"docs/{name}") == reference.PAGES[name](), "run: python docs/reference.py"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_all_its_variables(setting) -> None:
    (row,) = [row for row in rows(text_of("docs/configuration.md")) if row[0] == f"`{setting.name}`"]

    assert row[1] == ", ".join(f"`{name}`" for name in setting.env)
    assert all(cell for cell in row[2:])


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented_with_all_its_options(path: str) -> None:
    command = COMMANDS[path]

    told = section("docs/cli.md", f"## {path}")

    assert command.help
    assert command.help.split()[0] in told
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.opts[0]} has no help"
            for name in (*option.opts, *option.secondary_opts):
                assert f"`{name}`" in told


def test_every_command_of_the_program_is_walked_through() -> None:
    answer = subprocess.run([sys.executable, "-m", "watchbell", "--help"], text=True, capture_output=True, timeout=60)

    sections = answer.stdout.partition("Commands:")[2].partition("Exit codes:")[0].splitlines()
    listed = [line.split()[0] for line in sections if line.startswith("  ") and line[2] != " "]

    assert listed == [path.split()[1] for path in COMMANDS if path.count(" ") == 1]
    assert len(COMMANDS) > len(listed) + 1
    assert COMMANDS["watchbell"] is cli


def test_every_exit_code_has_a_meaning_in_the_documentation() -> None:
    told = {int(row[0]): row[1] for row in rows(section("docs/cli.md", "## Exit codes"))[1:]}
    ours = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}

    assert told == dict(EXIT_CODES)
    assert ours <= set(told)


def test_a_page_that_is_behind_is_noticed(tmp_path) -> None:
    for name in ("docs/reference.py", *(f"docs/{page}" for page in reference.PAGES)):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((ROOT / name).read_text())
    page = tmp_path / "docs/configuration.md"
    page.write_text(page.read_text().replace("`WATCHBELL_HOME`", "`WATCHBELL_HOUSE`"))

    answer = subprocess.run(
        [sys.executable, tmp_path / "docs/reference.py", "--check"], text=True, capture_output=True, timeout=60
    )

    assert answer.returncode == 1
    assert "not up to date: configuration.md" in answer.stderr
    assert "WATCHBELL_HOUSE" in page.read_text()
    assert "docs/configuration.md" in PAGES
