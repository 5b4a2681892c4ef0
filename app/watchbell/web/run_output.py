"""What the tab "Output" of a run's page shows: which attempt, step and stream are chosen, and what is looked for in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import request

from watchbell.domain.steps import MOST_STEPS, StepResult
from watchbell.errors import InputError, NotFound
from watchbell.services import output_search, runs, steps
from watchbell.services.both_streams import BothStreams
from watchbell.services.output_search import Found, Line
from watchbell.services.output_sources import STREAMS
from watchbell.services.runs import RunDetail
from watchbell.store.runs import Attempt
from watchbell.web import both_outputs, current, outputs, query, step_outputs
from watchbell.web.db import database
from watchbell.web.presenters_runs import RunPageView

BOTH = "both"
_HIGHEST_LINE = 2**40
#: Of a line this much is shown around the one that an address names.
_LONGEST_SHOWN = 5000


def context(page: RunPageView) -> Mapping[str, object]:
    """Return what the template of the tab wants."""
    asked = query.text(request.args, "stream") or _telling_stream(page)
    shown = query.word({"stream": asked}, "stream", (*STREAMS, BOTH), "stdout")
    names = STREAMS if shown == BOTH else (shown,)
    words = query.text(request.args, "find")
    has_any = page.attempt is not None
    return {
        "stream": shown,
        "excerpts": {name: outputs.excerpt(stream_of(page.run.id, name)) for name in names} if has_any else {},
        "together": _together(page.run.id) if shown == BOTH and has_any else None,
        "find": words,
        "found": _found(page.run.id, names, words) if words and has_any else (),
        "around": _around(page.run.id, shown) if has_any and shown != BOTH else (),
        "line": _line(),
        **chosen(),
    }


def chosen() -> dict[str, object]:
    """Return which attempt and step the address names."""
    return {"chosen_attempt": attempt_number(), "chosen_step": step_number()}


def attempt_number() -> int | None:
    """Return the number of the attempt that the address names, if it does."""
    return query.whole(request.args, "attempt", 0, 0, 2**31) or None


def step_number() -> int | None:
    """Return the number of the step that the address names, if it does."""
    return query.whole(request.args, "step", 0, 0, MOST_STEPS) or None


def chosen_attempt(page: RunPageView) -> Attempt | None:
    """Return the attempt that the address names, else the newest one."""
    number = attempt_number()
    found = [attempt for attempt in page.attempts if attempt.number == number]
    return found[0] if found else page.attempt


def steps_of(found: RunDetail) -> list[StepResult]:
    """Return what has become of the steps of the chosen attempt."""
    return steps.list_of(database(), found, attempt_number())


def stream_of(run_id: int, stream: str) -> outputs.Stream:
    """Return a stream of the chosen attempt, or of its chosen step."""
    if stream not in STREAMS:
        raise InputError.of("stream", "must be stdout or stderr", "stdout")
    whole = outputs.Stream(database(), current.config().output_path, run_id, stream, attempt_number())
    number = step_number()
    found = steps_of(runs.get_detail(database(), run_id)) if number else []
    return step_outputs.part_of(whole, stream, found, number) if number else whole


def both_of(run_id: int) -> BothStreams:
    """Return both streams of the chosen attempt, or of its chosen step."""
    number = step_number()
    found = steps_of(runs.get_detail(database(), run_id)) if number else []
    if number and number > len(found):
        raise NotFound(f"this run has no step {number}")
    part = both_outputs.part_of(found[number - 1]) if number else both_outputs.WHOLE
    return BothStreams(database(), current.config().output_path, run_id, attempt_number(), part)


def _together(run_id: int) -> both_outputs.Shown | None:
    try:
        return both_outputs.excerpt(both_of(run_id), current.now())
    except outputs.OutputGone:
        # Each stream says so itself.
        return None


def _found(run_id: int, names: Sequence[str], words: str) -> list[Found]:
    found = []
    for name in names:
        try:
            found.append(output_search.find(stream_of(run_id, name), name, words))
        except outputs.OutputGone:
            # The page says so in the place of the output.
            continue
    return found


def _around(run_id: int, stream: str) -> Sequence[Line]:
    number = _line()
    if not number:
        return ()
    try:
        lines = output_search.lines_around(stream_of(run_id, stream), number)
    except outputs.OutputGone:
        return ()
    return [Line(line.number, line.text[:_LONGEST_SHOWN]) for line in lines]


def _line() -> int:
    return query.whole(request.args, "line", 0, 0, _HIGHEST_LINE)


def _telling_stream(page: RunPageView) -> str:
    """Return the stream to open with: a command that has ended and wrote only to stderr is read there."""
    if page.attempt is None:
        return "stdout"
    stdout, stderr = (outputs.excerpt(stream_of(page.run.id, name)) for name in STREAMS)
    is_told_by_stderr = stdout.is_complete and not stdout.is_gone and not stdout.size and stderr.size
    return "stderr" if is_told_by_stderr else "stdout"
