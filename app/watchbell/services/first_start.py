"""What a data directory gets when a server is started on it: a first account, and a sample task if it is new."""

from __future__ import annotations

from datetime import datetime

from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict
from watchbell.services import accounts, tasks
from watchbell.store import schema
from watchbell.store.accounts import Account
from watchbell.store.session import Database

SAMPLE_NAME = "sample-heartbeat"
# Nothing but what every Linux machine has, so that the first run of all is a green one.
SAMPLE_COMMAND = (
    "echo \"All's well: $(date '+%Y-%m-%d %H:%M:%S %Z') on $(uname -n), up $(cut -d. -f1 /proc/uptime) seconds.\""
)
_SAMPLE = {
    "name": SAMPLE_NAME,
    "command": SAMPLE_COMMAND,
    "every": "10s",
    "tags": ["sample"],
    "comment": "Made at the first start to show that everything works. Disable or delete it when you have your own.",
}
_ACTOR = "watchbell"


def prepare(db: Database, *, now: datetime, defaults: Defaults, with_sample: bool) -> Account:
    """Bring the database to this version's schema and return its first account.

    A database that was empty also gets a sample task. Raises ConfigError for a newer schema or a damaged file.
    """
    was_empty = schema.upgrade(db).current is None
    account = accounts.ensure_first(db, now=now)
    tasks.finish_deletions(db, now=now, actor=_ACTOR)
    if was_empty and with_sample:
        try:
            tasks.create(db, _SAMPLE, now=now, actor=_ACTOR, defaults=defaults)
        except Conflict:
            # Two servers have started on the same new directory at once, and the other one was faster.
            return account
    return account
