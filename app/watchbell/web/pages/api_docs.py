"""The description of the API: the document, and two ways to read it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from watchbell.web.api import versions
from watchbell.web.api.document import document

blueprint = Blueprint("api_docs", __name__)

#: ReDoc draws with styles of its own making and searches in a worker; nothing else on its page comes from anywhere.
_REDOC_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_METHODS = ("get", "post", "put", "patch", "delete")


@blueprint.get("/openapi.json")
def openapi() -> Response:
    return versions.mark(Response(document().text_at(request.script_root), mimetype="application/json"))


@blueprint.get("/docs")
@blueprint.get("/api/docs")
def swagger() -> str:
    content = document().content
    return render_template("api_docs/swagger.html", groups=_groups(content), section="api_docs")


@blueprint.get("/redoc")
@blueprint.get("/api/redoc")
def redoc() -> Response:
    response = make_response(render_template("api_docs/redoc.html"))
    response.headers["Content-Security-Policy"] = _REDOC_POLICY
    return response


def _groups(content: dict[str, Any]) -> list[tuple[dict[str, str], list[tuple[str, str, str]]]]:
    """Return each family with its routes (method, path, summary), for whoever reads without scripts."""
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for path, operations in content["paths"].items():
        for method in _METHODS:
            if method in operations:
                told = operations[method]
                groups.setdefault(told["tags"][0], []).append((method.upper(), path, told.get("summary", "")))
    return [(tag, groups.get(tag["name"], [])) for tag in content["tags"]]
