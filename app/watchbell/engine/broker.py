"""The broker: what is announced goes in on one machine and comes out on another, maybe twice, maybe never.

A message is the number of a run and a nonce. This is the only module that knows Dramatiq.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import re
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from watchbell import clock
from watchbell.errors import ConfigError, WatchbellError

if TYPE_CHECKING:
    from dramatiq import Broker
    from dramatiq.encoder import Encoder

log = logging.getLogger(__name__)

#: How long an answer of the broker is waited for.
_ANSWER_SECONDS = 5
#: How often each side of a connection to RabbitMQ gives a sign, which is how one notices that the other is stopped.
_SIGN_SECONDS = 10
#: How long a look for messages takes at the most while there are none.
_IDLE_MS = 500
_ACTOR = "start"
#: So many messages may be on their way from RabbitMQ to one who listens, or each would cost the time there and back; and so
#: often it is looked for room before they are left to others.
_AHEAD = 32
_NO_ROOM_TRIES = 5
#: What is heard of a queue that somebody has deleted.
_GONE = object()
_NONCE = re.compile(r"[0-9a-f]{32}")
#: An announcement has about 300 bytes. What is much larger is none and not read, let alone logged.
_MESSAGE_BYTES = 4096
_MESSAGE_ID = re.compile(r"[0-9a-f-]{36}")
#: How often it is told that others write into our queues, however much they do.
_STRANGE_SECONDS = 60.0


class BrokerTrouble(WatchbellError):
    """The broker does not answer, or does not take what it is given."""


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One announcement, and where it goes."""

    queue: str
    run_id: int
    nonce: str


def place_of(queue: str, host: str = "") -> str:
    """Return the queue of the broker for runs of a queue: those that a host is named for are its own."""
    return f"watchbell:{queue}:at:{host.lower()}" if host else f"watchbell:{queue}:any"


def require(url: str) -> None:
    """Raise ConfigError if the libraries are missing that such a broker is reached by."""
    try:
        _make(url)
    except ImportError as error:
        raise ConfigError(
            f"the engine needs a package that is not installed ({error.name}): pip install 'watchbell[engine]'"
        ) from None
    except (ValueError, TypeError):
        raise ConfigError("WATCHBELL_BROKER is not an address that the broker's library understands") from None


class Line:
    """A connection to the broker, for one thread; made when it is first needed, and anew after a trouble."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._broker: Broker | None = None
        parts = urlsplit(url)
        self._where = f"{parts.hostname or 'localhost'}{f':{parts.port}' if parts.port else ''}"
        self._strange = 0
        self._tells_from = 0.0

    def send(self, calls: Sequence[Call]) -> None:
        """Announce runs, and return when the broker has taken all of them; raises BrokerTrouble."""
        from dramatiq import Message

        try:
            broker: Any = self._open()
            for call in calls:
                message: Any = Message(call.queue, _ACTOR, args=(call.run_id, call.nonce), kwargs={}, options={})
                broker.declare_queue(call.queue)
                broker.enqueue(message)
            self._ask(broker)
        except _troubles() as error:
            raise self._trouble(error) from error

    def ping(self) -> None:
        """Find out whether the broker answers; raises BrokerTrouble."""
        try:
            self._ask(self._open())
        except _troubles() as error:
            raise self._trouble(error) from error

    def _ask(self, broker: Any) -> None:
        """Wait for an answer, before which all that was said on this connection has been dealt with."""
        if hasattr(broker, "client"):
            broker.client.ping()
        else:
            broker.connection.process_data_events(0)
            broker.channel.basic_qos(prefetch_count=1)

    def listen(self, queue: str, has_room: Callable[[], bool]) -> Generator[tuple[int, str] | None, None, None]:
        """Yield what is announced in a queue, and None now and then while nothing is; raises BrokerTrouble.

        It ends when there has been no room for a while, so that others are told what came this far. ``has_room`` waits a moment
        for room. What is yielded is taken from the broker: whoever does not use it hears of it again from the scheduler.
        """
        consumer: Any = None
        try:
            broker: Any = self._open()
            is_redis = hasattr(broker, "client")
            broker.declare_queue(queue)
            consumer = broker.consume(queue, prefetch=1 if is_redis else _AHEAD, timeout=_IDLE_MS)
            if not is_redis:
                # What the queue was declared by says nothing any more, and would be taken for dead.
                broker.close()
            tries = 0
            while tries < _NO_ROOM_TRIES:
                if not has_room():
                    tries += 1
                    yield None
                    continue
                tries = 0
                message: Any = next(consumer, _GONE)
                if message is _GONE:
                    raise self._trouble(ConnectionError(queue))
                found = None
                if message is not None:
                    consumer.ack(message)
                    found = read(message.args)
                    if found is None:
                        self._put_away(broker, queue)
                yield found
        except _troubles() as error:
            raise self._trouble(error) from error
        finally:
            self._end(consumer)
            self.close()

    def _put_away(self, broker: Any, queue: str) -> None:
        """Log that somebody else wrote into a queue, and keep it from coming again."""
        self._strange += 1
        if clock.monotonic() >= self._tells_from:
            log.warning("Ignored in the broker's queue %s what is no announcement (%d so far)", queue, self._strange)
            self._tells_from = clock.monotonic() + _STRANGE_SECONDS
        if hasattr(broker, "client"):
            # A Redis hands out again what was not acknowledged under the name that it has there, and what lies about its
            # name was not. Announcements are taken one by one and acknowledged at once, so that all that is left is of
            # this kind.
            for name in broker.client.smembers(f"{broker.namespace}:__acks__.{broker.broker_id}.{queue}"):
                broker.do_ack(queue, name)

    def close(self) -> None:
        """Hang up."""
        broker, self._broker = self._broker, None
        self._end(broker)

    def _end(self, connected: Any) -> None:
        """Close something of the broker's, which may be gone."""
        if connected is not None:
            # Whatever closing complains of, it is over.
            with contextlib.suppress(Exception):
                connected.close()

    def _open(self) -> Broker:
        if self._broker is None:
            self._broker = _make(self._url)
        return self._broker

    def _trouble(self, error: BaseException) -> BrokerTrouble:
        self.close()
        return BrokerTrouble(f"the broker at {self._where} does not do its work ({type(error).__name__})")


def read(arguments: Any) -> tuple[int, str] | None:
    """Return what an announcement says; None for what is none."""
    if not isinstance(arguments, list | tuple) or len(arguments) != 2:
        return None
    run_id, nonce = arguments
    is_number = isinstance(run_id, int) and not isinstance(run_id, bool) and 0 < run_id < 2**63
    return (run_id, nonce) if is_number and isinstance(nonce, str) and _NONCE.fullmatch(nonce) else None


def parse(data: bytes) -> tuple[list[Any], str]:
    """Return the arguments in a message and the name that it has in a Redis; nothing of either where it is none of ours."""
    if len(data) > _MESSAGE_BYTES:
        return [], ""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return [], ""
    if not isinstance(fields, dict):
        return [], ""
    arguments, options = fields.get("args"), fields.get("options")
    name = options.get("redis_message_id") if isinstance(options, dict) else ""
    is_name = isinstance(name, str) and _MESSAGE_ID.fullmatch(name)
    return arguments if isinstance(arguments, list) else [], str(name) if is_name else ""


def _encoder() -> Encoder:
    """Return what reads messages such that none, whoever wrote it, makes the library stumble."""
    from dramatiq import JSONEncoder

    class Strict(JSONEncoder):
        def decode(self, data: bytes) -> dict[str, Any]:
            arguments, name = parse(data)
            options = {"redis_message_id": name}
            fields = {"queue_name": "", "actor_name": _ACTOR, "args": arguments, "kwargs": {}, "options": options}
            return {**fields, "message_id": "", "message_timestamp": 0}

    return Strict()


def _make(url: str) -> Broker:
    """Return a broker that is not connected yet and has nothing between us and it."""
    import dramatiq

    dramatiq.set_encoder(_encoder())
    if url.startswith("redis"):
        import redis
        from dramatiq.brokers.redis import RedisBroker

        client = redis.Redis.from_url(
            url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS, decode_responses=False
        )
        make: Any = RedisBroker
        return make(client=client, middleware=[])  # type: ignore[no-any-return]
    from dramatiq.brokers import rabbitmq

    # Who is told of a failure tries again by themselves; the library would for half a minute, while nobody knows of it.
    rabbitmq.MAX_ENQUEUE_ATTEMPTS = 1
    separator = "&" if "?" in url else "?"
    bounds = (
        f"blocked_connection_timeout={_ANSWER_SECONDS}&socket_timeout={_ANSWER_SECONDS}&stack_timeout={2 * _ANSWER_SECONDS}"
        "&connection_attempts=1"
    )
    if "heartbeat=" not in url:
        bounds += f"&heartbeat={_SIGN_SECONDS}"
    return rabbitmq.RabbitmqBroker(url=f"{url}{separator}{bounds}", middleware=[])


def _troubles() -> tuple[type[BaseException], ...]:
    """Return what is raised when a broker does not do its work, as far as its libraries are there."""
    from dramatiq.errors import DramatiqError

    found: list[type[BaseException]] = [DramatiqError, OSError]
    # Where a library is missing, nothing is spoken to that way.
    with contextlib.suppress(ImportError):
        from redis import RedisError

        found.append(RedisError)
    # The same.
    with contextlib.suppress(ImportError):
        from pika.exceptions import AMQPError

        found.append(AMQPError)
    return tuple(found)
