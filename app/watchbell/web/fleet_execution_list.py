"""What an address of the list of fleet executions asks for, and the page that it gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain import fleet_figures
from watchbell.domain.fleet_state import ExecutionState, wire_word
from watchbell.errors import NotFound
from watchbell.services import fleet_schedules, fleet_views
from watchbell.services.fleet_views import OrderPage, counts_of
from watchbell.store.fleet_jobs import Execution
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.fleet_views import WantedOrders
from watchbell.web import current, fleet_words, query, run_list
from watchbell.web.db import database
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text

ROWS = 50
PAUSED, GOING = "paused", "going"
STATES = ("", GOING, PAUSED, *ExecutionState)
CSV_COLUMNS = (
    *(
        "job_id",
        "job_name",
        "status",
        "paused_reason",
        "devices",
        "done",
        "queued",
        "in_progress",
        "succeeded",
        "failed",
    ),
    *("timed_out", "rejected", "cancelled", "wave", "waves", "target", "template_id", "schedule_id", "created_by"),
    *("queued_at", "started_at", "completed_at"),
)
#: No schedule has this number, so nothing is found.
_NONE = 0


@dataclasses.dataclass(frozen=True, slots=True)
class OrderQuery:
    """What the address of the list asks for."""

    search: str = ""
    state: str = ""
    template_id: int | None = None
    #: The outside name of a schedule, and the schedule.
    schedule_text: str = ""
    schedule: FleetSchedule | None = None
    since: str = ""
    until: str = ""
    before: int | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether orders may be left out."""
        return any((self.search, self.state, self.template_id is not None, self.schedule_text, self.since, self.until))

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.template_id is not None, self.until)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept."""
        kept = {
            "q": self.search,
            "state": self.state,
            "template": self.template_id,
            "schedule": self.schedule_text,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}


def read(args: Mapping[str, str]) -> OrderQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    since = args.get("since", "").strip()
    run_list.require_since(since)
    schedule_text = query.text(args, "schedule")
    return OrderQuery(
        search=query.text(args, "q"),
        state=query.word(args, "state", STATES, ""),
        template_id=query.optional_id(args, "template"),
        schedule_text=schedule_text,
        schedule=_schedule(schedule_text) if schedule_text else None,
        since=since,
        until=run_list.read_moment(args, "until"),
        before=query.optional_id(args, "before"),
    )


def _schedule(text: str) -> FleetSchedule | None:
    try:
        return fleet_schedules.get(database(), text)
    except NotFound:
        # It may have been deleted; the page says that nothing matches.
        return None


def wanted(asked: OrderQuery) -> WantedOrders:
    """Return the filter for the service."""
    zone = current.zone()
    states = {GOING: fleet_views.GOING, PAUSED: fleet_views.GOING, "": ()}.get(asked.state, (asked.state,))
    number = asked.schedule.id if asked.schedule is not None else _NONE
    return WantedOrders(
        states=states,
        is_paused=True if asked.state == PAUSED else None,
        words=asked.search.split(),
        template_id=asked.template_id,
        schedule_id=number if asked.schedule_text else None,
        since=run_list.since_of(asked.since, current.now(), zone),
        until=run_list.end_of(asked.until, zone),
    )


def find(asked: OrderQuery) -> OrderPage:
    """Return the page of orders that is asked for."""
    return fleet_views.list_orders(database(), wanted(asked), limit=ROWS, before_id=asked.before)


def twin_rows(asked: OrderQuery) -> Iterator[dict[str, object]]:
    """Yield all orders from the page on that is asked for, as the twins have them."""
    zone = current.zone()
    for one in fleet_views.walk_orders(database(), wanted(asked), before_id=asked.before):
        yield as_row(one, zone)


def as_row(order: Execution, zone: ZoneInfo) -> dict[str, object]:
    """Return an order as the twins have it."""
    counts = counts_of(order)
    return {
        "job_id": order.job_id,
        "job_name": order.name,
        "status": wire_word(ExecutionState(order.state)),
        "paused_reason": order.paused_reason,
        "devices": order.total,
        "done": fleet_figures.done(counts),
        **{state.value: counts.get(state, 0) for state in fleet_figures.SEVERITY},
        "wave": order.wave,
        "waves": order.waves,
        "target": fleet_words.target_words(order),
        **{name: getattr(order, name) for name in ("template_id", "schedule_id", "created_by")},
        **{name: local_text(getattr(order, name), zone) for name in ("queued_at", "started_at", "completed_at")},
    }


def answer(counts: Mapping[ExecutionState, int]) -> str:
    """Return the sentence above the list."""
    total = sum(counts.values())
    if not total:
        return _("No job was given to devices yet.")
    going = counts.get(ExecutionState.QUEUED, 0) + counts.get(ExecutionState.IN_PROGRESS, 0)
    said = ngettext("%(count)s execution", "%(count)s executions", total, count=grouped(total))
    parts = [_("%(count)s going on", count=grouped(going))] if going else [_("none going on")]
    failed = counts.get(ExecutionState.FAILED, 0)
    if failed:
        parts.append(_("%(count)s ended with failures", count=grouped(failed)))
    return f"{said}: {', '.join(parts)}."
