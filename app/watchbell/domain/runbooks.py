"""What people should do about a task: a text in Markdown, and links to elsewhere."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError

RUNBOOK_FIELD = "runbook"
LINKS_FIELD = "links"
RUNBOOK_LIMIT = 20_000
MOST_LINKS = 20
TITLE_LIMIT = 100
ADDRESS_LIMIT = 2000
_EXAMPLE = "Dashboard https://grafana.example.org/d/backup"
#: An address of the web: a name before the host could pass for the host, so there is none.
_WEB = re.compile(r"(?:https?|HTTPS?)://(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::[0-9]{1,5})?(?:[/?#].*)?\Z")
_LINK_FIELDS = ("title", "url")


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """Where something about a task can be found."""

    title: str
    url: str

    def to_json(self) -> dict[str, str]:
        """Return a form that ``links_from_json`` reads back."""
        return dataclasses.asdict(self)


def links_from_json(data: object) -> tuple[Link, ...]:
    """Return the links that were stored; nothing stored is none."""
    entries = data if isinstance(data, list | tuple) else ()
    return tuple(Link(entry["title"], entry["url"]) for entry in entries)


def build_runbook(value: object) -> str:
    """Return a text in Markdown; raises InputError."""
    if value is not None and not isinstance(value, str):
        raise InputError.of(RUNBOOK_FIELD, "must be a text", "Restart the database, then run it again.")
    text = (value or "").replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > RUNBOOK_LIMIT:
        raise InputError.of(RUNBOOK_FIELD, f"must be at most {RUNBOOK_LIMIT} characters long")
    if any(
        char not in "\n\t" and (ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF) for char in text
    ):
        raise InputError.of(RUNBOOK_FIELD, "must not hold control characters or invisible ones")
    return text


def build_links(value: object) -> tuple[Link, ...]:
    """Return links from a list of objects with title and url, or from lines with a title and an address.

    Raises InputError that names each wrong one by its number.
    """
    if value is None or isinstance(value, str):
        entries: list[object] = [_from_line(line) for line in (value or "").splitlines() if line.strip()]
    elif isinstance(value, list | tuple):
        entries = list(value)
    else:
        raise InputError.of(LINKS_FIELD, "must be a list of objects with title and url, or lines of both", _EXAMPLE)
    if len(entries) > MOST_LINKS:
        raise InputError.of(LINKS_FIELD, f"must be at most {MOST_LINKS}", _EXAMPLE)
    found: list[Link] = []
    wrong: list[InputError] = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(_link(number, entry))
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise InputError.joined(wrong)
    return tuple(found)


def is_safe_address(text: str) -> bool:
    """Return whether an address leads to the web or to a page of this server, and can only be what it looks like."""
    if not text or len(text) > ADDRESS_LIMIT or not text.isprintable() or any(char in text for char in ' "<>\\`{}|^'):
        return False
    return bool(_WEB.match(text)) or (text.startswith(("/", "#")) and not text.startswith("//"))


def _from_line(line: str) -> dict[str, str]:
    title, _gap, url = line.strip().rpartition(" ")
    return {"title": title, "url": url}


def _link(number: int, entry: object) -> Link:
    if isinstance(entry, Link):
        return entry
    if not isinstance(entry, Mapping) or not all(isinstance(text, str) for text in entry.values()):
        raise _wrong(number, "must be an object with title and url")
    if set(entry) - set(_LINK_FIELDS):
        raise _wrong(number, "has other fields than title and url")
    url = str(entry.get("url", "")).strip()
    title = str(entry.get("title", "")).strip() or url
    if not is_safe_address(url):
        raise _wrong(number, "its address must begin with https://, http:// or /, and hold no blanks or user names")
    if len(title) > max(TITLE_LIMIT, len(url)) or not is_visible(title):
        raise _wrong(number, f"its title must be at most {TITLE_LIMIT} characters that can be seen")
    return Link(title, url)


def _wrong(number: int, message: str) -> InputError:
    return InputError.of(LINKS_FIELD, f"link {number}: {message}", _EXAMPLE)
