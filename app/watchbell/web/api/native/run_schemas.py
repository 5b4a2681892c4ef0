"""What the routes of runs take and answer with."""

from __future__ import annotations

from watchbell.domain.analysis import judgement
from watchbell.domain.catch_up import Trigger
from watchbell.domain.chains import On
from watchbell.domain.run_state import RunState
from watchbell.domain.steps import StepState
from watchbell.services.decisions import CHOICES, OPEN
from watchbell.services.output_sources import STREAMS
from watchbell.web.api import fields
from watchbell.web.api.native import schemas
from watchbell.web.run_list import CHIPS

ENCODINGS = ("text", "base64")
#: Bytes that one answer with output holds at the most.
MOST_BYTES = 256 * 1024


class Run(fields.Schema):
    """A run: one occurrence of a task, or what somebody has asked for."""

    id = fields.Whole(required=True, metadata={"example": 4711})
    task_id = fields.Whole(required=True, metadata={"example": 7})
    task_name = fields.Text(required=True, metadata={"description": "As it was then.", "example": "backup-home"})
    task_version = fields.Whole(required=True)
    state = fields.Word(list(RunState), required=True)
    reason = fields.Text(required=True, metadata={"description": "Why it is in this state, in words."})
    trigger = fields.Word(list(Trigger), required=True)
    due_at = fields.Moment(required=True)
    local_time = fields.Text(required=True, metadata={"description": "The nominal local time of a calendar moment."})
    zone = fields.Text(required=True)
    created_at = fields.Moment(required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    ended_at = fields.Moment(required=True, allow_none=True)
    duration_seconds = fields.Number(required=True, allow_none=True, metadata={"description": "Once it has ended."})
    exit_code = fields.Whole(required=True, allow_none=True)
    attempts = fields.Whole(required=True, metadata={"description": "How often it was tried to start it."})
    queue = fields.Text(required=True)
    priority = fields.Whole(required=True)
    stands_for = fields.Whole(
        required=True, metadata={"description": "How many missed occurrences the row stands for, else 1."}
    )
    requested_by = fields.Text(required=True)
    start_by = fields.Moment(required=True, allow_none=True, metadata={"description": "When it is given up."})
    retry_at = fields.Moment(required=True, allow_none=True)
    rerun_of = fields.Whole(required=True, allow_none=True)
    decision = fields.Word([OPEN, *CHOICES], required=True, allow_none=True, metadata={"description": "Of a lost run."})
    parameters = fields.Mapped(
        required=True,
        keys=fields.Text(),
        values=fields.Text(),
        metadata={
            "description": "What it was given of the parameters of its task; empty for the defaults of its version.",
            "example": {"day": "2026-11-30"},
        },
    )
    group_id = fields.Whole(
        required=True, allow_none=True, metadata={"description": "The run that began the chain of which it is a step."}
    )
    round = fields.Whole(
        required=True, metadata={"description": "In a chain: how often steps of it had been run again by then."}
    )


class GroupParent(fields.Schema):
    """A task that a step runs after."""

    task_id = fields.Whole(required=True)
    on = fields.Word(list(On), required=True)


class GroupStep(fields.Schema):
    """One task of a chain, with its newest run in it."""

    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)
    run_id = fields.Whole(required=True, allow_none=True, metadata={"description": "Null before its turn has come."})
    state = fields.Word(list(RunState), required=True, allow_none=True)
    reason = fields.Text(required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    ended_at = fields.Moment(required=True, allow_none=True)
    round = fields.Whole(required=True, allow_none=True)
    after = fields.Many(fields.Nested(GroupParent), required=True)


class RunGroup(fields.Schema):
    """The runs of a chain."""

    id = fields.Whole(required=True, metadata={"description": "The number of the run that began it."})
    task_name = fields.Text(required=True)
    began_at = fields.Moment(required=True)
    ended_at = fields.Moment(required=True, allow_none=True, metadata={"description": "Null while something goes on."})
    rounds = fields.Whole(required=True)
    critical_run_ids = fields.Many(
        fields.Whole(), required=True, metadata={"description": "The runs that took the time, the first one first."}
    )
    steps = fields.Many(fields.Nested(GroupStep), required=True)


class RerunWanted(fields.Schema):
    """How a run is repeated."""

    in_chain = fields.Flag(
        load_default=False,
        metadata={"description": "As a step of its chain: what comes after it follows. Not together with `exactly`."},
    )

    exactly = fields.Flag(
        load_default=False,
        metadata={
            "description": "By the same version and with the same values; one that is not in force needs the right to edit."
        },
    )


class Attempt(fields.Schema):
    """One real start of the command, with what it has used."""

    number = fields.Whole(required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    ended_at = fields.Moment(required=True, allow_none=True)
    exit_code = fields.Whole(required=True, allow_none=True)
    signal = fields.Whole(required=True, allow_none=True)
    reason = fields.Text(required=True)
    pid = fields.Whole(required=True, allow_none=True)
    user_seconds = fields.Number(required=True, allow_none=True)
    system_seconds = fields.Number(required=True, allow_none=True)
    max_rss_kib = fields.Whole(required=True, allow_none=True)
    minor_faults = fields.Whole(required=True, allow_none=True)
    major_faults = fields.Whole(required=True, allow_none=True)
    block_in = fields.Whole(required=True, allow_none=True)
    block_out = fields.Whole(required=True, allow_none=True)
    voluntary_switches = fields.Whole(required=True, allow_none=True)
    involuntary_switches = fields.Whole(required=True, allow_none=True)
    series = fields.Shaped(
        {"type": ["array", "null"], "items": {"type": "array", "items": {"type": "number"}}},
        required=True,
        allow_none=True,
        metadata={
            "description": "Of each kept sample: seconds since the start, CPU percent, bytes in memory, processes."
        },
    )


class Transition(fields.Schema):
    """One move of a run from state to state, or a late report beside them."""

    at = fields.Moment(required=True)
    from_state = fields.Word(list(RunState), required=True, allow_none=True)
    to_state = fields.Word(list(RunState), required=True)
    is_late_report = fields.Flag(
        required=True, metadata={"description": "Whether it tells what came home too late to count; it moves nothing."}
    )
    path = fields.Text(required=True, metadata={"description": "The states in between, if it went through several."})
    actor = fields.Text(required=True)
    reason = fields.Text(required=True)


class RunStep(fields.Schema):
    """What has become of one step in the newest attempt."""

    number = fields.Whole(required=True)
    name = fields.Text(required=True)
    state = fields.Word(list(StepState), required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    ended_at = fields.Moment(required=True, allow_none=True)
    exit_code = fields.Whole(required=True, allow_none=True)
    stdout_from = fields.Whole(required=True, allow_none=True, metadata={"description": "Where its output lies."})
    stdout_to = fields.Whole(required=True, allow_none=True)
    stderr_from = fields.Whole(required=True, allow_none=True)
    stderr_to = fields.Whole(required=True, allow_none=True)


class RunDetail(Run):
    """A run with its attempts, its transitions, its steps and the definition that was run."""

    task_exists = fields.Flag(required=True)
    attempt_list = fields.Many(fields.Nested(Attempt), required=True)
    transitions = fields.Many(fields.Nested(Transition), required=True)
    steps = fields.Many(fields.Nested(RunStep), required=True)
    definition = fields.Shaped({"type": "object"}, required=True)


class RunPage(fields.Schema):
    """A page of runs, the newest first."""

    items = fields.Many(fields.Nested(Run), required=True)
    next = schemas.following("before")
    is_partial = fields.Flag(
        required=True, metadata={"description": "Whether only so many runs were looked at; the next page goes on."}
    )
    at_least = fields.Whole(metadata={"description": "With `count`: how many there are; counting ends at 10,000."})


class RunsAsked(fields.Schema):
    """Which runs."""

    state = fields.Many(
        fields.Word(sorted({*CHIPS, *RunState})),
        load_default=list,
        metadata={"description": "May be there several times; running and queued stand for all that goes and waits."},
    )
    task = fields.words(metadata={"description": "The name of a task, or its id."})
    trigger = fields.Word(list(Trigger))
    since = fields.words(
        metadata={"description": "1h, today, 24h, 7d, 30d, a date, or a time with its offset.", "example": "24h"}
    )
    search = fields.words(metadata={"description": "Words in the name of the task or in the reason."})
    queue = fields.words(metadata={"example": "nightly"})
    decision = fields.Word([OPEN], metadata={"description": "Only lost runs that wait for a decision."})
    before = schemas.number(description="Only older runs than this: the `next` of the page before.")
    after = schemas.number(description="Only newer runs than this.")
    count = fields.Flag(texts=True, load_default=False, metadata={"description": "Also say how many there are."})
    limit = schemas.limit()


class WaitAsked(fields.Schema):
    """How long to wait."""

    timeout = schemas.seconds(description="Seconds after which the answer comes in any case.")


class OutputAsked(fields.Schema):
    """Which part of what a run has written."""

    stream = fields.Word(list(STREAMS), load_default=STREAMS[0])
    attempt = fields.Whole(
        texts=True, validate=fields.between(1, 2**31), metadata={"description": "By default the newest."}
    )
    offset = fields.Whole(
        texts=True,
        load_default=0,
        validate=fields.between(-(2**62), 2**62),
        metadata={"description": "The first byte; a negative one counts from the end."},
    )
    limit = fields.Whole(texts=True, load_default=MOST_BYTES, validate=fields.between(4, MOST_BYTES))
    wait = schemas.seconds(description="Seconds to wait until there is anything from the offset on.")
    encoding = fields.Word(
        ENCODINGS,
        load_default=ENCODINGS[0],
        metadata={"description": "As text, cut between characters, or the very bytes as base64."},
    )


class OutputText(fields.Schema):
    """A part of what a run has written."""

    text = fields.Text(
        required=True, allow_none=True, metadata={"description": "Bytes that are no UTF-8 are replaced."}
    )
    data = fields.Text(
        metadata={"description": "The bytes as base64, where that was asked for.", "example": "aGVsbG8K"}
    )
    offset = fields.Whole(required=True, metadata={"description": "Of the first byte of the text."})
    next_offset = fields.Whole(required=True, metadata={"description": "Where to go on."})
    size = fields.Whole(required=True, metadata={"description": "Bytes written so far."})
    dropped = fields.Many(
        fields.Whole(),
        required=True,
        allow_none=True,
        metadata={"description": "First byte that was not kept, and first one after it that was."},
    )
    is_complete = fields.Flag(required=True, metadata={"description": "Whether the stream cannot grow any more."})
    done = fields.Flag(required=True, metadata={"description": "Whether nothing more will come."})


class RawAsked(fields.Schema):
    """Which stream."""

    stream = fields.Word(list(STREAMS), load_default=STREAMS[0])
    attempt = fields.Whole(texts=True, validate=fields.between(1, 2**31))


class Decision(fields.Schema):
    """What is to become of a lost run."""

    choice = fields.Word(list(CHOICES), required=True)


class Finding(fields.Schema):
    """A number that left its band."""

    verdict = fields.Word(list(judgement.Verdict), required=True)
    metric = fields.Text(required=True, metadata={"example": "execution_time_seconds"})
    value = fields.Number(required=True)
    median = fields.Number(required=True)
    low = fields.Number(required=True, metadata={"description": "Where the band ends."})
    high = fields.Number(required=True)
    runs = fields.Whole(required=True, metadata={"description": "How many earlier runs the band is of."})
    slot = fields.Text(required=True, metadata={"description": "Which runs these are, where not all; else empty."})


class RunVerdict(fields.Schema):
    """What a run was like beside the earlier ones of its task."""

    run_id = fields.Whole(required=True)
    verdict = fields.Word(list(judgement.Verdict), required=True)
    reason = fields.Text(required=True, metadata={"description": "In words; empty for one that was as usual."})
    findings = fields.Many(fields.Nested(Finding), required=True)
    is_expected = fields.Flag(
        required=True, metadata={"description": "Whether somebody has said that it was as it should be."}
    )
    expected_by = fields.Text(required=True, allow_none=True)
    expected_at = fields.Moment(required=True, allow_none=True)
