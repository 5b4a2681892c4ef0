"""What a device tells of itself, as its page shows it: facts that are known by their names, and whatever else it has put there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from watchbell.store.devices import Device
from watchbell.web.i18n import _, grouped, lazy
from watchbell.web.presenters import duration_words, size_words

#: So many and so deep, and of each so much: what a device tells may be anything.
_MOST = 200
_DEEPEST = 4
_LONGEST = 500
_DAY_SECONDS = 86_400


def facts_of(device: Device) -> list[tuple[str, str]]:
    """Return the facts as names and texts, those first that are known by their names."""
    given = dict(device.facts)
    found: list[tuple[str, str]] = []
    for label, names, tell in _KNOWN:
        text = tell(*(given.get(name) for name in names))
        if text is not None:
            found.append((str(label), _cut(text)))
            given = {name: value for name, value in given.items() if name not in names}
    for name, value in _flat("", given, 0):
        if len(found) == _MOST:
            break
        found.append((_cut(name), _cut(value)))
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> str | None:
    return grouped(value) if _is_number(value) else None


def _uptime(value: Any) -> str | None:
    if not _is_number(value) or not 0 <= value < 1e11:
        return None
    return _("%(num)s d", num=int(value // _DAY_SECONDS)) if value >= 2 * _DAY_SECONDS else duration_words(value)


def _load(value: object) -> str | None:
    return " · ".join(grouped(one, 2) for one in value) if _all(value, _is_number) else None  # type: ignore[attr-defined]


def _list(value: object) -> str | None:
    return ", ".join(value) if _all(value, lambda one: isinstance(one, str)) else None  # type: ignore[arg-type]


def _room(total: Any, free: Any) -> str | None:
    if not (_is_number(total) and _is_number(free) and 0 <= free <= total < 2**80):
        return None
    return _("%(free)s free of %(total)s", free=size_words(int(free)), total=size_words(int(total)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _all(value: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and bool(value) and all(map(fits, value))


#: What agents tell: how it is called here, the names of the facts that it is made of, and how it is told.
_KNOWN: tuple[tuple[Any, tuple[str, ...], Callable[..., str | None]], ...] = (
    (lazy("Host name"), ("hostname",), _text),
    (lazy("System"), ("os",), _text),
    (lazy("Kernel"), ("kernel",), _text),
    (lazy("Architecture"), ("architecture",), _text),
    (lazy("Processors"), ("cpus",), _whole),
    (lazy("Up for"), ("uptime_seconds",), _uptime),
    (lazy("Load"), ("load",), _load),
    (lazy("Memory"), ("memory_total_bytes", "memory_available_bytes"), _room),
    (lazy("Disk"), ("disk_total_bytes", "disk_free_bytes"), _room),
    (lazy("Addresses"), ("addresses",), _list),
    (lazy("MAC addresses"), ("mac_addresses",), _list),
    (lazy("Agent"), ("agent_version",), _text),
    (lazy("Python"), ("python",), _text),
    (lazy("Time zone"), ("zone",), _text),
)


def _flat(name: str, value: object, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        for key, one in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), one, depth + 1)
    elif _all(value, lambda one: isinstance(one, str | int)):
        yield name, ", ".join(map(str, value))  # type: ignore[call-overload]
    elif name:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
