"""Numbers that a command tells about itself, by lines such as ``::watchbell metric=rows value=120``.

Such a line is read only of a task that says so, and it can hold nothing but a name and a number: the output of a command
is anybody's text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from watchbell.domain.samples import METRICS

#: So many different ones are taken of a run; of one name the last value counts.
MOST = 32
#: Beyond this a number is no measurement, and its square would be none.
_HIGHEST = 1e15
_LINE = re.compile(
    rb"^::watchbell[ \t]+metric=([a-z][a-z0-9_.]{0,49})[ \t]+value=([-+]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?)[ \t]*\r?$",
    re.MULTILINE,
)


def read(outputs: Iterable[bytes]) -> dict[str, float]:
    """Return the numbers in what was written; lines that do not fit, and names that runs have anyway, are passed over."""
    found: dict[str, float] = {}
    for data in outputs:
        # Most outputs hold none, which a plain search finds out at a fraction of the price.
        for match in _LINE.finditer(data) if b"::watchbell" in data else ():
            name, value = match[1].decode(), float(match[2])
            if name in METRICS or not math.isfinite(value) or abs(value) > _HIGHEST:
                continue
            if name in found or len(found) < MOST:
                found[name] = value
    return found
