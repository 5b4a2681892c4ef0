"""What server and agent say to each other of the schedules that this device carries."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchbell import clock
from watchbell.agent import handlers
from watchbell.agent.carried import Carried
from watchbell.agent.client import Offline, Server
from watchbell.agent.identity import Credentials, Process
from watchbell.domain import agent_protocol
from watchbell.domain.agent_protocol import NotTrusted

if TYPE_CHECKING:
    from watchbell.agent.carrier import Carrier

_OUTPUTS = ("stdout", "stderr")
_TOO_LARGE = frozenset({413, 422})

log = logging.getLogger("watchbell.agent")


class Carrying:
    """Keeps what the server wants carried here, and tells what has become of it. It belongs to the thread of the loop."""

    def __init__(self, server: Server, credentials: Credentials, folder: Path, process: Process) -> None:
        self._server = server
        self._credentials = credentials
        self._process = process
        self._carried = Carried(folder)
        #: Held by whoever does something on this device.
        self.turn = threading.Lock()
        self._carrier: Carrier | None = None
        self._is_resting = False
        self._go_on()

    @property
    def is_at_work(self) -> bool:
        """Whether something goes that is carried."""
        return self._carrier is not None and self._carrier.is_at_work

    def said(self) -> dict[str, Any]:
        """Return what is said of it with each request for a job."""
        carries = [{"schedule_id": name, "version": version} for name, version in self._carried.versions.items()]
        return {"carries": carries, "is_at_carried": self.is_at_work}

    def rest(self, is_resting: bool) -> None:
        """Begin nothing that is carried while two agents have the credentials of this device, or go on."""
        self._is_resting = is_resting
        if self._carrier is not None:
            self._carrier.is_resting = is_resting

    def follow(self, wanted: Mapping[str, int]) -> None:
        """Carry what is wanted and nothing else; raises Offline and OSError."""
        for name in self._carried.versions.keys() - wanted.keys():
            log.info("Schedule %s is carried no more", name)
            self._carried.drop(name)
        for name, version in wanted.items():
            if self._carried.versions.get(name) != version:
                self._fetch(name)
        self._go_on()

    def tell(self) -> None:
        """Tell what has become of moments, as far as the server takes it now; raises Offline and OSError."""
        while told := self._carried.untold(100):
            if not self._deliver(told):
                return
            self._carried.note_told(told)
        for file, found in self._carried.results():
            if not self._deliver([{name: value for name, value in found.items() if name != "name"}]):
                return
            file.unlink(missing_ok=True)

    def finish(self) -> None:
        """Begin nothing more, and wait for what goes."""
        if self._carrier is not None:
            self._carrier.finish()

    def _go_on(self) -> None:
        """Look what is due, if there is anything to look for; the rules for that are loaded only then."""
        if self._carrier is None and (self._carried.versions or self._carried.begun() is not None):
            from watchbell.agent.carrier import Carrier

            self._carrier = Carrier(self._carried, self.turn, self._process.place)
            self._carrier.is_resting = self._is_resting
            self._carrier.start()

    def _fetch(self, name: str) -> None:
        nonce, asked_at = os.urandom(16).hex(), clock.boot_time()
        answer = self._server.schedule({"incarnation": self._process.number, "nonce": nonce, "schedule_id": name})
        if answer.is_refusal:
            # It was changed meanwhile, and the next answer says how.
            log.info("Schedule %s is not given: %s", name, answer.error)
            return
        if answer.status != 200:
            raise Offline(f"schedule {name} is not given: {answer.error}")
        how = {"key": self._credentials.signing_key, "device": self._credentials.uuid, "nonce": nonce}
        try:
            told = agent_protocol.unseal_schedule(answer.body, **how, elapsed_seconds=clock.boot_time() - asked_at)
            if told["schedule_id"] != name:
                raise NotTrusted("the schedule is another one")
            for handler in told["handlers"]:
                handlers.fetch(self._server, handler, self._carried.handlers_of(told))
            self._carried.put(told, now=clock.now())
        except NotTrusted as error:
            raise Offline(f"schedule {name} is not carried: {error}") from None
        except (KeyError, TypeError, ValueError, handlers.HandlerWrong) as error:
            log.error("Schedule %s cannot be carried: %s", name, error)
            return
        log.info("%s is carried from now on, in version %s", told["name"], told["version"])
        if self._carrier is not None:
            self._carrier.wake()

    def _deliver(self, moments: list[dict[str, Any]]) -> bool:
        """Return whether the server has taken what it is told of moments, or wants nothing of it; raises Offline."""
        answer = self._server.moments({"incarnation": self._process.number, "moments": moments})
        if answer.status in _TOO_LARGE and any(one.get(name) for one in moments for name in _OUTPUTS):
            log.warning("What is told is refused with its outputs: %s", answer.error)
            bare = [{name: value for name, value in one.items() if name not in _OUTPUTS} for one in moments]
            return self._deliver(bare)
        if answer.status == 409:
            # Another agent was heard of last, or two are; it waits until somebody has settled that.
            return False
        if answer.is_refusal:
            log.error("What has become of moments is refused: %s", answer.error)
            return True
        known = answer.body.get("known")
        if answer.status != 200 or not isinstance(known, list) or len(known) != len(moments):
            raise Offline(f"what has become of moments is not taken: {answer.error}")
        for one, is_known in zip(moments, known, strict=True):
            if not is_known:
                log.warning("The server knows nothing of schedule %s, version %s", one["schedule_id"], one["version"])
        return True
