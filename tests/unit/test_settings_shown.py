"""What the page of the settings shows, to whoever may look, holds no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web_fixtures import Person
from watchbell.config import UNREPEATED, Config
from watchbell.services import imports
from watchbell.web.presenters_settings import setting_rows

ADDRESSES = {"WATCHBELL_BROKER": "amqp://bell:hunter22@mq/x", "WATCHBELL_TRIES_STORE": "redis://:hunter22@mq/1"}


@pytest.mark.parametrize("with_places", [True, False])
def test_no_address_is_shown_with_its_password(admin: Person, tmp_path: Path, with_places: bool) -> None:
    config = Config.load({}, {"WATCHBELL_HOME": str(tmp_path), **ADDRESSES})

    with admin.client.application.test_request_context():
        rows = {row.name: row.value for row in setting_rows(config, with_places=with_places)}

    assert rows.keys() >= UNREPEATED & {"broker", "tries_store"}
    assert rows["broker"] and not any("hunter22" in value for value in rows.values())


def test_blank_lines_cost_an_import_nothing_and_what_follows_them_is_known() -> None:
    assert imports._DOCUMENT.match("\n" * 5_000 + "0 2 * * * x\n") is None
    assert imports._DOCUMENT.match("# of ann\n\n  # and bob\n---\ntasks:\n")
