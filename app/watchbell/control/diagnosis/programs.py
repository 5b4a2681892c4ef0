"""Whether what a task is to be run by is on this machine, for whoever has just saved it."""

from __future__ import annotations

from collections.abc import Mapping

from watchbell.config import Config
from watchbell.control.diagnosis.machine import has_program
from watchbell.domain import interpreters


def missing_interpreter(policies: object, environment: Mapping[str, str], host: str, config: Config) -> str:
    """Return the interpreter of a task of this host that is not here; empty if it is, or where nobody here can know."""
    words = interpreters.words_of(interpreters.of_policies(policies))
    if not words or host not in {"", config.hostname}:
        return ""
    path = environment.get("PATH") or config.child_environment.get("PATH", "")
    return "" if has_program(words[0], path, None) else words[0]
