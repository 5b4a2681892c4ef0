"""OpenID Connect: asking a provider who somebody is, and believing nothing but what it has signed for us and for this login.

The authorization code flow with PKCE, a state and a nonce. The library is an extra: ``pip install watchbell[oidc]``.
"""

from __future__ import annotations

import dataclasses
import hmac
import importlib.util
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from watchbell import clock
from watchbell.config import Config
from watchbell.domain.shown_text import plain_text
from watchbell.errors import ConfigError, WatchbellError

#: So long somebody may take at the provider.
ASKED_LIMIT = timedelta(minutes=10)
#: Clocks may differ by so much.
_LEEWAY = timedelta(seconds=60)
_TIMEOUT_SECONDS = 10
_KNOWN_SECONDS = 600
#: Signatures with a key of the provider's own. One with our secret, or none at all, proves nothing.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LONGEST = 255


class ProviderTrouble(WatchbellError):
    """The provider of logins could not be asked, or its answer was not accepted."""

    code = "provider_trouble"


@dataclasses.dataclass(frozen=True, slots=True)
class Provider:
    """A provider as the settings have it."""

    issuer: str
    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    scopes: str

    @classmethod
    def of(cls, config: Config) -> Provider | None:
        """Return the one of an installation, or None."""
        if not config.oidc_issuer:
            return None
        return cls(config.oidc_issuer, config.oidc_client_id, config.oidc_client_secret, config.oidc_scopes)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a question to the provider was asked with; the browser that asks keeps it, and nobody else knows it."""

    state: str
    nonce: str
    verifier: str
    #: Seconds since 1970.
    begun_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """What the provider has signed about somebody."""

    issuer: str
    subject: str
    #: Only if the provider says that it has verified it.
    email: str | None
    username: str | None
    label: str
    #: When they last proved to the provider who they are, if it says so.
    authenticated_at: datetime | None


def check(config: Config) -> None:
    """Raise ConfigError for settings with which no provider can be asked."""
    if not (config.oidc_issuer or config.oidc_client_id):
        return
    if not (config.oidc_issuer and config.oidc_client_id):
        raise ConfigError("WATCHBELL_OIDC_ISSUER and WATCHBELL_OIDC_CLIENT_ID belong together")
    if not config.uses_login:
        raise ConfigError("WATCHBELL_OIDC_ISSUER needs logins; leave WATCHBELL_AUTH on")
    if importlib.util.find_spec("authlib") is None or importlib.util.find_spec("requests") is None:
        raise ConfigError("WATCHBELL_OIDC_ISSUER needs more to be installed: pip install 'watchbell[oidc]'")


def begin(provider: Provider, *, redirect_uri: str, now: datetime, again: bool = False) -> tuple[str, Asked]:
    """Return where to send the browser, and what it has to bring back; raises ProviderTrouble.

    ``again`` has the provider ask for the password even of somebody whom it knows.
    """
    about = _about(provider)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    asked = Asked(state, nonce, verifier, int(now.timestamp()))
    more = {"prompt": "login", "max_age": "0"} if again else {}
    session = _session(provider, about, redirect_uri)
    url, _state = session.create_authorization_url(
        about["authorization_endpoint"], state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier, **more
    )
    return str(url), asked


def complete(
    provider: Provider, asked: Asked, answer: Mapping[str, str], *, redirect_uri: str, now: datetime
) -> Claims:
    """Return who somebody is, from what the browser has brought back; raises ProviderTrouble with what to do about it."""
    _require_ours(provider, asked, answer, now=now)
    about = _about(provider)
    token = _fetch_token(provider, about, asked, answer["code"], redirect_uri)
    claims = _verified(provider, asked, token, now=now)
    if not {"email", "preferred_username"} <= claims.keys():
        claims = {**_user_info(about, token, str(claims["sub"])), **claims}
    return _claims(claims)


def _require_ours(provider: Provider, asked: Asked, answer: Mapping[str, str], *, now: datetime) -> None:
    """Raise ProviderTrouble unless this is the answer to what this browser has asked."""
    if not hmac.compare_digest(answer.get("state", "").encode(), asked.state.encode()):
        raise ProviderTrouble("this answer belongs to no login that was begun in this browser; begin again")
    if now - datetime.fromtimestamp(asked.begun_at, UTC) > ASKED_LIMIT:
        raise ProviderTrouble("the login took too long; begin again")
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise ProviderTrouble("another provider than the one of this server has answered; begin again")
    if "error" in answer:
        reason = _plain(answer.get("error_description") or answer["error"])
        raise ProviderTrouble(f"the provider did not log you in: {reason}")
    if not answer.get("code"):
        raise ProviderTrouble("the provider's answer holds no code; begin again")


def _about(provider: Provider) -> dict[str, Any]:
    """Return what the provider says about itself, which may be ten minutes old."""
    return _cached(f"about {provider.issuer}", lambda: _discover(provider))


def _discover(provider: Provider) -> dict[str, Any]:
    about = _get_json(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if about.get("issuer") != provider.issuer:
        called = _plain(str(about.get("issuer")))
        raise ProviderTrouble(f"the provider calls itself {called}; WATCHBELL_OIDC_ISSUER must say exactly that")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_safe_address(str(about.get(name, ""))):
            raise ProviderTrouble(f"the provider names no {name} that is reached by https")
    return about


def _fetch_token(
    provider: Provider, about: Mapping[str, Any], asked: Asked, code: str, redirect_uri: str
) -> Mapping[str, Any]:
    from authlib.common.errors import AuthlibBaseError
    from requests import RequestException

    session = _session(provider, about, redirect_uri)
    try:
        token = session.fetch_token(
            about["token_endpoint"],
            code=code,
            code_verifier=asked.verifier,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except AuthlibBaseError as error:
        reason = _plain(str(error.description or error.error))
        raise ProviderTrouble(
            f"the provider did not accept the login: {reason}; begin again, and if it stays so, look at client id and secret"
        ) from None
    except (RequestException, ValueError):
        raise ProviderTrouble("the provider does not answer; try again in a minute") from None
    if not token.get("id_token"):
        raise ProviderTrouble("the provider sent no ID token; the scopes of this server must hold openid")
    return dict(token)


def _verified(provider: Provider, asked: Asked, token: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return the claims of an ID token whose signature, issuer, audience, time and nonce are what they must be."""
    from authlib.common.errors import AuthlibBaseError
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import JoseError

    params = {"nonce": asked.nonce, "client_id": provider.client_id, "access_token": token.get("access_token")}
    options = {
        "iss": {"essential": True, "values": [provider.issuer]},
        "aud": {"essential": True, "values": [provider.client_id]},
        "sub": {"essential": True},
        "nonce": {"essential": True, "value": asked.nonce},
    }
    try:
        read = _decode(provider, str(token["id_token"]))
        checked = CodeIDToken(read.claims, read.header, options, params)
        checked.validate(now=int(now.timestamp()), leeway=int(_LEEWAY.total_seconds()))
    except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError) as error:
        # The library's words name the claim, and no secret.
        reason = _plain(str(error))
        raise ProviderTrouble(f"what the provider has signed is not for this login ({reason}); begin again") from None
    claims = dict(checked)
    _require_exact(provider, asked, claims)
    return claims


def _require_exact(provider: Provider, asked: Asked, claims: Mapping[str, Any]) -> None:
    """Raise ProviderTrouble unless the claims that decide are exactly ours, whatever options a library knows."""
    audience = claims.get("aud")
    meant = audience if isinstance(audience, list) else [audience]
    subject = claims.get("sub")
    is_ours = (
        claims.get("iss") == provider.issuer and provider.client_id in meant and claims.get("nonce") == asked.nonce
    )
    if not is_ours or claims.get("azp", provider.client_id) != provider.client_id:
        raise ProviderTrouble("what the provider has signed is not for this login; begin again")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
        raise ProviderTrouble("the provider does not say who you are; it must give a subject")


def _decode(provider: Provider, text: str) -> Any:
    """Return an ID token whose signature is the provider's; its keys are asked for anew if it has a new one."""
    from joserfc import jwt
    from joserfc.errors import InvalidKeyIdError
    from joserfc.jwk import KeySet
    from joserfc.jws import JWSRegistry

    about = _about(provider)
    offered = about.get("id_token_signing_alg_values_supported") or ["RS256"]
    algorithms = [name for name in _ALGORITHMS if name in offered]
    # Providers put words of their own into the header, which mean nothing to us.
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    try:
        return jwt.decode(text, KeySet.import_key_set(_keys(provider, about)), registry=registry)
    except InvalidKeyIdError:
        _forget(f"keys {provider.issuer}")
        return jwt.decode(text, KeySet.import_key_set(_keys(provider, about)), registry=registry)


def _keys(provider: Provider, about: Mapping[str, Any]) -> Any:
    return _cached(f"keys {provider.issuer}", lambda: _get_json(str(about["jwks_uri"])))


def _user_info(about: Mapping[str, Any], token: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
    """Return what the provider tells beside the ID token, if it is about the same person; else nothing."""
    address = str(about.get("userinfo_endpoint", ""))
    if not is_safe_address(address) or not token.get("access_token"):
        return {}
    told = _get_json(address, {"Authorization": f"Bearer {token['access_token']}"})
    return told if told.get("sub") == subject else {}


def _claims(claims: Mapping[str, Any]) -> Claims:
    def text(name: str) -> str | None:
        value = claims.get(name)
        return value if isinstance(value, str) and 0 < len(value) <= _LONGEST else None

    # A word such as "true" is not the truth value that the standard asks for.
    email = text("email") if claims.get("email_verified") is True else None
    at = claims.get("auth_time")
    label = text("email") or text("preferred_username") or text("name") or str(claims["sub"])
    return Claims(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=email,
        username=text("preferred_username"),
        label=_plain(label),
        authenticated_at=datetime.fromtimestamp(at, UTC) if isinstance(at, int) and 0 < at < 1 << 40 else None,
    )


def is_fresh(claims: Claims, asked: Asked) -> bool:
    """Return whether somebody has proven to the provider who they are since they were asked to."""
    begun_at = datetime.fromtimestamp(asked.begun_at, UTC)
    return claims.authenticated_at is not None and claims.authenticated_at >= begun_at - _LEEWAY


def _plain(text: str) -> str:
    """Return what a stranger says as one line of a bounded length that can be shown."""
    return " ".join(plain_text(text.encode("utf-8", "replace")).split())[:200]


def is_safe_address(address: str) -> bool:
    """Return whether nobody on the way can read what is sent to an address, or there is no way, as on this machine."""
    return address.startswith(("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"))


def _session(provider: Provider, about: Mapping[str, Any], redirect_uri: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session

    offered = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    way = "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
    return OAuth2Session(
        provider.client_id,
        provider.client_secret or None,
        token_endpoint_auth_method=way if provider.client_secret else "none",
        scope=provider.scopes,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )


def _get_json(address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    import requests

    try:
        answer = requests.get(address, headers=dict(headers or {}), timeout=_TIMEOUT_SECONDS, allow_redirects=False)
        answer.raise_for_status()
        told = answer.json() if answer.status_code == 200 else None
    except (requests.RequestException, ValueError):
        told = None
    if not isinstance(told, dict):
        raise ProviderTrouble("the provider does not answer; try again in a minute, and look at WATCHBELL_OIDC_ISSUER")
    return told


_lock = threading.Lock()
_known: dict[str, tuple[float, dict[str, Any]]] = {}


def _cached(key: str, find: Any) -> dict[str, Any]:
    with _lock:
        kept = _known.get(key)
    if kept is not None and clock.monotonic() - kept[0] < _KNOWN_SECONDS:
        return kept[1]
    found: dict[str, Any] = find()
    with _lock:
        _known[key] = (clock.monotonic(), found)
    return found


def _forget(key: str) -> None:
    with _lock:
        _known.pop(key, None)
