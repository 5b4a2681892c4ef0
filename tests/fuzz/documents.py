"""Readers of documents: jobs of devices, files of tasks, files of settings, messages of agents and of sockets."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.database import DEFAULTS, NOW
from tests.fuzz.fuzzing import Target
from tests.fuzz.material import texts, values
from watchbell.config import SETTINGS, Config
from watchbell.domain import agent_protocol, json_text
from watchbell.domain import job_document as jobs
from watchbell.domain.agent_protocol import Assignment, NotTrusted, Told
from watchbell.domain.task_document import to_document
from watchbell.errors import ConfigError, InputError
from watchbell.services import task_files
from watchbell.web.realtime.client import Client
from watchbell.web.realtime.messages import BadMessage, error_text, read_message, subscribed_text

_COMMANDS = [
    "df,-h", "sh,-c,cat<\"$1\",_,{{FILE}}", "echo {{A}} | grep 'x {{B}}'", "eval,{{A}}", "a\\,b,c", ",", "su,-c,{{A}}", "echo \"{{A}}", "# '{{A}}",
    "true", "bash -lc {{A}}", "\\{{A}}", "systemctl,restart,{{SERVICE_NAME}}",
]  # fmt: skip
_JOB_NAMES = [
    *("version", "steps", "finalStep", "includeStdOut", "conditions", "executionType", "schedule", "maxExecutions", "maxDurationMinutes"),
    *("reportProgress", "progressIntervalSeconds", "variables", "operation", "args", "path", "allowStdErr", "action", "name", "type", "input"),
    *("runAsUser", "ignoreStepFailure", "timeoutSeconds", "command", "handler", "key", "value", "description", "defaultValue", "A", "1.0", "0.0"),
    *("runCommand", "runHandler", "stringEqual", "interval", "cron", "cronExpression", "intervalMinutes", "recurring", "root", "default", "/opt"),
]  # fmt: skip
_HANDLER = {"type": "runHandler", "input": {"handler": "backup", "args": ["/etc", "{{A}}"], "path": "/opt"}}
_JOBS = [
    {"version": "1.0", "steps": [{"action": {"name": "look", "type": "runCommand", "input": {"command": "df,-h"}, "runAsUser": "root"}}]},
    {"version": "0.0", "operation": "install", "args": ["a", "b"], "path": "default", "allowStdErr": 3},
    {"version": "1.0", "steps": [_HANDLER], "finalStep": _HANDLER, "conditions": [{"key": "os", "value": ["linux"], "type": "stringEqual"}]},
    {"steps": [_HANDLER], "variables": {"A": {"description": "x", "defaultValue": "y"}}, "schedule": {"type": "cron", "cronExpression": "0 2 * * *"}},
]  # fmt: skip


def _take_job(given: tuple[Any, str, Mapping[str, str]]) -> None:
    document, text, variables = given
    _take_job_text(text)
    try:
        jobs.read(document)
        filled = jobs.fill_in(document, {name: variables.get(name, "x") for name in jobs.names_in(document)})
        again = jobs.read(filled, is_filled=True)
    except InputError as error:
        _told(error)
        return
    jobs.unread_in(document)
    assert jobs.names_in(filled) <= jobs.names_in(list(variables.values())), filled
    assert again.steps


def _take_job_text(text: str) -> None:
    try:
        read = json_text.read(text)
    except InputError as error:
        _told(error)
        return
    assert read.line_of("steps.0.input.command") is None or "" in read.lines
    try:
        jobs.read(read.value)
    except InputError as error:
        _told(error)


def _told(error: InputError) -> None:
    assert error.problems
    for problem in error.problems:
        assert len(f"{problem.field}: {problem.message} {problem.example}") < 2000, str(error)[:300]
        json.dumps([problem.field, problem.message]).encode()


def _documents(longest: int) -> SearchStrategy[Any]:
    word = texts([*_JOB_NAMES, *_COMMANDS], _COMMANDS, min(longest, 70_000))
    made = values(_JOB_NAMES, word)
    step = st.fixed_dictionaries(
        {
            "type": st.sampled_from(["runCommand", "runHandler"]),
            "input": st.dictionaries(st.sampled_from(["command", "handler", "args", "path"]), word | made),
        },
        optional={"name": word, "runAsUser": word, "timeoutSeconds": st.integers(-1, 10**9), "allowStdErr": made},
    )
    command = st.fixed_dictionaries({"type": st.just("runCommand"), "input": st.fixed_dictionaries({"command": word})})
    shaped = st.fixed_dictionaries(
        {"steps": st.lists(step | command | made, max_size=4)},
        optional=dict.fromkeys((*_JOB_NAMES[:1], *_JOB_NAMES[2:16]), made),
    )
    changed = st.tuples(st.sampled_from(_JOBS), st.sampled_from(_JOB_NAMES), made).map(
        lambda part: {**part[0], part[1]: part[2]}
    )
    document = shaped | changed | made
    signs = [
        '{"steps": [',
        '{"',
        '": ',
        "[",
        "]",
        "}",
        ",",
        '"',
        "\\u00",
        "\\ud800",
        "1",
        "-",
        "e9",
        ".0",
        "true",
        " ",
        "\n",
        *_JOB_NAMES,
    ]
    text = texts(signs, [json.dumps(one) for one in _JOBS], longest)
    variables = st.dictionaries(st.sampled_from(["A", "B", "FILE", "SERVICE_NAME"]), word, max_size=3)
    return st.tuples(document, text, variables)


_TASKS = """\
watchbell: 1
queues:
- name: database
  max_running: 2
tasks:
- name: backup
  command: |
    tar c /home
    echo done
  comment: "a\\x85b"
  schedule: {cron: ["30 2 * * *"], zone: Europe/Berlin}
  policies: {retries: 3, retry_on: "1, 75-79, timeout", gates: "cpu_max < 80"}
  environment: {A: "x", PASSWORD: "${secret:db}"}
  tags: [daily]
- name: steps
  steps:
  - {name: a, command: true, timeout_seconds: 5}
  schedule: {every: 5m}
"""
_TASK_SIGNS = [
    "watchbell: 1\n", "tasks:\n", "- ", "name: ", "command: ", "schedule:", "  ", "\n", "{", "}", "[", "]", ": ", ", ", "|", ">", "&a ", "*a", "!!python/object:os.system ",
    "!x ", "<<: ", "? ", "---\n", "...\n", "%YAML 1.1\n", '"', "'", "policies", "cron", "every", "at", "steps", "tags", "environment", "1", "true", "~", "0x1f",
    '{"watchbell": 1, "tasks": [', '{"name": "a", "command": "b"}', '"name"', "queues:\n", "max_running: ", "\t", "{a: ", "[a, ", '{"a": 1, ', "\x85", "? ? a:\n",
]  # fmt: skip


def _take_tasks(text: str) -> None:
    try:
        document = task_files.read(text)
    except InputError as error:
        for problem in error.problems:
            assert len(problem.field) + len(problem.message) < 2000, str(error)[:300]
        return
    definitions = []
    for entry in document.tasks[:50]:
        try:
            definitions.append(document.definition(entry, now=NOW, defaults=DEFAULTS, earlier=None))
        except InputError as error:
            _told(error)
    for kind in task_files.FORMATS:
        again = task_files.read(task_files.write(to_document(definitions), kind))
        made = [again.definition(entry, now=NOW, defaults=DEFAULTS, earlier=None) for entry in again.tasks]
        assert made == definitions, (kind, definitions)


def _task_files(longest: int) -> SearchStrategy[str]:
    return texts(
        _TASK_SIGNS,
        [_TASKS, json.dumps({"watchbell": 1, "tasks": [{"name": "a", "command": "b", "steps": []}]})],
        longest,
    )


_SETTINGS_SAMPLES = [
    'port = 8080\nzone = "Europe/Berlin"\nallowed_hosts = ["bell.example.org", "b"]\nauth = "on"\n',
    "# taken over\ndb_path = /srv/jobs/watchbell.db\nlog_dir = /var/log/jobs\ngateway_enabled = yes\ngateway_port = 6060\n",
    'login_header = "X-Remote-User"\nlogin_header_from = "10.0.0.0/24, ::1"\noidc_issuer = "https://id.example.org"\nsecret_key = "x"\n',
]


def _take_settings(given: tuple[bytes, bool, str, str]) -> None:
    data, is_toml, name, value = given
    file = _folder() / ("watchbell.toml" if is_toml else "settings.ini")
    file.write_bytes(data)
    file.chmod(0o600)
    environment = {} if "\0" in value else {name: value}
    for source in ({"config": str(file)}, {"config": None, "home": str(_folder() / "none")}):
        try:
            Config.load(source, environment)
        except ConfigError as error:
            assert len(str(error)) < 2000, str(error)[:300]


def _folder() -> Path:
    """Return a folder of this process, in memory where there is such a place."""
    if not _made:
        shared = Path("/dev/shm")
        _made.append(tempfile.TemporaryDirectory(prefix="watchbell-fuzz-", dir=shared if shared.is_dir() else None))
    return Path(_made[0].name)


_made: list[tempfile.TemporaryDirectory[str]] = []


def _settings(longest: int) -> SearchStrategy[Any]:
    names = [setting.name for setting in SETTINGS]
    signs = [
        *names,
        "=",
        " = ",
        '"',
        "'",
        "[",
        "]",
        "\n",
        "#",
        "on",
        "off",
        "0",
        "8080",
        "~",
        "~nobody",
        "/",
        "..",
        "sqlite:///",
        "\\u0000",
        "[[a]]\n",
        "{a=1}",
        "2030-01-01",
    ]
    text = texts(signs, _SETTINGS_SAMPLES, longest)
    word = texts(signs, ["Europe/Berlin", "10.0.0.0/24", "https://a"], min(longest, 100_000))
    raw = st.binary(max_size=60) | text.map(lambda one: one.encode("utf-8", "surrogatepass"))
    variables = st.sampled_from([setting.env[0] for setting in SETTINGS])
    return st.tuples(raw, st.booleans(), variables, word)


_KEY = agent_protocol.signing_key("s" * 64, "device-1", "salt")
_SEALED = agent_protocol.seal(
    Told(Assignment("job-1", 2, 7, {"document": {"steps": ["ü"]}, "timeout_seconds": 60}), ("job-2",)),
    key=_KEY, device="device-1", nonce="0" * 32, now=NOW,
)  # fmt: skip


def _take_answer(answer: Mapping[str, Any]) -> None:
    how = {"key": _KEY, "device": "device-1", "nonce": "0" * 32, "elapsed_seconds": 0.5}
    try:
        told = agent_protocol.unseal(answer, **how)  # type: ignore[arg-type]
    except NotTrusted:
        return
    # Whatever else was sent beside it, only what was signed is believed.
    signed = {name: answer[name] for name in ("envelope", "signature")}
    assert signed == {name: _SEALED[name] for name in signed}
    assert told.assignment is not None
    assert told.assignment.payload["timeout_seconds"] == 60


def _answers(longest: int) -> SearchStrategy[Any]:
    samples = [_SEALED["envelope"], _SEALED["payload"], _SEALED["signature"]]
    word = texts(['{"', '":', "device-1", "null", "payload_sha256", "version", "1"], samples, longest)
    value = values(["envelope", "signature", "payload", *samples], word)
    changed = st.dictionaries(st.sampled_from(["envelope", "signature", "payload", "x"]), word | value, max_size=3)
    return changed.map(lambda more: {**_SEALED, **more}) | changed


def _take_message(given: tuple[str, bytes]) -> None:
    text, raw = given
    try:
        said = read_message(text)
    except BadMessage as error:
        assert len(error_text(NOW, error.code, error.words)) < 1000
    else:
        if hasattr(said, "takes"):
            subscribed_text(NOW, said)
    _take_frames(raw)


def _take_frames(raw: bytes) -> None:
    """Let a client of the hub hear bytes that may be no frames at all."""
    ours, theirs = socket.socketpair()
    client = Client(ours, b"HTTP/1.1 101 Switching Protocols\r\n\r\n", credential="", resume=None, now=0.0)
    try:
        theirs.sendall(raw[:60_000] or b"\x81\x00")
        for _ in range(5):
            for said in client.read():
                if isinstance(said, str):
                    _answered(said)
            client.send()
        client.close(1001, "going away", now=1.0)
        client.send()
    finally:
        client.drop()
        theirs.close()


def _answered(text: str) -> None:
    try:
        read_message(text)
    except BadMessage:
        return  # Which is what a client is told.


def _frame(kind: int, data: bytes, mask: bytes = b"\1\2\3\4") -> bytes:
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data[:2000]))
    size = bytes([0x80 | len(masked)]) if len(masked) < 126 else b"\xfe" + len(masked).to_bytes(2, "big")
    return bytes([kind]) + size + mask + masked


def _messages(longest: int) -> SearchStrategy[Any]:
    signs = [
        '{"type": "',
        "ping",
        "resume",
        "subscribe",
        "subscribe:jobs",
        '"',
        ', "after": ',
        '"tasks": [',
        '"types": ',
        '"device": ',
        "}",
        "null",
        "1",
        "job_failed",
    ]
    samples = [
        '{"type": "ping"}',
        '{"type": "resume", "after": 4711}',
        '{"type": "subscribe", "tasks": ["a"], "types": ["job_failed"]}',
        '{"type": "subscribe:jobs", "device": "u"}',
    ]
    text = texts(signs, samples, longest)
    data = st.binary(max_size=200) | text.map(lambda one: one.encode("utf-8", "surrogatepass"))
    frames = st.lists(
        st.builds(_frame, st.sampled_from([0x81, 0x82, 0x88, 0x89, 0x8A, 0x01, 0x00, 0x80, 0xC1, 0xFF]), data),
        max_size=4,
    )
    return st.tuples(text, frames.map(b"".join) | st.binary(max_size=300))


TARGETS = (
    Target("job documents", _documents, _take_job, 1_000_000),
    # As many names and values as YAML may hold take their reader three seconds.
    Target("transfer files", _task_files, _take_tasks, 8_000_000, most_seconds=4.0),
    Target("settings", _settings, _take_settings, 1_000_000),
    Target("agent answers", _answers, _take_answer, 200_000),
    Target("socket messages", _messages, _take_message, 16_384),
)
