"""The fleet in words: states, sentences about orders, and what they are shown with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from watchbell.domain import fleet_figures, maintenance
from watchbell.domain.fleet_state import EXECUTION_FINAL, DeviceJobState, ExecutionState
from watchbell.domain.rollout import AbortAction, AbortRule
from watchbell.domain.shown_text import plain_text
from watchbell.services import fleet_rollouts
from watchbell.services.fleet_views import counts_of
from watchbell.store.fleet_jobs import Execution
from watchbell.web import current
from watchbell.web.i18n import _, grouped, lazy, ngettext, signed_as_read
from watchbell.web.presenters import duration_words
from watchbell.web.told import told

_WORDS = {
    "queued": lazy("queued"),
    "in_progress": lazy("in progress"),
    "succeeded": lazy("succeeded"),
    "failed": lazy("failed"),
    "timed_out": lazy("timed out"),
    "rejected": lazy("rejected"),
    "cancelled": lazy("cancelled"),
    "paused": lazy("paused"),
}
#: State -> the icon and tone that it is drawn with; templates/_macros/status.html has the same for badges.
LOOKS = {"queued": "waiting", "in_progress": "running", "rejected": "missed", "paused": "missed"}


def word_of(state: str) -> str:
    """Return a state in words."""
    return str(_WORDS[state])


def look_of(state: str) -> str:
    """Return the name of the icon and of the tone of a state."""
    return LOOKS.get(state, state)


def shown_state(execution: Execution) -> str:
    """Return the state of an order as people see it: one that is paused is not called in progress."""
    is_paused = execution.paused_reason is not None and ExecutionState(execution.state) not in EXECUTION_FINAL
    return "paused" if is_paused else execution.state


def sentence(execution: Execution) -> str:
    """Return how far an order is and why it stands still, such as ``412 of 1,000 done, wave 2 of 4, paused by ann``."""
    parts = [_done(execution)]
    is_over = ExecutionState(execution.state) in EXECUTION_FINAL
    if execution.waves > 1 and not is_over:
        parts.append(_("wave %(number)s of %(waves)s", number=execution.wave, waves=grouped(execution.waves)))
    if execution.paused_reason is not None and not is_over:
        parts.append(_pause(execution))
    elif execution.is_cancelled:
        stopped = fleet_rollouts.is_stopped_by_rule(execution)
        why = _("taken back by rule: %(why)s", why=told(execution.paused_reason or "")) if stopped else _("taken back")
        parts.append(why)
    elif not is_over:
        begin = _begin(execution, current.now())
        parts += [begin] if begin else []
    return ", ".join(parts)


def _done(execution: Execution) -> str:
    counts = counts_of(execution)
    done, total = fleet_figures.done(counts), execution.total
    if not total:
        return _("no device yet")
    head = _("%(done)s of %(total)s done", done=grouped(done), total=grouped(total))
    wrong = wrong_words(counts)
    return f"{head} ({wrong})" if wrong else head


def wrong_words(counts: Mapping[DeviceJobState, int]) -> str:
    """Return what has gone wrong, such as ``24 failed, 3 timed out``; nothing if nothing has."""
    bad = [state for state in fleet_figures.SEVERITY if state in fleet_figures.BAD and counts.get(state)]
    return ", ".join(f"{grouped(counts[state])} {word_of(state)}" for state in bad)


def counts_words(counts: Mapping[DeviceJobState, int]) -> str:
    """Return how many devices are in each state, the worst first."""
    return ", ".join(f"{grouped(counts[one])} {word_of(one)}" for one in fleet_figures.SEVERITY if counts.get(one))


def _pause(execution: Execution) -> str:
    reason = told(execution.paused_reason or "")
    return _("paused by rule: %(why)s", why=reason) if fleet_rollouts.is_stopped_by_rule(execution) else reason


def _begin(execution: Execution, now: datetime) -> str:
    given = (execution.schedule or {}).get("scheduled_at")
    at = datetime.fromisoformat(str(given)) if given else None
    if at is None or at <= now or execution.state != ExecutionState.QUEUED.value:
        return ""
    return _("begins %(when)s", when=at.astimezone(current.zone()).strftime("%Y-%m-%d %H:%M:%S %Z"))


def target_words(execution: Execution) -> str:
    """Return for whom an order is."""
    if execution.target_type == "all":
        return _("all devices")
    if execution.target_type == "group":
        return filter_words(execution.target_filter or {})
    return ngettext(
        "%(count)s chosen device", "%(count)s chosen devices", execution.total, count=grouped(execution.total)
    )


def filter_words(chosen: Mapping[str, object]) -> str:
    """Return the devices that a filter means in words: its fields and tags with their values."""
    pairs: dict[str, object] = {name: value for name, value in chosen.items() if name != "tags"}
    tags = chosen.get("tags")
    if isinstance(tags, Mapping):
        pairs |= tags
    return ", ".join(f"{name} = {value}" for name, value in pairs.items())


def begin_words(execution: Execution) -> str:
    """Return when devices may begin an order, where it says anything of that."""
    schedule = execution.schedule or {}
    parts = []
    if schedule.get("scheduled_at"):
        at = datetime.fromisoformat(str(schedule["scheduled_at"])).astimezone(current.zone())
        parts.append(_("not before %(when)s", when=at.strftime("%Y-%m-%d %H:%M:%S %Z")))
    if schedule.get("local_time"):
        at = datetime.fromisoformat(str(schedule["local_time"]))
        parts.append(_("not before a device's own clock shows %(time)s", time=at.strftime("%Y-%m-%d %H:%M")))
    if schedule.get("window"):
        opening = maintenance.read_window(schedule["window"])
        days = _days(opening.days)
        times = {"start": f"{opening.start:%H:%M}", "end": f"{opening.end:%H:%M}"}
        parts.append(_("from %(start)s to %(end)s by a device's own clock, %(days)s", days=days, **times))
    return "; ".join(parts)


def _days(days: Collection[int]) -> str:
    words = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
    return _("every day") if len(days) == len(words) else ", ".join(words[number] for number in sorted(days))


def rules_words(execution: Execution) -> str:
    """Return by which rules an order goes through the fleet in waves; nothing without any."""
    if execution.rollout is None:
        return ""
    rules = fleet_rollouts.rules_of(execution)
    parts = [ngettext("%(num)s device first", "%(num)s devices first", rules.canary)] if rules.canary else []
    parts.append(_("waves of %(size)s", size=grouped(rules.wave)))
    if rules.factor > 1:
        parts.append(_("each %(factor)s times the one before", factor=signed_as_read(f"{rules.factor:g}")))
    if rules.largest:
        parts.append(_("at most %(largest)s in one", largest=grouped(rules.largest)))
    if rules.interval_seconds:
        parts.append(_("at least %(time)s apart", time=duration_words(rules.interval_seconds)))
    parts.append(
        _("the next one when %(percent)s %% have succeeded", percent=signed_as_read(f"{rules.success_percentage:g}"))
    )
    return "; ".join([*parts, *(_abort_words(rule) for rule in rules.abort)])


def _abort_words(rule: AbortRule) -> str:
    what = {"FAILED": _("failed"), "TIMED_OUT": _("timed out"), "REJECTED": _("rejected")}
    values = {
        "what": what.get(rule.failure_type, _("gone wrong")),
        "percent": signed_as_read(f"{rule.threshold_percentage:g}"),
        "least": grouped(rule.minimum),
    }
    if rule.action is AbortAction.CANCEL:
        return _("taken back when of at least %(least)s devices %(percent)s %% have %(what)s", **values)
    return _("paused when of at least %(least)s devices %(percent)s %% have %(what)s", **values)


def output_text(text: str) -> str:
    """Return what a device has said as a page may show it."""
    return plain_text(text.encode("utf-8", "replace"))


def whole(text: str) -> str:
    """Return a text with whatever no page can carry replaced; what devices report now has none of it."""
    return text.encode("utf-8", "replace").decode()


def plain_facts(facts: Iterable[tuple[object, object]]) -> list[tuple[str, str]]:
    """Return names and values that a device has said as a page may show them."""
    return [(whole(str(name)), whole(str(value))) for name, value in facts]


def percent_words(percent: float | None) -> str:
    """Return a percentage; 100 % is said only of all."""
    if percent is None:
        return "-"
    return f"{percent:.0f} %" if percent in {0, 100} else f"{grouped(min(max(percent, 0.1), 99.9), 1)} %"
