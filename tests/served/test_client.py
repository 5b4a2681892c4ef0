"""The client in Python, against a real server with a real scheduler and a real token."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from tests.process.programs import watchbell
from tests.waiting import crowd, wait_until
from watchbell.client import Client, Conflict, InputError, NotAllowed, NotFound, Unavailable, VersionConflict


def make_token(lab, scope: str = "admin") -> str:
    made = watchbell(lab.home, "token", "create", f"client-{scope}", "--scope", scope, "--user", "admin")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def bell(served):
    with Client(served.page.url, make_token(served.lab)) as client:
        yield client


def test_a_task_is_made_run_waited_for_and_read(bell) -> None:
    task = bell.create_task("hello", "echo one; echo two >&2; exit 3", tags=["greeting"], cron="0 2 * * *")

    run = bell.wait(bell.run_task(task.id).id, timeout=30)

    assert (run.state, run.exit_code, run.succeeded, run.is_final) == ("failed", 3, False, True)
    assert "".join(bell.stream_output(run.id)) == "one\n"
    assert "".join(bell.stream_output(run.id, stream="stderr")) == "two\n"
    assert task.next_due_at is not None
    assert (task.cron, list(task.tags)) == ("0 2 * * *", ["greeting"])


def test_output_comes_while_the_command_goes_on(bell, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    task = bell.create_task("slow", f"echo begun; cat {gate}; echo done")
    run = bell.run_task(task.id)

    parts = bell.stream_output(run.id)
    first = next(parts)
    gate.write_text("let through\n")

    assert first == "begun\n"
    assert "".join(parts) == "let through\ndone\n"


def test_a_wait_that_is_too_short_returns_what_goes_on(bell) -> None:
    task = bell.create_task("endless", "sleep 600")
    run = bell.run_task(task.id)

    assert not bell.wait(run.id, timeout=0).is_final
    bell.cancel_run(run.id)
    assert bell.wait(run.id, timeout=30).state == "cancelled"
    with pytest.raises(Conflict, match="has ended already"):
        bell.cancel_run(run.id)


def test_lists_go_on_over_all_pages(bell) -> None:
    names = [f"task-{number:03}" for number in range(7)]
    for name in names:
        bell.create_task(name, "true")

    assert [task.name for task in bell.list_tasks(limit=3, search="task-00")] == names
    assert bell.find_task("task-004").name == "task-004"


def test_a_task_that_somebody_else_has_changed_is_not_overwritten(bell) -> None:
    task = bell.create_task("shared", "true")
    bell.update_task(task, comment="first")

    with pytest.raises(VersionConflict):
        bell.update_task(task, comment="second")
    with pytest.raises(VersionConflict):
        bell.delete_task(task)
    bell.delete_task(bell.get_task(task.id))
    with pytest.raises(NotFound):
        bell.get_task(task.id)


def test_the_same_key_is_the_same_run(bell) -> None:
    task = bell.create_task("once", "true")

    runs = {bell.run_task(task.id, key="deploy-1").id for _ in range(3)}

    assert len(runs) == 1
    assert len(list(bell.list_runs(task=task.id))) == 1


def test_what_is_wrong_is_told_by_field(bell) -> None:
    with pytest.raises(InputError) as caught:
        bell.create_task("bad", "true", cron="61 * * * *", zone="Nowhere/City", colour="red")

    assert {problem.field for problem in caught.value.problems} >= {"cron", "zone"} or "colour" in str(caught.value)


def test_events_are_followed(bell) -> None:
    told: list[tuple[str, int | None]] = []
    start = int(bell.ask("GET", "/events")["next"])

    def follow() -> None:
        for event in bell.events(start):
            # What earlier tests have left may still come to its end.
            told.append((event.type, event.task_id))
            if event.type == "task_deleted" and event.data["name"] == "watched":
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    task = bell.create_task("watched", "true")
    bell.delete_task(task)

    thread.join(30 * crowd())
    assert [kind for kind, task_id in told if task_id == task.id] == ["task_created", "task_deleted"]


def test_events_that_are_not_there_any_more_are_told_as_a_gap(bell) -> None:
    task = bell.create_task("before the gap", "true")
    bell.delete_task(task)
    newest = int(bell.ask("GET", "/events")["newest"])

    (gap,) = [event for event in bell.events(newest + 10**9, follow=False) if event.id <= newest]
    told = list(bell.events(newest - 1, follow=False, types="task_deleted"))

    assert (gap.type, gap.run_id, gap.data) == ("gap", None, {})
    assert gap.id >= newest - 1
    assert "gap" not in {event.type for event in told}


def test_a_server_whose_worker_dies_is_asked_again(bell, served) -> None:
    page = served.page
    (worker,) = page.workers()
    os.kill(worker, signal.SIGKILL)

    assert bell.scheduler()["state"] == "running"
    wait_until(lambda: page.workers() not in ([], [worker]), 20, "another worker")


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    with Client("http://127.0.0.1:9", retries=0) as nowhere, pytest.raises(Unavailable) as caught:
        nowhere.get_task(1)

    assert "http://127.0.0.1:9 does not answer" in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("url", ["", "127.0.0.1:5000", "ftp://a", "http://"])
def test_what_is_no_address_of_a_server_is_refused(url) -> None:
    with pytest.raises(InputError, match="url"):
        Client(url)


def test_a_token_may_do_no_more_than_its_scope(served) -> None:
    url = served.page.url
    with Client(url, make_token(served.lab, "read")) as reader:
        assert reader.scheduler()["state"] == "running"
        with pytest.raises(NotAllowed, match="scope"):
            reader.create_task("no", "true")
    with Client(url, "wb_wrong") as stranger, pytest.raises(NotAllowed):
        list(stranger.list_tasks())


@pytest.mark.parametrize(
    ("line", "hosts"),
    [
        ("GET /login HTTP/1.1", ["evil.example"]),
        ("GET /login HTTP/1.1", ["{own}", "evil.example"]),
        ("GET /login HTTP/1.1", ["evil.example", "{own}"]),
        ("GET /login HTTP/1.1", ["{own}, evil.example"]),
        ("GET http://evil.example/login HTTP/1.1", ["evil.example"]),
        ("GET http://{own}/login HTTP/1.1", ["evil.example"]),
        ("GET //evil.example/login HTTP/1.1", ["evil.example"]),
        ("GET /login HTTP/1.1", ["evil.example@{own}"]),
    ],
)
def test_a_request_that_names_another_server_anywhere_is_refused(served, line: str, hosts: list[str]) -> None:
    own = served.page.url.removeprefix("http://")

    assert _status(own, line, hosts) in {400, 404}
    assert _status(own, "GET /login HTTP/1.1", ["{own}"]) == 200


def test_a_whole_address_in_the_request_line_leads_nowhere_else(served) -> None:
    own = served.page.url.removeprefix("http://")

    answer = _answer(own, "GET http://evil.example/login/link/x HTTP/1.1", ["{own}"])

    assert "evil.example" not in answer


def _status(own: str, line: str, hosts: list[str]) -> int:
    return int(_answer(own, line, hosts).split(" ", 2)[1])


def _answer(own: str, line: str, hosts: list[str]) -> str:
    """Return what a server says to a request as it stands."""
    host, _, port = own.rpartition(":")
    lines = [line, *(f"Host: {name}" for name in hosts), "Connection: close", "", ""]
    with socket.create_connection((host, int(port)), timeout=20) as made:
        made.sendall("\r\n".join(lines).format(own=own).encode())
        return b"".join(iter(lambda: made.recv(65536), b"")).decode(errors="replace")
