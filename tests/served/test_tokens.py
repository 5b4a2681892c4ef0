"""Tokens as programs use them: made at the shell, sent by curl to gunicorn, and nowhere in what the server writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.programs import Server, environment_of, watchbell
from tests.waiting import wait_until
from watchbell import resources

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.skipif(not resources.have_assets(), reason="the browser libraries are missing; run: make assets"),
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing; install curl"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def server(tmp_path: Path, home: Path):
    made = Server(tmp_path, home, ("-m", "watchbell", "dashboard", "--port", "0"), WATCHBELL_SAMPLE_TASK="off")
    made.wait_for_address()
    yield made
    made.close()


def curl(url: str, *arguments: str) -> tuple[int, str, str]:
    """Return the status, the headers and the body that curl has got."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--include", *arguments, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    head, _, body = done.stdout.partition("\n\n")
    return int(head.split()[1]), head, body


def bearing(secret: str) -> tuple[str, str]:
    return "--header", f"Authorization: Bearer {secret}"


def make(home: Path, *arguments: str) -> str:
    """Return what ``$(watchbell token create ...)`` would be."""
    done = watchbell(home, "token", "create", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def test_a_token_from_the_shell_drives_the_server_with_curl_alone(server: Server, home: Path) -> None:
    reads, edits = make(home, "monitor"), make(home, "deploy", "--scope", "edit", "--expires", "1d")
    job = (
        "--header",
        "Content-Type: application/json",
        "--data",
        '{"name": "by-curl", "cron": "0 3 * * *", "command": "true"}',
    )

    assert curl(f"{server.root}/api/jobs", *job)[0] == 401
    refused, head, _ = curl(f"{server.root}/api/jobs", *bearing(reads), *job)
    made, _, body = curl(f"{server.root}/api/jobs", *bearing(edits), *job)
    seen = curl(f"{server.root}/tasks.json", *bearing(reads))

    assert (refused, 'error="insufficient_scope", scope="edit"' in head) == (403, True)
    assert made == 201, body
    assert (seen[0], "by-curl" in seen[2]) == (200, True)


def test_revoking_and_rotating_at_the_shell_ends_a_token_in_the_running_server(server: Server, home: Path) -> None:
    first, second = make(home, "first"), make(home, "second")
    assert [curl(f"{server.root}/tasks.json", *bearing(one))[0] for one in (first, second)] == [200, 200]

    assert watchbell(home, "token", "revoke", "first").returncode == 0
    third = watchbell(home, "token", "rotate", "second").stdout.strip()

    statuses = [curl(f"{server.root}/tasks.json", *bearing(one))[0] for one in (first, second, third)]
    assert statuses == [401, 401, 200]
    told = json.loads(watchbell(home, "token", "list", "--json").stdout)
    assert [(one["name"], one["used_from"]) for one in told] == [("second", "127.0.0.1")]


def test_no_token_stands_in_what_a_server_with_an_access_log_writes(server: Server, tmp_path: Path, home: Path) -> None:
    secret = make(home, "monitor")
    words = tmp_path / "gunicorn.txt"
    command = [
        *(sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:0", "--threads", "4"),
        *("--access-logfile", "-", "--log-level", "debug"),
    ]
    environment = environment_of(home, WATCHBELL_LOG_LEVEL="debug")
    with words.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment)
    try:
        listening = wait_until(lambda: words.read_text().partition("Listening at: ")[2].split(" ")[0], 30, "gunicorn")
        for path in ("/tasks.json", "/nothing", "/health"):
            curl(f"{listening}{path}", *bearing(secret))
            curl(f"{listening}{path}", *bearing(f"{secret[:-4]}ffff"))
        assert curl(f"{listening}/tasks.json", *bearing(secret))[0] == 200
        wait_until(lambda: words.read_text().count("GET /") >= 7, 10, "the access log")
    finally:
        process.terminate()
        process.wait(20)

    written = (
        words.read_text() + server.words() + "".join(file.read_text(errors="replace") for file in home.glob("*.log*"))
    )
    assert secret[11:] not in written
    assert secret[11:-4] not in written
