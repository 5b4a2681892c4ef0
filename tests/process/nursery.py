"""A program that has imported Watchbell once and forks one life of it after the other, in milliseconds each.

Reads one JSON object a line and answers each with one: ``{"do": "start", "settings": {...}, "out": PATH, "die_at": POINT}``
starts a scheduler and answers with its pid, or, with ``"queues": [...], "drain": SECONDS``, a worker of the engine;
``{"do": "serve", "arguments": ["watchbell", ...], "environment": {...}, "out": PATH}`` is ``python -m`` with these
arguments, in the folder of whoever started us, with the files ``"err"`` and ``"given"`` for standard error and input if it has these; ``{"do": "reap", "pid": PID}`` waits for its end and answers with the exit code, negative for a signal. Everything
else about a life is as in the product: its own session, its own files, its own threads, real signals.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from tests.process import points
from watchbell.config import Config
from watchbell.errors import WatchbellError
from watchbell.scheduler.main import run

Order = dict[str, Any]


def live(order: Order) -> int:
    """Be a scheduler in the forked process and return its exit code."""
    try:
        points.arm(str(order.get("die_at") or ""))
        config = Config.load(order["settings"])
        if order.get("queues"):
            # Not before it is needed: the other tests' lives stay small.
            from watchbell.scheduler import worker

            given = {"name": str(order.get("name", "worker")), "drain_seconds": float(order["drain"])}
            return worker.run(config, queues=order["queues"], **given)
        return run(config)
    except WatchbellError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 99


def serve(order: Order) -> NoReturn:
    """Be a program in the forked process, and end as one does: with all that is to be done at the end of it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.argv = order["arguments"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    sys.exit()


LIVES: dict[str, Callable[[Order], int]] = {"start": live, "serve": serve}


def warm_up() -> None:
    """Read what pages are made of, which takes seconds; only the nursery whose lives serve pages has it."""
    importlib.import_module("watchbell.cli.server")
    importlib.import_module("gunicorn.app.wsgiapp")
    from jinja2 import BytecodeCache
    from jinja2.bccache import Bucket

    from watchbell.web.factory import WatchbellApp, create_app

    class Kept(BytecodeCache):
        """The code that templates were made into, for all applications of this process and of those that it forks."""

        def __init__(self) -> None:
            self._codes: dict[str, bytes] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            if bucket.key in self._codes:
                bucket.bytecode_from_string(self._codes[bucket.key])

        def dump_bytecode(self, bucket: Bucket) -> None:
            self._codes[bucket.key] = bucket.bytecode_to_string()

    WatchbellApp.jinja_options = {**WatchbellApp.jinja_options, "bytecode_cache": Kept()}
    with tempfile.TemporaryDirectory(prefix="watchbell-nursery-") as folder:
        app = create_app(Config.load({"home": folder}, {}))
        for name in app.jinja_env.list_templates():
            app.jinja_env.get_template(name)
    assert threading.active_count() == 1, "a process that has threads cannot be forked"


def start(order: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    given = os.open(str(order.get("given", os.devnull)), os.O_RDONLY)
    out, err = (
        os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for path in (order["out"], order.get("err", order["out"]))
    )
    for number, source in enumerate((given, out, err)):
        os.dup2(source, number)
        os.close(source)
    code = LIVES[order["do"]](order)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    # The test that started us may be interrupted at the keyboard; it ends us by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "serve" in sys.argv[1:]:
        warm_up()
    gc.collect()
    gc.freeze()
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    while line := sys.stdin.buffer.raw.readline():
        order = json.loads(line)
        if order["do"] == "reap":
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])}
        else:
            answer = {"pid": start(order)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
