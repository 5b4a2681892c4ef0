"""Static files under addresses that carry a stamp of their content, so that browsers keep them for ever.

The stamp stands in the path and not behind a question mark: what a module imports and what a style sheet loads is
named relative to it and is stamped, too.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
from pathlib import Path

from flask import Flask, Response, current_app, request, send_from_directory, url_for
from werkzeug.security import safe_join

from watchbell import resources
from watchbell.version import __version__
from watchbell.web import compressing

_NAME = "watchbell.asset_stamp"
_TEXTS = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml", "application/json"})
_LEVEL = 9
_YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Serve the static files and give templates ``asset(path)``."""
    app.extensions[_NAME] = _stamp(resources.static())
    app.add_url_rule("/static/<stamp>/<path:name>", "static", _serve)
    app.add_template_global(asset)


def asset(path: str) -> str:
    """Return the address of a static file."""
    return url_for("static", stamp=current_app.extensions[_NAME], name=path)


def _serve(stamp: str, name: str) -> Response:
    answer = (compressing.is_taken() and "Range" not in request.headers and _compressed(stamp, name)) or (
        send_from_directory(resources.static(), name)
    )
    answer.vary.add("Accept-Encoding")
    if stamp == current_app.extensions[_NAME]:
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_SECONDS}, immutable"
    else:
        # A page of the version before still finds its files, as they are now.
        answer.headers["Cache-Control"] = "no-cache"
    return answer


def _compressed(stamp: str, name: str) -> Response | None:
    """Return a text compressed, None for what is no text of this version."""
    kind = mimetypes.guess_type(name)[0]
    path = safe_join(str(resources.static()), name)
    if stamp != current_app.extensions[_NAME] or kind not in _TEXTS or path is None or not Path(path).is_file():
        return None
    answer = Response(_packed(path, stamp), mimetype=kind)
    answer.headers["Content-Encoding"] = "gzip"
    return answer


@functools.lru_cache(maxsize=256)
def _packed(path: str, _stamp: str) -> bytes:
    """Return a file compressed, anew for each stamp."""
    return gzip.compress(Path(path).read_bytes(), _LEVEL, mtime=0)


def _stamp(folder: Path) -> str:
    """Return a digest of the version and of all files, which all workers and hosts find to be the same."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
