"""A chain in words: its steps as rows of a table, and what has become of it in a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from watchbell.domain.chains import On
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.services import groups
from watchbell.services.groups import Group, Step, state_of
from watchbell.services.links import Loop
from watchbell.store.session import Database
from watchbell.web.forms.after_fields import AfterRow
from watchbell.web.i18n import _, ngettext
from watchbell.web.pictures.chain import Chain, draw_loop
from watchbell.web.presenters import RunView, run_view

_ACTIVE = frozenset(state.value for state in ACTIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Parent:
    """A task that another one runs after."""

    task_id: int
    name: str
    #: After which end of it, in words.
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class StepRow:
    """One task of a chain."""

    step: Step
    state: str
    #: None where only the newest result is known.
    run: RunView | None
    parents: Sequence[Parent]

    @property
    def is_over(self) -> bool:
        """Return whether its run has ended."""
        return bool(self.state) and self.state not in _ACTIVE


def rows(steps: Sequence[Step], now: datetime | None = None) -> list[StepRow]:
    """Return the rows of steps; with ``now`` those of a group, whose runs are known as a whole."""
    names = {step.task_id: step.task_name for step in steps}
    words = {On.SUCCEEDED: _("succeeded"), On.FAILED: _("failed"), On.FINISHED: _("finished")}
    return [
        StepRow(
            step,
            state_of(step),
            run_view(step.run, now) if now is not None and step.run is not None else None,
            [Parent(one, names[one], words[on]) for one, on in step.parents.items() if one in names],
        )
        for step in steps
    ]


def picture_of_loop(db: Database, loop: Loop, typed: Sequence[AfterRow]) -> Chain | None:
    """Return how a loop is drawn that the rows of a form would close; None if it has too many steps."""
    on = next((row.on for row in typed if row.task.strip() == loop.names[-1]), On.SUCCEEDED.value)
    return draw_loop(groups.of_loop(db, loop.ids), on)


def answer(group: Group) -> str:
    """Return what has become of a group."""
    states = [state_of(step) for step in group.steps]
    done = sum(state == RunState.SUCCEEDED for state in states)
    number = len(states)
    said = [ngettext("%(done)s of %(num)s task succeeded", "%(done)s of %(num)s tasks succeeded", number, done=done)]
    bad = sum(state in {RunState.FAILED, RunState.TIMED_OUT, RunState.LOST} for state in states)
    if bad:
        said.append(ngettext("%(num)s did not end well", "%(num)s did not end well", bad))
    left = sum(state in {RunState.SKIPPED, RunState.MISSED, RunState.CANCELLED} for state in states)
    if left:
        said.append(ngettext("%(num)s was not started", "%(num)s were not started", left))
    going = sum(state in _ACTIVE or not state for state in states)
    if going and group.is_active:
        said.append(ngettext("%(num)s is still to end", "%(num)s are still to end", going))
    rounds = group.rounds - 1
    if rounds:
        said.append(ngettext("run again in part once", "run again in part %(num)s times", rounds))
    return _("%(parts)s.", parts=", ".join(said))
