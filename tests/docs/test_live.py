"""The page on sockets says what the code says."""

from __future__ import annotations

import re

from tests.docs.pages import section, text_of
from watchbell.domain.events import WIRE_NAMES
from watchbell.services.transitions import EVENT_TYPES
from watchbell.web.realtime import client, messages
from watchbell.web.realtime.carrier import HEARTBEAT_SECONDS
from watchbell.web.realtime.feed import KEPT_EVENTS


def test_every_type_of_event_is_explained_and_no_other() -> None:
    told = set()
    for line in section("docs/live.md", "## An event").splitlines():
        if line.startswith("| `"):
            told |= set(re.findall(r"`([\w:]+)`", line.split("|")[1]))

    assert told == set(WIRE_NAMES.values())


def test_every_event_of_a_run_has_a_name_on_the_wire() -> None:
    assert set(EVENT_TYPES.values()) <= set(WIRE_NAMES)


def test_every_message_of_a_client_is_explained() -> None:
    said = section("docs/live.md", "## What a client may say")

    assert set(re.findall(r'^\| `\{"type": "([\w:]+)"', said, re.MULTILINE)) == set(messages._FIELDS)


def test_every_code_by_which_a_connection_is_closed_is_explained() -> None:
    told = section("docs/live.md", "## How it ends")

    for code in (client.GOING_AWAY, client.POLICY, client.TRY_LATER, client.LOGGED_OUT):
        assert f"| {code} |" in told


def test_the_numbers_are_those_of_the_code() -> None:
    text = text_of("docs/live.md")

    assert f"newest {KEPT_EVENTS:,} events" in text
    assert f"After {HEARTBEAT_SECONDS:.0f} seconds" in text
    assert f"more than\n{client.MESSAGE_LIMIT // 1024} KiB" in text
    assert f"{client.QUEUE_LIMIT_BYTES // 1024**2} MiB wait" in text
    assert client.MOST_BAD == 10
    assert "After ten of them" in text
