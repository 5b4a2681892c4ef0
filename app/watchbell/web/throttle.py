"""How often somebody may try to log in, by address and by account, and to show a token.

The tries run out slowly enough for a person and come back by themselves, so nobody is locked out for good. What somebody could
guess by is counted by all web processes together (``tries_store``); what only keeps the audit and the machine from being
flooded by each for itself, so that an ordinary request costs no write.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections import Counter
from collections.abc import Sequence

from flask import Flask, current_app
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter, RateLimiter

from watchbell import clock
from watchbell.config import Config
from watchbell.errors import TooManyTries
from watchbell.web.minutes import Minutes
from watchbell.web.shared_tries import SharedTries, shared_by

_TRIES = (parse("10 per minute"), parse("60 per hour"))
#: Of one account from all addresses together that are new to it, however many somebody has.
_FROM_ANYWHERE = (parse("30 per minute"), parse("200 per hour"))
#: A program whose token has expired asks again and again, and is told why so often before it is merely kept away.
_TOKENS = (parse("30 per minute"), parse("300 per hour"))
#: So many refusals of one account are written down, whatever it tries: the audit must not be a way to fill a disk.
_REFUSALS = (parse("10 per minute"), parse("100 per hour"))
#: Of enrolment codes that are none. Whoever has a real one needs a single try.
_CODES = (parse("10 per minute"), parse("60 per hour"))
#: Requests of one device in a minute: our agent asks every 30 seconds, or every five while it is at a job.
_MOST_OF_AGENT = 300
_TOO_OFTEN_SECONDS = 10
#: A code of six digits is guessed in time by whoever may try long enough: three of a million fit at any moment.
_FACTORS = (parse("10 per minute"), parse("30 per hour"), parse("100 per day"))
#: What is said of a login header is said of each address, or of each name, once a day.
_HEADERS = (parse("1 per day"),)
#: The requests of an hour that a proxy vouches for are one login of an account.
_ENTRIES = (parse("1 per hour"),)
#: An answer counts once, for as long as its question does and longer.
_ANSWERS = (parse("1 per hour"),)
#: Codes after a login link, and of somebody who has logged in, are counted apart.
BY_LINK, INSIDE = "link", "inside"
_NAME = "watchbell.tries"
#: What all processes count together.
_SHARED = frozenset({"address", "pair", "account", "code", "proof", "token", "enrolment", "question", "answer"})


class Tries:
    """The tries of late: in the memory of this process, and where others count as well, there first.

    Where that does not answer, this process counts alone until it does: a login is slowed down all the same, and nobody is
    kept out by a server that is down.
    """

    def __init__(self, limiter: RateLimiter, shared: SharedTries | None = None) -> None:
        self.limiter = limiter
        self._shared = shared
        self._salt = secrets.token_hex(8)
        # Whoever has logged in counts anew under another number. Taking entries out of the storage instead would
        # collide with its own thread, which does not expect that.
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._agents = Minutes(_MOST_OF_AGENT)

    def count(self, address: str, username: str, *, is_known: bool) -> bool:
        """Count a try and return whether it may be made.

        It is counted before the password is looked at, so that many at once cannot slip through together; and by name
        only if the address may still try, so that one address cannot fill the memory with names. Where an account has
        been before (``is_known``), what strangers try elsewhere does not count: nobody locks its owner out.
        """
        name, address = username.lower(), source_of(address)
        if not (self._hit("address", address) and self._hit("pair", f"{address} {name}")):
            return False
        return is_known or self._hit("account", name, _FROM_ANYWHERE)

    def count_code(self, username: str, of: str = "") -> bool:
        """Count a code of an account's second factor and return whether it may be tried.

        ``of`` is a place or a way whose tries are counted apart, because strangers do not get there.
        """
        return self._hit("code", f"{username.lower()} {source_of(of)}", _FACTORS)

    def count_proof(self, username: str) -> bool:
        """Count a password that somebody types once more who has logged in, and return whether it may be tried."""
        return self._hit("proof", username.lower())

    def forget_proofs(self, username: str) -> None:
        """Give those tries back, and no others: whoever has the password may still not guess codes by it."""
        self._forget([("proof", username.lower())])

    def count_token(self, address: str) -> bool:
        """Count a wrong token and return whether its sender may be told so once more."""
        return self._hit("token", source_of(address), _TOKENS)

    def may_enrol(self, address: str) -> bool:
        """Return whether somebody at an address may try an enrolment code."""
        address = source_of(address)
        if self._shared is not None and (found := self._shared.has_room("enrolment", address, _CODES)) is not None:
            return found
        key = self._key("enrolment", address)
        return all(self.limiter.test(limit, *key) for limit in _CODES)

    def count_enrolment(self, address: str) -> None:
        """Count a try with an enrolment code that was refused."""
        self._hit("enrolment", source_of(address), _CODES)

    def count_agent(self, uuid: str) -> bool:
        """Count a request of a device and return whether it is to be answered."""
        return self._agents.count(uuid, clock.monotonic())

    def count_refusal(self, username: str) -> bool:
        """Count a request that somebody had no right to and return whether it is to be written down."""
        return self._hit("refusal", username.lower(), _REFUSALS)

    def count_header(self, about: str) -> bool:
        """Count a login header that was not believed and return whether it is to be written down."""
        return self._hit("header", about, _HEADERS)

    def count_entry(self, username: str) -> bool:
        """Count a request that a proxy vouches for and return whether a login is to be written down."""
        return self._hit("entry", username.lower(), _ENTRIES)

    def count_question(self, address: str) -> bool:
        """Count a login that is to be asked for at a provider and return whether it may be."""
        return self._hit("question", source_of(address), _TOKENS)

    def count_answer(self, state: str) -> bool:
        """Count an answer of a provider and return whether it is the first to its question."""
        return self._hit("answer", state, _ANSWERS)

    def forget(self, address: str, username: str) -> None:
        """Give the tries back to an address and an account that have just logged in."""
        name, address = username.lower(), source_of(address)
        tried = [("address", address), ("pair", f"{address} {name}"), ("account", name)]
        self._forget([*tried, *(("code", f"{name} {of}") for of in ("", address, BY_LINK))])

    def _forget(self, tried: Sequence[tuple[str, str]]) -> None:
        for one in tried:
            self._numbers[one] += 1
        if self._shared is not None:
            self._shared.forget(tried)

    def _hit(self, kind: str, who: str, limits: Sequence[RateLimitItem] = _TRIES) -> bool:
        if self._shared is not None and kind in _SHARED:
            found = self._shared.hit(kind, who, limits)
            if found is not None:
                return found
        key = self._key(kind, who)
        hits = [self.limiter.hit(limit, *key) for limit in limits]
        return all(hits)

    def _key(self, kind: str, who: str) -> tuple[str, str, str, str]:
        return self._salt, kind, who, str(self._numbers.get((kind, who), 0))


def source_of(address: str) -> str:
    """Return whom an address stands for: of IPv6 its network, since whoever has one has all 2^64 addresses of that.

    An IPv4 address that is written as one of IPv6 is itself. A text that is no address stays.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, ipaddress.IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    # The numbers behind the network, a zone among them, are of whoever is counted here.
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64)) if not found.is_loopback else str(found)


def init_app(app: Flask, config: Config) -> None:
    """Attach the count to the application; raises ConfigError for a store that cannot be used here."""
    limiter = MovingWindowRateLimiter(storage_from_string("memory://"))
    app.extensions[_NAME] = Tries(limiter, shared_by(config))


def require_patience(device: str) -> None:
    """Count a request that a device makes for itself; raises TooManyTries for one that asks without end."""
    if not tries().count_agent(device):
        raise TooManyTries("this device asks too often", retry_seconds=_TOO_OFTEN_SECONDS)


def tries() -> Tries:
    """Return the count of the application that serves the present request."""
    found = current_app.extensions[_NAME]
    assert isinstance(found, Tries)
    return found
