"""Answers that travel compressed to whoever takes them so: pages and the files that they are made of.

What a program asks for is sent as it is: it is on the same machine more often than not, and what it costs it is time.
"""

from __future__ import annotations

import gzip
import io
import secrets

from flask import Flask, Response, request

from watchbell.web import askers

#: What is shorter fits into the first packets as it is.
LEAST_BYTES = 1400
#: Pages are compressed anew for each reader, so quickly.
_LEVEL = 4
_LONGEST_PADDING = 64
_TYPES = frozenset({"text/html", "application/json"})


def init_app(app: Flask) -> None:
    """Compress the pages of an application."""
    app.after_request(_compress)


def is_taken() -> bool:
    """Return whether whoever asks takes an answer that is compressed."""
    return request.accept_encodings["gzip"] > 0


def _compress(answer: Response) -> Response:
    if answer.mimetype not in _TYPES or answer.is_streamed or answer.status_code != 200 or askers.is_program(request):
        return answer
    answer.vary.add("Accept-Encoding")
    data = answer.get_data()
    if len(data) < LEAST_BYTES or "Content-Encoding" in answer.headers or not is_taken():
        return answer
    answer.set_data(_packed(data))
    answer.headers["Content-Encoding"] = "gzip"
    return answer


def _packed(data: bytes) -> bytes:
    """Return it compressed, under a name of random length.

    A page holds secrets of its reader beside what its address says. Whoever could make somebody ask for many addresses, and see
    how long the answers are, would learn from the lengths whether both have something in common.
    """
    target = io.BytesIO()
    name = secrets.token_hex(secrets.randbelow(_LONGEST_PADDING // 2) + 1)
    with gzip.GzipFile(name, "wb", _LEVEL, target, mtime=0) as file:
        file.write(data)
    return target.getvalue()
