"""Tasks that run after others: on what end, how several parents are joined, and which links would make a loop.

A task with parents is their child. Its turn comes when enough is known of how they ended: then it starts, or a row says why it
does not, so that what comes after it hears of that as well.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from watchbell.domain.run_state import RunState
from watchbell.errors import InputError

AFTER_FIELD = "after"
JOIN_FIELD = "join"
#: So many parents a task may have, and so long its join and the name of a parent may be.
MOST_PARENTS = 100
_NAME_LIMIT = 100
ALL, ANY = "all", "any"
_EXAMPLE = "import=succeeded"
_FIELDS = ("task", "on")
_Name = TypeVar("_Name", bound=Hashable)


class On(StrEnum):
    """After which end of its parent a task runs."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It failed, took too long, or nobody knows how it ended."""
    FINISHED = "finished"
    """It was started and is over, whatever came of it."""


_FAILURES = frozenset({RunState.FAILED, RunState.TIMED_OUT, RunState.LOST})
#: Which final states count; what never started, or was cancelled, counts for nothing.
COUNTS: Mapping[On, frozenset[RunState]] = {
    On.SUCCEEDED: frozenset({RunState.SUCCEEDED}),
    On.FAILED: _FAILURES,
    On.FINISHED: _FAILURES | {RunState.SUCCEEDED},
}
#: A run that no chain made and that ended so has started nothing, and nothing comes after it.
NO_ROOT = frozenset({RunState.SKIPPED, RunState.MISSED})


@dataclasses.dataclass(frozen=True, slots=True)
class After:
    """One parent of a task, by its name, and after which end of it the task runs."""

    task: str
    on: On = On.SUCCEEDED

    def to_json(self) -> dict[str, str]:
        """Return a form that ``after_from_json`` reads back."""
        return {"task": self.task, "on": self.on.value}


class Turnout(StrEnum):
    """What becomes of a child when one of its parents has ended."""

    WAIT = "wait"
    START = "start"
    SKIP = "skip"


def after_from_json(data: object) -> tuple[After, ...]:
    """Return the parents that were stored; nothing stored is none."""
    entries = data if isinstance(data, list | tuple) else ()
    return tuple(After(entry["task"], On(entry["on"])) for entry in entries)


def judge(join: str, wanted: Mapping[int, On], arrived: Mapping[int, RunState]) -> Turnout:
    """Return what becomes of a child by how its parents have ended, as far as they have.

    ``wanted`` are all its parents, ``arrived`` those whose end is known. It starts as soon as as many count as its join wants,
    and is skipped once all are known and too few do.
    """
    counting = sum(parent in arrived and counts(on, arrived[parent]) for parent, on in wanted.items())
    if counting >= needed(join, len(wanted)):
        return Turnout.START
    return Turnout.SKIP if all(parent in arrived for parent in wanted) else Turnout.WAIT


def counts(on: On, state: RunState) -> bool:
    """Return whether a parent that ended so lets its child run."""
    return state in COUNTS[on]


def needed(join: str, parents: int) -> int:
    """Return how many of so many parents have to end as wanted; never less than one."""
    if join == ALL:
        return max(parents, 1)
    return 1 if join == ANY else int(join)


def find_loop(parents: Mapping[_Name, Collection[_Name]], start: _Name) -> list[_Name]:
    """Return the shortest loop that leads from a task back to it, in the order in which they would run; empty if there is none.

    ``parents`` has the parents of each task. The first of the loop is ``start``, and each runs after the one before it.
    """
    child_of: dict[_Name, _Name] = {}
    queue = deque([start])
    while queue:
        child = queue.popleft()
        for parent in parents.get(child, ()):
            if parent == start:
                loop = [child]
                while loop[-1] != start:
                    loop.append(child_of[loop[-1]])
                # From the task down to what it would wait for: its loop begins with itself.
                return [start, *loop[:-1]]
            if parent not in child_of:
                child_of[parent] = child
                queue.append(parent)
    return []


def describe(after: Sequence[After], join: str) -> str:
    """Return after what a task runs, as the sentence of its schedule; which end of each is asked for is not told."""
    names = ", ".join(one.task for one in after)
    if len(after) == 1:
        return f"After {names}"
    if join == ALL:
        return f"After all of {names}"
    return f"After any of {names}" if join == ANY else f"After {join} of {names}"


def lines_of(after: Iterable[After]) -> str:
    """Return parents as somebody would type them, one a line; ``build_after`` reads them back."""
    return "\n".join(f"{one.task} = {one.on}" for one in after)


def say_loop(names: Sequence[str]) -> str:
    """Return a loop in words, such as ``import → report → import``."""
    return " → ".join([*names, names[0]])


def reachable(children: Mapping[int, Iterable[int]], start: int) -> frozenset[int]:
    """Return a task and all that come after it, however many steps later."""
    found = {start}
    queue = deque([start])
    while queue:
        for child in children.get(queue.popleft(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return frozenset(found)


def in_order(parents: Mapping[_Name, Collection[_Name]], names: Iterable[_Name]) -> list[_Name]:
    """Return tasks so that each stands behind all that it runs after, else in the order given; there must be no loop."""
    placed: dict[_Name, None] = {}
    for name in names:
        stack = [name]
        while stack:
            waiting = [parent for parent in parents.get(stack[-1], ()) if parent not in placed]
            if waiting and stack[-1] not in placed:
                stack += reversed(waiting)
            else:
                placed.setdefault(stack.pop())
    wanted = set(names)
    return [name for name in placed if name in wanted]


def build_after(value: object) -> tuple[After, ...]:
    """Return parents from a list of objects with task and on, or from lines such as ``import = succeeded``.

    Raises InputError that names each wrong one by its number.
    """
    if value is None or isinstance(value, str):
        entries: list[object] = [line for line in (value or "").splitlines() if line.strip()]
    elif isinstance(value, list | tuple):
        entries = list(value)
    else:
        raise InputError.of(AFTER_FIELD, "must be a list of objects with task and on, or lines of both", _EXAMPLE)
    if len(entries) > MOST_PARENTS:
        raise InputError.of(AFTER_FIELD, f"must be at most {MOST_PARENTS} tasks", _EXAMPLE)
    found: dict[str, After] = {}
    wrong: list[InputError] = []
    for number, entry in enumerate(entries, 1):
        try:
            one = _after(number, entry)
            if one.task in found:
                raise _wrong(number, f"task {one.task!r} stands there twice")
            found[one.task] = one
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise InputError.joined(wrong)
    return tuple(found.values())


def build_join(value: object) -> str:
    """Return a join as it is stored: all, any, or how many of the parents at the least; raises InputError."""
    text = str(ALL if value is None else value).strip().lower() or ALL
    if text in {ALL, ANY}:
        return text
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) >= 1):
        raise InputError.of(JOIN_FIELD, "must be all, any, or how many of them at the least", "2")
    return str(int(text))


def check_join(join: str, parents: int) -> str:
    """Return what is wrong with a join of so many parents, in words; empty if it can come true."""
    if join not in {ALL, ANY} and int(join) > max(parents, 1):
        return f"must be at most the number of tasks that it runs after, {parents}"
    return ""


def _after(number: int, entry: object) -> After:
    if isinstance(entry, After):
        return entry
    if isinstance(entry, str):
        name, equals, on = entry.rpartition("=")
        entry = {"task": name, "on": on.strip()} if equals and on.strip() in set(On) else {"task": entry}
    if not isinstance(entry, Mapping) or not all((text is None or isinstance(text, str)) for text in entry.values()):
        raise _wrong(number, "must be an object with task and on")
    if set(entry) - set(_FIELDS):
        raise _wrong(number, "has other fields than task and on")
    task = str(entry.get("task") or "").strip()
    if not task or len(task) > _NAME_LIMIT:
        raise _wrong(number, "needs the name of a task")
    try:
        return After(task, On(str(entry.get("on") or On.SUCCEEDED)))
    except ValueError:
        raise _wrong(number, f"its end must be one of {', '.join(On)}") from None


def _wrong(number: int, message: str) -> InputError:
    return InputError.of(AFTER_FIELD, f"entry {number}: {message}", _EXAMPLE)
