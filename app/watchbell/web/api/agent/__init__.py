"""The family that agents on devices call, at /agent/v1: who asks is told by the credential alone, never by the address."""

from __future__ import annotations

from watchbell.web.api.agent import carrying, joining, polling
from watchbell.web.api.agent.family import FAMILY, blueprint

__all__ = ["FAMILY", "blueprint", "carrying", "joining", "polling"]
