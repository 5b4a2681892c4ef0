"""Who proves to be alive: one card for each user, host and environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, jsonify, render_template

from watchbell.domain.presence import Presence, SchedulerState, Tier
from watchbell.services import engine, heartbeats, incidents
from watchbell.services.heartbeats import Life
from watchbell.store.engine import EngineWorker
from watchbell.store.heartbeats import Scheduler
from watchbell.store.incidents import Incident
from watchbell.store.runs import Run
from watchbell.web import current
from watchbell.web.beats import DayStrip, day_strip
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text

blueprint = Blueprint("heartbeats", __name__)

INCIDENT_ROWS = 50
#: Of so many workers that are over the page tells.
WORKER_ROWS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """One life with the strip of its day."""

    scheduler: Scheduler
    presence: Presence
    leads: bool
    #: What the age of its last heartbeat says, as people read it.
    words: str
    strip: DayStrip
    #: What it runs, a few of many.
    runs: Sequence[Run]
    #: When it ended in good order.
    ended_at: datetime | None
    #: How it ended if not in good order, as far as can be told from here.
    ending: str


@blueprint.get("/heartbeats")
def index() -> str:
    """Show all cards, the one that beat last first."""
    return render_template("heartbeats/index.html", **_shown())


@blueprint.get("/heartbeats/parts")
def parts() -> str:
    """Return the parts of the page that change, for the page to put in place."""
    return render_template("heartbeats/parts.html", **_shown())


@blueprint.get("/heartbeats.json")
def data() -> Response:
    """Return what the cards show."""
    zone = current.zone()
    told = [
        {"at": local_text(one.at, zone), "kind": one.kind, "message": one.message, "host": one.host, "data": one.data}
        for one in _incidents()
    ]
    found = engine.look(database(), now=current.now())
    return jsonify(
        heartbeats=[_card_json(card, zone) for card in _cards()],
        incidents=told,
        workers=[_worker_json(worker, zone) for worker in found.workers],
        broker=(found.trouble or "ok") if found.is_used else None,
    )


def _shown() -> dict[str, object]:
    """Return what the page is made of."""
    cards = _cards()
    found = engine.look(database(), now=current.now())
    states = [(worker, engine.state_of(worker, current.now())) for worker in found.workers]
    over = [pair for pair in states if pair[1] in {"stopped", "gone"}][WORKER_ROWS:]
    states = [pair for pair in states if pair not in over]
    return {"cards": cards, "answer": _answer(cards), "incidents": _incidents(), "engine": found, "workers": states}


def _worker_json(worker: EngineWorker, zone: ZoneInfo) -> dict[str, object]:
    plain = ("user", "host", "version", "pid", "queues", "running", "max_running", "trouble")
    return {
        **{name: getattr(worker, name) for name in plain},
        "state": engine.state_of(worker, current.now()),
        "started_at": local_text(worker.started_at, zone),
        "last_beat_at": local_text(worker.beat_at, zone),
        "stopped_at": local_text(worker.stopped_at, zone),
    }


def _incidents() -> list[Incident]:
    return incidents.list_newest(database(), INCIDENT_ROWS)


def _cards() -> list[Card]:
    now = current.now()
    return [_card(life, now) for life in heartbeats.list_lives(database(), now=now)]


def _card(life: Life, now: datetime) -> Card:
    # The row of the scheduler is written more often than the history of beats.
    moments = [*(beat.at for beat in life.beats), life.scheduler.beat_at]
    here = current.scheduler()
    is_dead = here.incarnation == life.scheduler.incarnation and here.state is SchedulerState.STOPPED
    return Card(
        scheduler=life.scheduler,
        presence=life.presence,
        leads=life.leads,
        words=_presence_words(life, now),
        strip=day_strip(sorted(moments), now),
        runs=life.runs,
        ended_at=life.scheduler.stopped_at,
        ending=_("killed or crashed") if is_dead and life.scheduler.stopped_at is None else "",
    )


def _presence_words(life: Life, now: datetime) -> str:
    """Return the words of ``domain.presence`` in the language of the reader."""
    minutes = max(0, int((now - life.scheduler.beat_at) / timedelta(minutes=1)))
    match life.presence.tier:
        case Tier.ACTIVE:
            return _("Active")
        case Tier.IDLE_MINUTES:
            return _("Idle (%(minutes)sm ago)", minutes=minutes)
        case Tier.IDLE_HOURS:
            return _("Idle (%(hours)sh ago)", hours=minutes // 60)
    return _("Inactive (%(days)sd ago)", days=minutes // 1440)


def _card_json(card: Card, zone: ZoneInfo) -> dict[str, object]:
    life = card.scheduler
    plain = ("user", "host", "environment", "session_id", "version", "pid", "running")
    return {
        **{name: getattr(life, name) for name in plain},
        "load_average": life.load,
        "leads": card.leads,
        "tier": card.presence.tier.value,
        "words": card.presence.words,
        "started_at": local_text(life.started_at, zone),
        "last_beat_at": local_text(life.beat_at, zone),
        "stopped_at": local_text(card.ended_at, zone),
        "runs": [{"id": run.id, "task_name": run.task_name, "state": run.state} for run in card.runs],
        "share_of_day": round(card.strip.share, 4),
    }


def _answer(cards: list[Card]) -> str:
    if not cards:
        return _("No scheduler has been heard of yet.")
    active = sum(card.presence.tier is Tier.ACTIVE and not (card.ended_at or card.ending) for card in cards)
    if len(cards) == 1:
        return _("The only scheduler is active.") if active else _("The only scheduler does not run at the moment.")
    return ngettext(
        "%(num)s of %(all)s schedulers is active.", "%(num)s of %(all)s schedulers are active.", active, all=len(cards)
    )
