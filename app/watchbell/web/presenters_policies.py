"""The policies of a task in words: short ones for the folds of its form, whole ones for its page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from watchbell.domain import retry
from watchbell.domain.interpreters import NO_SHELL
from watchbell.domain.policies import CatchUp, Overlap, Policies, build_policies
from watchbell.errors import InputError
from watchbell.services.retention import Rules
from watchbell.web.i18n import _, grouped, lazy, ngettext
from watchbell.web.spans import span_words

#: The folds of the form, their titles and their fields.
GROUP_TITLES = {
    "turns": lazy("Overlaps and missed moments"),
    "retries": lazy("Retries"),
    "limits": lazy("Limits"),
    "order": lazy("Queue and order"),
    "keeping": lazy("How long runs are kept"),
}
#: The policy that is typed beside what is run.
WITH_WHAT = ("interpreter",)
GROUP_FIELDS = {
    "turns": ("overlap", "overlap_limit", "catch_up", "catch_up_limit", "catch_up_window_seconds",
              "latest_start_seconds", "uncertain"),
    "retries": ("retries", "retry_backoff", "retry_delay_seconds", "retry_multiplier", "retry_max_delay_seconds",
                "retry_total_seconds", "retry_on", "retry_not_on"),
    "limits": ("time_limit_seconds", "grace_seconds", "output_limit_mib", "output_excess", "memory_limit_mib",
               "process_limit", "niceness", "as_user", "own_metrics", "gates"),
    "order": ("queue", "priority", "spread_seconds"),
    "keeping": ("keep_days", "keep_runs"),
}  # fmt: skip
#: So many delays are listed one by one.
_LISTED_DELAYS = 5
_OVERLAP_WORDS = {
    "skip": lazy("skip the new one"),
    "queue_one": lazy("one waits, further ones are skipped"),
    "replace": lazy("stop it and run the new one"),
    "allow": lazy("run both"),
}
_UNCERTAIN_WORDS = {
    "lost": lazy("mark it lost, never run it twice"),
    "run_again": lazy("run it again"),
    "ask": lazy("mark it lost and ask on its page whether to run it again"),
}
_SHORT = {
    "skip": lazy("skip"),
    "queue_one": lazy("queue one"),
    "queue_all": lazy("queue all"),
    "replace": lazy("replace"),
    "allow": lazy("run both"),
}
_SHORT_CATCH_UP = {"skip": lazy("run none"), "last": lazy("run the last one"), "all": lazy("run all")}
_SHORT_UNCERTAIN = {"lost": lazy("mark lost"), "run_again": lazy("run again"), "ask": lazy("ask me")}


def policies_of(fields: Mapping[str, object]) -> Policies:
    """Return the policies that fields stand for, with the default where one says nothing that can be read."""
    policies = Policies()
    for name, value in fields.items():
        try:
            policies = build_policies({name: value}, policies)
        except InputError:
            # Its own message stands at the field.
            continue
    return policies


def group_words(policies: Policies) -> dict[str, str]:
    """Return each group in a few words."""
    return {
        "turns": " · ".join(
            [
                _("overlap: %(what)s", what=_SHORT[policies.overlap]),
                _("missed: %(what)s", what=_SHORT_CATCH_UP[policies.catch_up]),
                _("uncertain: %(what)s", what=_SHORT_UNCERTAIN[policies.uncertain]),
            ]
        ),
        "retries": retry_words(policies),
        "limits": " · ".join(_limit_words(policies)),
        "order": " · ".join(_order_words(policies)),
        "keeping": _kept_words(policies),
    }


def _limit_words(policies: Policies) -> list[str]:
    words = [_("time %(time)s", time=span_words(policies.time_limit_seconds))]
    if policies.output_limit_mib is not None:
        words.append(_("%(size)s MiB of output", size=policies.output_limit_mib))
    if policies.memory_limit_mib is not None:
        words.append(_("%(size)s MiB of memory", size=policies.memory_limit_mib))
    if policies.process_limit is not None:
        words.append(_("%(count)s processes", count=policies.process_limit))
    if policies.niceness:
        words.append(_("niceness %(number)s", number=policies.niceness))
    if policies.as_user:
        words.append(_("as %(user)s", user=policies.as_user))
    if policies.gates:
        number = len(policies.gates.splitlines())
        words.append(ngettext("%(count)s gate", "%(count)s gates", number, count=number))
    return words


def _order_words(policies: Policies) -> list[str]:
    words = [_("queue %(name)s", name=policies.queue)]
    if policies.priority:
        words.append(_("priority %(number)s", number=policies.priority))
    if policies.spread_seconds:
        words.append(_("spread %(time)s", time=span_words(policies.spread_seconds)))
    return words


def _kept_words(policies: Policies) -> str:
    days, runs = policies.keep_days, policies.keep_runs
    told = [kept_days(days)] if days is not None else []
    told += [kept_runs(runs)] if runs is not None else []
    return " · ".join(told) or _("as the server's settings say")


def retry_words(policies: Policies) -> str:
    """Return what follows a failed attempt, such as "tries again after 1 s, 2 s, 4 s, then gives up"."""
    if not policies.retries:
        return _("none")
    return _("tries again %(after)s, then gives up", after=_after_words(policies))


def retry_sentence(policies: Policies) -> str:
    """Return the whole rule as one sentence."""
    if not policies.retries:
        return _("A run that fails is not tried again.")
    what = _("ends with %(codes)s", codes=policies.retry_on) if policies.retry_on else _("fails or runs out of time")
    but = _(", but not with %(codes)s,", codes=policies.retry_not_on) if policies.retry_not_on else ""
    bound = ""
    if policies.retry_total_seconds is not None:
        longest = span_words(policies.retry_total_seconds)
        bound = _(", but not later than %(time)s after its first start", time=longest)
    return _(
        "A run that %(what)s%(but)s is tried again %(after)s%(bound)s; then it has failed.",
        what=what,
        but=but,
        after=_after_words(policies),
        bound=bound,
    )


def _after_words(policies: Policies) -> str:
    told = [_delay_words(policies, number) for number in range(1, min(policies.retries, _LISTED_DELAYS) + 1)]
    delays = ", ".join(told)
    if policies.retries > _LISTED_DELAYS:
        return _("after %(delays)s and so on, %(number)s times in all", delays=delays, number=policies.retries)
    return _("after %(delays)s", delays=delays)


def _delay_words(policies: Policies, number: int) -> str:
    """Return the delay before a retry; a scattered one lies between two lengths."""
    shortest, longest = (retry.delay(policies, number, lambda: 0.0), retry.delay(policies, number, lambda: 1.0))
    if shortest == longest:
        return _short(shortest)
    return _("%(shortest)s to %(longest)s", shortest=_short(shortest), longest=_short(longest))


def _short(seconds: float) -> str:
    return span_words(int(seconds)) if seconds == int(seconds) else f"{grouped(seconds, 1)} s"


@dataclasses.dataclass(frozen=True, slots=True)
class FactGroup:
    """Some decisions of a task under one heading."""

    title: str
    #: Label and words; a third entry that is true asks for a line of its own.
    facts: Sequence[tuple[str, str] | tuple[str, str, bool]]


def policy_facts(policies: Policies, server: Rules) -> list[FactGroup]:
    """Return everything that a task decides, in words; where it leaves a thing to the server, what the server says."""
    facts: dict[str, Sequence[tuple[str, str] | tuple[str, str, bool]]] = {
        "turns": _turn_facts(policies),
        "retries": _retry_facts(policies),
        "limits": _limit_facts(policies),
        "order": _order_facts(policies),
        "keeping": _keeping_facts(policies, server),
    }
    return [FactGroup(str(title), facts[key]) for key, title in GROUP_TITLES.items()]


def _turn_facts(policies: Policies) -> list[tuple[str, str]]:
    latest = policies.latest_start_seconds
    return [
        (_("Earlier run still going"), _overlap_words(policies)),
        (_("Missed while down"), _catch_up_words(policies)),
        (_("Latest start"), _after_due(latest) if latest is not None else _usual_latest(policies)),
        (_("Unknown whether it ran"), str(_UNCERTAIN_WORDS[policies.uncertain])),
    ]


def _overlap_words(policies: Policies) -> str:
    if policies.overlap == Overlap.QUEUE_ALL:
        return _("all wait, at most %(count)s; further ones are skipped", count=grouped(policies.overlap_limit))
    return str(_OVERLAP_WORDS[policies.overlap])


def _catch_up_words(policies: Policies) -> str:
    if policies.catch_up == CatchUp.SKIP:
        return _("run none of them")
    longest = span_words(policies.catch_up_window_seconds)
    if policies.catch_up == CatchUp.ALL:
        most = grouped(policies.catch_up_limit)
        return _("run all of them, at most %(count)s, if not older than %(time)s", count=most, time=longest)
    return _("run the last one, if not older than %(time)s", time=longest)


def _after_due(seconds: int) -> str:
    return _("%(time)s after due", time=span_words(seconds))


def _usual_latest(policies: Policies) -> str:
    """Return the latest start of a task that names none; runs that wait for each other on purpose may wait an hour."""
    waits = policies.overlap in {Overlap.QUEUE_ONE, Overlap.QUEUE_ALL, Overlap.REPLACE}
    return _after_due(3600) if waits else _("its own interval, at most 1 h")


def _retry_facts(policies: Policies) -> list[tuple[str, str] | tuple[str, str, bool]]:
    if not policies.retries:
        return [(_("After a failure"), _("not tried again"))]
    facts: list[tuple[str, str] | tuple[str, str, bool]] = [(_("After a failure"), retry_words(policies), True)]
    if policies.retry_on:
        facts.append((_("Only on"), policies.retry_on))
    if policies.retry_not_on:
        facts.append((_("Never on"), policies.retry_not_on))
    if policies.retry_total_seconds is not None:
        longest = span_words(policies.retry_total_seconds)
        facts.append((_("None later than"), _("%(time)s after the first start", time=longest)))
    return facts


def _limit_facts(policies: Policies) -> list[tuple[str, str] | tuple[str, str, bool]]:
    memory, processes = policies.memory_limit_mib, policies.process_limit
    metrics = [(_("Metrics"), _("lines of its own are read from its output"))]
    return [
        (_("Time limit"), _time_limit_words(policies)),
        (_("Output kept"), _output_words(policies)),
        (_("Memory"), f"{grouped(memory)} MiB" if memory is not None else _("no limit")),
        (_("Processes"), grouped(processes) if processes is not None else _("no limit")),
        (_("Niceness"), str(policies.niceness) if policies.niceness else _("0, as the scheduler")),
        *([(_("Run as"), policies.as_user)] if policies.as_user else []),
        *([(_("Interpreter"), interpreter_words(policies.interpreter))] if policies.interpreter else []),
        *(metrics if policies.own_metrics == "read" else []),
        *([(_("Gates"), "; ".join(policies.gates.splitlines()), True)] if policies.gates else []),
    ]


def interpreter_words(interpreter: str) -> str:
    """Return what is given the script of a task, in words."""
    return _("none, it is run without a shell") if interpreter == NO_SHELL else interpreter


def _time_limit_words(policies: Policies) -> str:
    longest = span_words(policies.time_limit_seconds)
    if not policies.grace_seconds:
        return _("%(time)s, then TERM and KILL at once", time=longest)
    return _("%(time)s, then TERM, and KILL %(grace)s later", time=longest, grace=span_words(policies.grace_seconds))


def _output_words(policies: Policies) -> str:
    most = policies.output_limit_mib
    kept = _("%(size)s MiB per stream", size=grouped(most)) if most is not None else _("the server's limit per stream")
    more = _("more ends the run") if policies.output_excess == "end" else _("of more, the middle is given up")
    return f"{kept}; {more}"


def _keeping_facts(policies: Policies, server: Rules) -> list[tuple[str, str]]:
    days, runs = policies.keep_days, policies.keep_runs
    return [
        (_("Runs are kept"), kept_days(days) if days is not None else _as_server(kept_days(server.days))),
        (_("At the most"), kept_runs(runs) if runs is not None else _as_server(kept_runs(server.runs))),
    ]


def _as_server(kept: str) -> str:
    return _("%(kept)s, as the server's settings say", kept=kept)


def kept_days(days: int | None) -> str:
    """Return for how long runs are kept, in words."""
    return _("for ever") if days is None else ngettext("%(count)s day", "%(count)s days", days, count=grouped(days))


def kept_runs(runs: int | None) -> str:
    """Return how many runs are kept, in words."""
    if runs is None:
        return _("any number")
    return _("the newest one") if runs == 1 else _("the newest %(count)s", count=grouped(runs))


def _order_facts(policies: Policies) -> list[tuple[str, str]]:
    spread = policies.spread_seconds
    return [
        (_("Queue"), policies.queue),
        (_("Priority"), _priority_words(policies.priority)),
        (_("Spread"), _("up to %(time)s", time=span_words(spread)) if spread else _("none")),
    ]


def _priority_words(priority: int) -> str:
    if not priority:
        return "0"
    if priority > 0:
        return _("%(number)s, before runs of priority 0", number=priority)
    return _("%(number)s, after runs of priority 0", number=priority)
