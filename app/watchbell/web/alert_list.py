"""What an address of the list of alerts asks for, and the page that it gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain.alerting import Severity
from watchbell.errors import InputError, NotFound
from watchbell.services import alerts, tasks
from watchbell.services.alerts import MOST_AT_ONCE, AlertFilter, AlertPage
from watchbell.store.alerts import Alert
from watchbell.web import current, query, run_list
from watchbell.web.db import database
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text

ROWS = 50
#: Which alerts the list shows: those that nobody knows of, unless something else is asked for.
OPEN, ACKNOWLEDGED, ALL = "open", "acknowledged", "all"
STATES = (OPEN, ACKNOWLEDGED, ALL)
CSV_COLUMNS = ("id", "at", "severity", "rule_name", "expression", "task_name", "run_id", "seen", "further", "last_run_id",
               "acknowledged_at", "acknowledged_by", "message")  # fmt: skip
_TIMES = ("at", "acknowledged_at")
#: No task has this number, so nothing is found.
_NO_TASK = 0


@dataclasses.dataclass(frozen=True, slots=True)
class AlertQuery:
    """What the address of the list asks for."""

    state: str = OPEN
    severity: str = ""
    task: str = ""
    since: str = ""
    until: str = ""
    before: int | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether anything but whether somebody knows of them is asked for."""
        return any((self.severity, self.task, self.since, self.until))

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.task, self.until)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept."""
        kept = {
            "state": "" if self.state == OPEN else self.state,
            "severity": self.severity,
            "task": self.task,
            "since": self.since,
            "until": self.until,
        }
        return {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}


def read(args: Mapping[str, str]) -> AlertQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    since = args.get("since", "").strip()
    run_list.require_since(since)
    return AlertQuery(
        state=query.word(args, "state", STATES, OPEN) or OPEN,
        severity=query.word(args, "severity", ("", *Severity), ""),
        task=query.text(args, "task"),
        since=since,
        until=run_list.read_moment(args, "until"),
        before=query.optional_id(args, "before"),
    )


def find(asked: AlertQuery, limit: int = ROWS) -> AlertPage:
    """Return the page of alerts that is asked for."""
    zone = current.zone()
    chosen = AlertFilter(
        severities=(Severity(asked.severity),) if asked.severity else (),
        task_id=_task_id(asked.task),
        acknowledged={OPEN: False, ACKNOWLEDGED: True}.get(asked.state),
        since=run_list.since_of(asked.since, current.now(), zone),
        until=run_list.end_of(asked.until, zone),
    )
    return alerts.list_page(database(), chosen, limit=limit, before_id=asked.before)


def _task_id(text: str) -> int | None:
    if not text:
        return None
    try:
        return tasks.find_by_name(database(), text).id
    except NotFound:
        return _NO_TASK


def told(alert: Alert, zone: ZoneInfo) -> dict[str, object]:
    """Return an alert as a twin of the page has it."""
    found = alerts.told(alert)
    return {**found, **{name: local_text(found[name], zone) for name in _TIMES}}


def ids_of(text: str) -> list[int]:
    """Return the numbers in a text such as ``1,2,3``; raises InputError."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or len(parts) > MOST_AT_ONCE or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts):
        raise InputError.of("ids", _("must be numbers of alerts, separated by commas"), "1,2")
    return [int(part) for part in parts]


def severity_words(severity: str, number: int) -> str:
    """Return so many alerts of a severity in words."""
    count = grouped(number)
    if severity == Severity.CRITICAL:
        return ngettext("%(count)s critical", "%(count)s critical", number, count=count)
    if severity == Severity.WARNING:
        return ngettext("%(count)s warning", "%(count)s warnings", number, count=count)
    return ngettext("%(count)s for information", "%(count)s for information", number, count=count)


def count_open() -> int:
    """Return how many alerts are open, for the navigation of every page."""
    return sum(alerts.count_open(database()).values())


def answer(open_by_severity: Mapping[str, int]) -> str:
    """Return the sentence above the list: what is open, the gravest first."""
    total = sum(open_by_severity.values())
    if not total:
        return _("No alert is open.")
    parts = [
        severity_words(one, open_by_severity[one]) for one in reversed(list(Severity)) if open_by_severity.get(one)
    ]
    said = ngettext("%(count)s alert is open", "%(count)s alerts are open", total, count=grouped(total))
    return f"{said}: {', '.join(parts)}."
