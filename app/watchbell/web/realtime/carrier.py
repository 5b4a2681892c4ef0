"""The work of the hub's thread: hearing clients, telling them what has happened, and letting go of those that are gone."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Collection, Iterable, Sequence

from watchbell import clock
from watchbell.errors import WatchbellError
from watchbell.services.events import Event
from watchbell.store.session import Database
from watchbell.web.realtime import messages
from watchbell.web.realtime.client import GOING_AWAY, LOGGED_OUT, POLICY, TRY_LATER, Client, Frames
from watchbell.web.realtime.feed import Feed, Told
from watchbell.web.realtime.messages import BadMessage, Ping, Resume, Room
from watchbell.web.realtime.pulse import PUSH_SECONDS, Pulse

#: How late an event may be, apart from the work that it makes.
LOOK_SECONDS = 0.1
#: A client that says nothing is told so often that the server lives.
HEARTBEAT_SECONDS = 30.0
#: How long a client has to answer a close, and all of them have when the process ends.
CLOSE_SECONDS = 10.0
END_SECONDS = 0.7
#: How often it is looked whether those who listen are still let in, if anything was written.
CREDENTIAL_SECONDS = 2.0
#: A login also ends by its age, with nobody writing anything.
CREDENTIAL_NET_SECONDS = 60.0
_CHORES_SECONDS = 0.5
#: The pause between two lots of events while there are more.
_BEHIND_SECONDS = 0.01

#: Answers which of some credentials still open anything.
StillOpen = Callable[[Database, Collection[str]], Collection[str]]


class Carrier:
    """Carries the clients; used by the hub's thread alone."""

    def __init__(
        self, bell: int, open_database: Callable[[], Database], still_open: StillOpen, clients: set[Client]
    ) -> None:
        self._bell = bell
        self._frames = Frames()
        self._pulse = Pulse(self._frames.text)
        self._feed = Feed(open_database, self._frame_of)
        self._still_open = still_open
        self._clients = clients
        self._arriving: list[Client] = []
        self._chores_at = self._asked_at = clock.monotonic()
        self._asked_change = 0
        self._end_at: float | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell, selectors.EVENT_READ)

    @property
    def has_ended(self) -> bool:
        """Return whether the clients have had the time that an end gives them."""
        return self._end_at is not None and clock.monotonic() - self._end_at >= END_SECONDS

    def wait(self) -> None:
        """Wait until a client says something, can be sent more, or it is time to look at the database."""
        seconds = _BEHIND_SECONDS if self._feed.is_behind else LOOK_SECONDS
        for key, mask in self._selector.select(seconds):
            client = key.data
            if client is None:
                os.eventfd_read(self._bell)
                continue
            if mask & selectors.EVENT_READ:
                self._hear(client)
            self._send(client)

    def take_in(self, client: Client) -> None:
        """Begin to carry a client; it is told events once it is known where it stands."""
        self._clients.add(client)
        if not client.wants_metrics:
            self._arriving.append(client)
        client.events = selectors.EVENT_READ
        self._selector.register(client, client.events, client)
        self._send(client)

    def follow(self) -> tuple[Sequence[Told], bool]:
        """Tell clients what has happened since the last time.

        Return it, and whether somebody who waits may have missed something, as whatever was committed before the first look.
        """
        told = self._feed.look(clock.monotonic())
        has_begun, self._feed.has_begun = self._feed.has_begun, False
        if told:
            self._tell(told)
        has_gap, self._feed.has_gap = self._feed.has_gap, False
        if has_gap:
            self._send_all(self._live(), self._frames.text(messages.gap_text(clock.now(), self._feed.cursor)))
        # One that comes back knows the newest event, perhaps from another process, so it stands nowhere before that is read.
        if self._feed.is_at_newest:
            arriving, self._arriving = self._arriving, []
            for client in arriving:
                if client in self._clients:
                    self._bring_up(client)
        return told, has_begun

    def push(self) -> None:
        """Send metrics to those who want them, to each once in a while, and all from one computation."""
        now, db = clock.monotonic(), self._feed.database
        waiting = (client for client in self._clients if client.wants_metrics and client.closing_at is None)
        due = [client for client in waiting if now - client.pushed_at >= PUSH_SECONDS]
        frame = self._pulse.frame(db, self._feed.changes) if due and db is not None else b""
        for client in due if frame else ():
            client.pushed_at = client.heard_at = now
            self._send_all([client], frame)

    def do_chores(self) -> None:
        """Send heartbeats, give up clients that do not answer our close, and close for those who are logged out."""
        now = clock.monotonic()
        if now - self._chores_at < _CHORES_SECONDS:
            return
        self._chores_at = now
        heartbeat = b""
        for client in list(self._clients):
            if client.is_peer_done and client.closing_at is None:
                # It has said its last word, but does not take ours.
                client.closing_at = now
            if client.closing_at is not None:
                if now - client.closing_at >= CLOSE_SECONDS:
                    self._drop(client)
            elif now - client.heard_at >= HEARTBEAT_SECONDS and not client.wants_metrics:
                client.heard_at = now
                heartbeat = heartbeat or self._frames.text(messages.sign_of_life("heartbeat", clock.now()))
                self._send_all([client], heartbeat)
        self._check_credentials(now)

    def end(self) -> None:
        """Say to every client that the server goes away."""
        now = clock.monotonic()
        if self._end_at is None:
            self._end_at = now
        for client in list(self._clients):
            if client.closing_at is None:
                client.close(GOING_AWAY, "the server is stopping", now=now)
                self._send(client)

    def close(self) -> None:
        """Let everything go."""
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        self._feed.close()

    def _frame_of(self, event: Event) -> bytes:
        return self._frames.text(messages.event_text(event))

    def _live(self) -> list[Client]:
        return [client for client in self._clients if client.is_live]

    def _tell(self, told: Sequence[Told]) -> None:
        """Put events before all clients: those who want all share one piece of memory."""
        everything = b"".join(one.frame for one in told)
        for client in self._live():
            chosen = everything if client.choice.is_everything else _chosen(client, told)
            if chosen:
                self._send_all([client], chosen)

    def _bring_up(self, client: Client) -> None:
        """Tell a client what it has missed, if it has asked for that, and let it take part from now on."""
        asked, client.resume = client.resume, None
        client.is_live = True
        if asked is None:
            return
        cursor = self._feed.cursor
        missed = self._feed.since(cursor if asked.after is None else asked.after)
        if missed is None:
            self._send_all([client], self._frames.text(messages.gap_text(clock.now(), cursor)))
            return
        frames = [told.frame for told in missed if client.choice.takes(told.type, told.task_name, told.device)]
        last = self._frames.text(messages.caught_up_text(clock.now(), cursor, len(frames)))
        self._send_all([client], b"".join([*frames, last]))

    def _hear(self, client: Client) -> None:
        try:
            for said in client.read():
                client.heard_at = clock.monotonic()
                self._answer(client, said)
        except OSError:
            # The peer is gone, whatever it calls that.
            self._drop(client)

    def _answer(self, client: Client, said: str | BadMessage) -> None:
        if client.wants_metrics:
            # What it says means nothing here, and an answer would be taken for metrics.
            return
        now = clock.now()
        try:
            if isinstance(said, BadMessage):
                raise said
            meant = messages.read_message(said)
            if isinstance(meant, Room):
                meant = client.choice.with_device(meant.device)
        except BadMessage as error:
            self._complain(client, error)
            return
        if isinstance(meant, Ping):
            self._queue(client, self._frames.text(messages.sign_of_life("pong", now)))
        elif isinstance(meant, Resume):
            client.resume = meant
            client.is_live = False
            self._arriving.append(client)
        else:
            client.choice = meant
            self._queue(client, self._frames.text(messages.subscribed_text(now, client.choice)))

    def _complain(self, client: Client, error: BadMessage) -> None:
        answer = self._frames.text(messages.error_text(clock.now(), error.code, error.words))
        if client.count_bad():
            client.close(POLICY, "too many messages that are not understood", now=clock.monotonic(), last_words=answer)
        else:
            self._queue(client, answer)

    def _queue(self, client: Client, frame: bytes) -> None:
        if not client.queue(frame):
            words = "events came faster than they were read; come back with resume"
            told = self._frames.text(messages.error_text(clock.now(), "too_slow", words))
            client.close(TRY_LATER, words, now=clock.monotonic(), last_words=told)

    def _send_all(self, clients: Iterable[Client], frame: bytes) -> None:
        for client in clients:
            self._queue(client, frame)
            self._send(client)

    def _send(self, client: Client) -> None:
        if client not in self._clients:
            return
        try:
            client.send()
        except OSError:
            # As above: there is nobody any more to whom it could be told.
            self._drop(client)
            return
        if client.is_over:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.wants_to_write else 0)
        if wanted != client.events:
            client.events = wanted
            self._selector.modify(client, wanted, client)

    def _drop(self, client: Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._selector.unregister(client)
            client.drop()

    def _check_credentials(self, now: float) -> None:
        """Close for those whose login or token has ended since they came."""
        age = now - self._asked_at
        is_due = age >= CREDENTIAL_NET_SECONDS or (
            age >= CREDENTIAL_SECONDS and self._feed.changes != self._asked_change
        )
        credentials = {client.credential for client in self._clients if client.credential} if is_due else set()
        db = self._feed.database
        if not credentials or db is None:
            return
        self._asked_at, self._asked_change = now, self._feed.changes
        try:
            still_open = self._still_open(db, credentials)
        except WatchbellError:
            # A database that does not answer logs nobody out; it is asked again with the next change.
            return
        for client in list(self._clients):
            if client.credential and client.credential not in still_open:
                client.close(LOGGED_OUT, "the login or token has ended", now=now)
                self._send(client)


def _chosen(client: Client, told: Sequence[Told]) -> bytes:
    return b"".join(one.frame for one in told if client.choice.takes(one.type, one.task_name, one.device))
