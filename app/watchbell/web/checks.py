"""What every request passes before any handler sees it, and what every answer carries.

In this order: a name of ours in the Host header, a loopback peer when nobody logs in, a valid token if there is one, an
origin of ours on whatever changes something, the right that domain.permissions.ROUTES asks for (nothing for a route that
is not in it), a second factor where the settings ask for one, a form whose bytes are text, and the token of the form. The last two checks of where a request comes from are for cookies, which a
browser sends along whoever makes it send something; a token in a header is sent by nobody but its owner.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from watchbell.config import Config
from watchbell.domain import run_as
from watchbell.domain.ownership import OwnOnly
from watchbell.domain.permissions import ROUTES, Right, rights_of, scope_for
from watchbell.services import audit, ownership
from watchbell.services.audit import Origin
from watchbell.services.ownership import Doer
from watchbell.web import askers, auth, bearer, current, errors, form_text
from watchbell.web.current import User
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.throttle import tries


class _FormTokens(CSRFProtect):  # type: ignore[misc]
    """The token of the form, asked for where a cookie says who somebody is."""

    def protect(self, *arguments: Any, **options: Any) -> None:
        """Refuse a request that changes something unless its form, or the header X-CSRFToken, has the token."""
        # Who it is costs a look into the database, which static files and the health of that database do without.
        if request.method in _SAFE_METHODS:
            return
        user = current.user()
        # Without a session an address for programs is open to those of this machine only, and to no browser elsewhere:
        # its origin was looked at before.
        if user.by_token or (askers.is_for_programs(request) and not user.is_authenticated):
            g.csrf_valid = True
            return
        super().protect(*arguments, **options)


csrf = _FormTokens()

BODY_LIMIT_BYTES = 1024 * 1024
#: Of a form that holds a file of tasks, and a box for each of them.
_LONG_BODY_BYTES, _LONG_FORM_PARTS = 8 * 1024 * 1024, 10_000
_LONG_FORMS = frozenset({"transfer.create"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOSTS = "watchbell.hosts"
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LAST_HEADERS = (*_HEADERS.items(), ("Cache-Control", "no-store"))


def init_app(app: Flask, config: Config) -> None:
    """Attach the checks in their order."""
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT_BYTES,
        MAX_FORM_MEMORY_SIZE=BODY_LIMIT_BYTES,
        # The token lives as long as the session: a form that was left open over lunch must still be accepted.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.extensions[_HOSTS] = allowed_hosts(config)
    app.before_request(_take_long_forms)
    app.before_request(_tell_origin_of_changes)
    for check in (
        *(_refuse_foreign_host, _refuse_remote_without_login, bearer.check),
        *(_refuse_foreign_origin, _refuse_without_right, _refuse_without_factor, form_text.refuse_broken),
        # Last, so that nothing before it asks who somebody is where nobody need be known.
        _say_for_whom,
    ):
        app.before_request(check)
    csrf.init_app(app)
    app.teardown_request(lambda _error: ownership.act_for(None))
    app.after_request(_finish)


def _take_long_forms() -> None:
    if request.endpoint in _LONG_FORMS:
        request.max_content_length = request.max_form_memory_size = _LONG_BODY_BYTES
        request.max_form_parts = _LONG_FORM_PARTS


def _tell_origin_of_changes() -> None:
    # A link logs in although it is only looked at.
    if request.method not in _SAFE_METHODS or request.endpoint in {"auth.link", "provider.callback"}:
        _tell_origin()


def _tell_origin() -> None:
    is_program = askers.is_program(request)
    audit.come_from(Origin("program" if is_program else "page", current.address(), errors.request_id()))


def allowed_hosts(config: Config) -> frozenset[str]:
    """Return the names by which this server may be called; any other is a page elsewhere that points here."""
    names = {"localhost", "127.0.0.1", "[::1]", *config.allowed_hosts}
    if not is_loopback(config.host):
        names.add(config.hostname.lower())
        if not _is_unspecified(config.host):
            names.add(f"[{config.host}]" if ":" in config.host else config.host.lower())
    return frozenset(names)


def safe_next(target: str | None) -> str | None:
    """Return a target for after the login if it is a path on this server, however it is read; else None."""
    if not target or len(target) > 2000:
        return None
    for reading in (target, unquote(target)):
        plain = reading.startswith("/") and not reading.startswith("//") and "\\" not in reading
        # A text that starts so names neither a scheme nor a server, and one that starts otherwise may not even be a URL.
        if not plain or not reading.isprintable():
            return None
    return target


def with_filters(page: str) -> str:
    """Return the address of a list with the filters that it had when a button in it was pressed."""
    came = urlsplit(request.referrer or "")
    return f"{page}?{came.query}" if came.query and came.netloc == request.host and came.path == page else page


def _refuse_foreign_host() -> Response | None:
    # Flask's TRUSTED_HOSTS would do this, but does not know IPv6 addresses.
    name = urlsplit(f"//{request.host}").netloc.rpartition("@")[2].lower()
    bare_name = name if name.endswith("]") else name.rpartition(":")[0] or name
    if bare_name in current_app.extensions[_HOSTS]:
        return None
    text = _(
        "This server does not go by the name in the request. Its owner can allow names with WATCHBELL_ALLOWED_HOSTS"
    )
    return errors.answer(400, text, bare=True)


def _refuse_remote_without_login() -> Response | None:
    if current.config().uses_login or is_loopback(current.address()):
        return None
    return errors.answer(403, _("Without logins this server answers on its own machine only"), bare=True)


def _refuse_foreign_origin() -> Response | None:
    # A socket changes nothing, but browsers let any page open one and read all that comes.
    is_harmless = request.method in _SAFE_METHODS and "Upgrade" not in request.headers
    if is_harmless or current.user().by_token:
        return None
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    # Both absent is a program, which has no cookies that somebody else could make it use.
    same = site in {None, "same-origin", "none"} and (origin is None or _server_in(origin) == request.host)
    return None if same else errors.answer(403, _("The request came from another site"), bare=True)


def _server_in(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        # No browser writes such an origin, so it is nobody's whom we know.
        return None


def _refuse_without_right() -> AnyResponse | None:
    if request.endpoint is None:
        # There is no such route; the answer is the same for everybody.
        return None
    right = ROUTES.get(request.endpoint)
    if right is Right.PUBLIC:
        return None
    user = current.user()
    if right is not None and right in user.rights:
        return None
    if user.role is not None:
        return _too_few(user, right)
    if askers.wants_json(request):
        return bearer.challenge(errors.answer(401))
    if errors.typed():
        # The login ended while somebody typed: a way that leads to the login would lose the text.
        return errors.answer(
            401, _("Your login has ended. Log in in another tab, come back here, and send it again"), bare=True
        )
    is_look = request.method in {"GET", "HEAD"} and request.full_path != "/?"
    target = f"{request.script_root}{request.full_path.rstrip('?')}" if is_look else None
    return redirect(url_for("auth.login", next=target), 303)


def _refuse_without_factor() -> AnyResponse | None:
    """Open nothing but the way to a second factor to an account that must have one."""
    if request.endpoint is None or ROUTES.get(request.endpoint) is Right.PUBLIC or not auth.must_set_up():
        return None
    if request.endpoint.startswith(("second_factor.", "passkeys.")) or request.endpoint == "auth.password":
        return None
    if askers.wants_json(request) or request.method not in _SAFE_METHODS:
        return errors.answer(403, _("This account must set up a second factor first, in the menu of the account"))
    return redirect(url_for("second_factor.index"), 303)


def _say_for_whom() -> None:
    """Keep tasks and users of the system for those whose they are, and to quotas, as the settings say, until the request is over."""
    config = current.config()
    rule, bounds = OwnOnly(config.own_tasks_only), (config.task_quota, config.start_quota)
    is_open = rule is OwnOnly.NEVER and not any(bounds) and not config.run_as
    if is_open or ROUTES.get(request.endpoint or "") in {None, Right.PUBLIC}:
        ownership.act_for(None)
        return
    user = current.user()
    ownership.act_for(Doer(user.username, user.role, rule, *bounds, run_as.parse(config.run_as)))


def _too_few(user: User, right: Right | None) -> Response:
    _note_refusal(user)
    if not user.by_token or right is None or right not in rights_of(user.role):
        return errors.answer(403)
    needed = scope_for(right)
    if needed is None:
        return errors.answer(403, "No token may do this; log in with a browser")
    text = f"The scope of this token is not enough; this needs one with the scope {needed}"
    return bearer.challenge(errors.answer(403, text), "insufficient_scope", needed)


def _note_refusal(user: User) -> None:
    if not tries().count_refusal(user.username):
        return
    _tell_origin()
    said = {"method": request.method, "path": request.path}
    audit.note_alone(
        database(), "request.refuse", f"route:{request.endpoint}", now=current.now(), actor=user.username, **said
    )


def _finish(response: AnyResponse) -> AnyResponse:
    if response.status_code == 403 and g.get("is_not_theirs"):
        _note_refusal(current.user())
    headers = response.headers
    # What a route has set itself, such as a policy of its own, stays.
    there = {name.lower() for name, _value in headers}
    for name, value in _LAST_HEADERS:
        if name.lower() not in there:
            headers.add(name, value)
    headers.add("X-Request-ID", errors.request_id())
    return response


def is_loopback(host: str) -> bool:
    """Return whether an address or host name stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""
