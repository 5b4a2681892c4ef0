"""Scripts as commands, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.scripts import to_command, to_script
from watchbell.errors import InputError


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("report.py", "/usr/bin/python3 report.py"),
        ("my report.py", "/usr/bin/python3 'my report.py'"),
        ("-c.py", "/usr/bin/python3 ./-c.py"),
        ("sub/report.py", "/usr/bin/python3 sub/report.py"),
        ("backup.sh", "./backup.sh"),
        ("a; rm -rf ~", "'./a; rm -rf ~'"),
        ("/opt/tool", "/opt/tool"),
    ],
)
def test_a_script_becomes_a_command_that_no_name_breaks_out_of(name: str, command: str) -> None:
    assert to_command(name, python="/usr/bin/python3") == command


@pytest.mark.parametrize("name", ["", "  ", "folder/"])
def test_what_is_no_name_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="command"):
        to_command(name, python="python")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="/"), min_size=1).map(str.strip))
def test_a_script_is_found_again_in_its_command(name: str) -> None:
    if name:
        assert to_script(to_command(name, python="/usr/bin/python3.11")) == name.removeprefix("./")


@pytest.mark.parametrize("command", ["echo a && echo b", "python3 -m http.server", "true", "echo 'open", "./a b"])
def test_another_command_stands_for_itself(command: str) -> None:
    assert to_script(command) == command
