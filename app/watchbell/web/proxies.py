"""What a proxy in front says of a request, and from whom it is believed: by the address of the connection itself."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Whom it is where the settings name nobody: a program of this machine.
_HERE = ("127.0.0.0/8", "::1/128")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_SAID_PREFIX = "HTTP_X_FORWARDED_PREFIX"
#: Another spelling of the same, which nothing here reads and nothing shall.
_FORWARDED = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of a setting, which has looked at them."""
    return tuple(map(ipaddress.ip_network, texts))


def is_among(peer: str, named: Iterable[Network]) -> bool:
    """Return whether the other end of a connection is in one of these networks; what is no address is in none."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        # A socket for both kinds calls IPv4 addresses so.
        address = address.ipv4_mapped
    return any(address in network for network in named)


class NamedProxy:
    """Takes client, scheme, name and sub-path from headers of the proxy that the settings name, and from nobody else's.

    What others send under these names is gone before anything reads it, so that nobody gives themselves another address.
    """

    def __init__(self, app: WSGIApplication, named: Iterable[str]) -> None:
        self._plain = app
        self._told = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
        self._named = networks(tuple(named) or _HERE)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as WSGI has it."""
        if is_among(environ.get("REMOTE_ADDR", ""), self._named):
            prefix = environ.get(_SAID_PREFIX, "")
            if _PREFIX.fullmatch(prefix) is None:
                # All links begin with it, so that nothing may stand there that leads elsewhere.
                environ.pop(_SAID_PREFIX, None)
            return self._told(environ, start_response)
        for name in [name for name in environ if name.startswith(_FORWARDED)]:
            del environ[name]
        return self._plain(environ, start_response)
