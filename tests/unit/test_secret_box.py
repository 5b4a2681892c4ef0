"""Sealing texts under a key that lies elsewhere."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from watchbell.config import Config
from watchbell.errors import ConfigError, KeyTrouble
from watchbell.store.secret_box import NO_BOX, SecretBox, name_of

ONE, TWO = "1b" * 32, "2a" * 32


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox(tmp_path / "home" / "encryption.key")


def test_what_was_sealed_opens_and_does_not_stand_in_the_sealed_text(box: SecretBox) -> None:
    sealed = box.seal("secret:db", "pa55wörd\n")
    assert box.open("secret:db", sealed) == "pa55wörd\n"
    assert "pa55" not in sealed
    assert box.seal("secret:db", "pa55wörd\n") != sealed


def test_a_sealed_text_opens_for_nothing_else_than_what_it_was_sealed_for(box: SecretBox) -> None:
    sealed = box.seal("secret:db", "value")
    with pytest.raises(KeyTrouble, match="secret mail is damaged, or was put in the place of another one"):
        box.open("secret:mail", sealed)


@pytest.mark.parametrize("place", [30, -2])
def test_a_sealed_text_that_was_changed_does_not_open(box: SecretBox, place: int) -> None:
    sealed = box.seal("secret:db", "value")
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place:][1:]
    with pytest.raises(KeyTrouble):
        box.open("secret:db", changed)


def test_the_key_is_made_at_first_need_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "home" / "encryption.key"
    before = os.umask(0)
    try:
        SecretBox(path).seal("secret:db", "value")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        SecretBox(path).add()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["encryption.key"]


def test_reading_makes_no_key(box: SecretBox, tmp_path: Path) -> None:
    with pytest.raises(KeyTrouble, match="is missing"):
        box.open("secret:db", "1:0123:abcd")
    assert box.is_missing()
    assert not (tmp_path / "home").exists()


def test_another_key_is_told_from_a_damaged_text(tmp_path: Path) -> None:
    sealed = SecretBox(None, ONE).seal("secret:db", "value")
    with pytest.raises(KeyTrouble, match=f"sealed with the key {name_of(ONE)[:8]}, which is not among the keys"):
        SecretBox(None, TWO).open("secret:db", sealed)


def test_the_first_key_seals_and_all_of_them_open(tmp_path: Path) -> None:
    old, both = SecretBox(None, ONE), SecretBox(None, f"{TWO},{ONE}")
    assert both.open("secret:db", old.seal("secret:db", "value")) == "value"
    assert SecretBox(None, TWO).open("secret:db", both.seal("secret:db", "new")) == "new"


def test_a_key_that_was_added_counts_at_once_and_the_others_stay_until_they_are_let_go(box: SecretBox) -> None:
    sealed = box.seal("secret:db", "value")
    before = box.names()
    box.add()
    assert box.names()[1:] == before
    assert box.open("secret:db", sealed) == "value"
    assert box.keep(before) == 0
    assert box.keep([]) == 1
    with pytest.raises(KeyTrouble):
        box.open("secret:db", sealed)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "short\n", f"{ONE}\nno key\n", "zz" * 32, "0" * 64, "ünï"])
def test_a_damaged_key_file_is_told_and_left_alone(box: SecretBox, tmp_path: Path, text: str) -> None:
    path = tmp_path / "home" / "encryption.key"
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyTrouble, match="damaged"):
        box.seal("secret:db", "value")
    with pytest.raises(KeyTrouble, match="damaged"):
        box.add()
    assert path.read_text() == text


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o644])
def test_a_key_file_that_everybody_can_read_or_write_is_not_used(box: SecretBox, tmp_path: Path, mode: int) -> None:
    sealed = box.seal("secret:db", "value")
    path = tmp_path / "home" / "encryption.key"
    before = path.read_text()
    path.chmod(mode)
    assert box.is_open()
    for use in (lambda: box.seal("secret:db", "value"), lambda: box.open("secret:db", sealed), box.names, box.add):
        with pytest.raises(KeyTrouble, match="everybody on this machine can read or write the key file"):
            use()
    assert path.read_text() == before
    for private in (0o600, 0o400, 0o640):
        path.chmod(private)
        assert not box.is_open()
        assert box.open("secret:db", sealed) == "value"


def test_keys_of_a_setting_are_not_changed_here(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "encryption.key", ONE)
    for change in (box.add, box.make):
        with pytest.raises(KeyTrouble, match="WATCHBELL_ENCRYPTION_KEY"):
            change()
    assert not (tmp_path / "encryption.key").exists()


def test_without_a_place_nothing_is_sealed() -> None:
    with pytest.raises(KeyTrouble):
        NO_BOX.seal("secret:db", "value")


def test_settings_name_the_key_or_its_file_and_a_wrong_key_is_not_repeated(tmp_path: Path) -> None:
    home = {"WATCHBELL_HOME": str(tmp_path)}
    assert Config.load(environ=home).encryption_key_path == tmp_path.resolve() / "encryption.key"
    other = Config.load(environ={**home, "WATCHBELL_ENCRYPTION_KEY_FILE": "/run/secrets/key"})
    assert other.encryption_key_path == Path("/run/secrets/key")
    given = Config.load(environ={**home, "WATCHBELL_ENCRYPTION_KEY": f" {ONE.upper()}, {TWO}"})
    assert given.encryption_key == f"{ONE},{TWO}"
    assert ONE not in repr(given)
    with pytest.raises(ConfigError, match="WATCHBELL_ENCRYPTION_KEY must be 64 hexadecimal digits") as caught:
        Config.load(environ={**home, "WATCHBELL_ENCRYPTION_KEY": "hunter2-hunter2"})
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("given", [",", " ", " , ", "0" * 64, f"{ONE},{'f' * 64}"])
def test_a_setting_that_holds_no_key_or_a_placeholder_is_refused_and_not_taken_for_none(
    tmp_path: Path, given: str
) -> None:
    with pytest.raises(ConfigError, match="WATCHBELL_ENCRYPTION_KEY must be 64 hexadecimal digits"):
        Config.load(environ={"WATCHBELL_HOME": str(tmp_path), "WATCHBELL_ENCRYPTION_KEY": given})
