"""The policies of a task in words: short ones for the folds of its form, whole ones for its page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from watchbell.domain import retry
from watchbell.domain.policies import CatchUp, Overlap, Policies, build_policies
from watchbell.errors import InputError
from watchbell.services.retention import Rules
from watchbell.web.spans import span_words

#: The folds of the form, their titles and their fields.
GROUP_TITLES = {
    "turns": "Overlaps and missed moments",
    "retries": "Retries",
    "limits": "Limits",
    "order": "Queue and order",
    "keeping": "How long runs are kept",
}
GROUP_FIELDS = {
    "turns": ("overlap", "overlap_limit", "catch_up", "catch_up_limit", "catch_up_window_seconds",
              "latest_start_seconds", "uncertain"),
    "retries": ("retries", "retry_backoff", "retry_delay_seconds", "retry_multiplier", "retry_max_delay_seconds",
                "retry_total_seconds", "retry_on", "retry_not_on"),
    "limits": ("time_limit_seconds", "grace_seconds", "output_limit_mib", "output_excess", "memory_limit_mib",
               "process_limit", "niceness", "own_metrics"),
    "order": ("queue", "priority", "spread_seconds"),
    "keeping": ("keep_days", "keep_runs"),
}  # fmt: skip
#: So many delays are listed one by one.
_LISTED_DELAYS = 5
_OVERLAP_WORDS = {
    "skip": "skip the new one",
    "queue_one": "one waits, further ones are skipped",
    "queue_all": "all wait",
    "replace": "stop it and run the new one",
    "allow": "run both",
}
_CATCH_UP_WORDS = {"skip": "run none of them", "last": "run the last one", "all": "run all of them"}
_UNCERTAIN_WORDS = {
    "lost": "mark it lost, never run it twice",
    "run_again": "run it again",
    "ask": "mark it lost and ask on its page whether to run it again",
}
_SHORT = {"skip": "skip", "queue_one": "queue one", "queue_all": "queue all", "replace": "replace", "allow": "run both"}
_SHORT_CATCH_UP = {"skip": "run none", "last": "run the last one", "all": "run all"}
_SHORT_UNCERTAIN = {"lost": "mark lost", "run_again": "run again", "ask": "ask me"}


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
                f"overlap: {_SHORT[policies.overlap]}",
                f"missed: {_SHORT_CATCH_UP[policies.catch_up]}",
                f"uncertain: {_SHORT_UNCERTAIN[policies.uncertain]}",
            ]
        ),
        "retries": retry_words(policies),
        "limits": " · ".join(_limit_words(policies)),
        "order": " · ".join(_order_words(policies)),
        "keeping": _kept_words(policies),
    }


def _limit_words(policies: Policies) -> list[str]:
    words = [f"time {span_words(policies.time_limit_seconds)}"]
    if policies.output_limit_mib is not None:
        words.append(f"{policies.output_limit_mib} MiB of output")
    if policies.memory_limit_mib is not None:
        words.append(f"{policies.memory_limit_mib} MiB of memory")
    if policies.process_limit is not None:
        words.append(f"{policies.process_limit} processes")
    return [*words, f"niceness {policies.niceness}"] if policies.niceness else words


def _order_words(policies: Policies) -> list[str]:
    words = [f"queue {policies.queue}"]
    if policies.priority:
        words.append(f"priority {policies.priority}")
    return [*words, f"spread {span_words(policies.spread_seconds)}"] if policies.spread_seconds else words


def _kept_words(policies: Policies) -> str:
    days, runs = policies.keep_days, policies.keep_runs
    told = [kept_days(days)] if days is not None else []
    told += [kept_runs(runs)] if runs is not None else []
    return " · ".join(told) or "as the server's settings say"


def retry_words(policies: Policies) -> str:
    """Return what follows a failed attempt, such as "tries again after 1 s, 2 s, 4 s, then gives up"."""
    if not policies.retries:
        return "none"
    return f"tries again {_after_words(policies)}, then gives up"


def retry_sentence(policies: Policies) -> str:
    """Return the whole rule as one sentence."""
    if not policies.retries:
        return "A run that fails is not tried again."
    what = f"ends with {policies.retry_on}" if policies.retry_on else "fails or runs out of time"
    but = f", but not with {policies.retry_not_on}," if policies.retry_not_on else ""
    bound = ""
    if policies.retry_total_seconds is not None:
        bound = f", but not later than {span_words(policies.retry_total_seconds)} after its first start"
    return f"A run that {what}{but} is tried again {_after_words(policies)}{bound}; then it has failed."


def _after_words(policies: Policies) -> str:
    told = [_delay_words(policies, number) for number in range(1, min(policies.retries, _LISTED_DELAYS) + 1)]
    more = f" and so on, {policies.retries} times in all" if policies.retries > _LISTED_DELAYS else ""
    return f"after {', '.join(told)}{more}"


def _delay_words(policies: Policies, number: int) -> str:
    """Return the delay before a retry; a scattered one lies between two lengths."""
    shortest, longest = (retry.delay(policies, number, lambda: 0.0), retry.delay(policies, number, lambda: 1.0))
    return _short(shortest) if shortest == longest else f"{_short(shortest)} to {_short(longest)}"


def _short(seconds: float) -> str:
    return span_words(int(seconds)) if seconds == int(seconds) else f"{seconds:.1f} s"


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
    return [FactGroup(title, facts[key]) for key, title in GROUP_TITLES.items()]


def _turn_facts(policies: Policies) -> list[tuple[str, str]]:
    overlap = _OVERLAP_WORDS[policies.overlap]
    if policies.overlap == Overlap.QUEUE_ALL:
        overlap += f", at most {policies.overlap_limit:,}; further ones are skipped"
    catch_up = _CATCH_UP_WORDS[policies.catch_up]
    if policies.catch_up == CatchUp.ALL:
        catch_up += f", at most {policies.catch_up_limit:,}"
    if policies.catch_up != CatchUp.SKIP:
        catch_up += f", if not older than {span_words(policies.catch_up_window_seconds)}"
    latest = policies.latest_start_seconds
    return [
        ("Earlier run still going", overlap),
        ("Missed while down", catch_up),
        ("Latest start", f"{span_words(latest)} after due" if latest is not None else _usual_latest(policies)),
        ("Unknown whether it ran", _UNCERTAIN_WORDS[policies.uncertain]),
    ]


def _usual_latest(policies: Policies) -> str:
    """Return the latest start of a task that names none; runs that wait for each other on purpose may wait an hour."""
    waits = policies.overlap in {Overlap.QUEUE_ONE, Overlap.QUEUE_ALL, Overlap.REPLACE}
    return "1 h after due" if waits else "its own interval, at most 1 h"


def _retry_facts(policies: Policies) -> list[tuple[str, str] | tuple[str, str, bool]]:
    if not policies.retries:
        return [("After a failure", "not tried again")]
    facts: list[tuple[str, str] | tuple[str, str, bool]] = [("After a failure", retry_words(policies), True)]
    if policies.retry_on:
        facts.append(("Only on", policies.retry_on))
    if policies.retry_not_on:
        facts.append(("Never on", policies.retry_not_on))
    if policies.retry_total_seconds is not None:
        facts.append(("None later than", f"{span_words(policies.retry_total_seconds)} after the first start"))
    return facts


def _limit_facts(policies: Policies) -> list[tuple[str, str]]:
    output = policies.output_limit_mib
    kept = f"{output:,} MiB per stream" if output is not None else "the server's limit per stream"
    more = "more ends the run" if policies.output_excess == "end" else "of more, the middle is given up"
    memory, processes = policies.memory_limit_mib, policies.process_limit
    grace = f", and KILL {span_words(policies.grace_seconds)} later" if policies.grace_seconds else " and KILL at once"
    return [
        ("Time limit", f"{span_words(policies.time_limit_seconds)}, then TERM{grace}"),
        ("Output kept", f"{kept}; {more}"),
        ("Memory", f"{memory:,} MiB" if memory is not None else "no limit"),
        ("Processes", f"{processes:,}" if processes is not None else "no limit"),
        ("Niceness", str(policies.niceness) if policies.niceness else "0, as the scheduler"),
        *([("Metrics", "lines of its own are read from its output")] if policies.own_metrics == "read" else []),
    ]


def _keeping_facts(policies: Policies, server: Rules) -> list[tuple[str, str]]:
    days, runs = policies.keep_days, policies.keep_runs
    said = "" if days is not None else ", as the server's settings say"
    most = "" if runs is not None else ", as the server's settings say"
    return [
        ("Runs are kept", f"{kept_days(days if days is not None else server.days)}{said}"),
        ("At the most", f"{kept_runs(runs if runs is not None else server.runs)}{most}"),
    ]


def kept_days(days: int | None) -> str:
    """Return for how long runs are kept, in words."""
    return "for ever" if days is None else f"{days:,} day{'' if days == 1 else 's'}"


def kept_runs(runs: int | None) -> str:
    """Return how many runs are kept, in words."""
    return "any number" if runs is None else "the newest one" if runs == 1 else f"the newest {runs:,}"


def _order_facts(policies: Policies) -> list[tuple[str, str]]:
    priority = policies.priority
    order = "before" if priority > 0 else "after"
    return [
        ("Queue", policies.queue),
        ("Priority", f"{priority}, {order} runs of priority 0" if priority else "0"),
        ("Spread", f"up to {span_words(policies.spread_seconds)}" if policies.spread_seconds else "none"),
    ]
