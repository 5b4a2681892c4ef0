"""What makes two failures the same one: the end of what they wrote, without what differs each time, and how they ended."""

from __future__ import annotations

import hashlib
import re

from watchbell.domain import gates

#: So much of the end of the error output is looked at, and so many of its last lines count.
TAIL_BYTES = 4096
_LINES = 8
_LINE_LENGTH = 200

#: What differs each time, in the order in which it is taken out: what holds numbers comes before numbers.
_VARYING = (
    (re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"), ""),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"(?:/var)?/tmp/[^\s:'\"),]+"), "<tmp>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
    (re.compile(r"[ \t]+"), " "),
)
#: What a reason says of the retries of its task, which is nothing of the failure: whoever adds a retry has the same failures.
_OF_RETRIES = re.compile(
    r"; (?:given up after \d+ (?:of \d+ )?(?:attempts|tries)(?:; policy: .*)?|attempt \d+ of \d+; policy: .*)\Z"
)


def normalised(text: str) -> str:
    """Return the last lines of a text without what differs from one time to the next."""
    kept: list[str] = []
    for line in reversed(text.splitlines()):
        # Cut before it is looked through: a line may be as long as the tail.
        plain = line[:_LINE_LENGTH]
        for pattern, instead in _VARYING:
            plain = pattern.sub(instead, plain)
        plain = "".join(char for char in plain if char.isprintable()).strip()
        # A line that comes again and again, as of a loop that gives up at some time, counts once.
        if plain and (not kept or kept[-1] != plain):
            kept.append(plain)
        if len(kept) == _LINES:
            break
    return "\n".join(reversed(kept))


def make(state: str, exit_code: int | None, stderr: bytes, reason: str) -> tuple[str, str]:
    """Return the fingerprint of a failure, and the text that it is of; without error output, or for a broken gate, that is the reason."""
    tail = stderr[-TAIL_BYTES:].decode("utf-8", "replace")
    # A command knows nothing of the gate that it has broken, so its error output is about something else.
    is_by_gate = exit_code == 0 and reason.startswith(gates.WORD)
    text = ("" if is_by_gate else normalised(tail)) or normalised(_OF_RETRIES.sub("", reason))
    marks = f"{state}\n{exit_code}\n{text}"
    return hashlib.sha256(marks.encode()).hexdigest()[:16], text
