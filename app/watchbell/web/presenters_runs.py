"""Runs as the pages, the JSON and the CSV show them: durations, lags and reasons worked out from the stored rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.analysis.judgement import Verdict
from watchbell.domain.analysis.usual import Unusual, Usual, usual
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import ACTIVE, IN_FLIGHT, RunState
from watchbell.domain.steps import StepResult
from watchbell.execution.outcome import signal_name
from watchbell.services.failures import Grouping
from watchbell.services.judgements import Told
from watchbell.services.runs import RunDetail
from watchbell.store.alerts import Alert
from watchbell.store.runs import Attempt, Run, RunEvent
from watchbell.web import verdict_words
from watchbell.web.i18n import _, grouped, lazy, ngettext
from watchbell.web.presenters import Outcome, RunView, run_json, run_view, state_word
from watchbell.web.told import sentence

TRIGGER_WORDS = {
    "schedule": lazy("by the schedule"),
    "manual": lazy("by hand"),
    "catch_up": lazy("to catch up"),
    "asap": lazy("as soon as possible"),
    "chain": lazy("after other tasks"),
}
CSV_COLUMNS = (
    "id", "task_id", "task_name", "state", "trigger", "due_at", "started_at", "ended_at", "duration_seconds",
    "delay_seconds", "exit_code", "attempts", "stands_for", "queue", "priority", "decision", "rerun_of", "parameters",
    "reason",
)  # fmt: skip


def run_csv(view: RunView, zone: ZoneInfo) -> dict[str, object]:
    """Return a run as a row of CSV_COLUMNS."""
    return {
        **run_json(view, zone),
        "parameters": " ".join(f"{name}={value}" for name, value in view.parameters.items()),
    }


def run_views(runs: Iterable[Run], now: datetime) -> list[RunView]:
    """Return the views of runs, in their order."""
    return [run_view(run, now) for run in runs]


def usual_seconds(rows: Sequence[RunView | Outcome]) -> float | None:
    """Return the median time that the given runs took, of those that succeeded; None if none did."""
    found = usual_of(rows)
    return found.median if found else None


def usual_of(rows: Sequence[RunView | Outcome]) -> Usual | None:
    """Return what those of the given runs that succeeded usually took; None if none did."""
    return usual(
        [row.duration_seconds for row in rows if row.state == "succeeded" and row.duration_seconds is not None]
    )


#: What has gone wrong, as the sentence about today names it.
_BAD = ("failed", "timed_out", "lost", "missed")


def today_sentence(today: Mapping[str, int]) -> str:
    """Return what the runs of today say, such as "3 failed of 128 runs today"."""
    total = sum(today.values())
    if not total:
        return _("No run yet today.")
    count = grouped(total)
    bad = [f"{grouped(today[state])} {state_word(state)}" for state in _BAD if today.get(state)]
    if bad:
        listed = _("%(first)s and %(last)s", first=", ".join(bad[:-1]), last=bad[-1]) if len(bad) > 1 else bad[0]
        head = ngettext(
            "%(bad)s of %(count)s run today.", "%(bad)s of %(count)s runs today.", total, bad=listed, count=count
        )
    else:
        head = ngettext("%(count)s run today, none failed.", "%(count)s runs today, none failed.", total, count=count)
    active = sum(today.get(state.value, 0) for state in ACTIVE)
    return head + " " + _("%(count)s not finished.", count=grouped(active)) if active else head


def exit_words(run: Run, attempt: Attempt | None) -> str:
    """Return how the command ended, for the line beside the state; empty while it goes on."""
    if attempt is not None and attempt.signal is not None:
        return _("killed by %(signal)s", signal=signal_name(attempt.signal))
    return "" if run.exit_code is None or run.ended_at is None else _("exit %(code)s", code=run.exit_code)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One entry of a run's history."""

    at: datetime
    state: str
    passed: tuple[str, ...]
    actor: str
    reason: str
    #: Seconds since the entry before.
    after_seconds: float | None
    #: Whether it tells what came home too late to count.
    is_late_report: bool = False


def history(events: Sequence[RunEvent]) -> list[Step]:
    """Return the history of a run, the first state first."""
    steps: list[Step] = []
    for event in events:
        passed = tuple(name for name in event.path.split(",") if name)
        before = steps[-1].at if steps else None
        after = max((event.at - before).total_seconds(), 0.0) if before else None
        steps.append(Step(event.at, event.to_state, passed, event.actor, event.reason, after, event.is_late_report))
    return steps


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """One series of samples as a small drawing: points for an SVG of 100 by 30, and what its ends mean."""

    label: str
    unit: str
    highest: float
    points: str
    area: str


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """What a finished or running attempt has used."""

    facts: Sequence[tuple[str, str]]
    curves: Sequence[Curve]
    samples: Sequence[tuple[float, float, float, int]]


def resources(attempt: Attempt | None) -> Resources | None:
    """Return what an attempt has used, or None if nothing is known."""
    if attempt is None:
        return None
    samples = _samples(attempt.series)
    facts = _resource_facts(attempt)
    if not samples and not facts:
        return None
    curves = []
    if len(samples) > 1:
        curves = [
            _curve(_("Processor"), "% " + _("of one core"), [(at, cpu) for at, cpu, _, _ in samples]),
            _curve(_("Memory"), "MiB", [(at, mib) for at, _, mib, _ in samples]),
        ]
    return Resources(facts, curves, samples)


def _samples(series: Sequence[object] | None) -> list[tuple[float, float, float, int]]:
    return [
        (float(entry[0]), float(entry[1]), float(entry[2]) / 1048576, int(entry[3]))
        for entry in series or ()
        if isinstance(entry, list | tuple) and len(entry) >= 4 and all(isinstance(n, int | float) for n in entry[:4])
    ]


def _resource_facts(attempt: Attempt) -> list[tuple[str, str]]:
    memory = attempt.max_rss_kib / 1024 if attempt.max_rss_kib is not None else None
    numbers: tuple[tuple[str, float | None, int | None, str], ...] = (
        (_("User time"), attempt.user_seconds, 2, " s"),
        (_("System time"), attempt.system_seconds, 2, " s"),
        (_("Most memory"), memory, 1, " MiB"),
        (_("Page faults, minor"), attempt.minor_faults, None, ""),
        (_("Page faults, major"), attempt.major_faults, None, ""),
        (_("Blocks read"), attempt.block_in, None, ""),
        (_("Blocks written"), attempt.block_out, None, ""),
        (_("Switches, voluntary"), attempt.voluntary_switches, None, ""),
        (_("Switches, involuntary"), attempt.involuntary_switches, None, ""),
    )
    return [(label, grouped(value, decimals) + unit) for label, value, decimals, unit in numbers if value is not None]


def _curve(label: str, unit: str, values: Sequence[tuple[float, float]]) -> Curve:
    last = max(values[-1][0], 0.001)
    highest = max(value for _, value in values)
    scale = highest or 1.0
    points = " ".join(f"{100 * at / last:.2f},{30 - 28 * value / scale:.2f}" for at, value in values)
    return Curve(label, unit, highest, points, f"0,30 {points} 100,30")


#: States of which it can be said that they came sooner or later than usual.
_TELLING = frozenset({RunState.SUCCEEDED.value, RunState.FAILED.value, RunState.RUNNING.value})


@dataclasses.dataclass(frozen=True, slots=True)
class RunPageView:
    """Everything that the page of one run shows."""

    run: Run
    view: RunView
    attempts: Sequence[Attempt]
    attempt: Attempt | None
    exit_words: str
    steps: Sequence[Step]
    definition: Mapping[str, object]
    task_exists: bool
    #: The run that repeats this one by a person's decision.
    rerun: Run | None
    #: The moves of the run, the first one first.
    events: Sequence[RunEvent] = ()
    #: What the finished good runs before it took.
    usual: Usual | None = None
    #: What has become of the steps of the attempt that is looked at; none for a task with a command.
    results: Sequence[StepResult] = ()
    #: What it was like beside the earlier ones, and which failures were the same; None where nobody looked.
    told: Told | None = None
    failure: Grouping | None = None
    #: What rules have said of it.
    alerts: Sequence[Alert] = ()
    #: The chain that it is a step of, by the run that began it; None for no chain.
    group_id: int | None = None

    @property
    def verdict(self) -> str:
        """Return what it was like in words; empty for one that was as usual, or of which nobody knows."""
        return verdict_words.word(self.told.judgement.verdict) if self.told and self.told.judgement.findings else ""

    @property
    def verdict_reasons(self) -> Sequence[str]:
        """Return why it was not as usual."""
        return verdict_words.reasons(self.told.judgement) if self.told else ()

    @property
    def most_attempts(self) -> int:
        """Return how many attempts the task allows a run, by the version that it used."""
        policies = self.definition.get("policies")
        return Policies.from_json(policies).retries + 1 if isinstance(policies, Mapping) else 1

    @property
    def attempt_words(self) -> str:
        """Return which attempt this is, such as "attempt 2 of 4"; empty where there is only one."""
        if max(self.run.attempts, self.most_attempts) < 2 or not self.run.attempts:
            return ""
        if self.most_attempts > 1:
            return _("attempt %(number)s of %(most)s", number=self.run.attempts, most=self.most_attempts)
        return _("attempt %(number)s", number=self.run.attempts)

    @property
    def unusual(self) -> str:
        """Return in which way the time that it took is unusual, "short" or "long"; empty where it is not, or nobody knows."""
        took = self.view.duration_seconds
        if self.told is not None and self.told.judgement.verdict is not Verdict.UNKNOWN:
            # More is known of it than how long it took, and is told by itself.
            return ""
        # One that was ended by somebody, or by its limit, took as long as it was let.
        if self.usual is None or took is None or self.run.state not in _TELLING:
            return ""
        verdict = self.usual.verdict(took)
        return str(verdict) if verdict is Unusual.LONG or (verdict and self.run.ended_at is not None) else ""

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for its turn in its queue."""
        return self.run.state == RunState.QUEUED.value

    @property
    def is_undecided(self) -> bool:
        """Return whether a person is to decide what becomes of it."""
        return self.run.decision == "open"

    @property
    def decision_words(self) -> str:
        """Return what a person has decided about it; empty where nobody had to."""
        words = {"run_again": _("It was decided to run it again."), "leave": _("It was decided to leave it.")}
        return words.get(self.run.decision or "", "")

    @property
    def is_in_flight(self) -> bool:
        """Return whether a process of it may exist."""
        return RunState(self.run.state) in IN_FLIGHT

    @property
    def reason(self) -> str:
        """Return why it is in its state, as a sentence; empty where the line above has said it already."""
        # When it is tried again stands beside it, in the zone of the page.
        reason = self.run.reason.strip().partition("; next attempt at ")[0]
        if reason in {"", "exit code 0", f"run by hand by {self.run.requested_by}"}:
            return ""
        return sentence(reason)

    @property
    def trigger_words(self) -> str:
        """Return why it was made, in words."""
        return str(TRIGGER_WORDS.get(self.run.trigger, self.run.trigger))


def run_page_view(
    detail: RunDetail,
    usual: Usual | None,
    now: datetime,
    rerun: Run | None,
    results: Sequence[StepResult] = (),
    *,
    told: Told | None = None,
    failure: Grouping | None = None,
    alerts: Sequence[Alert] = (),
    group_id: int | None = None,
) -> RunPageView:
    """Return what the page of a run shows; ``usual`` is what the task's other runs took, ``rerun`` what repeats it."""
    return RunPageView(
        run=detail.run,
        view=run_view(detail.run, now),
        attempts=detail.attempts,
        attempt=detail.attempt,
        exit_words=exit_words(detail.run, detail.attempt),
        steps=history(detail.events),
        definition=detail.definition,
        task_exists=detail.task_exists,
        rerun=rerun,
        events=detail.events,
        usual=usual,
        results=results,
        told=told,
        failure=failure,
        alerts=alerts,
        group_id=group_id,
    )


STEP_COLUMNS = (
    "number", "name", "state", "started_at", "ended_at", "duration_seconds", "exit_code", "stdout_from", "stdout_to",
    "stderr_from", "stderr_to",
)  # fmt: skip


def step_json(result: StepResult, zone: ZoneInfo) -> dict[str, object]:
    """Return a step of a run as the twins of its page show it."""
    return {
        **dataclasses.asdict(result),
        "state": result.state.value,
        "started_at": _exact(result.started_at, zone),
        "ended_at": _exact(result.ended_at, zone),
        "duration_seconds": result.duration_seconds,
    }


def _exact(moment: datetime | None, zone: ZoneInfo) -> str | None:
    # Steps may be shorter than a second.
    return moment.astimezone(zone).isoformat(timespec="milliseconds") if moment else None
