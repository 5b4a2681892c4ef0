"""What the documentation tells people to type exists: commands, options, targets, imports and servers."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib

import click
import pytest

from tests.docs.pages import PAGES, ROOT, blocks, calls
from watchbell.cli.main import cli
from watchbell.config import SETTINGS, Config

TYPED = [
    pytest.param(words, id=f"{name}: {' '.join(words)[:60]}") for name in PAGES for words in calls(name, "watchbell")
]
TARGETS = [(name, words[0]) for name in PAGES for words in calls(name, "make")]
TARGETS += [(name, found) for name, path in PAGES.items() for found in re.findall(r"`make (\w+)", path.read_text())]
SCRIPTS = [(name, text) for name in PAGES for text in blocks(name, "python")]


def parse(words: list[str]) -> click.Command:
    """Take a typed line apart as the program does, without running it; raises UsageError for what it would refuse."""
    command: click.Command = cli
    context = cli.make_context("watchbell", list(words), resilient_parsing=False)
    # Not closed by a with statement: nothing was opened, since no command ran.
    while isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args] if hasattr(context, "protected_args") else context.args
        if not rest and command.invoke_without_command:
            break
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, found.make_context(name, rest, parent=context)
    return command


@pytest.mark.filterwarnings("ignore:.*protected_args.*:DeprecationWarning")
@pytest.mark.parametrize("words", TYPED)
def test_a_command_in_the_documentation_exists_with_its_options(words: list[str]) -> None:
    assert parse(cut_at_operator(words)).name


def cut_at_operator(words: list[str]) -> list[str]:
    """Return the words up to where the shell begins another command or sends the output elsewhere."""
    ends = [index for index, word in enumerate(words) if word in {"&&", "|", ">", "<", "||"}]
    return words[: ends[0]] if ends else words


@pytest.mark.filterwarnings("ignore:.*protected_args.*:DeprecationWarning")
@pytest.mark.parametrize("line", ["task ad x", "task add x --often y", "up --port none", "runs show"])
def test_a_command_that_does_not_exist_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line.split())


def test_the_pages_are_full_of_commands() -> None:
    assert len(TYPED) > 40
    assert {name for name in PAGES if calls(name, "watchbell")} >= {"README.md", "docs/quickstart.md", "docs/cli.md"}


@pytest.mark.parametrize(("name", "target"), TARGETS)
def test_a_make_target_in_the_documentation_exists(name: str, target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "text"), SCRIPTS)
def test_what_a_script_in_the_documentation_imports_exists(name: str, text: str) -> None:
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]

    assert imports
    for node in imports:
        module = importlib.import_module(str(node.module))
        assert all(hasattr(module, found.name) for found in node.names)


def test_the_server_in_the_readme_finds_the_application() -> None:
    (words,) = calls("README.md", "gunicorn")
    module, _, name = words[-1].partition(":")

    tree = ast.parse((ROOT / f"{module}.py").read_text())

    assert name in {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets}


def test_the_configuration_file_in_the_documentation_is_accepted(tmp_path) -> None:
    (text,) = blocks("docs/configuration.md", "toml")
    (tmp_path / "watchbell.toml").write_text(text)

    config = Config.load(environ={"WATCHBELL_HOME": str(tmp_path)})

    for name, value in tomllib.loads(text).items():
        assert getattr(config, name) == (tuple(value) if isinstance(value, list) else value)


def test_every_variable_in_the_documentation_is_a_setting() -> None:
    known = {name for setting in SETTINGS for name in setting.env} | {"WATCHBELL_CONFIG"}
    given = {
        f"WATCHBELL_{name}" for name in ("RUN_ID", "TASK", "ATTEMPT", "FENCE", "SCHEDULED_FOR", "STEP", "PARAM_DAY")
    }
    told = {name for path in PAGES.values() for name in re.findall(r"\bWATCHBELL_[A-Z_]+[A-Z]\b", path.read_text())}

    assert told <= known | given
    assert given <= told
