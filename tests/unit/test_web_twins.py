"""The twins of pages without a login: what programs and browsers are told."""

from __future__ import annotations

import pytest

from tests.web_fixtures import Person


@pytest.mark.parametrize("address", ["/runs.csv", "/tasks.json", "/next-runs.ics"])
def test_a_program_that_reads_a_twin_without_a_login_is_told_so_and_a_browser_is_led_there(
    anonymous: Person, address: str
) -> None:
    by_program = anonymous.get(address, headers={"Accept": "*/*"})
    by_browser = anonymous.get(address, headers={"Accept": "text/html,*/*;q=0.8"})

    assert (by_program.status_code, by_program.mimetype) == (401, "application/json")
    assert by_browser.status_code == (401 if address.endswith(".json") else 303)
