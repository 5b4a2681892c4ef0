"""Asking a browser for a passkey: under which name it knows this server, and what it was asked, which it brings back."""

from __future__ import annotations

import base64
import ipaddress
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from flask import request, session

from watchbell.services import passkeys
from watchbell.services.passkeys import ANSWER_LIMIT, Asked, Party
from watchbell.web import current
from watchbell.web.i18n import _

#: Session key: what this browser was asked with, and what for.
_ASKED = "passkey_asked"


class Purpose(StrEnum):
    """What a browser is asked for."""

    ADD = "add"
    LOGIN = "login"
    CODE = "code"
    """A passkey in the place of a code, for a login that waits for one."""


def party() -> Party | None:
    """Return whom passkeys are for here, None where there can be none; the name was checked to be one of this server's."""
    return None if trouble() else Party(_host(), request.host_url.rstrip("/"))


def trouble() -> str:
    """Return why there can be no passkeys here, empty if there can be."""
    if not passkeys.is_available():
        return _("The server lacks what passkeys need: pip install 'watchbell[passkeys]'.")
    host = _host()
    if _is_number(host):
        return _(
            "Passkeys belong to a name: open this page by one, as by localhost on this machine, and not by a number."
        )
    if request.scheme != "https" and not (host == "localhost" or host.endswith(".localhost")):
        return _("Passkeys need https.")
    return ""


def ask(purpose: Purpose, name: str = "") -> Asked:
    """Return what to ask this browser with, which it keeps until it answers; ``name`` is that of a new passkey."""
    asked = Asked.anew(current.now())
    session[_ASKED] = [purpose.value, base64.b64encode(asked.challenge).decode(), asked.at.isoformat(), name]
    return asked


def asked_for(purpose: Purpose) -> tuple[Asked, str] | None:
    """Return what this browser was asked with, and the name of the new passkey; None if it was not, or too long ago."""
    kept = session.get(_ASKED)
    if not isinstance(kept, list) or kept[0] != purpose.value:
        return None
    asked = Asked(base64.b64decode(kept[1]), datetime.fromisoformat(kept[2]))
    return (asked, str(kept[3])) if current.now() - asked.at <= ANSWER_LIMIT else None


def forget() -> None:
    """Forget what was asked: it is answered once."""
    session.pop(_ASKED, None)


def _host() -> str:
    return urlsplit(request.host_url).hostname or ""


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
