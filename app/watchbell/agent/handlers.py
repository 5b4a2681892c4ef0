"""Having the handlers of the server here, as it says that they are."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from watchbell.agent.client import Offline, Server

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class HandlerWrong(Exception):
    """A handler is not what the server said it is."""


def fetch(server: Server, told: dict[str, Any], folder: Path) -> None:
    """Have a handler in a folder as the server says that it is; raises HandlerWrong, Offline and OSError."""
    name, digest = str(told.get("name")), str(told.get("sha256"))
    if _NAME.fullmatch(name) is None:
        raise HandlerWrong(f"{name[:50]!r} is no name of a handler")
    file = folder / name
    if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
        return
    answer = server.handler(name, digest)
    if answer.is_refusal:
        raise HandlerWrong(f"the server does not give the handler {name}: {answer.error}")
    if answer.status != 200 or not isinstance(answer.body.get("script_content"), str):
        raise Offline(f"the handler {name} is not given: {answer.error}")
    content = answer.body["script_content"].encode("utf-8", "replace")
    if hashlib.sha256(content).hexdigest() != digest:
        raise HandlerWrong(f"the handler {name} is not what its digest says")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f".{name}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
