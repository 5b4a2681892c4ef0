"""What a browser sends for the form of a task."""

from __future__ import annotations

from bs4 import BeautifulSoup

from tests.web_fixtures import Person

FIELDS = {
    "name": "nightly",
    "command": "true",
    "kind": "cron",
    "cron": "0 2 * * *",
    "zone": "Europe/Berlin",
    "enabled": "y",
}


def edit_fields(admin: Person, task_id: int) -> dict[str, str]:
    """Return what a browser would send for the form as it is shown."""
    page = admin.see(f"/tasks/{task_id}/edit")
    fields: dict[str, str] = {}
    for field in page.select("#task-form input[name], #task-form textarea[name], #task-form select[name]"):
        if field.get("type") in {"radio", "checkbox"} and not field.has_attr("checked"):
            continue
        chosen = field.select_one("option[selected]") if field.name == "select" else None
        text = field.text.removeprefix("\r\n") if field.name == "textarea" else field.get("value", "")
        fields[str(field["name"])] = str(chosen["value"] if chosen else text)
    return fields


def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")
