"""A client for Watchbell's own API, for scripts that drive a server elsewhere.

    from watchbell.client import Client

    with Client("http://127.0.0.1:5000", token="wb_…") as bell:
        task = bell.create_task("backup", "tar czf /tmp/home.tgz ~", cron="30 2 * * *")
        run = bell.wait(bell.run_task(task.id).id)
        print(run.state, run.exit_code)

It asks for no more than the standard library and urllib3, and knows nothing of the server but its addresses.
"""

from __future__ import annotations

from watchbell.client.api import Client
from watchbell.client.rows import Event, OutputPart, Run, Task
from watchbell.errors import Conflict, InputError, NotAllowed, NotFound, Unavailable, VersionConflict, WatchbellError

__all__ = [
    "Client",
    "Conflict",
    "Event",
    "InputError",
    "NotAllowed",
    "NotFound",
    "OutputPart",
    "Run",
    "Task",
    "Unavailable",
    "VersionConflict",
    "WatchbellError",
]
