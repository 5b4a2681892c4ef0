"""Giving an order to devices: what, to whom, with which values, when and in which waves."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response as AnyResponse

from watchbell.web import execute_page

blueprint = Blueprint("fleet_execute", __name__)


@blueprint.get("/fleet/execute")
def index() -> str:
    return execute_page.show()


@blueprint.post("/fleet/execute")
def act() -> AnyResponse | tuple[str, int] | str:
    """Search and choose devices, look at the order, or give it, as the pressed button says."""
    return execute_page.act()
