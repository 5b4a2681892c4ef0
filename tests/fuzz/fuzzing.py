"""Throwing made-up input at what reads input, for as long as is asked, and telling what broke.

A target takes one value and raises nothing but what its family of errors allows, which it catches itself. Whatever else comes
out of it is a crash. So is what takes longer than anybody should be able to make it take: time is counted as that of the
processor, so that a busy machine finds nothing that is not there.
"""

from __future__ import annotations

import dataclasses
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.material import characters_in, varied

APP = str(Path(__file__).resolve().parents[2] / "app")
#: Nobody may make one input cost more than this.
MOST_SECONDS = 1.0
#: What takes this long is ended where it is.
HANG_SECONDS = 15.0
#: So many are made from one seed.
_BATCH = 200
#: Making an input costs more than taking it: each is taken so many times more with a text in it spoiled, unless it is long.
_VARIANTS = 24
_SHORT = 3000
_SHOWN = 400


class Hang(BaseException):
    """An example was ended because it would not end by itself."""


class _TimeIsUp(BaseException):
    """The time that a target was given is over; not an error, so that nothing takes it for one."""


@dataclasses.dataclass(frozen=True)
class Target:
    """Something that reads input."""

    name: str
    #: What it is fed with; ``longest`` bounds its texts.
    inputs: Callable[[int], SearchStrategy[Any]]
    #: Takes one input, and raises whatever should not have been.
    take: Callable[[Any], object]
    #: As many characters as somebody may send it.
    longest: int
    #: Of the processor for one input, and as much again for each million of its characters.
    most_seconds: float = MOST_SECONDS


@dataclasses.dataclass
class Crash:
    """Something that broke, and the shortest input so far that breaks it so."""

    where: str
    trace: str
    example: Any
    count: int = 1


@dataclasses.dataclass
class Outcome:
    """What came of feeding a target."""

    name: str
    seed: int
    seconds: float = 0.0
    examples: int = 0
    slowest: float = 0.0
    slowest_example: Any = None
    crashes: dict[str, Crash] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        broken = sum(crash.count for crash in self.crashes.values())
        return (
            f"{self.name}: {broken} of {self.examples} crashed, {self.seconds:.0f} s, seed {self.seed}, "
            f"slowest {self.slowest * 1000:.0f} ms of processor"
        )

    def note(self, where: str, trace: str, example: Any) -> None:
        """Count a crash, and keep its example if it is shorter than the one before."""
        known = self.crashes.get(where)
        if known is None:
            self.crashes[where] = Crash(where, trace, example)
            return
        known.count += 1
        if len(repr(example)) < len(repr(known.example)):
            known.example, known.trace = example, trace


def fuzz(target: Target, *, seconds: float, first_seed: int, longest: int | None = None) -> Outcome:
    """Return what became of a target that was fed for so long."""
    outcome = Outcome(target.name, first_seed)
    begin = 0.0
    inputs = target.inputs(min(target.longest, longest or target.longest))
    chance = random.Random(first_seed)

    def take(value: Any) -> None:
        nonlocal begin
        # Making ready for the first one costs more than a moment.
        begin = begin or time.monotonic()
        variants = _VARIANTS if characters_in(value) <= _SHORT else 0
        for _ in range(variants + 1):
            if time.monotonic() - begin >= seconds:
                raise _TimeIsUp
            _one(target, value, outcome)
            value = varied(value, chance)

    number = first_seed
    while True:
        batch = settings(
            max_examples=_BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(inputs)(take))
        try:
            seed(number)(batch)()
        except _TimeIsUp:
            break
        number += 1
    outcome.seconds = time.monotonic() - begin
    return outcome


def _one(target: Target, value: Any, outcome: Outcome) -> None:
    """Feed a target with one value and write down what came of it."""
    outcome.examples += 1
    before = time.process_time()
    try:
        with _ended_when_it_hangs():
            target.take(value)
    except (Exception, Hang) as error:
        outcome.note(_where(error), "".join(traceback.format_exception(error))[-4000:], value)
    spent = time.process_time() - before
    if spent > outcome.slowest:
        outcome.slowest, outcome.slowest_example = spent, value
    most = target.most_seconds
    if most < spent < HANG_SECONDS and spent > most * (1 + characters_in(value) / 1_000_000):
        outcome.note("slow", f"{spent:.1f} s of processor", value)


@contextmanager
def _ended_when_it_hangs() -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {HANG_SECONDS:.0f} s of processor")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _where(error: BaseException) -> str:
    """Return what broke in one line: the kind of error, and the last place of ours on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(APP)] or list(frames)
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def told(value: Any) -> str:
    """Return an input as it is shown: its beginning, its end and its length."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]} ({len(text)} characters)"
