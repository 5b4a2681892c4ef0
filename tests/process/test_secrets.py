"""Secrets of real commands: given to them alone, and masked in all that they write, whoever reads it and whenever."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest

from tests.process.lives import ROOT
from watchbell import clock
from watchbell.services import secrets, triggers
from watchbell.services.both_streams import BothStreams, Place
from watchbell.services.streams import OutputWithheld, Stream

VALUE = "Tr0ub4dor&3/x=7"
#: Every way in which a command may tell its secret: as it is, in base64, in two writes, in an address, in its environment.
TELLS = r"""
echo "plain $DB_PASSWORD"
printf '%s' "admin:$DB_PASSWORD" | base64
printf 'halves %s' "${DB_PASSWORD%ub4*}"; until [ -e "$GO" ]; do sleep 0.02; done; echo "ub4${DB_PASSWORD#*ub4}"
echo "https://u:$URL_PASSWORD@host/"
env | sort | grep -a PASSWORD
echo "error $DB_PASSWORD" >&2
printf 'breaks off: %s' "${DB_PASSWORD%?}" >&2
"""
ENVIRONMENT = {
    "DB_PASSWORD": "${secret:db}",
    "DSN": "postgres://app:${secret:db}@db/app",
    "URL_PASSWORD": urllib.parse.quote(VALUE, safe=""),
}


def put(lab, name="db", value=VALUE):
    return secrets.put(lab.db, name, value, now=clock.now(), actor="tester")


def run(lab, task):
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")


def read(lab, run_id, stream="stdout"):
    return Stream(lab.db, lab.config.output_path, run_id, stream).read(0, 1 << 20).slice.data.decode()


def both(lab, run_id):
    """Return what a page shows of both streams in the order of time, and how much of each it says there is."""
    found = BothStreams(lab.db, lab.config.output_path, run_id).read(Place(), 1 << 20, now=clock.now())
    return "".join(piece.data.decode() for piece in found.pieces), found.size


def traces(lab):
    """Return every file of the installation in which the value stands, but for those of commands that go on."""
    found = [path for path in lab.home.rglob("*") if path.is_file() and path.parent.name != "active"]
    return [path for path in found if VALUE.encode() in path.read_bytes()]


def command_lines():
    for place in Path("/proc").glob("[0-9]*"):
        try:
            yield (place / "cmdline").read_bytes()
        except OSError:
            # It has ended since it was listed.
            continue


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_secret_is_given_to_its_command_alone_and_masked_wherever_it_is_written(lab, is_killed):
    put(lab)
    go = lab.home / "go"
    task = lab.add("tells", TELLS, environment={**ENVIRONMENT, "GO": str(go)}, process_limit=50)
    life = lab.start()
    life.wait_for_beat()
    started = run(lab, task)
    lab.wait(lambda: "halves" in read(lab, started.id), "the first half")

    # The half that is written already is held back.
    live = read(lab, started.id)
    assert live == "plain " + "*" * 15 + "\n" + live.splitlines()[1] + "\nhalves "
    assert both(lab, started.id) == (live, (len(live), 0))
    # In base64 only the signs that stand for what is beside it are told.
    encoded = base64.b64encode(f"admin:{VALUE}".encode()).decode()
    assert live.splitlines()[1].strip("*") == encoded[:8]
    assert not [line for line in command_lines() if VALUE.encode() in line]
    if is_killed:
        # Whoever takes over knows from the ledger what to mask.
        life.kill()
        put(lab, value="another value")
        life = lab.start()
        life.wait_for_beat()
    go.touch()
    lab.wait_for_state(started.id, "succeeded")
    assert life.stop() == 0

    shown = read(lab, started.id)
    assert shown.startswith(live)
    assert "ub4dor" not in shown
    assert urllib.parse.quote(VALUE, safe="") not in shown
    assert "DB_PASSWORD=" + "*" * 15 in shown.splitlines()
    assert read(lab, started.id, "stderr") == "error " + "*" * 15 + "\nbreaks off: " + "*" * 14
    if not is_killed:
        # Whoever takes over need not know the order any more.
        assert both(lab, started.id)[0].count("*") == (shown + read(lab, started.id, "stderr")).count("*")
    assert traces(lab) == []
    found = secrets.get(lab.db, "db")
    assert [(use.run_id, use.version, use.task_name) for use in found.uses] == [(started.id, 1, "tells")]
    assert found.secret.used_run_id == started.id


def test_a_run_without_its_secret_or_without_the_key_fails_before_anything_starts_and_says_why(lab):
    marker = lab.home / "started"
    task = lab.add("needs", f"touch {marker}", environment={"A": "${secret:db} ${secret:mail}"})
    with lab.running():
        first = lab.wait_for_state(run(lab, task).id, "failed")
        put(lab), put(lab, "mail", "mail-password")
        key = lab.config.encryption_key_path
        key.rename(key.with_suffix(".away"))
        second = lab.wait_for_state(run(lab, task).id, "failed")
        key.with_suffix(".away").rename(key)
        third = lab.wait_for_state(run(lab, task).id, "succeeded")

    assert first["reason"] == "it could not be started: there is no secret db, mail"
    assert second["reason"].startswith("it could not be started: the key of the secrets is missing")
    assert third["exit_code"] == 0
    assert (first["exit_code"], first["started_at"]) == (None, None)


def test_output_that_ended_while_the_key_was_away_is_shown_to_nobody_and_masked_once_it_is_back(lab):
    put(lab)
    go = lab.home / "go"
    task = lab.add(
        "waits", f'until [ -e {go} ]; do sleep 0.02; done; echo "is $P"; exit 3', environment={"P": "${secret:db}"}
    )
    life = lab.start()
    life.wait_for_beat()
    started = run(lab, task)
    lab.wait_for_state(started.id, "running")
    life.kill()
    key = lab.config.encryption_key_path
    key.rename(key.with_suffix(".away"))
    with lab.running():
        with pytest.raises(OutputWithheld):
            read(lab, started.id)
        go.touch()
        lab.wait_for_state(started.id, "failed")
    with pytest.raises(OutputWithheld):
        read(lab, started.id)
    key.with_suffix(".away").rename(key)
    assert read(lab, started.id) == "is " + "*" * 15 + "\n"


def test_what_exec_passes_on_is_masked(lab):
    put(lab)
    command = 'printf "is %s" "${P%ub4*}"; sleep 0.3; printf "ub4%s\\n" "${P#*ub4}"; echo "$P" >&2'
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app"), "WATCHBELL_HOME": str(lab.home)}
    done = subprocess.run(
        [sys.executable, "-m", "watchbell", "exec", "--env", "P=${secret:db}", "--", "sh", "-c", command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "is " + "*" * 15 + "\n", "*" * 15 + "\n")
    assert traces(lab) == []
