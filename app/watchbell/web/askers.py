"""Who asks: a browser that shows pages, or a program, which is answered in its own way and always in English."""

from __future__ import annotations

from flask import Request

from watchbell.web import families

#: The first part of the addresses of sockets, which belong to no family.
_SOCKETS = "ws"


def is_for_programs(asked: Request) -> bool:
    """Return whether an address is none of the pages: what it answers is never a page, nor a way to one."""
    return families.find(asked.path) is not None or asked.path.split("/", 2)[1] == _SOCKETS


def bearer_of(asked: Request) -> str | None:
    """Return the token that a request carries in its header, None if it carries none."""
    scheme, _, secret = asked.headers.get("Authorization", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def is_program(asked: Request) -> bool:
    """Return whether a program asks for what is made for programs."""
    return is_for_programs(asked) or bearer_of(asked) is not None


def wants_twin(asked: Request) -> bool:
    """Return whether the twin of a page is asked for that programs, spreadsheets and calendars read, and no script of a page."""
    return asked.path.endswith((".json", ".csv", ".ics")) and "X-Requested-With" not in asked.headers


def wants_json(asked: Request) -> bool:
    """Return whether the one who asks is a program that reads JSON."""
    if is_program(asked):
        return True
    if asked.path.endswith((".json", "/data", "/output")) or "X-Requested-With" in asked.headers:
        return True
    # A browser that follows a link to a download says that it reads pages, and can be led to the login.
    if wants_twin(asked) and "text/html" not in asked.headers.get("Accept", ""):
        return True
    accepted = asked.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]
