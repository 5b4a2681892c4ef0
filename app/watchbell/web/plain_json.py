"""JSON as the standard has it: a number that it has no way to write is null, wherever it was let in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from flask.json.provider import DefaultJSONProvider


class PlainJSON(DefaultJSONProvider):
    """Flask's own, without the words Infinity and NaN, which nothing but Python reads."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return a value as JSON."""
        try:
            return super().dumps(obj, allow_nan=False, **kwargs)
        except ValueError:
            return super().dumps(_finite(obj), **kwargs)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(below) for name, below in value.items()}
    return [_finite(below) for below in value] if isinstance(value, list | tuple) else value
