"""What routes of tasks take and answer with of their steps."""

from __future__ import annotations

from watchbell.domain.steps import LONGEST_SECONDS
from watchbell.web.api import fields


class Step(fields.Schema):
    """One step of a task."""

    name = fields.Text(metadata={"description": "By default step N.", "example": "import"})
    command = fields.Text(required=True, metadata={"example": "python import.py"})
    timeout_seconds = fields.Whole(
        allow_none=True, load_default=None, validate=fields.between(1, LONGEST_SECONDS), metadata={"example": 300}
    )
    continue_on_failure = fields.Flag(
        load_default=False, metadata={"description": "Whether the steps after it run when it has failed."}
    )


class ToldStep(fields.Schema):
    """One step of a task."""

    name = fields.Text(required=True)
    command = fields.Text(required=True)
    timeout_seconds = fields.Whole(required=True, allow_none=True)
    continue_on_failure = fields.Flag(required=True)
