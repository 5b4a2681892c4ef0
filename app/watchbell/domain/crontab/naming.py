"""Names for commands that have none: what they run, without path and ending."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_LONGEST = 40
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
#: They run what stands behind them.
_WRAPPERS = frozenset({"chronic", "chrt", "command", "env", "exec", "flock", "ionice", "nice", "nohup", "setsid", "sudo", "time",
                       "timeout", "[", "test"})  # fmt: skip
_INTERPRETERS = re.compile(r"(?:python|perl|ruby|php|node|bash|sh|dash|zsh|pwsh)[0-9.]*")
#: What a word ends in that only says how it is run.
_ENDINGS = (".sh", ".py", ".pl", ".rb", ".php", ".js", ".bash")
_ENDS = frozenset({"&&", ";", "||", "|", "&"})


class Names:
    """The names that are given away."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        # Where counting goes on, so that the thousandth of a name costs no more than the second.
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Give a name away, be it taken already or not, and return it."""
        self._taken.add(name)
        return name

    def derive(self, command: str) -> str:
        """Give a name away that says what a command is, with a number behind it if that is taken, and return it."""
        word = _word(command)
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", word).strip("-._")[:_LONGEST] or "job"
        # A number only would be taken for an id.
        stem = f"job-{stem}" if stem.isdigit() else stem
        candidate = stem
        while candidate in self._taken:
            number = self._next.get(stem, 2)
            self._next[stem] = number + 1
            candidate = f"{stem}-{number}"
        return self.take(candidate)


def _word(command: str) -> str:
    try:
        words = shlex.split(command.replace(";", " ; "), comments=True)
    except ValueError:
        # A quote without its end: cron takes that, and a shell refuses it.
        words = command.split()
    for part in _parts(words):
        found = _first(part)
        if found:
            return found
    return ""


def _parts(words: list[str]) -> list[list[str]]:
    """Return the commands of a line, without those that only go somewhere."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            parts.append([])
        elif word.strip("(){}"):
            parts[-1].append(word.strip("(){}"))
    return [part for part in parts if part and part[0] not in {"cd", "export", "umask", "test", "[", "sleep", "."}]


def _first(words: list[str]) -> str:
    is_interpreted = False
    for word in words:
        name = word.rsplit("/", 1)[-1]
        if not name or _ASSIGNMENT.fullmatch(word) or word.startswith("-") or name in _WRAPPERS:
            continue
        # Such as the seconds of timeout or the number of nice.
        if re.fullmatch(r"[0-9.]+[smhd]?", name) or name.endswith((".lock", ".lck")):
            continue
        if not is_interpreted and _INTERPRETERS.fullmatch(name) and len(words) > 1:
            is_interpreted = True
            continue
        stem = next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end)), name)
        return stem.split(" ", 1)[0]
    return words[0].rsplit("/", 1)[-1] if words else ""
