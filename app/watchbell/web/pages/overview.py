"""The first page: is everything all right, what goes on, what comes next."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.blackouts import marker
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence
from watchbell.errors import Conflict
from watchbell.services import attention, blackouts, decisions, fleet_glance, runs, tasks, upcoming
from watchbell.services.attention import Trouble
from watchbell.services.runs import Overview, RunFilter
from watchbell.store.fleet_glance import Glance
from watchbell.store.tasks import Task
from watchbell.web import current, glimpses, i18n, pausing, presenters, query
from watchbell.web import tab_marks as marks
from watchbell.web.db import database
from watchbell.web.glimpses import Going
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.log_lines import last_lines
from watchbell.web.pausing import PauseView
from watchbell.web.pictures.strip import Strip
from watchbell.web.presenters import RunView, local_text, run_json, run_view, scheduler_word, state_word
from watchbell.web.told import sentence

blueprint = Blueprint("overview", __name__)
blueprint.add_app_template_global(glimpses.strip_address, "strip_address")

PANEL_LINES = 12
#: So many moments of a task are looked at for one that is not left out.
_LOOKED_AT = 20
NEXT_ROWS = 10
RECENT_ROWS = 10
#: Occurrences of a day are counted up to here.
SCHEDULED_MOST = 1000
#: In this order the answer names what has become of today's runs.
_TOLD = (
    *(RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.LOST, RunState.MISSED),
    *(RunState.SKIPPED, RunState.CANCELLED, RunState.RUNNING),
)


#: What the line below the title calls the last failure.
_WRONG = (RunState.FAILED.value, RunState.TIMED_OUT.value, RunState.LOST.value)
_NOT_STARTED = frozenset({RunState.MISSED, RunState.SKIPPED})


@dataclasses.dataclass(frozen=True, slots=True)
class TroubleView:
    """A task that needs attention, by its newest bad run."""

    run: RunView
    since: datetime
    in_a_row: int
    is_long: bool
    #: Who has muted it, and when; empty if it needs attention.
    muted_by: str = ""
    muted_at: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Everything that the first page shows."""

    answer: str
    #: Whether nothing needs a person.
    is_quiet: bool
    total_tasks: int
    enabled_tasks: int
    #: Occurrences within 24 hours; more than SCHEDULED_MOST are not counted.
    scheduled: int
    today: Mapping[str, int]
    troubles: Sequence[TroubleView]
    #: Troubles that somebody has muted.
    muted: Sequence[TroubleView]
    running: Sequence[RunView]
    going: Sequence[Going]
    #: The newest run that went wrong, whatever has become of its task since.
    last_failure: RunView | None
    strip: Strip
    waiting: Sequence[RunView]
    recent: Sequence[RunView]
    upcoming: Sequence[tuple[Task, Occurrence]]
    #: Everything, queues and tasks that somebody has paused.
    paused: Sequence[PauseView]
    #: Lost runs that wait for a person's decision, the newest of them.
    open_decisions: int
    undecided: Sequence[RunView]
    #: How the fleet does; None without any device.
    fleet: Glance | None

    #: So many troubles are shown.
    shown_troubles: int = 5

    @property
    def started_today(self) -> int:
        """Return how many runs of today were really started, or are about to be."""
        return sum(number for state, number in self.today.items() if state not in _NOT_STARTED)

    @property
    def scheduled_text(self) -> str:
        """Return the number as it is shown."""
        return f"{grouped(SCHEDULED_MOST)}+" if self.scheduled > SCHEDULED_MOST else grouped(self.scheduled)


@blueprint.get("/")
def index() -> str:
    """Show the page."""
    return render_template("overview/index.html", page=_page(), log_lines=last_lines(PANEL_LINES))


@blueprint.get("/overview/parts")
def parts() -> str:
    """Return the parts of the page that change, for the page to put in place."""
    return render_template("overview/parts.html", page=_page())


@blueprint.get("/overview.json")
def data() -> Response:
    """Return what the page shows."""
    i18n.speak_to_programs()
    return jsonify(_page_json(_page(), current.zone()))


@blueprint.get("/attention.json")
def tab_marks() -> Response:
    """Return for which runs a tab asks for attention: those of tasks in trouble, and those to be decided about."""
    found = marks.find(database(), now=current.now())
    return jsonify(failed=found.failed, decide=found.decide, scheduler=current.scheduler().state.value)


@blueprint.post("/troubles/mute")
def mute() -> AnyResponse:
    """Hide a failure from what needs attention until it changes."""
    run_id = query.whole(request.form, "run", None, 1, query.HIGHEST_ID)
    try:
        run = attention.mute(database(), run_id, now=current.now(), actor=current.actor())
        flash(
            _("%(task)s is muted until it fails in another way, or again after it has gone well.", task=run.task_name),
            "success",
        )
    except Conflict as error:
        flash(sentence(error.message), "warning")
    return redirect(url_for("overview.index"), 303)


@blueprint.post("/troubles/unmute")
def unmute() -> AnyResponse:
    """Let a failure need attention again."""
    task_id = query.whole(request.form, "task", None, 1, query.HIGHEST_ID)
    attention.unmute(database(), task_id, now=current.now(), actor=current.actor())
    return redirect(url_for("overview.index"), 303)


_RUN_LISTS = ("running", "waiting", "recent")


def _page_json(page: Page, zone: ZoneInfo) -> dict[str, object]:
    troubles = [
        {
            **run_json(bad.run, zone),
            "since": local_text(bad.since, zone),
            "in_a_row": bad.in_a_row,
            "muted_by": bad.muted_by or None,
        }
        for bad in (*page.troubles, *page.muted)
    ]
    return {
        "answer": page.answer,
        "is_quiet": page.is_quiet,
        "counters": {
            "total_tasks": page.total_tasks,
            "enabled_tasks": page.enabled_tasks,
            "scheduled": page.scheduled_text.replace(",", ""),
            "recent_executions": page.started_today,
        },
        "scheduler": presenters.scheduler_json(presenters.scheduler_view(current.scheduler()), zone),
        "fleet": page.fleet._asdict() if page.fleet is not None else None,
        "today": page.today,
        "open_decisions": page.open_decisions,
        "half_hours": [
            {"start": local_text(bar.start, zone), "runs": bar.counts, "planned": bar.planned}
            for bar in page.strip.bars
        ],
        "paused": [
            {
                "scope": view.subject.scope,
                "by": view.by,
                "reason": view.reason,
                "since": local_text(view.since, zone),
                "until": local_text(view.until, zone),
            }
            for view in page.paused
        ],
        "next": [
            {"task_id": task.id, "task": task.name, "due_at": local_text(moment.due_at, zone)}
            for task, moment in page.upcoming
        ],
        "troubles": troubles,
        **{name: [run_json(view, zone) for view in getattr(page, name)] for name in _RUN_LISTS},
    }


def _page() -> Page:
    now, db = current.now(), database()
    found = runs.overview(db, day_start=_day_start(now), recent=RECENT_ROWS)
    # What waits for a decision is told apart from the rest, so that nobody runs it again without one.
    listed = [bad for bad in attention.list_troubles(db, now=now) if bad.run.decision != decisions.OPEN]
    troubles = [bad for bad in listed if bad.muted is None]
    scheduler = presenters.scheduler_view(current.scheduler())
    paused, undecided = pausing.views(), decisions.count_open(db)
    running = [run_view(run, now) for run in found.running]
    failed = runs.list_rows(db, RunFilter(states=_WRONG), limit=1)
    state = "paused" if pausing.of_everything() else scheduler.state
    return Page(
        answer=answer(found, len(troubles), state, undecided),
        is_quiet=not troubles and not undecided and state == "running",
        total_tasks=found.total_tasks,
        enabled_tasks=found.enabled_tasks,
        scheduled=upcoming.count(db, now=now, at_most=SCHEDULED_MOST + 1),
        today=found.today,
        troubles=[_trouble_view(bad, now) for bad in troubles],
        muted=[_trouble_view(bad, now) for bad in listed if bad.muted is not None],
        running=running,
        going=glimpses.going(running),
        last_failure=run_view(failed[0], now) if failed else None,
        strip=glimpses.day_strip(),
        waiting=[run_view(run, now) for run in found.waiting],
        recent=[run_view(run, now) for run in found.recent],
        upcoming=_next_of_each(now),
        paused=paused,
        open_decisions=undecided,
        undecided=[run_view(run, now) for run in decisions.list_open(db, limit=RECENT_ROWS)] if undecided else [],
        fleet=fleet_glance.look(db, now=now),
    )


def _trouble_view(bad: Trouble, now: datetime) -> TroubleView:
    by, at = (bad.muted.by, bad.muted.at) if bad.muted else ("", None)
    return TroubleView(run_view(bad.run, now), bad.since, bad.in_a_row, bad.is_long, by, at)


def _next_of_each(now: datetime) -> list[tuple[Task, Occurrence]]:
    """Return the next moment of each task; one of every few seconds must not push all others out of sight."""
    soonest = tasks.list_soonest(database(), NEXT_ROWS)
    until = now + timedelta(hours=24)
    windows = blackouts.load(database())
    found = []
    for task in soonest:
        due = tasks.upcoming(task, after=now, limit=_LOOKED_AT, until=until)
        starting = (moment for moment in due if not marker(windows, task.id)(moment).is_left_out)
        found += [(task, moment) for moment in itertools.islice(starting, 1)]
    return sorted(found, key=lambda pair: pair[1].due_at)


def answer(found: Overview, troubles: int, scheduler_state: str, undecided: int = 0) -> str:
    """Return the sentence that answers whether everything is all right."""
    if not found.total_tasks and not found.today:
        return _("Nothing is scheduled yet.")
    head = _head(troubles, scheduler_state, undecided)
    total = sum(found.today.values())
    if not total:
        return head + " " + _("No run today yet.")
    told = [f"{grouped(found.today[state])} {state_word(state)}" for state in _TOLD if found.today.get(state)]
    rest = total - sum(found.today.get(state, 0) for state in _TOLD)
    if rest:
        told.append(_("%(count)s waiting", count=grouped(rest)))
    today = ngettext(
        "%(count)s run today: %(what)s.",
        "%(count)s runs today: %(what)s.",
        total,
        count=grouped(total),
        what=", ".join(told),
    )
    return f"{head} {today}"


def _head(troubles: int, scheduler_state: str, undecided: int) -> str:
    if undecided:
        return ngettext(
            "%(count)s lost run waits for your decision.",
            "%(count)s lost runs wait for your decision.",
            undecided,
            count=grouped(undecided),
        )
    if scheduler_state == "paused":
        return _("Everything is paused.")
    if troubles:
        return ngettext(
            "%(count)s task needs attention.", "%(count)s tasks need attention.", troubles, count=grouped(troubles)
        )
    if scheduler_state in {"running", "starting"}:
        return _("All quiet.")
    if scheduler_state == "unknown":
        return _("The scheduler is out of sight.")
    return _("The scheduler is %(state)s.", state=scheduler_word(scheduler_state))


def _day_start(now: datetime) -> datetime:
    """Return when today began in the zone of the page."""
    zone = current.zone()
    return datetime.combine(now.astimezone(zone).date(), time.min, zone)
