"""The tags of tasks, which nest by slashes."""

from __future__ import annotations

from flask import Response

from watchbell.domain import tags
from watchbell.services import task_lists
from watchbell.web.api import fields
from watchbell.web.api.native import answers
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database


class Tag(fields.Schema):
    """A tag, and how many tasks have it or one that lies in it."""

    tag = fields.Text(required=True, metadata={"example": "billing/nightly"})
    tasks = fields.Whole(required=True)
    failing = fields.Whole(
        required=True, metadata={"description": "Those whose newest run failed, timed out, was lost or missed."}
    )


class TagList(fields.Schema):
    """All tags, each followed by those that lie in it."""

    items = fields.Many(fields.Nested(Tag), required=True)


@blueprint.route("/tags")
@blueprint.answers(200, TagList)
def list_tags() -> Response:
    """List the tags of all tasks, each followed by those that lie in it."""
    found = tags.flat(task_lists.tag_tree(database()))
    return answers.answer({"items": [{"tag": one.tag, "tasks": one.tasks, "failing": one.failing} for one in found]})
