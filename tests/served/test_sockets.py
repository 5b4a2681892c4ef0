"""What the socket says and understands, from a real server to a real client, with a real scheduler behind it."""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.served.listening import Web, raw_socket, read_all
from tests.waiting import wait_until
from watchbell import clock, resources
from watchbell.domain.events import ENDS
from watchbell.domain.task_definition import Defaults
from watchbell.services import tasks, triggers

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)
ENVELOPE = {"type", "timestamp", "job_name", "run_id", "data", "id"}


@pytest.fixture
def serve(lab):
    """Start web servers on the test's own installation."""
    made = []

    def start(*command, **options):
        made.append(Web(lab, *([command] if command else []), **options))
        return made[-1]

    yield start
    for web in made:
        web.kill()


@pytest.fixture
def web(serve):
    return serve()


def trigger(lab, task):
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester").id


def insert_events(lab, number, *, kind="run_queued", size=0):
    with lab.db.write() as session:
        for _ in range(number):
            session.connection().exec_driver_sql(
                "INSERT INTO outbox (type, task_id, run_id, data, at) VALUES (?, 1, 1, ?, ?)",
                (kind, json.dumps({"name": "many", "reason": "x" * size}), "2026-01-01 00:00:00.000000"),
            )


def test_each_end_of_a_run_and_each_change_of_a_task_is_told_under_its_name(lab, web):
    with web.listen() as ear, lab.running():
        ear.stand()
        good, bad = lab.add("good", "true"), lab.add("bad", "exit 3")
        slow = lab.add("slow", "sleep 60", time_limit_seconds=1)
        runs = {trigger(lab, task): task.name for task in (good, bad, slow)}
        heard = []
        while len([one for one in heard if one["type"] in ENDS]) < 3:
            heard.append(ear.hear())
        defaults = Defaults(zone="UTC", owner="tester", host="")
        tasks.update(lab.db, good.id, {"comment": "new"}, now=clock.now(), actor="tester", defaults=defaults)
        tasks.delete(lab.db, bad.id, now=clock.now(), actor="tester")
        heard += ear.hear_until("job_deleted")

    told = [(one["type"], one["job_name"]) for one in heard]
    assert [name for kind, name in told if kind == "job_created"] == ["good", "bad", "slow"]
    for end, name in (("job_completed", "good"), ("job_failed", "bad"), ("job_timeout", "slow")):
        steps = [kind for kind, whose in told if whose == name]
        assert steps.index("job_queued") < steps.index("job_started") < steps.index(end)
    assert told[-2:] == [("job_updated", "good"), ("job_deleted", "bad")]
    for one in heard:
        assert set(one) == ENVELOPE
        assert datetime.fromisoformat(one["timestamp"]).utcoffset() == timedelta(0)
        assert one["run_id"] is None or runs[one["run_id"]] == one["job_name"]
        assert one["data"]["task_id"] in {good.id, bad.id, slow.id}
    ids = [one["id"] for one in heard]
    assert ids == sorted(set(ids))


def test_the_begin_and_the_end_of_a_scheduler_are_told(lab, web):
    with web.listen() as ear:
        ear.stand()
        with lab.running():
            begun = ear.hear_until("scheduler_started")[-1]
        ended = [one["type"] for one in ear.hear_until("scheduler_stopped")]

    assert begun["job_name"] is None
    assert begun["data"]["pid"]
    assert ended == ["scheduler_stopping", "scheduler_stopped"]


def test_an_event_is_there_within_half_a_second_of_its_commit(lab, web):
    late = []
    with web.listen() as ear:
        ear.stand()
        for number in range(7):
            lab.add(f"task-{number}", "true")
            committed = time.monotonic()
            ear.hear_until("job_created")
            late.append(time.monotonic() - committed)

    assert statistics.median(late) < 0.5, late


def test_a_ping_is_answered_and_a_silent_client_gets_a_heartbeat_after_half_a_minute(web):
    with web.listen() as ear:
        ear.say(type="ping")
        pong = ear.hear()
        begin = time.monotonic()
        heartbeat = ear.hear(40)
        waited = time.monotonic() - begin

    assert pong["type"] == "pong"
    assert set(pong) == set(heartbeat) == {"type", "timestamp"}
    assert heartbeat["type"] == "heartbeat"
    assert 29 < waited < 36


BAD = [
    ("no JSON", "not_json"),
    ("[" * 10_000, "not_json"),
    ("[1]", "not_an_object"),
    ("null", "not_an_object"),
    ('{"type":"job_failed"}', "unknown_type"),
    ('{"type":["ping"]}', "unknown_type"),
    ('{"type":"ping","more":1}', "unknown_field"),
    ('{"type":"resume","after":-1}', "bad_value"),
    ('{"type":"resume","after":true}', "bad_value"),
    ('{"type":"resume","after":1e400}', "bad_value"),
    ('{"type":"resume","after":' + "9" * 5000 + "}", "not_json"),
    ('{"type":"subscribe","types":["job_nothing"]}', "bad_value"),
    ('{"type":"subscribe","tasks":"all"}', "bad_value"),
    ('{"type":"subscribe","tasks":[1]}', "bad_value"),
    (b"\x00\x01", "binary"),
    ("x" * 20_000, "too_large"),
    ("é" * 20_000, "too_large"),
]


def test_what_is_not_understood_is_answered_and_costs_nothing_but_an_answer(web):
    answers = []
    for part in (BAD[:9], BAD[9:]):
        with web.listen() as ear:
            for message, _code in part:
                ear.connection.send(message)
                answers.append(ear.hear())
            ear.say(type="ping")

            assert ear.hear()["type"] == "pong"
    assert {one["type"] for one in answers} == {"error"}
    assert [one["data"]["code"] for one in answers] == [code for _message, code in BAD]
    assert all(one["data"]["detail"] for one in answers)


def test_whoever_says_nothing_that_is_understood_is_let_go_with_a_reason(web):
    with web.listen() as ear:
        for _ in range(11):
            ear.connection.send("nonsense")

        assert ear.end_of() == (1008, "too many messages that are not understood")


NO_FRAMES = {
    "not masked": (b"\x81\x03abc", 1002),
    "a kind that does not exist": (b"\x83\x80\0\0\0\0", 1002),
    "not UTF-8": (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
}


def test_what_is_no_websocket_is_closed_by_the_code_for_it(web):
    for what, (frame, code) in NO_FRAMES.items():
        with raw_socket(web) as client:
            client.sendall(frame)

            answer = read_all(client)
        assert answer[0] == 0x88, what
        assert int.from_bytes(answer[2:4]) == code, what


def test_a_message_in_pieces_with_a_ping_between_them_is_one_message(web):
    with raw_socket(web) as client:
        # {"type": and "ping"} in two frames, masked with zeros, and a ping of the protocol itself in between.
        client.sendall(b"\x01\x88\0\0\0\0" + b'{"type":' + b"\x89\x81\0\0\0\0p" + b"\x80\x87\0\0\0\0" + b'"ping"}')

        answer = b""
        while b"timestamp" not in answer:
            answer += client.recv(1000)
    assert answer.startswith(b"\x8a\x01p")
    assert b'"pong"' in answer


def test_whoever_comes_back_is_told_what_it_has_missed_once_and_in_order(lab, web):
    with web.listen() as ear:
        ear.stand()
        lab.add("first", "true")
        last = ear.hear()["id"]
    lab.add("second", "true")
    lab.add("third", "true")

    with web.listen(f"?after={last}") as ear:
        missed = ear.hear_until("caught_up")
        lab.add("fourth", "true")
        missed.append(ear.hear())
    with web.listen() as ear:
        ear.say(type="resume", after=last)
        by_message = ear.hear_until("caught_up")

    assert [one["job_name"] for one in missed] == ["second", "third", None, "fourth"]
    assert missed[2]["data"] == {"replayed": 2}
    assert missed[2]["id"] == missed[1]["id"]
    assert [one["job_name"] for one in by_message] == ["second", "third", "fourth", None]


def test_a_restart_of_the_server_loses_no_event(lab, serve):
    before = serve()
    with before.listen() as ear:
        last = ear.stand()
    before.kill()
    lab.add("meanwhile", "true")
    after = serve(port=before.port)

    with after.listen(f"?after={last}") as ear:
        assert [one["job_name"] for one in ear.hear_until("caught_up")] == ["meanwhile", None]


def test_whoever_has_missed_what_is_not_kept_is_told_to_load_anew(lab, web):
    insert_events(lab, 2100)
    newest = lab.rows("SELECT max(id) AS id FROM outbox")[0]["id"]

    for after in (3, newest + 50):
        with web.listen(f"?after={after}") as ear:
            gap = ear.hear()
            lab.add(f"after-{after}", "true")
            following = ear.hear()

        assert (gap["type"], gap["id"]) == ("gap", newest)
        assert (following["type"], following["id"]) == ("job_created", newest + 1)
        newest += 1


def test_events_that_retention_has_deleted_are_a_gap_and_not_silence(lab, web):
    for number in range(4):
        lab.add(f"task-{number}", "true")
    lab.execute("DELETE FROM outbox WHERE id < 4")

    with web.listen("?after=1") as ear:
        assert ear.hear()["type"] == "gap"
    with web.listen("?after=3") as ear:
        assert [one["type"] for one in ear.hear_until("caught_up")] == ["job_created", "caught_up"]


def test_a_client_hears_only_of_the_tasks_and_types_that_it_has_chosen(lab, web):
    with web.listen() as ear:
        ear.say(type="subscribe", tasks=["mine"], types=["job_created", "scheduler_started"])
        chosen = ear.hear()
        ear.stand()
        for name in ("other", "mine"):
            task = lab.add(name, "true")
            tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        with lab.running():
            heard = [ear.hear(), ear.hear()]
        ear.say(type="subscribe")
        everything = ear.hear_until("subscribed")[-1]

    assert chosen["data"] == {"tasks": ["mine"], "types": ["job_created", "scheduler_started"]}
    assert [(one["type"], one["job_name"]) for one in heard] == [("job_created", "mine"), ("scheduler_started", None)]
    assert everything["data"] == {"tasks": None, "types": None}


def test_a_client_that_does_not_read_is_cut_off_with_a_reason_and_holds_nobody_up(lab, web):
    heard, late = [], []
    with raw_socket(web) as slow, web.listen() as quick:
        quick.stand()
        for _ in range(60):
            begin = time.monotonic()
            insert_events(lab, 100, size=1000)
            heard += [quick.hear() for _ in range(100)]
            late.append(time.monotonic() - begin)
        end = read_all(slow)

    assert {one["type"] for one in heard} == {"job_queued"}
    assert statistics.median(late) < 1
    # The close frame is the last thing that comes: its code, and before it a message that says why.
    assert end[-200:].rfind(b"\x88") >= 0
    close = end[end.rindex(b"\x88") :]
    assert int.from_bytes(close[2:4]) == 1013
    assert b'"too_slow"' in end
    assert len(end) < 5 * 1024 * 1024


def test_a_database_that_is_put_in_the_place_of_another_is_a_gap_and_goes_on(lab, web, empty_database):
    with web.listen() as ear:
        ear.stand()
        lab.add("before", "true")
        ear.hear_until("job_created")
        lab.db.close()
        other = lab.file.with_name("other.db")
        other.write_bytes(empty_database.read_bytes())
        for end in ("-wal", "-shm"):
            lab.file.with_name(lab.file.name + end).unlink(missing_ok=True)
        other.replace(lab.file)
        gap = ear.hear(30)
        lab.add("after", "true")
        following = ear.hear_until("job_created")[-1]

    assert gap["type"] == "gap"
    assert following["job_name"] == "after"


def test_the_hub_rests_when_the_last_client_has_gone(web):
    def threads():
        (worker,) = web.workers()
        return len(list(Path(f"/proc/{worker}/task").iterdir()))

    with web.listen() as ear:
        ear.stand()
        busy = threads()
    wait_until(lambda: threads() < busy, 20, "the hub's thread to end")
    with web.listen() as ear:
        ear.say(type="ping")

        assert ear.hear()["type"] == "pong"
