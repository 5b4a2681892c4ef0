"""How an agent is set up on a machine, and taken away again."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from watchbell.agent import identity, install, joining
from watchbell.agent.identity import Credentials
from watchbell.agent.install import Place, StepFailed
from watchbell.agent.joining import Options
from watchbell.errors import ConfigError, NotAllowed
from watchbell.version import __version__

USER = getpass.getuser()
CREDENTIALS = Credentials("8479359e-dbeb-4858-813c-e8a9008dde04", "wbd_key", "signing")


def options(tmp_path: Path, **more: object) -> Options:
    folder = tmp_path / "state of it"
    with joining.own_folder(folder):
        identity.keep_credentials(folder, CREDENTIALS)
    return Options("https://bell.example.org/100%", folder, code="wbe_secret", **more)  # type: ignore[arg-type]


def test_a_unit_starts_the_light_program_and_holds_no_code(tmp_path: Path) -> None:
    text = install.unit_text(options(tmp_path, ca_file=Path("/etc/my $HOME/ca.pem")), "nobody")

    (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert line.startswith(
        f'ExecStart="{sys.executable}" "-m" "watchbell.agent" "--url" "https://bell.example.org/100%%"'
    )
    assert f'"--state" "{tmp_path}/state of it"' in line
    assert '"/etc/my $$HOME/ca.pem"' in line
    assert "wbe_secret" not in text
    assert "User=nobody" in text.splitlines()
    with pytest.raises(ConfigError):
        install.unit_text(Options("https://a/\nExecStartPre=/bin/sh"), "nobody")


def systemctl(tmp_path: Path, code: int = 0) -> tuple[Place, Path]:
    """Return a place whose systemctl writes down how it is called."""
    calls, script = tmp_path / "calls", tmp_path / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$*" >> {calls}\necho no such unit >&2\nexit {code}\n')
    script.chmod(0o755)
    return Place(tmp_path / "units", str(script)), calls


def test_it_is_set_up_and_all_of_it_goes_again(tmp_path: Path) -> None:
    place, calls = systemctl(tmp_path)
    given = options(tmp_path)

    list(install.install(given, USER, place))
    assert place.unit.read_text() == install.unit_text(given, USER)
    list(install.uninstall(given.folder, place))

    assert calls.read_text().splitlines() == [
        *("daemon-reload", "enable --now watchbell-agent"),
        *("disable --now watchbell-agent", "daemon-reload"),
    ]
    assert not place.unit.exists()
    assert not given.folder.exists()


def test_a_dry_run_does_nothing_and_says_everything(tmp_path: Path) -> None:
    place, calls = systemctl(tmp_path)
    given = options(tmp_path)

    said = list(install.install(given, USER, place, is_dry=True))
    list(install.install(given, USER, Place(place.units)))
    gone = list(install.uninstall(given.folder, place, is_dry=True))

    assert [line.split()[0] for line in said + gone] == ["Would"] * 7 + ["The"]
    assert place.unit.exists()
    assert given.folder.exists()
    assert not calls.exists()


def test_without_systemd_it_says_what_it_has_not_done(tmp_path: Path) -> None:
    given = options(tmp_path)
    place = Place(tmp_path / "units")

    *_, last = install.install(given, USER, place)

    assert "the unit is not started" in last
    assert "watchbell.agent" in last
    kept = list(install.uninstall(given.folder, place, keeps_state=True))
    assert (given.folder / "credentials.json").exists()
    assert kept[-1].endswith("is kept")


def test_a_folder_that_is_none_of_an_agent_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()

    with pytest.raises(ConfigError, match="left as it is"):
        list(install.uninstall(tmp_path, Place(tmp_path / "units")))
    assert (tmp_path / "precious").exists()


def test_what_cannot_be_set_up_is_told_before_a_code_is_used_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no user"):
        install.check(options(tmp_path), "nobody-of-this-name", Place(tmp_path))
    if os.geteuid():
        with pytest.raises(NotAllowed):
            install.check(options(tmp_path), USER, Place(Path("/proc/sys/units")))


def test_no_link_that_its_user_has_put_into_the_folder_is_followed(tmp_path: Path) -> None:
    """Whoever was the agent's user had all files of root given to them, or written over, when root installed it anew."""
    given, place = options(tmp_path), Place(tmp_path / "units")
    precious, other = tmp_path / "shadow", tmp_path / "elsewhere"
    precious.write_text("secret")
    other.mkdir()
    (other / "inner").touch()
    (given.folder / "handlers").mkdir()
    (given.folder / "handlers" / "a").symlink_to(precious)
    (given.folder / "b").symlink_to(other)
    (given.folder / "gone").symlink_to(tmp_path / "nowhere")
    os.link(precious, given.folder / "c")
    os.mkfifo(given.folder / "d")

    list(install.install(given, "nobody" if os.geteuid() == 0 else USER, place))

    assert {file.stat().st_uid for file in (precious, other, other / "inner")} == {os.geteuid()}
    if os.geteuid() == 0:
        assert (given.folder / "credentials.json").owner() == (given.folder / "handlers").owner() == "nobody"


def test_the_lock_and_the_folder_are_no_links_to_something_else(tmp_path: Path) -> None:
    given, precious = options(tmp_path), tmp_path / "shadow"
    precious.write_text("secret")
    (given.folder / "lock").unlink()
    (given.folder / "lock").symlink_to(precious)

    with pytest.raises(ConfigError, match="cannot be used"), joining.own_folder(given.folder):
        pass
    assert precious.read_text() == "secret"

    link = tmp_path / "link"
    link.symlink_to(given.folder)
    there = Options("https://bell.example.org", link)
    for act in (
        lambda: install.check(there, USER, Place(tmp_path)),
        lambda: list(install.install(there, USER, Place(tmp_path))),
        lambda: list(install.uninstall(link, Place(tmp_path))),
    ):
        with pytest.raises(ConfigError, match="symbolic link"):
            act()


def test_a_step_that_fails_is_told(tmp_path: Path) -> None:
    place, _calls = systemctl(tmp_path, code=1)

    with pytest.raises(StepFailed, match="daemon-reload has failed: no such unit"):
        list(install.install(options(tmp_path), USER, place))


def test_the_one_file_of_the_server_needs_nothing_else_keeps_itself_and_goes_again(app: Flask, tmp_path: Path) -> None:
    answer = app.test_client().get("/agent/v1/program")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    fetched, state, units = tmp_path / "fetched.pyz", tmp_path / "state", tmp_path / "units"
    fetched.write_bytes(answer.data)

    def act(program: Path, words: str) -> str:
        # -I and -S: of this machine it has Python's own library alone.
        code = f"""if True:
            import sys; sys.path.insert(0, {str(program)!r})
            from pathlib import Path
            from watchbell.agent import carrier, install, main
            from watchbell.agent.joining import Options, own_folder
            given, place = Options("https://bell.example.org", Path({str(state)!r})), install.Place(Path({str(units)!r}))
            {words}"""
        argv = [sys.executable, "-I", "-S", "-c", code]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout

    act(fetched, f"with own_folder(given.folder): list(install.install(given, {USER!r}, place))")
    kept = state / install.PROGRAM
    precious = tmp_path / "shadow"
    precious.write_text("secret")
    kept.unlink()
    kept.with_suffix(".part").symlink_to(precious)
    act(fetched, f"list(install.install(given, {USER!r}, place))")
    assert (precious.read_text(), kept.is_symlink()) == ("secret", False)
    assert kept.read_bytes() == answer.data
    assert f'ExecStart="{sys.executable}" "{kept}" "--url"' in (units / "watchbell-agent.service").read_text()
    told = subprocess.run(
        [sys.executable, "-I", "-S", str(kept), "--version"], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.strip() == __version__

    # It removes the file that it runs from.
    act(kept, "print(*install.uninstall(given.folder, place), sep=chr(10))")
    assert (list(units.iterdir()), state.exists()) == ([], False)
