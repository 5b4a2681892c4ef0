"""Secrets: whether their key is there, opens what is sealed, and whether tasks name any that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from watchbell.config import Config
from watchbell.control.diagnosis.finding import Finding, Level, ok
from watchbell.errors import KeyTrouble
from watchbell.services import secrets
from watchbell.store.session import Database

#: So many tasks with the same trouble are named.
_NAMED = 5


def look_at_secrets(_config: Config, db: Database, _now: datetime) -> Iterator[Finding]:
    """Look whether what is sealed can be opened."""
    in_use = secrets.keys_in_use(db)
    if not in_use:
        yield ok("secrets", "there are no secrets")
        return
    place = db.box.where
    try:
        known = set(db.box.names())
    except KeyTrouble as error:
        yield Finding("encryption-key", Level.PROBLEM, f"{error.message} ({place})",
                      f"put {place} back from where its copy is kept; if it is lost: watchbell secret rotate-key --lost")  # fmt: skip
        return
    unknown = sum(count for key, count in in_use.items() if key not in known)
    total = sum(in_use.values())
    if unknown:
        yield Finding("encryption-key", Level.PROBLEM, f"{unknown} of {total} sealed text(s) do not open with the keys in {place}",
                      "put the right key file back, or set the secrets of that key again: watchbell secret list names them")  # fmt: skip
    elif len(in_use) > 1:
        yield Finding("encryption-key-changing", Level.WARNING, "the key of the secrets was changed, and some are still sealed with the old one",
                      "watchbell secret rotate-key goes on where it stopped")  # fmt: skip
    else:
        yield ok("secrets", f"{total} sealed text(s) open with the key in {place}")


def look_at_named_secrets(_config: Config, db: Database, _now: datetime) -> Iterator[Finding]:
    """Look whether enabled tasks name secrets that are not there."""
    missing = secrets.list_missing(db)
    for name, tasks in missing.items():
        shown = ", ".join(tasks[:_NAMED]) + (f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else "")
        yield Finding("secret-missing", Level.PROBLEM, f"there is no secret {name}, and these tasks name it: {shown}",
                      f"watchbell secret set {name}, or change the tasks")  # fmt: skip
