"""A deployment as it is printed: the real nginx with TLS below a path, before the real gunicorn, both as generated."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.process.lives import ROOT, Lab
from tests.process.programs import watchbell
from tests.served.listening import Ear, free_port
from tests.waiting import wait_until
from watchbell import clock, resources
from watchbell.domain.permissions import Role
from watchbell.services import accounts

NAME, PREFIX = "bell.example.org", "/bell"
NGINX = shutil.which("nginx") or next(filter(os.path.exists, ["/usr/sbin/nginx"]), None)

pytestmark = [
    pytest.mark.skipif(not resources.have_assets(), reason="the browser libraries are missing; run: make assets"),
    pytest.mark.skipif(NGINX is None and "CI" not in os.environ, reason="nginx is missing"),
]


@dataclasses.dataclass
class Deployed:
    """An installation with the files made for it, its web server and its proxy."""

    lab: Lab
    folder: Path
    port: int
    web_port: int
    tls: ssl.SSLContext
    web: subprocess.Popen[bytes]
    proxy: subprocess.Popen[bytes]

    def socket(self, client="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(client, 0))

    def ask(self, method, path, *, client="127.0.0.1", body=None, **headers):
        """Send a request through the proxy and return status, headers and body."""
        sock = self.tls.wrap_socket(self.socket(client), server_hostname=NAME)
        return self._asked(sock, method, path, body, headers)

    def ask_web(self, path, *, client, **headers):
        """Send a request past the proxy."""
        sock = socket.create_connection(("127.0.0.1", self.web_port), timeout=20, source_address=(client, 0))
        return self._asked(sock, "GET", path, None, headers)

    def _asked(self, sock, method, path, body, headers):
        connection = http.client.HTTPConnection(NAME, self.port, timeout=20)
        connection.sock = sock
        with contextlib.closing(connection):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers={"Host": f"{NAME}:{self.port}", **given})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def log_in(self, username, client="127.0.0.1", **headers):
        """Use a login link and return the cookie."""
        link = accounts.make_link(self.lab.db, username, now=clock.now())
        status, told, _body = self.ask("GET", f"{PREFIX}/login/link/{link}", client=client, **headers)
        assert status == 303 and told["Location"].startswith(f"{PREFIX}/")
        return told["Set-Cookie"].partition(";")[0]

    @contextlib.contextmanager
    def listen(self, cookie, query=""):
        """Give a client of the socket that a browser would open."""
        origin = f"https://{NAME}:{self.port}"
        with connect(
            f"wss://{NAME}:{self.port}{PREFIX}/ws{query}", sock=self.socket(), ssl=self.tls, proxy=None,
            additional_headers={"Cookie": cookie, "Origin": origin},
        ) as connection:  # fmt: skip
            yield Ear(connection)

    def workers(self):
        listed = Path(f"/proc/{self.web.pid}/task/{self.web.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]


def make_certificate(folder):
    pair = folder / "bell.pem", folder / "bell.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-out", pair[0], "-keyout", pair[1]],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return pair


def write_files(lab, folder, pair, port, web_port):
    options = {
        "--name": NAME, "--prefix": PREFIX, "--https-port": port, "--http-port": free_port(), "--certificate": pair[0],
        "--certificate-key": pair[1], "--workers": 1, "--folder": "/etc/watchbell", "--out": folder,
    }  # fmt: skip
    words = [str(word) for pair in options.items() for word in pair]
    done = watchbell(lab.home, "deploy", *words, WATCHBELL_PORT=str(web_port))
    assert done.returncode == 0, done.stderr
    (folder / "nginx.conf").write_text(
        f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + f"events {{}}\nhttp {{\naccess_log {folder}/access.log;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n"
        f"include {folder}/etc/nginx/conf.d/*.conf;\n}}\n"
    )


def environment_of(folder):
    lines = (folder / "etc/watchbell/environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory, nursery, empty_database):
    folder = tmp_path_factory.mktemp("deployed")
    lab = Lab(folder / "home", nursery, empty_database)
    accounts.add(lab.db, "ann", role=Role.ADMIN.value, password=None, now=clock.now())
    port, web_port, pair = free_port(), free_port(), make_certificate(folder)
    write_files(lab, folder, pair, port, web_port)
    environment = {**os.environ, **environment_of(folder), "PYTHONPATH": str(ROOT / "app")}
    with (folder / "web.txt").open("wb") as words:
        web = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", str(folder / "etc/watchbell/gunicorn.conf.py")],
            env=environment, cwd=folder, stdout=words, stderr=words, start_new_session=True,
        )  # fmt: skip
        proxy = subprocess.Popen([str(NGINX), "-c", str(folder / "nginx.conf")], stdout=words, stderr=words)
    made = Deployed(lab, folder, port, web_port, ssl.create_default_context(cafile=pair[0]), web, proxy)

    def is_up():
        assert web.poll() is None and proxy.poll() is None, (folder / "web.txt").read_text()
        with contextlib.suppress(OSError):
            # It may not listen yet.
            return made.ask("GET", f"{PREFIX}/health/ready?of=web")[0] == 200

    try:
        wait_until(is_up, 30, "page and proxy")
        yield made
    finally:
        for process in (proxy, web):
            process.terminate()
            process.wait(60)
        lab.close()


def addresses(lab, action):
    return [row[0] for row in lab.rows("SELECT address FROM audit_entry WHERE action = ? ORDER BY id", action)]


def test_no_login_link_stands_in_the_log_of_the_proxy(deployed):
    deployed.log_in("ann")
    assert deployed.ask("HEAD", f"{PREFIX}/login/link/never-used")[0] == 204
    deployed.ask("GET", f"{PREFIX}/login?after=that")
    log = deployed.folder / "access.log"
    wait_until(lambda: "after=that" in log.read_text(), 10, "the log of the proxy")

    assert "/login/link/" not in log.read_text()


def test_somebody_logs_in_and_everything_is_below_the_path(deployed):
    deployed.lab.add("behind the proxy", "true")
    cookie = deployed.log_in("ann")
    status, headers, page = deployed.ask("GET", f"{PREFIX}/tasks", Cookie=cookie)
    _status, _headers, listed = deployed.ask("GET", f"{PREFIX}/tasks.json", Cookie=cookie)

    assert cookie.startswith("__Host-")
    assert status == 200 and 'href="/bell/tasks' in page and 'href="/tasks' not in page
    assert headers["Strict-Transport-Security"]
    assert "behind the proxy" in listed
    assert deployed.ask("GET", "/tasks", Cookie=cookie)[0] == 404
    assert deployed.ask("GET", PREFIX)[1]["Location"] == f"{PREFIX}/"
    assert deployed.ask("GET", f"{PREFIX}/tasks")[1]["Location"] == f"{PREFIX}/login?next={PREFIX}/tasks"


def test_a_live_event_comes_through_the_proxy(deployed):
    with deployed.listen(deployed.log_in("ann")) as ear:
        ear.stand()
        deployed.lab.add("heard through it", "true")

        assert ear.hear()["job_name"] == "heard through it"


def test_the_audit_has_the_address_of_the_visitor_whatever_the_visitor_says(deployed):
    lies = {"X-Forwarded-For": "203.0.113.66", "X-Real-IP": "203.0.113.66", "Forwarded": "for=203.0.113.66"}
    deployed.log_in("ann", client="127.0.0.7", **lies)
    link = accounts.make_link(deployed.lab.db, "ann", now=clock.now())
    # Past the proxy, from an address that is not the proxy's; it is told the path as well.
    past = deployed.ask_web(f"/login/link/{link}", client="127.0.0.8", **lies, X_Forwarded_Prefix="/evil")

    assert past[0] == 303 and past[1]["Location"].startswith("/") and "evil" not in past[1]["Location"]
    assert addresses(deployed.lab, "login.link")[-2:] == ["127.0.0.7", "127.0.0.8"]
    assert past[1]["Set-Cookie"]


def test_a_reload_under_load_loses_no_request_and_no_event(deployed):
    """Three visitors ask all the time, one listens and one adds tasks, while all workers are exchanged."""
    before, answers, ended = set(deployed.workers()), [], threading.Event()
    cookie = deployed.log_in("ann")

    def visit(number):
        while not ended.is_set():
            for path in ("/health/live", "/login"):
                try:
                    answers.append(deployed.ask("GET", f"{PREFIX}{path}", client=f"127.0.1.{number}")[0])
                except OSError as error:
                    answers.append(repr(error))
            # As a person would, and within the bound of the proxy.
            ended.wait(0.1)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in (1, 2, 3)]
    heard, added = [], []

    def add():
        added.append(f"reloaded {len(added)}")
        deployed.lab.add(added[-1], "true")

    with deployed.listen(cookie) as ear:
        last = ear.stand()
        for visitor in visitors:
            visitor.start()
        add()
        deployed.web.send_signal(signal.SIGHUP)
        add()
        with contextlib.suppress(Exception):
            # It ends with the worker that holds it.
            while True:
                heard.append(ear.hear())
        closed = ear.connection.close_code
    add()
    wait_until(lambda: not before & set(deployed.workers()), 60, "the old workers to end")
    add()
    ended.set()
    for visitor in visitors:
        visitor.join(60)
    last = max([last, *(message["id"] for message in heard if message.get("id"))])
    with deployed.listen(cookie, f"?after={last}") as ear:
        heard += ear.hear_until("caught_up")

    assert closed == 1001
    assert [answer for answer in answers if answer != 200] == [] and len(answers) >= 6
    assert [message["job_name"] for message in heard if message.get("job_name")] == added


@pytest.mark.parametrize(("accept", "says"), [("text/html", "watchbell import FILE"), ("application/json", "1 MiB")])
def test_a_body_that_is_too_large_is_told_what_to_do(deployed, accept, says):
    # Only its length is sent: nobody waits for the rest.
    status, headers, body = deployed.ask("POST", f"{PREFIX}/import", Accept=accept, Content_Length="9000000")

    assert status == 413
    assert headers.get_content_type() == accept and says in body
    assert accept == "text/html" or json.loads(body)["error"]


def test_whoever_finds_no_page_behind_the_proxy_is_told_what_to_do(deployed):
    """This is the last one: it ends the page."""
    deployed.web.terminate()
    assert deployed.web.wait(60) == 0
    status, headers, page = deployed.ask("GET", f"{PREFIX}/", Accept="text/html")
    told = deployed.ask("GET", f"{PREFIX}/api/v2/tasks")

    assert (status, headers["Retry-After"]) == (502, "5")
    assert "systemctl status watchbell-web" in page and "Tasks run on" in page
    assert (told[0], told[1].get_content_type()) == (502, "application/json")
    assert "systemctl" in json.loads(told[2])["error"]
