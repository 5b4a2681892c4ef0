"""What agents send and are answered."""

from __future__ import annotations

import re
from collections.abc import Callable

import marshmallow
from marshmallow import validate

from watchbell.domain.agent_protocol import MOST_EARLIER
from watchbell.domain.carried import KEY_LIMIT, Outcome
from watchbell.domain.fleet_state import DeviceJobState, wire_word
from watchbell.services.carried import MOST_CARRIED
from watchbell.services.device_jobs import REPORT_ID_LIMIT
from watchbell.web.api import fields

_STATES = [wire_word(state) for state in DeviceJobState]
_HIGHEST = 2**31 - 1
_MOST_ADDRESSES = 16


def _fits(pattern: str, words: str) -> Callable[[str], None]:
    """Return the rule that a text is of a form from its beginning to its end."""

    def check(text: str) -> None:
        if re.fullmatch(pattern, text) is None:
            raise marshmallow.ValidationError(words)

    return check


_ADDRESS = _fits(r"[0-9A-Fa-f.:%a-z]{2,60}", "must be an address")
_ZONE = _fits(r"[A-Za-z0-9_+/-]{1,64}", "must be the name of a time zone")
_PLACE = _fits(r"(?:[0-9a-f]{16,64})?/[0-9a-f]{16,64}|", "must be marks of a machine and a folder")
_NUMBER = _fits(r"[0-9a-f]{16,64}", "must be 16 to 64 hexadecimal digits")


def _check_printable(text: str) -> None:
    if not text.isprintable():
        raise marshmallow.ValidationError("must be printable characters on one line")


def _drawn(**how: object) -> fields.Text:
    """Return a field for a number that an agent has drawn."""
    return fields.Text(required=True, validate=_NUMBER, metadata={"example": "0f1e2d3c4b5a6978", **how})


def _bytes() -> fields.Whole:
    return fields.Whole(validate=fields.between(0, 2**62), metadata={"example": 1_073_741_824})


class Held(fields.Schema):
    """What an agent is at."""

    job_id = fields.Text(required=True, validate=fields.long(1, 100))
    fence = fields.Whole(required=True, validate=fields.between(1, _HIGHEST))


def _word(most: int, example: str) -> fields.Text:
    """Return a field for a text on one line."""
    return fields.Text(validate=[fields.long(1, most), _check_printable], metadata={"example": example})


def _addresses(example: str) -> fields.Many:
    return fields.Many(
        fields.Text(validate=_ADDRESS), validate=fields.long_list(_MOST_ADDRESSES), metadata={"example": [example]}
    )


class Facts(fields.Schema):
    """What an agent tells of its machine; what a machine does not know is absent."""

    hostname = _word(255, "pi-kitchen")
    os = _word(255, "Debian GNU/Linux 12 (bookworm)")
    kernel = _word(255, "Linux 6.1.0")
    architecture = _word(64, "aarch64")
    python = _word(64, "3.11.2")
    agent_version = _word(64, "0.1.0")
    boot_id = _word(64, "8479359e-dbeb-4858-813c-e8a9008dde04")
    zone = fields.Text(validate=_ZONE, metadata={"example": "Europe/Berlin"})
    cpus = fields.Whole(validate=fields.between(1, 65_536), metadata={"example": 4})
    addresses = _addresses("10.0.0.7")
    mac_addresses = _addresses("dc:a6:32:00:00:01")
    uptime_seconds = fields.Whole(validate=fields.between(0, _HIGHEST), metadata={"example": 86_400})
    load_averages = fields.Many(
        fields.Number(validate=fields.between(0, 1_000_000)),
        validate=validate.Length(equal=3, error="must be three numbers"),
        metadata={"example": [0.1, 0.2, 0.1]},
    )
    memory_total_bytes = _bytes()
    memory_available_bytes = _bytes()
    disk_total_bytes = _bytes()
    disk_free_bytes = _bytes()


class Carried(fields.Schema):
    """A schedule that a device carries."""

    schedule_id = fields.Text(required=True, validate=fields.long(1, 100))
    version = fields.Whole(required=True, validate=fields.between(1, _HIGHEST), metadata={"example": 1})


class Asking(fields.Schema):
    """What an agent says when it asks for a job."""

    incarnation = _drawn(description="A number that the process has drawn when it began.")
    earlier = fields.Many(
        fields.Text(validate=_NUMBER),
        load_default=list,
        validate=fields.long_list(MOST_EARLIER),
        metadata={"description": "Those of the processes before it that may have been heard of."},
    )
    seq = fields.Whole(
        required=True,
        validate=fields.between(1, _HIGHEST),
        metadata={"description": "Grows with each request of the process.", "example": 1},
    )
    nonce = _drawn(description="Drawn for this request; the answer carries it under its signature.")
    distrust = fields.Text(
        load_default="",
        validate=fields.long(0, 200),
        metadata={"description": "Why it has not acted on the last answer, if it has not."},
    )
    clock = fields.Moment(load_default=None, allow_none=True, metadata={"description": "What its clock says."})
    round_trip_ms = fields.Whole(
        load_default=None,
        allow_none=True,
        validate=fields.between(0, 3_600_000),
        metadata={"description": "How long its last request took."},
    )
    facts = fields.Nested(
        Facts, load_default=None, allow_none=True, metadata={"description": "If anything of them has changed."}
    )
    knows = fields.Many(
        _word(50, "step-environment"),
        load_default=list,
        validate=fields.long_list(50),
        metadata={
            "description": "What the agent knows beside what every one does. A job whose steps have an `environment` is rejected "
            "for an agent that does not say `step-environment`.",
            "example": ["step-environment"],
        },
    )
    holds = fields.Nested(Held, load_default=None, allow_none=True, metadata={"description": "The job that it is at."})
    carries = fields.Many(
        fields.Nested(Carried),
        load_default=None,
        allow_none=True,
        validate=fields.long_list(2 * MOST_CARRIED),
        metadata={"description": "The schedules that it carries; whoever says it is told which ones it is to carry."},
    )
    is_at_carried = fields.Flag(
        load_default=False,
        metadata={"description": "Whether it is at something that it carries; it is given no job then."},
    )


class AskingForSchedule(fields.Schema):
    """Which schedule an agent asks for that it is to carry."""

    incarnation = _drawn(description="As in the poll before.")
    nonce = _drawn(description="Drawn for this request; the answer carries it under its signature.")
    schedule_id = fields.Text(required=True, validate=fields.long(1, 100))


class Moment(fields.Schema):
    """What has become of a moment of a schedule that the device carries."""

    schedule_id = fields.Text(required=True, validate=fields.long(1, 100))
    version = fields.Whole(required=True, validate=fields.between(1, _HIGHEST), metadata={"example": 1})
    key = fields.Text(
        required=True,
        validate=[fields.long(1, 2 * KEY_LIMIT), _check_printable],
        metadata={"description": "Of a calendar the local time.", "example": "cal:2026-12-01T02:00:00/0"},
    )
    due_at = fields.Moment(required=True)
    outcome = fields.Word([one.value for one in Outcome], required=True, metadata={"example": "run"})
    reason = fields.Output(load_default="")
    stands_for = fields.Whole(load_default=1, validate=fields.between(1, _HIGHEST))
    status = fields.Word(
        [wire_word(one) for one in (DeviceJobState.SUCCEEDED, DeviceJobState.FAILED, DeviceJobState.REJECTED)],
        load_default=wire_word(DeviceJobState.SUCCEEDED),
        metadata={"description": "Of one that was run: how that has ended."},
    )
    began_at = fields.Moment(load_default=None, allow_none=True)
    exit_code = fields.Whole(allow_none=True, validate=fields.between(-(2**31), _HIGHEST), metadata={"example": 0})
    stdout = fields.Output(allow_none=True)
    stderr = fields.Output(allow_none=True)
    failure = fields.Output(allow_none=True, metadata={"description": "Why it has failed."})
    executed_steps = fields.Whole(allow_none=True, validate=fields.between(0, 1000))
    failed_step = fields.Output(allow_none=True)


class TellingMoments(fields.Schema):
    """What an agent tells of moments."""

    incarnation = _drawn(description="As in the poll before.")
    moments = fields.Many(fields.Nested(Moment), required=True, validate=fields.long_list(100))


class MomentsTold(fields.Schema):
    """What was taken of it."""

    known = fields.Many(
        fields.Flag(),
        required=True,
        metadata={
            "description": "Of each in its turn, whether the device was ever given that version of that schedule."
        },
    )


class Sealed(fields.Schema):
    """What an agent is told, under a signature for this device and this request."""

    envelope = fields.Text(
        required=True,
        metadata={
            "description": "JSON as a text, which is signed as it stands: `version`, `device`, `nonce`, `issued_at`, "
            "`valid_seconds`, `cancelled`, `carried`, the schedules to carry with their versions, and `assignment` with "
            "`job_id`, `attempt`, `fence`, `expires_at` and `payload_sha256`; of a schedule `schedule_sha256`."
        },
    )
    signature = fields.Text(
        required=True,
        metadata={"description": "HMAC-SHA256, hexadecimal, of `watchbell agent answer v1\\n` and the envelope."},
    )
    payload = fields.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "JSON as a text: `job_name`, `document`, `timeout_seconds` and `handlers` of the assignment, and "
            "`secrets` with the values of those that the document names, by name; or the schedule."
        },
    )


class Reporting(fields.Schema):
    """What an agent says of a job; what is absent stays as it is."""

    report_id = fields.Text(
        required=True,
        validate=fields.long(1, REPORT_ID_LIMIT),
        metadata={"description": "Of the agent's own; under it the report is taken once."},
    )
    job_id = fields.Text(required=True, validate=fields.long(1, 100))
    fence = fields.Whole(required=True, validate=fields.between(1, _HIGHEST), metadata={"example": 1})
    incarnation = _drawn()
    place = fields.Text(
        load_default="",
        validate=_PLACE,
        metadata={
            "description": "Marks of the machine, if it has a name, and of the folder of the agent since the machine was started, "
            "with a stroke between them. What one process has begun, only that one ends, or the next in the same place; another "
            "one once the first is not heard of.",
            "example": "0f1e2d3c4b5a6978/8796a5b4c3d2e1f0",
        },
    )
    status = fields.Word(_STATES, required=True, metadata={"example": "SUCCEEDED"})
    exit_code = fields.Whole(allow_none=True, validate=fields.between(-(2**31), _HIGHEST), metadata={"example": 0})
    stdout = fields.Output(allow_none=True)
    stderr = fields.Output(allow_none=True)
    reason = fields.Output(allow_none=True)
    executed_steps = fields.Whole(allow_none=True, validate=fields.between(0, 1000))
    failed_step = fields.Output(allow_none=True)
    status_details = fields.Mapped(allow_none=True, metadata={"example": {"message": "Job execution started"}})
    step_timeout_seconds = fields.Whole(allow_none=True, validate=fields.between(1, 604_800))


class Reported(fields.Schema):
    """What has become of the job by a report."""

    job_id = fields.Text(required=True)
    status = fields.Word(_STATES, required=True)
    version_number = fields.Whole(required=True)


class ScriptAsked(fields.Schema):
    """Which script of a handler."""

    sha256 = fields.Text(metadata={"description": "The digest that the job told; by default the script as it is now."})


class Script(fields.Schema):
    """A handler."""

    name = fields.Text(required=True, metadata={"example": "download-file"})
    sha256 = fields.Text(required=True)
    script_content = fields.Text(required=True)
