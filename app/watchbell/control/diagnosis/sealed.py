"""Secrets: whether their key is there, opens what is sealed, and whether tasks name any that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from watchbell.config import Config
from watchbell.control.diagnosis.finding import Finding, Level, ok
from watchbell.errors import KeyTrouble
from watchbell.services import secrets
from watchbell.store.session import Database

#: So many tasks or texts with the same trouble are named.
_NAMED = 5


def look_at_secrets(_config: Config, db: Database, _now: datetime) -> Iterator[Finding]:
    """Look whether what is sealed can be opened."""
    in_use = secrets.keys_in_use(db)
    place = db.box.where
    if db.box.is_open():
        yield Finding("encryption-key", Level.PROBLEM, f"everybody on this machine can read or write {place}, so it is not used",
                      f"chmod 600 {place}; if others may have read it: watchbell secret rotate-key --forget-old")  # fmt: skip
        return
    if not in_use:
        yield ok("secrets", "there are no secrets")
        return
    try:
        known = set(db.box.names())
        broken = secrets.list_broken(db)
    except KeyTrouble as error:
        yield Finding("encryption-key", Level.PROBLEM, f"{error.message} ({place})",
                      f"put {place} back from where its copy is kept; if it is lost: watchbell secret rotate-key --lost")  # fmt: skip
        return
    if broken:
        yield Finding("secret-damaged", Level.PROBLEM, f"damaged, or put in the place of others in the database: {', '.join(sorted(broken)[:_NAMED])}",
                      "set those secrets again, and ask who can write to the database")  # fmt: skip
    left = {key for key, count in in_use.items() if count > list(broken.values()).count(key)}
    unknown = sum(count for key, count in in_use.items() if key not in known)
    total = sum(in_use.values())
    if unknown:
        yield Finding("encryption-key", Level.PROBLEM, f"{unknown} of {total} sealed text(s) do not open with the keys in {place}",
                      "put the right key file back, or set the secrets of that key again: watchbell secret list names them")  # fmt: skip
    elif len(left) > 1:
        yield Finding("encryption-key-changing", Level.WARNING, "the key of the secrets was changed, and some are still sealed with the old one",
                      "watchbell secret rotate-key goes on where it stopped")  # fmt: skip
    elif not broken:
        yield ok("secrets", f"{total} sealed text(s) open with the key in {place}")


def look_at_named_secrets(_config: Config, db: Database, _now: datetime) -> Iterator[Finding]:
    """Look whether enabled tasks, or schedules of the fleet, name secrets that are not there."""
    missing = secrets.list_missing(db)
    for name, tasks in missing.items():
        shown = ", ".join(tasks[:_NAMED]) + (f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else "")
        yield Finding("secret-missing", Level.PROBLEM, f"there is no secret {name}, and these name it: {shown}",
                      f"watchbell secret set {name}, or change what names it")  # fmt: skip
