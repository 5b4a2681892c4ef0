"""Orders that reach a fleet wave by wave: how large each wave is, when the next one may go, and when a rollout stops itself.

The rules are those that fleets are rolled out by elsewhere: a few devices first, then waves of one size or growing ones; a wave
follows only when enough of the one before has gone well, and too many failures stop everything.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from watchbell.domain.fleet_state import FINAL, DeviceJobState
from watchbell.errors import InputError, Problem

MOST_DEVICES = 1_000_000
MOST_FACTOR = 100.0
MOST_INTERVAL_SECONDS = 30 * 86_400
MOST_RULES = 10
#: An order has no more.
MOST_WAVES = 1_000


class AbortAction(StrEnum):
    """What a rollout does when too much has gone wrong."""

    PAUSE = "PAUSE"
    """No further device is offered it until a person says so."""
    CANCEL = "CANCEL"
    """It is taken back from all devices that have not begun."""


#: The word for a kind of failure -> the states that are meant.
FAILURE_TYPES: Mapping[str, frozenset[DeviceJobState]] = {
    "FAILED": frozenset({DeviceJobState.FAILED}),
    "REJECTED": frozenset({DeviceJobState.REJECTED}),
    "TIMED_OUT": frozenset({DeviceJobState.TIMED_OUT}),
    "ALL": frozenset({DeviceJobState.FAILED, DeviceJobState.REJECTED, DeviceJobState.TIMED_OUT}),
}


@dataclasses.dataclass(frozen=True, slots=True)
class AbortRule:
    """Stop when this share of the devices that have ended has gone wrong in one way."""

    failure_type: str = "ALL"
    #: Percent of the devices that have ended.
    threshold_percentage: float = 10.0
    #: Not before so many devices have ended, so that one early failure does not stop a fleet.
    minimum: int = 1
    action: AbortAction = AbortAction.PAUSE


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """How an order goes through a fleet."""

    #: Devices in the first wave; 0 for none of its own.
    canary: int = 0
    #: Devices in the first wave behind the canary.
    wave: int = 1
    #: Each wave is so many times the one before; 1 for waves of one size.
    factor: float = 1.0
    #: No wave is larger.
    largest: int | None = None
    #: At least so long from one wave to the next.
    interval_seconds: int = 0
    #: The next wave follows when so many percent of the devices so far have ended well.
    success_percentage: float = 100.0
    #: Whether the gate waits for all devices of a wave, or only until so many percent of them have ended.
    ended_percentage: float = 100.0
    abort: tuple[AbortRule, ...] = ()


class Step(StrEnum):
    """What a rollout does next."""

    WAIT = "wait"
    RELEASE = "release"
    PAUSE = "pause"
    CANCEL = "cancel"


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What a rollout does next, and why."""

    step: Step
    reason: str = ""


def wave_sizes(total: int, rollout: Rollout) -> list[int]:
    """Return how many devices are in each wave, in order; their sum is ``total``. Raises InputError for too many waves."""
    sizes: list[int] = []
    left, size = total, float(rollout.wave)
    if rollout.canary and left:
        sizes.append(min(rollout.canary, left))
        left -= sizes[0]
    while left:
        bound = min(size, rollout.largest or size, left)
        if len(sizes) == MOST_WAVES:
            # A last one that takes all that are left would be anything but what was asked for.
            words = f"makes more than {MOST_WAVES:,} waves of {total:,} devices; take larger ones, or let them grow"
            raise InputError.of("rollout.wave", words, str(-(-total // MOST_WAVES) + 1))
        sizes.append(max(1, math.floor(bound)))
        left -= sizes[-1]
        size = min(size * rollout.factor, float(MOST_DEVICES))
    return sizes


def decide(
    rollout: Rollout,
    reached: Mapping[DeviceJobState, int],
    newest: Mapping[DeviceJobState, int],
    *,
    waves_left: int,
    seconds_since: float,
    lets_empty_pass: bool = False,
) -> Decision:
    """Return what a rollout does next.

    ``reached`` counts all devices of the waves so far by their states, without the failures that a person has looked at and
    let pass, ``newest`` those of the last wave. ``seconds_since`` is how long ago the last wave went. ``lets_empty_pass`` says
    that a person has seen that nobody is left in the last wave, and lets the next one go all the same.
    """
    for rule in rollout.abort:
        stop = _broken(rule, reached)
        if stop:
            return Decision(Step.CANCEL if rule.action is AbortAction.CANCEL else Step.PAUSE, stop)
    if not waves_left:
        return Decision(Step.WAIT)
    size, ended = _counted(newest), _ended(newest)
    if not size and not lets_empty_pass:
        # None of none says nothing of the order, and certainly not that it went well.
        return Decision(Step.PAUSE, "no device is left in the last wave, so that nothing tells whether it went well")
    if size and ended * 100 < rollout.ended_percentage * size:
        return Decision(Step.WAIT, f"{ended} of the {size} devices of the last wave have ended")
    good, over = reached.get(DeviceJobState.SUCCEEDED, 0), _ended(reached)
    if over and good * 100 < rollout.success_percentage * over:
        if over < _counted(reached):
            return Decision(Step.WAIT, f"{good} of {over} devices have succeeded so far")
        words = f"{good} of {over} devices have succeeded, {_percent(good, over)}; the next wave needs"
        return Decision(Step.PAUSE, f"{words} {rollout.success_percentage:g} %")
    if seconds_since < rollout.interval_seconds:
        return Decision(Step.WAIT, f"the next wave goes {rollout.interval_seconds} s after the last")
    return Decision(Step.RELEASE)


def _broken(rule: AbortRule, counts: Mapping[DeviceJobState, int]) -> str:
    """Return why a rule stops a rollout, or nothing."""
    ended = _ended(counts)
    bad = sum(counts.get(state, 0) for state in FAILURE_TYPES[rule.failure_type])
    if not bad or ended < rule.minimum or bad * 100 < rule.threshold_percentage * ended:
        return ""
    word = "gone wrong" if rule.failure_type == "ALL" else rule.failure_type.lower().replace("_", " ")
    return f"{bad} of {ended} devices have {word}, {_percent(bad, ended)}; the limit is {rule.threshold_percentage:g} %"


def _counted(counts: Mapping[DeviceJobState, int]) -> int:
    # What a person has taken back says nothing about the order.
    return sum(count for state, count in counts.items() if state is not DeviceJobState.CANCELLED)


def _ended(counts: Mapping[DeviceJobState, int]) -> int:
    return sum(count for state, count in counts.items() if state in FINAL and state is not DeviceJobState.CANCELLED)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %"


def read(given: Mapping[str, object], place: str = "rollout") -> Rollout:
    """Return the rules that were given; raises InputError that names every field which is wrong."""
    problems: list[Problem] = []
    known = {field.name for field in dataclasses.fields(Rollout)}
    problems += [
        Problem(f"{place}.{name}"[:200], f"is not a field here; those are {', '.join(sorted(known))}")
        for name in given
        if name not in known
    ]
    values = {
        **_numbers(given, place, problems, _INTEGERS, whole=True),
        **_numbers(given, place, problems, _FRACTIONS, whole=False),
    }
    rules = given.get("abort") or ()
    if not isinstance(rules, Sequence) or isinstance(rules, str) or len(rules) > MOST_RULES:
        problems.append(Problem(f"{place}.abort", f"must be a list of at most {MOST_RULES} rules"))
        rules = ()
    read_rules = tuple(_read_rule(rule, f"{place}.abort.{number}", problems) for number, rule in enumerate(rules))
    if problems:
        raise InputError(*problems)
    return Rollout(**values, abort=read_rules)


#: Field -> least and most.
_INTEGERS = {
    "canary": (0, MOST_DEVICES),
    "wave": (1, MOST_DEVICES),
    "largest": (1, MOST_DEVICES),
    "interval_seconds": (0, MOST_INTERVAL_SECONDS),
}
_FRACTIONS = {
    "factor": (1.0, MOST_FACTOR),
    "success_percentage": (0.0, 100.0),
    "ended_percentage": (0.0, 100.0),
}
_RULE_FIELDS = ("failure_type", "threshold_percentage", "minimum", "action")


def _numbers(
    given: Mapping[str, object],
    place: str,
    problems: list[Problem],
    bounds: Mapping[str, tuple[float, float]],
    *,
    whole: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (least, most) in bounds.items():
        value = given.get(name)
        if value is None:
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= float(str(value)) <= most or (whole and float(str(value)) % 1):
            what = "a whole number" if whole else "a number"
            problems.append(Problem(f"{place}.{name}", f"must be {what} from {least:.10g} to {most:.10g}"))
        else:
            found[name] = int(float(str(value))) if whole else float(str(value))
    return found


def _read_rule(given: object, place: str, problems: list[Problem]) -> AbortRule:
    if not isinstance(given, Mapping):
        problems.append(Problem(place, "must be an object", '{"failure_type": "FAILED", "threshold_percentage": 10}'))
        return AbortRule()
    unknown = [name for name in given if name not in _RULE_FIELDS]
    problems += [Problem(f"{place}.{name}"[:200], "is not a field here") for name in unknown]
    values = _numbers(given, place, problems, {"threshold_percentage": (0.0, 100.0)}, whole=False)
    values |= _numbers(given, place, problems, {"minimum": (1, MOST_DEVICES)}, whole=True)
    if given.get("failure_type") is not None:
        values["failure_type"] = _word(given["failure_type"], FAILURE_TYPES, f"{place}.failure_type", problems)
    if given.get("action") is not None:
        word = _word(given["action"], [action.value for action in AbortAction], f"{place}.action", problems)
        values["action"] = AbortAction(word or AbortAction.PAUSE)
    return AbortRule(**values)


def _word(value: object, words: Mapping[str, object] | Sequence[str], place: str, problems: list[Problem]) -> str:
    if isinstance(value, str) and value.upper() in words:
        return value.upper()
    problems.append(Problem(place, f"must be one of {', '.join(words)}"))
    return next(iter(words))


def as_document(rollout: Rollout) -> dict[str, object]:
    """Return the rules as they are kept and shown; ``read`` makes the same of it."""
    return {
        **{field.name: getattr(rollout, field.name) for field in dataclasses.fields(rollout) if field.name != "abort"},
        "abort": [
            {name: str(getattr(rule, name)) if name == "action" else getattr(rule, name) for name in _RULE_FIELDS}
            for rule in rollout.abort
        ],
    }
