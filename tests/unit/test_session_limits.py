"""How long a session lasts: as the settings say, and no longer because its page stays open."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update

from tests.web_fixtures import Enter
from watchbell import clock
from watchbell.config import Config
from watchbell.store.accounts import LoginSession
from watchbell.store.session import Database


def test_a_session_ends_as_the_settings_say_while_its_page_stays_open(
    enter: Enter, app: Flask, db: Database, web_config: Config
) -> None:
    person = enter("viewer")
    app.extensions["watchbell.config"] = dataclasses.replace(web_config, session_idle_minutes=15)
    for minutes, there in ((14, True), (16, False)):
        seen = clock.now() - timedelta(minutes=minutes)
        with db.write() as session:
            session.connection().execute(update(LoginSession).values(seen_at=seen))

        # Nobody is at the page, which goes on asking.
        answer = person.get("/overview.json", headers={"X-Away": "1", "X-Requested-With": "fetch"})

        assert (answer.status_code == 200) is there
        with db.read() as session:
            assert session.scalar(select(LoginSession.seen_at)) == seen
