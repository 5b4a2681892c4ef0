"""The address that pages are served at: in words for a browser, and taken before anything else is touched."""

from __future__ import annotations

import errno
import socket

from watchbell.config import Config
from watchbell.errors import ConfigError

_BACKLOG = 256


def address_of(host: str, port: int) -> str:
    """Return the address that a browser on this machine can open."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104 - nothing is bound here; these stand for any address.
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bind(config: Config) -> socket.socket:
    """Take the address, so that a second server fails before it has touched anything; nobody can connect yet."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"the address {config.host!r} is not known on this machine: {error}") from None
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise _refused(config, error) from None
    return taken


def listen(taken: socket.socket, config: Config) -> None:
    """Let others connect from now on; raises ConfigError."""
    try:
        taken.listen(_BACKLOG)
    except OSError as error:
        raise _refused(config, error) from None


def _refused(config: Config, error: OSError) -> ConfigError:
    place = address_of(config.host, config.port)
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"{place} is in use by another program; choose another port, as in --port {config.port + 1}")
    if error.errno == errno.EACCES:
        return ConfigError(f"{place} may not be taken by this user; choose a port from 1024 on")
    return ConfigError(f"{place} cannot be taken: {error.strerror}")
