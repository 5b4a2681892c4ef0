"""What the value of a setting may be: each function returns it or raises ValueError with what is wrong in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_KEY = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN_HEADERS = frozenset({"authorization", "cookie", "host", "origin", "referer", "user-agent", "x-csrftoken"})
_REDIS = ("redis://", "rediss://", "redis+unix://", "redis+sentinel://", "redis+cluster://")
_BROKERS = ("amqp://", "amqps://", "redis://", "rediss://")
#: As useradd(8) takes them, with the role of accounts behind.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?(:(editor|admin))?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}")
#: Names that exist on disk and do not name a place; domain.schedule.zones says the same for tasks.
_NOT_PLACES = frozenset({"localtime", "Factory", "posixrules"})


def text(value: str) -> str:
    """Return a text that holds no control characters."""
    # Half characters stand for bytes that are no UTF-8, which neither the database nor the page could hold.
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValueError("must not hold control characters")
    return value


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return the parser of a whole number within bounds, both included."""

    def parse(value: str) -> int:
        if not _NUMBER.fullmatch(value.strip()):
            raise ValueError("must be a whole number")
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"must be between {low} and {high}")
        return number

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Return the parser of one of some words."""

    def parse(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return word

    return parse


def switch(value: str) -> str:
    """Return on or off, for any of the usual words."""
    word = value.strip().lower()
    if word in _TRUE:
        return "on"
    if word in _FALSE:
        return "off"
    raise ValueError("must be on or off")


def zone(value: str) -> str:
    """Return the name of a time zone."""
    try:
        if value in _NOT_PLACES or value.startswith(("posix/", "right/")):
            raise ValueError(value)
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a known time zone") from None
    return value


def names(value: str) -> tuple[str, ...]:
    """Return names that are separated by commas, in lower case."""
    return tuple(part.strip().lower() for part in text(value).split(",") if part.strip())


def header(value: str) -> str:
    """Return the name of a header of HTTP that is free for a use of one's own."""
    name = text(value).strip()
    # An underscore and a dash are one to servers, so that whoever sends the one would speak for the other.
    if not _HEADER.fullmatch(name) or name.lower() in _TAKEN_HEADERS:
        raise ValueError("must be the name of a header of letters, digits and dashes, such as X-Remote-User")
    return name


def networks(value: str) -> tuple[str, ...]:
    """Return addresses and networks of IP that are separated by commas."""
    found = []
    for part in names(value):
        try:
            found.append(str(ip_network(part)))
        except ValueError:
            raise ValueError(
                f"must be IP addresses or networks such as 10.0.0.5 or 10.0.0.0/24, and {part[:80]} is none"
            ) from None
    return tuple(found)


def issuer(value: str) -> str:
    """Return the address of a provider of logins, exactly as it calls itself."""
    address = text(value).strip()
    is_local = address.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:"))
    if not (address.startswith("https://") or is_local) or any(char in address for char in "?#@ "):
        raise ValueError("must be an address that begins with https://, as the provider calls itself")
    return address


def users(value: str) -> tuple[str, ...]:
    """Return users of the system, each with the least role that may let a task run as it, as NAME:ROLE."""
    found = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    if not found or not all(map(_USER.fullmatch, found)):
        raise ValueError(
            "must be names of users, each with a role behind a colon or without, such as jobs,backup:editor"
        )
    return found


def tries_store(value: str) -> str:
    """Return where tries to log in are counted: a word, or the address of a Redis."""
    place = text(value).strip()
    if place not in {"file", "memory"} and not place.startswith(_REDIS):
        raise ValueError("must be file, memory or the address of a Redis, such as redis://10.0.0.5:6379/0")
    return place


def broker(value: str) -> str:
    """Return the address of a broker."""
    place = text(value).strip()
    if not place.startswith(_BROKERS):
        raise ValueError(
            "must be the address of a RabbitMQ or a Redis, such as amqp://10.0.0.5 or redis://10.0.0.5:6379/0"
        )
    return place


def directory(value: str) -> Path:
    """Return a directory under the one name that its place has."""
    try:
        # One place has one name, however it is reached: folders and locks are found by it.
        return Path(text(value)).expanduser().resolve()
    except RuntimeError:
        raise ValueError("names a user that does not exist") from None


def folder(value: str) -> str:
    """Return a directory as a text."""
    return str(directory(value))


def file(value: str) -> str:
    """Return the path of a file as a text; a link stays one, since what it leads to may be exchanged."""
    try:
        return str(Path(text(value)).expanduser().absolute())
    except RuntimeError:
        raise ValueError("names a user that does not exist") from None


def is_key(text: str) -> bool:
    """Return whether a text can be a key: 64 hexadecimal digits, which are not all the same as those of a placeholder are."""
    return bool(_KEY.fullmatch(text)) and len(set(text)) > 1


def keys(value: str) -> str:
    """Return keys of 64 hexadecimal digits, separated by commas, in one spelling."""
    found = [part.strip().lower() for part in value.split(",") if part.strip()]
    if not found or not all(map(is_key, found)):
        raise ValueError("must be 64 hexadecimal digits, such as openssl rand -hex 32 makes; older keys behind a comma")
    return ",".join(found)


def database(value: str) -> str:
    """Return a URL, also for what is only the path of a file; paths are told from where we are."""
    place = text(value)
    return place if "://" in place or ":///" in place else f"sqlite:///{directory(place)}"


def as_text(value: object) -> str:
    """Return the text that means the value of a configuration file or of an argument."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    if not isinstance(value, str | int | Path):
        raise ValueError("must be a text, a whole number or on or off")  # noqa: TRY004 - one error for all that is wrong
    return str(value)


#: What takes a text and nothing that a file could say otherwise, such as a number.
PARSERS_OF_TEXT = (text, directory, folder, file, keys, header, zone, issuer, tries_store, broker, database)
