"""What a person decides per task about starting, waiting and ending, with defaults that are safe."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from enum import StrEnum

from watchbell.domain import gates, interpreters
from watchbell.errors import InputError, Problem


class Overlap(StrEnum):
    """What happens when a task is due while an earlier run of it is still active."""

    SKIP = "skip"
    """The new run is not started; a row says so."""
    QUEUE_ONE = "queue_one"
    """One run waits for its turn; further ones are skipped."""
    QUEUE_ALL = "queue_all"
    """Runs wait for their turn, as many as the task allows; further ones are skipped."""
    REPLACE = "replace"
    """The run that is still active is ended, and the new one starts when it has gone."""
    ALLOW = "allow"
    """Both run."""


class CatchUp(StrEnum):
    """What happens to the moments that passed while no scheduler worked."""

    SKIP = "skip"
    """None is run; they stand as missed."""
    LAST = "last"
    """The newest one within the window is run; the others stand as missed."""
    ALL = "all"
    """All within the window are run, oldest first, up to the limit; the others stand as missed."""


class Uncertain(StrEnum):
    """What happens when nobody can know whether a started run finished."""

    LOST = "lost"
    """The run is marked lost; the command is never started twice (at most once)."""
    RUN_AGAIN = "run_again"
    """The command is started again; it must be safe to repeat (at least once)."""
    ASK = "ask"
    """The run is marked lost, and a person decides on its page whether it is run again."""


class Backoff(StrEnum):
    """How the delay grows from one retry to the next."""

    EXPONENTIAL = "exponential"
    """The delay, times the multiplier at each further retry."""
    LINEAR = "linear"
    """Once, twice, three times the delay."""
    FIBONACCI = "fibonacci"
    """The delay times 1, 1, 2, 3, 5, 8."""
    EXPONENTIAL_JITTER = "exponential_jitter"
    """As exponential, plus a random part up to the same length, so that many tasks do not come back at once."""


class OutputExcess(StrEnum):
    """What happens when a command writes more than is kept."""

    DROP = "drop"
    """Its beginning and its end are kept; the middle is given up, and counted."""
    END = "end"
    """The run is ended as failed."""


class OwnMetrics(StrEnum):
    """What happens to lines by which a command tells numbers about itself."""

    IGNORE = "ignore"
    """They are output like any other."""
    READ = "read"
    """Their numbers are kept beside those that are measured of every run."""


DAY_SECONDS = 86_400
#: The default for the time limit of a run.
DEFAULT_TIME_LIMIT_SECONDS = DAY_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class Policies:
    """The decisions of one task."""

    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    catch_up_limit: int = 100
    catch_up_window_seconds: int = DAY_SECONDS
    uncertain: Uncertain = Uncertain.LOST
    #: None stands for the task's own interval, at most an hour.
    latest_start_seconds: int | None = None
    time_limit_seconds: int = DEFAULT_TIME_LIMIT_SECONDS
    grace_seconds: int = 10
    #: Per stream; None stands for the server's setting.
    output_limit_mib: int | None = None
    spread_seconds: int = 0
    #: With queue_all: how many may wait at a time.
    overlap_limit: int = 100
    #: Further attempts after one that failed; 0 for none.
    retries: int = 0
    retry_backoff: Backoff = Backoff.EXPONENTIAL
    retry_delay_seconds: int = 1
    retry_max_delay_seconds: int = 60
    retry_multiplier: float = 2.0
    #: No retry begins later than this after the first start; None for no such bound.
    retry_total_seconds: int | None = None
    #: Which results are tried again: exit codes, ranges of them, "signal", "timeout"; empty for every failure.
    retry_on: str = ""
    #: Which are not, whatever the former says.
    retry_not_on: str = ""
    output_excess: OutputExcess = OutputExcess.DROP
    #: All processes of a run together where the system can bound that, else each of them.
    memory_limit_mib: int | None = None
    process_limit: int | None = None
    #: As of nice(1), from -20 to 19; the higher, the more the run gives way to others.
    niceness: int = 0
    queue: str = "default"
    priority: int = 0
    #: How long its runs are kept, and how many of them; None stands for the server's setting.
    keep_days: int | None = None
    keep_runs: int | None = None
    #: Whether lines of its output such as "::watchbell metric=rows value=120" are read as numbers of the run.
    own_metrics: OwnMetrics = OwnMetrics.IGNORE
    #: What must hold of the numbers of a run, or it has failed: a condition on each line, see domain.gates.
    gates: str = ""
    #: The user of the system as whom it runs; empty for the first of those that the settings name, or the scheduler's own.
    as_user: str = ""
    #: What is given its command or steps as scripts: empty for a shell, where one is needed, ``none`` for never one, or a
    #: program with arguments; see domain.interpreters.
    interpreter: str = ""

    def to_json(self) -> dict[str, object]:
        """Return a form that ``from_json`` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Policies:
        """Return the policies that were stored; entries that this version does not know are left out."""
        return _from_items(tuple(data.items()))


@functools.lru_cache(maxsize=1024)
def _from_items(items: tuple[tuple[str, object], ...]) -> Policies:
    """Return the policies of stored entries; thousands of tasks share the same few."""
    known = {field.name for field in dataclasses.fields(Policies)}
    kept = {name: value for name, value in items if name in known}
    for name, kind in WORDS.items():
        if name in kept:
            kept[name] = kind(str(kept[name]))
    return Policies(**kept)  # type: ignore[arg-type]


#: The priorities that a task may have; what is asked for as soon as possible goes ahead of them all.
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
#: Range of each number: lowest, highest, an example.
RANGES: dict[str, tuple[int, int, str]] = {
    "catch_up_limit": (1, 1000, "100"),
    "catch_up_window_seconds": (0, 366 * DAY_SECONDS, "86400"),
    "latest_start_seconds": (1, 31 * DAY_SECONDS, "300"),
    "time_limit_seconds": (1, 31 * DAY_SECONDS, "3600"),
    "grace_seconds": (0, 3600, "10"),
    "output_limit_mib": (1, 10_240, "20"),
    "spread_seconds": (0, DAY_SECONDS, "0"),
    "overlap_limit": (1, 1000, "100"),
    "retries": (0, 100, "3"),
    "retry_delay_seconds": (0, DAY_SECONDS, "1"),
    "retry_max_delay_seconds": (0, 7 * DAY_SECONDS, "60"),
    "retry_total_seconds": (1, 31 * DAY_SECONDS, "300"),
    "memory_limit_mib": (1, 16 * 1024 * 1024, "512"),
    "process_limit": (1, 1_000_000, "64"),
    "niceness": (-20, 19, "10"),
    "priority": (LOWEST_PRIORITY, HIGHEST_PRIORITY, "10"),
    "keep_days": (1, 36_500, "90"),
    "keep_runs": (1, 100_000_000, "1000"),
}
#: Numbers that may be nothing, which stands for the server's setting or for no bound.
OPTIONAL = frozenset(
    {
        "latest_start_seconds",
        "output_limit_mib",
        "retry_total_seconds",
        "memory_limit_mib",
        "process_limit",
        "keep_days",
        "keep_runs",
    }
)
#: The policies that are one of a few words.
WORDS: dict[str, type[StrEnum]] = {
    "overlap": Overlap,
    "catch_up": CatchUp,
    "uncertain": Uncertain,
    "retry_backoff": Backoff,
    "output_excess": OutputExcess,
    "own_metrics": OwnMetrics,
}
_QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,49}")
_USER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")
_RESULT = re.compile(r"signal|timeout|([0-9]{1,3})(?:-([0-9]{1,3}))?")


def build_policies(fields: Mapping[str, object], base: Policies | None = None) -> Policies:
    """Return policies from what a person gave, on top of a base; entries that are None or absent keep the base.

    An empty text gives an optional number up. Raises InputError that names each wrong field.
    """
    base = base or Policies()
    changes: dict[str, object] = {}
    problems: list[Problem] = []
    for name, value in fields.items():
        if value is None:
            continue
        try:
            changes[name] = _read(name, value)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(*problems)
    made: Policies = dataclasses.replace(base, **changes)  # type: ignore[arg-type]
    if made.gates and {"gates", "own_metrics"} & set(changes):
        # Which names they may have depends on the other one.
        gates.check(made.gates, reads_own=made.own_metrics is OwnMetrics.READ)
    return made


def _read(name: str, value: object) -> object:
    if name in WORDS:
        kind = WORDS[name]
        try:
            return kind(str(value))
        except ValueError:
            words = ", ".join(kind)
            raise InputError.of(name, f"must be one of {words}", next(iter(kind))) from None
    if name in _TEXTS and not isinstance(value, str):
        # A bare yes or no of a file is no name of a program or a user.
        raise InputError.of(
            name, "this is a text; put it in quotes", "'none'" if name == interpreters.FIELD else "backup"
        )
    if name in _READERS:
        return _READERS[name](name, str(value).strip())
    if name not in RANGES:
        raise InputError.of(name, "is not a policy of a task", "overlap")
    low, high, example = RANGES[name]
    text = str(value).strip()
    if not text and name in OPTIONAL:
        return None
    if isinstance(value, bool) or not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise InputError.of(name, "must be a whole number", example)
    number = int(text[:20])
    if not low <= number <= high:
        unit = " seconds" if name.endswith("_seconds") else ""
        raise InputError.of(name, f"must be between {low} and {high}{unit}", example)
    return number


def _read_multiplier(name: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,2}(?:\.[0-9]{1,6})?", text) or not 1 <= float(text) <= 10:
        raise InputError.of(name, "must be a number between 1 and 10", "2.0")
    return float(text)


def _read_queue(name: str, text: str) -> str:
    if not _QUEUE_NAME.fullmatch(text):
        raise InputError.of(
            name, "must be up to 50 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit", "backup"
        )
    return text


def _read_user(name: str, text: str) -> str:
    if text and not _USER_NAME.fullmatch(text):
        raise InputError.of(name, "must be the name of a user of the system, or nothing", "backup")
    return text


def _read_results(name: str, text: str) -> str:
    """Return a list of results in one spelling: sorted as given, without doubles, joined by a comma and a space."""
    parts = dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip())
    for part in parts:
        match = _RESULT.fullmatch(part)
        numbers = [int(number) for number in match.groups() if number] if match else []
        if match is None or any(number > 255 for number in numbers) or numbers != sorted(numbers):
            raise InputError.of(
                name,
                f"'{part[:20]}' is no exit code from 0 to 255, range of them, signal or timeout",
                "1, 75-79, timeout",
            )
    return ", ".join(parts)


_TEXTS = frozenset({"as_user", interpreters.FIELD})
_READERS: dict[str, Callable[[str, str], object]] = {
    "retry_multiplier": _read_multiplier,
    "queue": _read_queue,
    "as_user": _read_user,
    interpreters.FIELD: interpreters.read,
    "retry_on": _read_results,
    "retry_not_on": _read_results,
    # Which metrics they may name is settled when it is known whether those of the task's own are read.
    "gates": lambda _name, text: gates.check(text, reads_own=True),
}
