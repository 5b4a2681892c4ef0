"""Which devices an order is for: the words for them, and the attributes by which they can be chosen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from watchbell.errors import InputError, Problem

TARGET_TYPES = ("device", "group", "all")
#: The attributes of a device that filters and conditions may name; all others are nobody's business.
ATTRIBUTES = (
    *("uuid", "device_name", "device_type", "ip_address", "mac_address", "os_version", "agent_version"),
    *("zone", "provisioning_state"),
)
KEY_LIMIT = 100
VALUE_LIMIT = 255
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """Which devices are meant: all that is said must hold, of the active ones among them."""

    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    group: str | None = None
    is_online: bool | None = None


def read_filter(given: Mapping[str, object], place: str = "target_filter") -> Filter:
    """Return what a filter says; raises InputError for whatever is no attribute and for values that are no texts."""
    problems: list[Problem] = []
    attributes: dict[str, str] = {}
    tags: dict[str, str] = {}
    is_online = None
    for name, value in given.items():
        if (
            name in {*ATTRIBUTES, "group"}
            and isinstance(value, str)
            and value.isprintable()
            and len(value) <= VALUE_LIMIT
        ):
            attributes[name] = value
        elif name == "is_online" and isinstance(value, bool):
            is_online = value
        elif name == "tags":
            tags = read_tags(value, f"{place}.tags")
        else:
            known = ", ".join([*ATTRIBUTES, "is_online", "group", "tags"])
            is_known = name in {*ATTRIBUTES, "group", "is_online"}
            words = (
                f"must be a text of at most {VALUE_LIMIT} printable characters"
                if is_known
                else f"must be one of {known}"
            )
            problems.append(Problem(f"{place}.{name}"[:200], words, '{"device_type": "gateway"}'))
    if problems:
        raise InputError(*problems)
    return Filter(attributes, tags, attributes.pop("group", None), is_online)


def read_tags(given: object, place: str = "tags") -> dict[str, str]:
    """Return tags by their keys; raises InputError."""
    if not isinstance(given, Mapping):
        raise InputError.of(place, "must be an object of texts", '{"site": "north"}')
    for key, value in given.items():
        if not isinstance(key, str) or len(key) > KEY_LIMIT or _KEY.fullmatch(key) is None:
            raise InputError.of(place, "has a key that is no word of letters, digits, dots, colons, - and _", "site")
        if key in ATTRIBUTES:
            raise InputError.of(f"{place}.{key}", "is the name of an attribute that every device has")
        if not isinstance(value, str) or not value.isprintable() or len(value) > VALUE_LIMIT:
            raise InputError.of(f"{place}.{key}"[:200], f"must be a text of at most {VALUE_LIMIT} printable characters")
    return {str(key): str(value) for key, value in given.items()}


def read_tag(text: str, place: str = "tags") -> tuple[str, str]:
    """Return the key and the value of a tag that somebody has typed as ``key=value``; raises InputError."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError.of(place, f"{text.strip()[:60]!r} is no tag; a tag is a key, = and a value", "site=north")
    return next(iter(read_tags({key.strip(): value.strip()}, place).items()))
