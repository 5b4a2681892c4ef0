"""Tags of tasks, which nest by slashes: ``billing/nightly`` lies in ``billing``, as a file in a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

SLASH = "/"


def tidy(tag: str) -> str:
    """Return a tag without empty parts and without blanks around its parts; empty if nothing is left."""
    return SLASH.join(part.strip() for part in tag.split(SLASH) if part.strip())


def is_within(tag: str, wanted: str) -> bool:
    """Return whether a tag is another one or lies in it."""
    return tag == wanted or tag.startswith(f"{wanted}{SLASH}")


def has(tags: Iterable[str], wanted: str) -> bool:
    """Return whether one of some tags is another one or lies in it."""
    return any(is_within(tag, wanted) for tag in tags)


def upwards(tag: str) -> Iterator[str]:
    """Yield a tag and those in which it lies, the outermost one first."""
    parts = tag.split(SLASH)
    for count in range(1, len(parts) + 1):
        yield SLASH.join(parts[:count])


@dataclasses.dataclass(slots=True)
class Branch:
    """A tag, with the tags that lie in it by name."""

    tag: str
    #: How many tasks have it or one that lies in it, and of how many of those the last run did not end well.
    tasks: int = 0
    failing: int = 0
    below: list[Branch] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the last part of the tag."""
        return self.tag.rpartition(SLASH)[2]


def grow(found: Iterable[tuple[Sequence[str], int, bool]]) -> list[Branch]:
    """Return the outermost tags of tasks: the tags of some equal tasks, how many those are, and whether they fail.

    A task counts once in each tag, however many of its tags lie in it.
    """
    known: dict[str, Branch] = {}
    for tags, count, is_failing in found:
        for tag in {above: None for one in tags for above in upwards(one)}:
            branch = known.setdefault(tag, Branch(tag))
            branch.tasks += count
            branch.failing += count if is_failing else 0
    roots: list[Branch] = []
    for tag in sorted(known, key=lambda tag: [part.lower() for part in tag.split(SLASH)]):
        parent = tag.rpartition(SLASH)[0]
        (known[parent].below if parent in known else roots).append(known[tag])
    return roots


def flat(branches: Iterable[Branch]) -> Iterator[Branch]:
    """Yield branches, each followed by what lies in it."""
    for branch in branches:
        yield branch
        yield from flat(branch.below)
