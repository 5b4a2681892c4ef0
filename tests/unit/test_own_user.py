"""What whoever starts Watchbell is told of its user, whose rights every command has."""

from __future__ import annotations

import pytest

from watchbell.config import Config
from watchbell.control import own_user
from watchbell.control.diagnosis import place


@pytest.fixture
def config(tmp_path) -> Config:
    (tmp_path / "secret.key").write_text("x")
    return Config.load({"home": tmp_path}, {})


def test_root_is_told_that_every_command_is_root(config: Config) -> None:
    assert own_user.warnings(config, uid=0)[0].startswith("every command of every task runs as root")
    assert [found.code for found in place.look_at_user(config, uid=0)] == ["runs-as-root", "keys-in-reach"]
    assert next(iter(place.look_at_user(config, uid=0))).level == "warning"


def test_anybody_else_is_told_which_keys_commands_can_read(config: Config) -> None:
    (words,) = own_user.warnings(config, uid=1000)

    assert f"can read {config.home}/secret.key" in words
    assert [found.level for found in place.look_at_user(config, uid=1000)] == ["note"]


def test_where_there_is_no_key_yet_nothing_is_said(config: Config) -> None:
    (config.home / "secret.key").unlink()

    assert own_user.warnings(config, uid=1000) == []
    assert list(place.look_at_user(config, uid=1000)) == []
