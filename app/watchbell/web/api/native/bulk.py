"""One thing done with many tasks."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response

from watchbell.domain.permissions import Right
from watchbell.errors import InputError, NotAllowed
from watchbell.services import bulk, bulk_foresight, simulation
from watchbell.services.bulk import Action, Order
from watchbell.web import current
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, bulk_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.tasks import filter_of
from watchbell.web.db import database


@blueprint.route("/tasks/bulk", methods=["POST"])
@blueprint.body(bulk_schemas.BulkOrder)
@idempotent()
@blueprint.errors(_409="What is to be done collides with the state of one of the tasks.")
@blueprint.answers(200, bulk_schemas.BulkResult)
def change_tasks(given: dict[str, Any]) -> Response:
    """Do one thing with many tasks, in one transaction: with all of them or, if one refuses, with none.

    With ``dry_run`` nothing is done, and ``simulation`` says which runs would come or go. To delete, tag and untag needs the right to edit.
    """
    order, dry_run = _order(given), given["dry_run"]
    if order.action in bulk.EDITS and Right.EDIT not in current.user().rights:
        raise NotAllowed(f"to {order.action} needs the right to edit")
    asking: dict[str, Any] = {"now": current.now(), "actor": current.actor(), "defaults": current.defaults()}
    effect = None
    if dry_run and order.action in bulk.MOVES:
        done, found = bulk_foresight.rehearse(database(), order, **asking)
        effect = simulation.told(found)
    else:
        done = bulk.carry_out(database(), order, **asking, dry_run=dry_run)
    items = [dataclasses.asdict(one) for one in done]
    return answers.answer({"dry_run": dry_run, "items": items, "simulation": effect})


def _order(given: dict[str, Any]) -> Order:
    if ("ids" in given) == ("filter" in given):
        # Neither would be every task there is, which nobody should ask for by leaving something out.
        raise InputError.of("ids", "give either ids or filter; an empty filter stands for all tasks", "[7, 8]")
    return Order(
        action=Action(given["action"]),
        ids=given.get("ids"),
        chosen=filter_of(given.get("filter", {})),
        tags=given["tags"],
        reason=given["reason"],
        until=given["until"],
    )
