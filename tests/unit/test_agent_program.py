"""The agent as a program: what it loads, whom it speaks to, what it keeps, and what it tells."""

from __future__ import annotations

import contextlib
import http.server
import os
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from watchbell.agent import environment, identity, joining
from watchbell.agent import main as program
from watchbell.agent.client import AnswerLost, Offline, Server
from watchbell.agent.facts import AGAIN_SECONDS, Facts, lasting_facts, moving_facts
from watchbell.agent.identity import Credentials, Process
from watchbell.agent.joining import Options
from watchbell.agent.journal import Journal
from watchbell.agent.loop import Agent
from watchbell.domain.agent_protocol import MOST_EARLIER, Assignment
from watchbell.errors import ConfigError
from watchbell.web.api.agent import schemas

ROOT = Path(__file__).resolve().parents[2]
HERE = ("127.0.0.1", 9)
CREDENTIALS = Credentials("8479359e-dbeb-4858-813c-e8a9008dde04", "wbd_key", "signing")


@pytest.mark.parametrize("program", ["watchbell.agent.main", "watchbell.agent.install", "watchbell.cli.agent"])
def test_it_loads_neither_a_database_nor_a_web_framework(program: str) -> None:
    heavy = "{'flask', 'werkzeug', 'sqlalchemy', 'alembic', 'apscheduler', 'psutil', 'cryptography', 'marshmallow'}"
    told = f"import sys, {program}; print(sorted({heavy} & set(sys.modules)), 'click' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told],
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
        text=True,
        capture_output=True,
    )

    assert done.stdout.strip() == f"[] {program.startswith('watchbell.cli')}", done.stderr


def test_it_needs_nothing_but_the_standard_library() -> None:
    # Without the folder of installed packages there is nothing else.
    told = f"import sys; sys.path.insert(0, {str(ROOT / 'app')!r}); import watchbell.agent.install, watchbell.agent.main as m"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"{told}; sys.exit(m.main(['--uninstall', '--dry-run', '--state', '/none']))",
        ],
        text=True,
        capture_output=True,
    )

    assert (done.returncode, "/none is not there" in done.stderr) == (0, True), done.stderr


class _Busy(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(429)
        self.send_header("Retry-After", self.path.split("/")[1])
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_it_waits_as_long_as_the_server_asks_it_to_and_longer_and_longer_if_there_is_none(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        agent = Agent(Server(f"{url}/400"), CREDENTIALS, tmp_path)
        waits = [agent.step() for _ in range(5)]
        # Whoever says so may be anybody on the way, and does not silence it for a day.
        bounded = Agent(Server(f"{url}/99999"), CREDENTIALS, tmp_path).step()
        server.shutdown()
    alone = Agent(Server("http://127.0.0.1:9"), CREDENTIALS, tmp_path)

    assert all(400 * 0.8 <= wait <= 400 * 1.2 for wait in waits)
    assert 600 * 0.8 <= bounded <= 600 * 1.2
    assert len(set(waits)) == 5
    longer = [alone.step() for _ in range(9)]
    assert all(30 * 2**number * 0.8 <= wait <= 30 * 2**number * 1.2 for number, wait in enumerate(longer[:4]))
    assert max(longer) <= 600 * 1.2


class _Dripping(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        # Until whoever has asked gives it up.
        with contextlib.suppress(OSError):
            while "half" not in self.path:
                self.wfile.write(b" ")
                self.server.stopped.wait(0.01)  # type: ignore[attr-defined]

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_an_answer_that_comes_byte_by_byte_or_by_half_is_none() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Dripping) as server:
        server.stopped = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(Offline, match="not come to an end within 0 s"):
            Server(url, patience=0.3).poll({})
        with pytest.raises(AnswerLost):
            Server(f"{url}/half").report({})
        server.shutdown()


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(308)
        self.send_header("Location", "http://127.0.0.1:9/stolen")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for the name localhost, signed by itself, with its key beside it."""
    made = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, *names, "-keyout", made.with_suffix(".key"), "-out", made], check=True, capture_output=True
    )
    return made


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of those that do not trust it, which is what is tested."""


@pytest.fixture(scope="module")
def port(authority: Path) -> Iterator[int]:
    """Serve by TLS something that leads elsewhere when it is asked to do anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_suffix(".key"))
    with _Server(("localhost", 0), _Elsewhere) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_it_speaks_to_whoever_its_authority_has_signed_and_only_under_that_name(authority: Path, port: int) -> None:
    assert Server(f"https://localhost:{port}", ca_file=authority).handler("x", "0").status == 404

    for server in (
        Server(f"https://localhost:{port}"),
        Server(f"https://127.0.0.1:{port}", ca_file=authority),
    ):
        with pytest.raises(Offline, match="certificate verify failed"):
            server.handler("x", "0")


def test_it_follows_nobody_elsewhere(authority: Path, port: int) -> None:
    with pytest.raises(Offline, match="leads elsewhere"):
        Server(f"https://localhost:{port}", ca_file=authority).poll({})


@pytest.mark.parametrize("url", ["http://10.0.0.7:5000", "http://bell.example.org", "http://localhost.example.org"])
def test_a_key_is_not_sent_where_all_can_read_it_unless_that_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match="https://"):
        Server(url)
    Server(url, is_plain_allowed=True)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "bell.example.org",
            "file:///etc/passwd",
            "https://",
            "https://a?b=c",
            "ftp://a",
            "https://a:99999",
            "https://a:x",
        ),
        *("https://a b", "https://a/b c", "https://[", "https://a:0", "https://a\n", "https://bünde.example.org"),
    ],
)
def test_what_is_no_address_of_a_server_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="no address of a server"):
        Server(url)


def test_an_address_holds_no_password_and_none_is_shown() -> None:
    with pytest.raises(ConfigError, match="neither a name nor a password") as told:
        Server("https://me:hunter2@bell.example.org")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("seconds", [float("nan"), -5.0, 0.0, 1e-6, 1e300])
def test_what_is_no_interval_is_told(seconds: float) -> None:
    with pytest.raises(ConfigError, match="asks every"):
        Options("https://bell.example.org", poll_seconds=seconds)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000/", "http://[::1]:5000", "https://a/b"])
def test_its_own_machine_and_tls_need_no_more_words(url: str) -> None:
    assert Server(url).place[0] in {"127.0.0.1", "localhost", "::1", "a"}


def test_only_its_own_user_can_look_at_what_it_keeps(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    with joining.own_folder(folder):
        identity.keep_credentials(folder, CREDENTIALS)
        Process(folder)
        Journal(folder).finish("job", 1, {})

    files = [path for path in folder.rglob("*.json") if path.is_file()]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert identity.load_credentials(folder) == CREDENTIALS
    assert not any(secret in repr(CREDENTIALS) for secret in ("wbd_key", "signing"))


def test_credentials_that_others_can_read_or_that_are_damaged_are_not_used(tmp_path: Path) -> None:
    assert identity.load_credentials(tmp_path) is None
    identity.keep_credentials(tmp_path, CREDENTIALS)
    file = tmp_path / "credentials.json"
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        identity.load_credentials(tmp_path)
    file.chmod(0o600)
    file.write_text('{"uuid": "x"')
    with pytest.raises(ConfigError, match="damaged"):
        identity.load_credentials(tmp_path)


def test_a_process_names_all_before_it_of_which_the_server_may_have_heard(tmp_path: Path) -> None:
    first = Process(tmp_path)
    first.confirm()
    unheard = [Process(tmp_path) for _ in range(3)]
    last = Process(tmp_path)

    assert first.earlier == []
    assert last.earlier == [first.number, *(one.number for one in unheard)]
    last.confirm()
    # A server that was set back to an older database has heard of none of the newer ones.
    assert Process(tmp_path).earlier == [last.number, first.number, *(one.number for one in unheard)]


def test_a_process_forgets_not_the_one_that_was_heard_of_however_often_it_begins_in_vain(tmp_path: Path) -> None:
    heard = Process(tmp_path)
    heard.confirm()
    for _ in range(2 * MOST_EARLIER):
        Process(tmp_path)

    earlier = Process(tmp_path).earlier

    assert (earlier[0], len(earlier)) == (heard.number, MOST_EARLIER)


def test_an_assignment_is_new_once_and_an_older_one_never(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    older, job, newer = (Assignment(f"job-{fence}", 1, fence, {}) for fence in (3, 4, 5))
    assert journal.is_new(job)
    journal.ask(job)
    journal.drop()

    # It was not begun after all.
    assert journal.is_new(job)
    journal.ask(job)
    journal.begin(job)
    # It is begun never again, whether its result can be written down or not.
    assert not Journal(tmp_path).is_new(job)
    journal.finish(job.job_id, job.fence, {})

    again = Journal(tmp_path)
    assert [again.is_new(one) for one in (older, job, newer)] == [False, False, True]


def test_what_it_tells_of_a_real_machine_is_what_the_server_takes(tmp_path: Path) -> None:
    told = {**lasting_facts(HERE), **moving_facts(tmp_path)}

    assert schemas.Facts().load(told) == told
    assert told["architecture"] == os.uname().machine
    assert told["addresses"][0] == "127.0.0.1"
    assert len(told["load_averages"]) == 3


def test_facts_are_told_at_the_start_and_again_when_the_server_has_not_heard_them(tmp_path: Path) -> None:
    facts = Facts(tmp_path, HERE)

    assert facts.due() is not None
    assert facts.due() is not None
    facts.note_told()
    assert facts.due() is None
    facts._told_at -= AGAIN_SECONDS
    assert facts.due() is not None
    facts.note_told()
    facts._told["zone"] = "Mars/Olympus"
    assert facts.due() is not None


def test_whoever_has_neither_joined_nor_a_code_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--enroll CODE"):
        joining.join_once(Options("http://127.0.0.1:9", tmp_path / "state"))
    with pytest.raises(ConfigError, match="nothing was set up"):
        joining.join_once(Options("http://127.0.0.1:9", tmp_path / "state", code="wbe_x"))


def test_the_words_of_the_older_adapter_count() -> None:
    given = {
        "CLOUD_API_URL": "https://bell.example.org/api/v1/",
        "CLOUD_JOBS_POLLING_INTERVAL": "1500",
        "JOB_HANDLER_DIR": "/srv/handlers",
    }

    assert environment.read(given) == (True, "https://bell.example.org", 1.5, Path("/srv/handlers"))
    assert environment.read({}) == (True, None, None, None)
    assert not environment.read({"ENABLE_CLOUD_JOBS": "False"}).is_on
    for wrong in ("soon", "1", "9" * 30, "-5"):
        with pytest.raises(ConfigError):
            environment.read({"CLOUD_JOBS_POLLING_INTERVAL": wrong})


def test_it_does_nothing_where_the_adapter_was_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_JOB_ENGINE", "false")

    assert program.main([]) == 0
