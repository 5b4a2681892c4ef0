"""Sockets and the servers that carry them: rights, the bound, and how both end, under everything that serves the page."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from tests.process.programs import end_scheduler
from tests.served.listening import DASHBOARD, GUNICORN, Web, handshake
from tests.waiting import crowd, wait_until
from watchbell import clock, resources
from watchbell.dashboard import RunDashboard
from watchbell.domain.permissions import Role
from watchbell.services import accounts, tokens

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)
PRELOADED = (*GUNICORN[:-1], "--preload", GUNICORN[-1])
SYNC = ("-m", "gunicorn", "--no-control-socket", "--worker-class", "sync", "wsgi:app")


@pytest.fixture
def serve(lab):
    """Start web servers on the test's own installation."""
    made = []

    def start(command=DASHBOARD, **options):
        made.append(Web(lab, command, **options))
        return made[-1]

    yield start
    for web in made:
        web.kill()


def answer_to(web, request):
    """Return the status and the headers of the answer to raw bytes, and its body as JSON if it is."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as made:
        made.sendall(request)
        answer = http.client.HTTPResponse(made)
        answer.begin()
        body = answer.read() if answer.status != 101 else b""
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, answer.headers, json.loads(body) if is_json else body


@pytest.fixture
def visitor(lab, serve):
    """Give a server that asks for logins, and the cookie of somebody who may only look."""
    web = serve(WATCHBELL_AUTH="on")
    accounts.add(lab.db, "ann", role=Role.VIEWER.value, password=None, now=clock.now())
    link = accounts.make_link(lab.db, "ann", now=clock.now())
    return web, cookie_of(web, link)


def cookie_of(web, link):
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    connection.request("GET", f"/login/link/{link}")
    cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    connection.close()
    return cookie


@pytest.mark.parametrize("command", [DASHBOARD, GUNICORN, SYNC], ids=["dashboard", "gunicorn", "sync worker"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_every_client_hears_of_the_end_within_a_second(serve, command, number):
    web = serve(command)
    # A browser also holds connections on which nothing is asked at the moment.
    idle = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    idle.request("GET", "/login")
    idle.getresponse().read()
    with contextlib.ExitStack() as stack:
        ears = [stack.enter_context(web.listen()) for _ in range(20)]
        ears[-1].stand()
        begin = time.monotonic()
        # As the keys do it: to the server and its workers at once.
        os.killpg(web.process.pid, number) if number == signal.SIGINT else web.process.send_signal(number)
        ends = {ear.end_of() for ear in ears}
        took = time.monotonic() - begin
    idle.close()

    assert ends == {(1001, "the server is stopping")}
    assert took < 1 * crowd()
    assert web.process.wait(20) in {0, -signal.SIGINT}


def test_a_reload_ends_the_sockets_of_the_old_worker_and_the_new_one_takes_them_back(lab, serve):
    web = serve(GUNICORN)
    with web.listen() as ear:
        last = ear.stand()
        (before,) = web.workers()
        web.process.send_signal(signal.SIGHUP)
        code, _reason = ear.end_of()
    lab.add("meanwhile", "true")
    wait_until(lambda: before not in web.workers() and web.workers(), 20, "another worker")

    assert code == 1001
    with web.listen(f"?after={last}") as ear:
        assert [one["job_name"] for one in ear.hear_until("caught_up")] == ["meanwhile", None]


def test_an_application_that_was_loaded_before_the_fork_says_goodbye_too(serve):
    web = serve(PRELOADED)
    with web.listen() as ear:
        ear.stand()
        web.process.send_signal(signal.SIGTERM)

        assert ear.end_of()[0] == 1001


def test_a_worker_that_is_killed_takes_no_other_along_and_its_clients_come_back(lab, serve):
    web = serve()
    with web.listen() as ear:
        last = ear.stand()
        os.kill(web.workers()[0], signal.SIGKILL)
        assert ear.end_of()[0] in {0, 1006}
    lab.add("meanwhile", "true")
    wait_until(lambda: web.status("/login") == 200, 20, "another worker")

    with web.listen(f"?after={last}") as ear:
        assert ear.hear()["job_name"] == "meanwhile"


def test_the_dashboard_in_a_thread_carries_sockets_and_closes_them_when_it_is_stopped(lab, monkeypatch):
    monkeypatch.setenv("WATCHBELL_HOME", str(lab.home))
    monkeypatch.setenv("WATCHBELL_AUTH", "off")
    made = []
    thread = threading.Thread(target=lambda: made.append(RunDashboard(port=0, scheduler=False, block=False)))
    thread.start()
    thread.join(30)
    (dashboard,) = made
    try:
        web = Address(int(dashboard.url.rpartition(":")[2]))
        with web.listen() as ear:
            ear.stand()
            lab.add("heard", "true")
            heard = ear.hear()
            stopper = threading.Thread(target=dashboard.stop)
            begin = time.monotonic()
            stopper.start()
            code, _reason = ear.end_of()
            took = time.monotonic() - begin
            stopper.join(20)
    finally:
        dashboard.stop()
        end_scheduler(lab.home)

    assert heard["job_name"] == "heard"
    assert code == 1001
    assert took < 1 * crowd()


class Address(Web):
    """A server that runs in this process."""

    def __init__(self, port: int) -> None:
        self.port = port


def test_as_many_sockets_as_there_may_be_starve_no_request_and_one_more_is_told_to_wait(serve):
    # Ten times as many sockets as the server has threads.
    web = serve(GUNICORN, WATCHBELL_STREAMS="40")
    with contextlib.ExitStack() as stack:
        ears = [stack.enter_context(web.listen()) for _ in range(40)]
        with pytest.raises(InvalidStatus) as refused, web.listen():
            pass
        begin = time.monotonic()
        page = web.status("/login")
        took = time.monotonic() - begin
        ears[0].connection.close()

        def is_let_in():
            return answer_to(web, handshake(web))[0] == 101

        wait_until(is_let_in, 20, "the place of the one that has left")

    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0
    assert page == 200
    assert took < 5 * crowd()


def test_a_server_without_live_connections_says_so_and_its_pages_try_none(serve):
    web = serve(WATCHBELL_STREAMS="0")

    status, headers, _body = answer_to(web, handshake(web))
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    connection.request("GET", "/")
    page = connection.getresponse().read()
    connection.close()
    assert (status, headers["Retry-After"]) == (503, "5")
    assert b"live-link" not in page


def test_whoever_has_not_logged_in_is_refused_before_there_is_a_socket(visitor):
    web, _cookie = visitor
    own = web.root

    status, _headers, body = answer_to(web, handshake(web, Origin=own))
    assert (status, set(body)) == (401, {"error", "request_id"})
    assert answer_to(web, handshake(web, "/ws?token=secret", Origin=own))[0] == 401


def test_a_cookie_opens_a_socket_for_pages_of_this_server_only(visitor):
    web, cookie = visitor

    def status(path="/ws", **headers):
        return answer_to(web, handshake(web, path, Cookie=cookie, **headers))[0]

    assert status(Origin=web.root) == 101
    for foreign in ("https://evil.example", "null", f"http://127.0.0.1:{web.port + 1}", "http://localhost", "http://["):
        assert status(Origin=foreign) == 403, foreign
    assert status() == 403
    assert status(Origin=web.root, Sec_Fetch_Site="cross-site") == 403
    assert status(Origin=web.root, Host="evil.example") == 400
    assert status("/ws?token=secret", Origin=web.root) == 401
    assert status("/ws?more=1", Origin=web.root) == 422
    assert status("/ws?after=x", Origin=web.root) == 422


def test_a_foreign_page_opens_no_socket_where_nobody_logs_in(serve):
    web = serve()

    assert answer_to(web, handshake(web, Origin="https://evil.example"))[0] == 403
    assert answer_to(web, handshake(web, Origin=web.root))[0] == 101


NO_HANDSHAKES = (
    ({"Upgrade": ""}, 426),
    ({"Upgrade": "h2c"}, 426),
    ({"Connection": "keep-alive"}, 426),
    ({"Sec-WebSocket-Version": "8"}, 426),
    ({"Sec-WebSocket-Key": ""}, 400),
    ({"Sec-WebSocket-Key": "short"}, 400),
    ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ=="}, 400),
)


def test_what_is_no_handshake_is_refused_in_words(serve):
    web = serve()

    for headers, status in NO_HANDSHAKES:
        found, answered, body = answer_to(web, handshake(web, Accept="application/json", **headers))
        assert found == status, headers
        assert body["error"]
        assert (answered["Upgrade"] == "websocket") is (status == 426)


@pytest.mark.parametrize("how", ["log out", "disable", "expire"])
def test_a_login_that_ends_takes_its_sockets_along_within_seconds_and_no_others(lab, visitor, how):
    web, cookie = visitor
    headers = {"Origin": web.root, "Cookie": cookie}
    first = accounts.ensure_first(lab.db, now=clock.now())
    others = cookie_of(web, accounts.make_link(lab.db, first.username, now=clock.now()))
    with (
        web.listen(additional_headers=headers) as ear,
        web.listen(additional_headers={**headers, "Cookie": others}) as stays,
    ):
        ear.stand()
        stays.stand()
        end_login(lab, how)
        begin = time.monotonic()
        end = ear.end_of()
        took = time.monotonic() - begin
        stays.say(type="ping")

        assert stays.hear_until("pong")
    assert end == (4401, "the login or token has ended")
    assert took < 5 * crowd()


def test_a_token_opens_a_socket_without_an_origin_until_it_is_revoked(lab, visitor):
    web, cookie = visitor
    made = tokens.create(lab.db, "ann", "listener", scope="read", lifetime=None, now=clock.now())
    device = tokens.create(lab.db, "admin", "machine", scope="device", lifetime=None, now=clock.now())
    headers = {"Authorization": f"Bearer {made.secret}"}

    def status(path="/ws", **more):
        return answer_to(web, handshake(web, path, **more))[0]

    assert status(Authorization=f"Bearer {device.secret}") == 403
    # A wrong token is not made good by a cookie.
    assert status(Authorization="Bearer wrong", Cookie=cookie, Origin=web.root) == 401
    assert status(f"/ws?token={made.secret}") == 401
    with web.listen(additional_headers=headers) as ear:
        ear.stand()
        tokens.revoke(lab.db, made.token.id, now=clock.now())
        begin = time.monotonic()

        assert ear.end_of() == (4401, "the login or token has ended")
        assert time.monotonic() - begin < 5 * crowd()
    assert status(**headers) == 401


def end_login(lab, how):
    """End the login of the visitor as another process would."""
    statements = {
        "log out": "UPDATE session SET ended_at = '2026-01-01 00:00:00.000000' WHERE account_id = ?",
        "disable": "UPDATE account SET is_active = 0 WHERE id = ?",
        "expire": "UPDATE session SET expires_at = '2026-01-01 00:00:00.000000' WHERE account_id = ?",
    }
    with contextlib.closing(sqlite3.connect(lab.file, timeout=20)) as connection, connection:
        connection.execute(statements[how], (accounts.find(lab.db, "ann").id,))


def test_two_thousand_idle_sockets_fit_into_one_web_process(serve):
    web = serve(WATCHBELL_STREAMS="2000")
    (worker,) = web.workers()
    with contextlib.ExitStack() as stack:
        for _ in range(2000):
            made = stack.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=20))
            made.sendall(handshake(web))
            assert made.recv(12) == b"HTTP/1.1 101"
        lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
        threads = len(list(Path(f"/proc/{worker}/task").iterdir()))

    assert next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) < 300 * 1024
    assert threads < 40
