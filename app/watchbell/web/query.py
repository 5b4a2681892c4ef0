"""Reading what an address asks for: numbers within bounds and words from a list; anything else is refused by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from watchbell.errors import InputError
from watchbell.web import current
from watchbell.web.i18n import _

#: Ids are 64-bit numbers in the database.
HIGHEST_ID = 2**63 - 1
_LONGEST_TEXT = 200


def whole(args: Mapping[str, str], name: str, default: int | None, low: int, high: int) -> int:
    """Return a whole number; without a default it is required."""
    text = args.get(name, "").strip()
    if not text and default is not None:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None
    if number is None or not low <= number <= high:
        example = low if default is None else default
        raise InputError.of(name, f"must be a whole number from {low} to {high}", str(example))
    return number


def optional_id(args: Mapping[str, str], name: str) -> int | None:
    """Return an id, or None if none was given."""
    return whole(args, name, None, 0, HIGHEST_ID) if args.get(name, "").strip() else None


def word(args: Mapping[str, str], name: str, allowed: Collection[str], default: str) -> str:
    """Return one of the allowed words."""
    text = args.get(name, "").strip() or default
    if text not in allowed:
        raise InputError.of(name, f"must be one of {', '.join(filter(None, allowed))}", default or next(iter(allowed)))
    return text


def text(args: Mapping[str, str], name: str) -> str:
    """Return a short text, such as a search."""
    found = args.get(name, "").strip()
    if len(found) > _LONGEST_TEXT:
        raise InputError.of(name, f"must be at most {_LONGEST_TEXT} characters long")
    return found.replace("\0", "")


def moment(args: Mapping[str, str], name: str) -> datetime | None:
    """Return a moment in UTC, or None if none was given; one without an offset is in the zone of the page."""
    given = text(args, name)
    if not given:
        return None
    try:
        # A plus that was not escaped arrives as a space.
        found = datetime.fromisoformat(given.replace(" ", "+") if "T" in given else given)
    except ValueError:
        found = None
    if found is None or not 1970 < found.year < 9000:
        raise InputError.of(name, _("must be a date and time"), "2026-11-29T14:00")
    return (found if found.tzinfo else found.replace(tzinfo=current.zone())).astimezone(UTC)
