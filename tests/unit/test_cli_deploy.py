"""The files of a deployment: complete, fit for the programs that read them, and never written over by accident."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import subprocess

import pytest

from watchbell.cli.main import main
from watchbell.control.deployment import PIECES
from watchbell.control.deployment.pieces import _FILES
from watchbell.errors import EXIT_CONFLICT, EXIT_USAGE


@pytest.fixture
def deploy(capsys, tmp_path):
    """Call the command and return its exit code and what it has printed."""

    def call(*options, home=tmp_path / "home"):
        code = main(["--home", str(home), "deploy", *options])
        out, err = capsys.readouterr()
        return code, out + err

    return call


def test_every_file_is_listed_with_what_it_is_for_and_where_it_belongs(deploy):
    _code, shown = deploy()
    _code, told = deploy("--json")

    assert [row["name"] for row in json.loads(told)] == list(PIECES)
    assert all(name in shown and piece.path.removeprefix("{folder}") in shown for name, piece in PIECES.items())
    assert {path.name for path in _FILES.iterdir()} | {"systemd-agent"} == set(PIECES)


@pytest.mark.parametrize("name", list(PIECES))
def test_a_file_is_complete_and_says_what_was_asked_for(deploy, name):
    code, text = deploy("--print", name, "--name", "bell.example.org", "--prefix", "/bell", "--user", "root")

    assert code == 0
    assert "@home@" not in text and "{folder}" not in text
    assert {"nginx": "location /bell/ {", "environment": "WATCHBELL_ALLOWED_HOSTS=bell.example.org,localhost",
            "systemd-agent": "https://bell.example.org/bell", "systemd-web": "User=root",
            "systemd-engine": "engine worker --queues default --drain"}.get(name, "") in text  # fmt: skip


def test_the_settings_of_this_shell_go_along_and_no_secret_does(deploy, monkeypatch):
    monkeypatch.setenv("WATCHBELL_ZONE", "Europe/Berlin")
    monkeypatch.setenv("WATCHBELL_OIDC_NAME", 'the "house" login')
    monkeypatch.setenv("WATCHBELL_PASSWORD", "correct horse battery")
    monkeypatch.setenv("WATCHBELL_DATABASE_URL", "postgresql://bell:hidden@db/bell")
    monkeypatch.setenv("WATCHBELL_BROKER", "amqp://bell:hidden@mq.example/bell")
    monkeypatch.setenv("WATCHBELL_TRIES_STORE", "redis://:hidden@mq.example/1")
    _code, text = deploy("--print", "environment")

    assert "\nWATCHBELL_ZONE=Europe/Berlin\n" in text
    assert '\nWATCHBELL_OIDC_NAME="the \\"house\\" login"' in text
    assert "correct horse" not in text and "hidden" not in text


def test_the_login_header_of_a_visitor_does_not_pass_the_proxy(deploy, monkeypatch):
    assert "X-Remote-User" not in deploy("--print", "nginx")[1]
    monkeypatch.setenv("WATCHBELL_LOGIN_HEADER", "X-Remote-User")
    assert 'proxy_set_header X-Remote-User "";' in deploy("--print", "nginx")[1]


@pytest.mark.parametrize(
    "options",
    [
        ("--name", "bell.example.org; return 200"), ("--prefix", "/bell/"), ("--prefix", "bell"), ("--prefix", "/a b"),
        ("--certificate", "/etc/a;b.pem"), ("--user", "root\nExecStart=/bin/sh"), ("--web", "10.0.0.5"),
        ("--web", "10.0.0.5:5000; x"), ("--folder", "relative"), ("--proxy", "everybody"), ("--force",), ("--queues", "a b"), ("--queues", "a,"),
        ("--print", "nginx", "--out", "/nowhere"),
    ],
)  # fmt: skip
def test_what_would_say_more_than_it_seems_is_refused(deploy, options):
    code, told = deploy(*options)

    assert code == EXIT_USAGE, told


def test_files_that_are_there_stay_unless_forced(deploy, tmp_path):
    out = tmp_path / "out"
    mask = os.umask(0)
    try:
        first = deploy("--out", str(out))
    finally:
        os.umask(mask)
    settings = out / "etc/watchbell/environment"
    settings.write_text("mine")
    (out / "Containerfile").unlink()
    second = deploy("--out", str(out))

    assert first[0] == 0 and len(first[1].splitlines()) == len(PIECES)
    assert second[0] == EXIT_CONFLICT and str(settings) in second[1]
    assert settings.read_text() == "mine" and not (out / "Containerfile").exists()
    assert deploy("--out", str(out), "--force")[0] == 0
    assert "WATCHBELL_HOME" in settings.read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert stat.S_IMODE((out / "Containerfile").stat().st_mode) == 0o644


def test_the_settings_of_the_web_server_are_a_program(deploy):
    tree = ast.parse(deploy("--print", "gunicorn", "--workers", "3")[1])
    said = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}

    assert ast.literal_eval(said["workers"]) == 3
    assert ast.literal_eval(said["worker_class"]) == "gthread"


def test_a_proxy_elsewhere_is_named_and_let_in(deploy):
    options = ("--proxy", "10.0.0.9", "--web", "10.0.0.5:5000", "--web", "10.0.0.6:5000")

    assert "WATCHBELL_PROXY_FROM=10.0.0.9\n" in deploy("--print", "environment", *options)[1]
    assert "0.0.0.0:5000" in deploy("--print", "systemd-socket", *options)[1]
    assert "    server 10.0.0.5:5000;\n    server 10.0.0.6:5000;" in deploy("--print", "nginx", *options)[1]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(deploy, tmp_path):
    deploy("--out", str(tmp_path / "out"), "--user", "root")
    units = sorted(str(path) for path in (tmp_path / "out/etc/systemd/system").iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )

    # It also complains of units of the machine that are not ours.
    assert [line for line in done.stderr.splitlines() if "watchbell" in line] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
@pytest.mark.parametrize(("name", "exposure"), [("web", 2.0), ("scheduler", 5.6), ("engine", 5.6)])
def test_a_service_is_fenced_in(deploy, tmp_path, name, exposure):
    """The exposure is systemd's own mark, from 0 for what reaches nothing to 10; what commands need is left to them."""
    out = tmp_path / "out"
    deploy("--out", str(out), "--user", "watchbell", "--queues", "heavy,reports")
    unit = out / f"etc/systemd/system/watchbell-{name}.service"
    words = ["systemd-analyze", "security", "--offline=true", f"--threshold={round(exposure * 10)}", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert name != "engine" or "--queues heavy,reports --drain 60" in unit.read_text()
