"""A run as a bundle of files that runs it again elsewhere, and says what it was and what it wrote."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from watchbell.domain import reproduction
from watchbell.domain.masking import mask_all
from watchbell.domain.reproduction import Ran
from watchbell.domain.task_definition import TaskDefinition
from watchbell.domain.task_document import to_document
from watchbell.errors import NotFound
from watchbell.services import parameters, runs
from watchbell.services.output_sources import STREAMS
from watchbell.services.runs import RunDetail
from watchbell.services.streams import OutputGone, OutputWithheld, Stream
from watchbell.store import heartbeats
from watchbell.store.session import Database
from watchbell.version import __version__

#: Of a longer stream only the beginning is in a bundle.
MOST_OUTPUT = 64 * 1024 * 1024
#: A bundle below this is made in memory.
_IN_MEMORY = 4 * 1024 * 1024
_PART = 256 * 1024
_RUN = (
    "id", "task_id", "task_name", "task_version", "trigger", "due_at", "local_time", "zone", "state", "reason", "requested_by",
    "attempts", "created_at", "started_at", "ended_at", "exit_code", "queue", "priority", "rerun_of",
)  # fmt: skip
_ATTEMPT = (
    "number", "started_at", "ended_at", "exit_code", "signal", "reason", "user_seconds", "system_seconds", "max_rss_kib",
)  # fmt: skip


def write(db: Database, run_id: int, *, output_path: Path, base: Mapping[str, str]) -> IO[bytes]:
    """Return the bundle of a run as an open file, at its beginning; ``base`` is the environment that commands inherit.

    Raises NotFound if there is no such run, or its version of the task is not kept.
    """
    detail = runs.get_detail(db, run_id)
    if not detail.definition:
        raise NotFound(f"the version of the task that run {run_id} ran is not kept any more")
    definition = TaskDefinition.from_json(detail.definition)
    ran = _ran(detail, definition, {name: base[name] for name in reproduction.BASE if name in base})
    found = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it.
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in _texts(db, detail, definition, ran):
            _put(bundle, f"run-{run_id}/{name}", text.encode(), detail, is_program=name == "run.sh")
        for stream in STREAMS:
            _put_output(bundle, f"run-{run_id}/output/{stream}", Stream(db, output_path, run_id, stream), detail)
    found.seek(0)
    return found


def _ran(detail: RunDetail, definition: TaskDefinition, base: Mapping[str, str]) -> Ran:
    run = detail.run
    told = {
        "WATCHBELL_RUN_ID": str(run.id),
        "WATCHBELL_TASK": run.task_name,
        "WATCHBELL_ATTEMPT": str(max(run.attempts, 1)),
        "WATCHBELL_SCHEDULED_FOR": run.due_at.isoformat(),
    }
    return Ran(
        command=definition.command,
        steps=definition.steps,
        directory=definition.directory,
        environment=definition.variables,
        parameters=definition.parameters,
        values={one.name: one.value for one in parameters.told(detail.definition, run.parameters)},
        policies=definition.policies,
        told=told,
        base=base,
    )


def _texts(db: Database, detail: RunDetail, definition: TaskDefinition, ran: Ran) -> Iterator[tuple[str, str]]:
    variables = reproduction.variables_of(ran)
    yield "README.md", _readme(detail, ran, variables.wanted)
    yield "run.sh", reproduction.script_of(ran)
    yield "environment.sh", "\n".join(variables.lines) + "\n"
    argv = reproduction.argv_of(ran)
    yield "command.json", _json({"argv": argv, "steps": [step.to_json() for step in ran.steps], "command": ran.command})
    yield from ran.scripts.items()
    yield "parameters.json", _json(dict(ran.values))
    yield "limits.json", _json(definition.policies.to_json())
    facts = {name: getattr(detail.run, name) for name in _RUN}
    tries = [{name: getattr(attempt, name) for name in _ATTEMPT} for attempt in detail.attempts]
    yield "run.json", _json({**facts, "attempt_list": tries, "host": _host(db, detail), "watchbell": __version__})
    # Its sets as they were for this run, written out with its own variables: elsewhere there are others of their names.
    alone = definition.standing_alone()
    document = to_document([dataclasses.replace(alone, environment=mask_all(alone.environment))])
    yield "task.json", _json(document)


def _host(db: Database, detail: RunDetail) -> Mapping[str, str] | None:
    """Return where the newest attempt ran and as whom, as far as its scheduler is still known."""
    if detail.attempt is None:
        return None
    with db.read() as session:
        lives = heartbeats.list_schedulers(session, [detail.attempt.holder])
    names = ("host", "user", "environment", "version")
    return {name: str(getattr(lives[0], name)) for name in names} if lives else None


def _readme(detail: RunDetail, ran: Ran, wanted: Mapping[str, str]) -> str:
    run = detail.run
    asked = "\n".join(f"    {name}: {what}" for name, what in wanted.items())
    told = f"- {', '.join(f'`{name}`' for name in ran.scripts)}: what {ran.policies.interpreter} is given.\n"
    scripts = told if ran.scripts else ""
    return f"""# Run {run.id} of {run.task_name}

What version {run.task_version} of the task ran, to be run again elsewhere:

    {"".join(f"{name}=... " for name in wanted)}sh run.sh
{
        f'''
No secret is in here. Set these first:

{asked}
'''
        if wanted
        else ""
    }
- `run.sh` changes to {ran.directory or "the home directory"} and runs the command with its time limit; it needs a POSIX
  shell and `timeout`.
- `environment.sh` sets the variables of the task, of its environment sets and its parameters, what the run was told of itself, and of the machine
  PATH, language and time zone.
{scripts}- `command.json` has the arguments, `parameters.json` the values, `limits.json` the limits and policies.
- `run.json` says how the run ended, when, on which host, and what it used.
- `output/` holds what is kept of its output, as it was, with secrets masked.
- `task.json` is the task, for `watchbell import`; values that look like secrets are masked in it.
"""


def _put_output(bundle: zipfile.ZipFile, name: str, stream: Stream, detail: RunDetail) -> None:
    try:
        first = stream.read(0, _PART)
    except (OutputGone, OutputWithheld) as error:
        _put(bundle, f"{name}.missing", f"{error.message}\n".encode(), detail)
        return
    if not first.slice.size:
        return
    written = 0
    with bundle.open(_entry(name, detail), "w", force_zip64=True) as file:
        for chunk in stream.chunks(first):
            file.write(chunk[: MOST_OUTPUT - written])
            written += len(chunk)
            if written >= MOST_OUTPUT:
                break


def _put(bundle: zipfile.ZipFile, name: str, data: bytes, detail: RunDetail, *, is_program: bool = False) -> None:
    entry = _entry(name, detail)
    entry.external_attr = (0o755 if is_program else 0o644) << 16
    bundle.writestr(entry, data, zipfile.ZIP_DEFLATED)


def _entry(name: str, detail: RunDetail) -> zipfile.ZipInfo:
    at = detail.run.created_at
    entry = zipfile.ZipInfo(name, date_time=(at.year, at.month, at.day, at.hour, at.minute, at.second))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
