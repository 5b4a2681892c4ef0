"""One client of the hub: its socket, what it has said and what is still to be sent to it.

Nothing here waits. All of it is called by the hub's thread alone.
"""

from __future__ import annotations

import itertools
import socket
from collections import deque
from collections.abc import Iterator

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage

from watchbell.web.realtime.messages import EVERYTHING, BadMessage, Choice, Resume

#: What a client may say in one message.
MESSAGE_LIMIT = 16 * 1024
#: So much may wait for a client that does not read; one that has more is cut off when there is something new. Nearly all of
#: it is shared with the others.
QUEUE_LIMIT_BYTES = 4 * 1024 * 1024
#: So many messages that are not understood are answered, and the one after them ends the connection.
MOST_BAD = 10
_READ_BYTES = 16 * 1024
#: The kernel keeps this much for each client beside our queue; by itself it would take megabytes for one that is slow.
_SEND_BUFFER_BYTES = 64 * 1024
#: A peer whose machine is gone answers nothing that was sent, and is given up after this.
_SILENCE_MS = 60_000
_BUFFERS_AT_ONCE = 64

GOING_AWAY = 1001
POLICY = 1008
TRY_LATER = 1013
LOGGED_OUT = 4401


class Frames:
    """Makes frames for any number of clients: without extensions they are the same for all."""

    def __init__(self) -> None:
        self._wire = Connection(ConnectionType.SERVER)

    def text(self, text: str) -> bytes:
        """Return a text message as it goes over the wire."""
        return self._wire.send(TextMessage(data=text))


class Client:
    """A WebSocket whose handshake has been answered."""

    __slots__ = (
        "_bad", "_bytes_in", "_is_binary", "_outgoing", "_parts", "_socket", "_wire", "choice", "closing_at", "credential",
        "events", "heard_at", "is_live", "is_peer_done", "pushed_at", "queued_bytes", "resume", "wants_metrics",
    )  # fmt: skip

    def __init__(
        self,
        connection: socket.socket,
        opening: bytes,
        *,
        credential: str,
        resume: Resume | None,
        now: float,
        wants_metrics: bool = False,
    ) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if connection.family in {socket.AF_INET, socket.AF_INET6}:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        self._socket = connection
        self._wire = Connection(ConnectionType.SERVER)
        self._outgoing: deque[bytes | memoryview] = deque([opening])
        self._parts: list[str] = []
        self._bytes_in = 0
        self._is_binary = False
        self._bad = 0
        #: Bytes that wait to be sent.
        self.queued_bytes = len(opening)
        #: What the client is let in by; empty where nobody logs in.
        self.credential = credential
        self.choice: Choice = EVERYTHING
        #: It is pushed metrics, is told no events and has nothing to say; and when it was pushed some last.
        self.wants_metrics = wants_metrics
        self.pushed_at = 0.0
        #: From where on it has asked to be told, until it is.
        self.resume = resume
        #: Whether it is told what happens; not before it stands at a known event.
        self.is_live = False
        #: When it last said something, or was last sent a heartbeat.
        self.heard_at = now
        #: When our close was sent; None while all is well.
        self.closing_at: float | None = None
        #: Whether nothing more comes from the peer.
        self.is_peer_done = False
        #: What the selector waits for.
        self.events = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Return whether something waits to be sent."""
        return bool(self._outgoing)

    @property
    def is_over(self) -> bool:
        """Return whether both sides have said their last word and it is sent."""
        return self.is_peer_done and not self._outgoing

    def queue(self, frame: bytes) -> bool:
        """Put a frame behind those that wait; return False if the client has not read for too long to take it."""
        if self.closing_at is not None:
            return True
        if self.queued_bytes > QUEUE_LIMIT_BYTES:
            return False
        self.queued_bytes += len(frame)
        self._outgoing.append(frame)
        return True

    def send(self) -> None:
        """Send as much as goes without waiting; raises OSError if the peer is gone."""
        while self._outgoing:
            buffers = list(itertools.islice(self._outgoing, _BUFFERS_AT_ONCE))
            try:
                sent = self._socket.sendmsg(buffers)
            except BlockingIOError:
                return
            self.queued_bytes -= sent
            for buffer in buffers:
                if sent < len(buffer):
                    self._outgoing[0] = memoryview(buffer)[sent:]
                    break
                sent -= len(buffer)
                self._outgoing.popleft()

    def read(self) -> Iterator[str | BadMessage]:
        """Yield what the client has said since the last look, understood or not; raises OSError if the peer is gone."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        if self._wire.state in {ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING}:
            self._wire.receive_data(data)
            for event in self._wire.events():
                said = self._take(event)
                # What it says after our close is not listened to.
                if said is not None and self.closing_at is None:
                    yield said

    def _take(self, event: Event) -> str | BadMessage | None:
        if isinstance(event, Ping):
            if self.closing_at is None:
                self.queue(self._wire.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._answer_close(event)
        elif isinstance(event, TextMessage | BytesMessage):
            return self._collect(event)
        return None

    def _collect(self, event: TextMessage | BytesMessage) -> str | BadMessage | None:
        """Return a message once it is whole; of one that is too large nothing is kept."""
        self._bytes_in += len(event.data)
        if isinstance(event, BytesMessage):
            self._is_binary = True
        elif self._bytes_in <= MESSAGE_LIMIT:
            self._parts.append(event.data)
        if not event.message_finished:
            return None
        text, size, is_binary = "".join(self._parts), self._bytes_in, self._is_binary
        self._parts, self._bytes_in, self._is_binary = [], 0, False
        if is_binary:
            return BadMessage("binary", "only text is understood here")
        if size > MESSAGE_LIMIT:
            return BadMessage("too_large", f"a message may have {MESSAGE_LIMIT} characters")
        return text

    def _answer_close(self, event: CloseConnection) -> None:
        if self._wire.state is ConnectionState.REMOTE_CLOSING:
            self._outgoing.append(self._wire.send(event.response()))
        elif self._wire.state is ConnectionState.OPEN:
            # What it sent is no WebSocket at all; the event says by which code that is told.
            self._outgoing.append(self._wire.send(event))
        self.is_peer_done = True

    def count_bad(self) -> bool:
        """Count a message that was not understood; return whether it was one too many."""
        self._bad += 1
        return self._bad > MOST_BAD

    def close(self, code: int, reason: str, *, now: float, last_words: bytes = b"") -> None:
        """Say the last words and close; what waits is dropped, but for the rest of a frame that has been begun."""
        if self.closing_at is not None or self._wire.state is not ConnectionState.OPEN:
            return
        self.closing_at = now
        first = self._outgoing[0] if self._outgoing else b""
        # The answer to the handshake has to come before all else, and half a frame would swallow the next.
        begun = [first] if isinstance(first, memoryview) or bytes(first[:5]) == b"HTTP/" else []
        self._outgoing = deque([*begun, *filter(None, [last_words]), self._wire.send(CloseConnection(code, reason))])
        self.queued_bytes = sum(map(len, self._outgoing))

    def drop(self) -> None:
        """Give the socket back to the system."""
        self._socket.close()
