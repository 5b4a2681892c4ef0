"""What the page of an order to devices shows, and what can be done with the order at the moment."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from watchbell.domain import fleet_figures
from watchbell.domain.fleet_state import EXECUTION_FINAL, RETRYABLE, DeviceJobState, ExecutionState
from watchbell.services import fleet_views
from watchbell.services.fleet_views import OrderDetail, PartPage, counts_of
from watchbell.web import fleet_looks, fleet_part_list
from watchbell.web.db import database
from watchbell.web.fleet_part_list import PartQuery
from watchbell.web.pictures.fleet_map import Map


@dataclasses.dataclass(frozen=True, slots=True)
class OrderView:
    """Everything that the page shows."""

    detail: OrderDetail
    asked: PartQuery
    page: PartPage
    map: Map
    #: Keys of tags by which the map can be put together.
    keys: Sequence[str]
    document: str
    undo: str
    done: int
    success: float | None
    waiting: int
    at_work: int
    retryable: int
    #: On how many devices it was begun, whatever became of it.
    begun: int
    is_over: bool

    @property
    def is_paused(self) -> bool:
        """Return whether it waits for a person."""
        return self.detail.execution.paused_reason is not None and not self.is_over

    @property
    def can_be_deleted(self) -> bool:
        """Return whether nobody has begun it, or it has ended."""
        return self.detail.execution.state != ExecutionState.IN_PROGRESS.value

    @property
    def can_be_undone(self) -> bool:
        """Return whether something undoes it, has not done so yet, and there is a device to do it on."""
        return self.detail.execution.rollback_document is not None and self.detail.undone_by is None and self.begun > 0


def as_text(document: Mapping[str, object]) -> str:
    """Return a document as people read it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def view(job_id: str, asked: PartQuery) -> OrderView:
    """Return what the page shows; raises ExecutionNotFound."""
    detail = fleet_views.get(database(), job_id)
    execution = detail.execution
    counts = counts_of(execution)
    groups = fleet_views.map_of(database(), execution, tag=asked.by)
    waiting, at_work = counts.get(DeviceJobState.QUEUED, 0), counts.get(DeviceJobState.IN_PROGRESS, 0)
    never = sum(counts.get(state, 0) for state in (DeviceJobState.CANCELLED, DeviceJobState.REJECTED))
    return OrderView(
        detail=detail,
        asked=asked,
        page=fleet_part_list.find(execution, asked),
        map=fleet_looks.draw(execution, groups, asked.by),
        keys=fleet_views.list_tag_keys(database()),
        document=as_text(execution.document),
        undo=as_text(execution.rollback_document) if execution.rollback_document else "",
        done=fleet_figures.done(counts),
        success=fleet_figures.success_percentage(counts),
        waiting=waiting,
        at_work=at_work,
        retryable=0 if execution.is_cancelled else sum(counts.get(state, 0) for state in RETRYABLE),
        begun=execution.total - waiting - never,
        is_over=ExecutionState(execution.state) in EXECUTION_FINAL,
    )
