"""``watchbell up`` and RunDashboard as a person uses them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from tests.process.programs import Server, end_scheduler, environment_of, get, watchbell
from tests.waiting import wait_until
from watchbell import resources
from watchbell.config import Config
from watchbell.control import pidfile
from watchbell.errors import EXIT_CONFIG

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    yield folder
    end_scheduler(folder)


@pytest.fixture
def launch(tmp_path, home):
    """Start servers on the test's own folder; all of them are gone when the test ends."""
    made = []

    def start(*command, **more):
        folder = tmp_path / f"server-{len(made)}"
        folder.mkdir()
        server = Server(folder, home, command or ("-m", "watchbell", "up", "--port", "0"), **more)
        made.append(server)
        return server

    yield start
    for server in made:
        server.close()


@pytest.fixture
def quiet(launch):
    """Start ``watchbell up`` without the sample task."""
    return lambda: launch(WATCHBELL_SAMPLE_TASK="off")


def rows(home, query):
    with contextlib.closing(sqlite3.connect(home / "watchbell.db", timeout=20)) as connection:
        return connection.execute(query).fetchall()


def scheduler_pid(home):
    """Return the PID of the scheduler that lives and beats, None if there is none."""
    config = Config.load({"home": home}, environ={})
    owner = pidfile.find_owner(config) if pidfile.is_held(config) else None
    beating = owner and rows(home, f"SELECT 1 FROM scheduler WHERE pid = {owner.pid} AND stopped_at IS NULL")
    return owner.pid if beating else None


def wait_for_scheduler(home, *, other_than=None):
    def found():
        pid = scheduler_pid(home)
        return pid if pid != other_than else None

    return wait_until(found, 20, "a scheduler")


def test_the_first_start_shows_a_green_run_and_a_link_that_works_once(launch, home):
    server = launch()
    link = server.wait_for_address()

    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(link, timeout=20) as page:
        first_visit = page.url
    second_visit = urllib.request.urlopen(link, timeout=20).url if get(link) < 400 else "refused"

    assert "/login" not in first_visit
    assert "/login" in second_visit or second_visit == "refused"
    assert server.words().rstrip().endswith(link)
    wait_until(lambda: rows(home, "SELECT 1 FROM run WHERE state = 'succeeded'"), 20, "a green run of the sample")
    assert b"All's well" in rows(home, "SELECT content FROM output")[0][0]


def test_a_configured_password_makes_a_plain_address(launch, home):
    server = launch(WATCHBELL_PASSWORD="correct horse", WATCHBELL_SAMPLE_TASK="off")

    assert "/login/link/" not in server.wait_for_address()
    # Who it is has to be known before it can be ended with the test.
    wait_for_scheduler(home)


def test_a_scheduler_that_died_is_started_again_but_not_one_that_somebody_stopped(quiet, home):
    server = quiet()
    first = wait_for_scheduler(home)

    os.kill(first, signal.SIGKILL)
    second = wait_for_scheduler(home, other_than=first)
    stopped = watchbell(home, "scheduler", "stop")

    assert stopped.returncode == 0, stopped.stderr
    assert f"PID {second}" in stopped.stdout
    assert "started again" in server.words()
    # A fresh look has to be taken after the stop; the supervisor looks once a second and serves meanwhile.
    told = server.words()
    for _ in range(3):
        assert get(f"{server.root}/health") in {200, 503}
    assert watchbell(home, "scheduler", "status").returncode == 3
    assert server.words() == told
    assert watchbell(home, "scheduler", "start").returncode == 0
    third = wait_for_scheduler(home)
    os.kill(third, signal.SIGKILL)
    assert wait_for_scheduler(home, other_than=third)


def test_killing_the_web_worker_disturbs_nothing(quiet, home):
    server = quiet()
    pid = wait_for_scheduler(home)
    wait_until(lambda: get(f"{server.root}/login") == 200, 20, "the page")
    (worker,) = [number for number in server.workers() if number != pid]

    os.kill(worker, signal.SIGKILL)

    wait_until(lambda: worker not in server.workers(), 10, "the master to notice")
    wait_until(lambda: get(f"{server.root}/login") == 200, 20, "the page again")
    assert scheduler_pid(home) == pid


def test_ctrl_c_stops_both_and_says_what_goes_on(quiet, home):
    server = quiet()
    root = server.root
    wait_for_scheduler(home)
    watchbell(home, "task", "add", "long", "--manual", "--command", "exec sleep 60")
    watchbell(home, "task", "trigger", "long")
    wait_until(lambda: rows(home, "SELECT 1 FROM run WHERE state = 'running'"), 10, "the command to start")

    code = server.interrupt()

    assert code == 0, server.words()
    assert "1 command goes on" in server.words()
    assert get(root) == 0
    assert scheduler_pid(home) is None
    (pid,) = rows(home, "SELECT pid FROM attempt")[0]
    os.kill(pid, signal.SIGKILL)


def test_a_term_signal_stops_both_too(quiet, home):
    server = quiet()
    wait_for_scheduler(home)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(20) == 0
    assert scheduler_pid(home) is None


def test_a_scheduler_that_ran_before_is_left_running_and_that_is_said(quiet, home, launch):
    first = quiet()
    pid = wait_for_scheduler(home)
    first.process.kill()
    first.process.wait()

    second = quiet()
    second.wait_for_address()

    assert f"runs already (PID {pid})" in second.words()
    assert second.interrupt() == 0
    assert scheduler_pid(home) == pid
    assert "The scheduler ran before and goes on; to stop it, too: watchbell --home " in second.words()
    assert launch("-m", "watchbell", "scheduler", "stop").process.wait(20) == 0
    assert scheduler_pid(home) is None


def test_the_page_alone_starts_no_scheduler(launch, home):
    server = launch("-m", "watchbell", "dashboard", "--port", "0")
    wait_until(lambda: get(f"{server.root}/login") == 200, 20, "the page")

    assert server.interrupt() == 0
    assert rows(home, "SELECT 1 FROM scheduler") == []


SCRIPT = """
    from watchbell import scheduler_tools
    print("before", flush=True)
    scheduler_tools.RunDashboard(port={port})
    print("after", flush=True)
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_plain_script_serves_and_goes_on_after_ctrl_c(launch, home, tmp_path):
    port = free_port()
    script = tmp_path / "serve.py"
    script.write_text(textwrap.dedent(SCRIPT.format(port=port)))
    server = launch(str(script), WATCHBELL_SAMPLE_TASK="off")
    wait_for_scheduler(home)
    wait_until(lambda: get(f"http://127.0.0.1:{port}/login") == 200, 20, "the page")

    assert server.interrupt() == 0
    assert server.words().count("before") == 1
    assert server.words().count("after") == 1
    assert scheduler_pid(home) is None


NOT_BLOCKING = """
    import urllib.request
    from watchbell import RunDashboard
    dashboard = RunDashboard(port=0, db="own.db", block=False)
    print(urllib.request.urlopen(dashboard.url + "/login").status)
    dashboard.stop()
    dashboard.stop()
    try:
        urllib.request.urlopen(dashboard.url)
    except OSError:
        print("gone")
"""


def test_a_dashboard_that_does_not_block_is_stopped_by_its_object(home, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NOT_BLOCKING)], env=environment_of(home), capture_output=True,
        text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own.db").exists()
    assert "\n200\n" in done.stdout
    assert done.stdout.endswith("gone\n")
    assert scheduler_pid(home) is None


THREAD = """
    import threading
    from watchbell import RunDashboard
    thread = threading.Thread(target=RunDashboard, kwargs={"port": PORT}, daemon=True)
    thread.start()
    thread.join()
"""


def test_it_serves_in_a_thread_that_is_not_the_main_one(launch, home):
    port = free_port()
    launch("-c", textwrap.dedent(THREAD).replace("PORT", str(port)), WATCHBELL_SAMPLE_TASK="off")

    wait_until(lambda: get(f"http://127.0.0.1:{port}/login") == 200, 30, "the page")
    assert wait_for_scheduler(home)


def test_a_busy_port_stops_the_start_before_anything_is_touched(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = watchbell(home, "up", "--port", str(port))

    assert done.returncode == EXIT_CONFIG
    assert f"127.0.0.1:{port} is in use" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not home.exists()


def test_a_guarded_server_may_be_reached_from_other_machines(launch, home):
    password = watchbell(home, "user", "passwd", "admin", "--password-stdin", text="correct horse battery\n")
    server = launch(
        "-m", "watchbell", "dashboard", "--host", "0.0.0.0", "--port", "0", WATCHBELL_BEHIND_PROXY="on",
        WATCHBELL_PROXY_FROM="10.0.0.5",
    )  # fmt: skip

    assert password.returncode == 0, password.stderr
    assert server.wait_for_address().startswith("http://127.0.0.1:")
    assert server.interrupt() == 0


def has_ipv6():
    listed = Path("/proc/net/if_inet6")
    return listed.exists() and f"{1:032x}" in listed.read_text()


def test_it_serves_on_the_ipv6_loopback_if_there_is_one(launch, home):
    if not has_ipv6():
        assert watchbell(home, "dashboard", "--host", "::1", "--port", "0").returncode == EXIT_CONFIG
        return
    server = launch("-m", "watchbell", "dashboard", "--host", "::1", "--port", "0")

    assert server.wait_for_address().startswith("http://[::1]:")
    wait_until(lambda: get(f"{server.root}/login") == 200, 20, "the page")


BUSY = """
    from watchbell import RunDashboard
    from watchbell.errors import ConfigError
    try:
        RunDashboard(port=PORT, block=False)
    except ConfigError as error:
        print("raised:", error.message, flush=True)
    RunDashboard(port=PORT)
    print("never said")
"""


def test_a_script_whose_port_is_taken_ends_with_one_line(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(BUSY).replace("PORT", str(port))], env=environment_of(home),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 78
    assert done.stdout.startswith(f"raised: http://127.0.0.1:{port} is in use by another program")
    assert "never said" not in done.stdout
    assert done.stderr.splitlines() == [
        f"watchbell: http://127.0.0.1:{port} is in use by another program; choose another port, as in --port {port + 1}"
    ]
