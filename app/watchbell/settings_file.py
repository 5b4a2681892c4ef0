"""Reading a configuration file: TOML, or the lines of ``key=value`` that older programs have.

What the keys mean, and which there are, is told by ``config``.
"""

from __future__ import annotations

import dataclasses
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from watchbell.errors import ConfigError

#: What a file of lines calls some settings.
_OLDER_NAMES = {"db_path": "database_url", "gateway_host": "host", "gateway_port": "port"}


@dataclasses.dataclass(frozen=True, slots=True)
class SettingsFile:
    """What a configuration file says."""

    values: Mapping[str, object]
    #: How it spells settings that have another name there.
    spelled: Mapping[str, str]
    #: Who may do what with it.
    mode: int


_NOTHING = SettingsFile({}, {}, 0)


def read(path: Path, *, named_by: str) -> SettingsFile:
    """Return what the file says; nothing for one that is not there and that nobody has named. Raises ConfigError.

    A file whose name ends in ``.toml`` is TOML, any other one has lines of ``key=value``.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"configuration file {path} cannot be read: it is not a file")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if named_by:
            raise ConfigError(f"{named_by} names {path}, which does not exist") from None
        return _NOTHING
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error.strerror)
        raise ConfigError(f"configuration file {path} cannot be read: {reason}") from None
    if path.suffix.lower() != ".toml":
        return _read_lines(path, text, mode)
    try:
        return SettingsFile(tomllib.loads(text), {}, mode)
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of thousands of digits is a plain ValueError.
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"configuration file {path} is damaged: {reason}") from None


def _read_lines(path: Path, text: str, mode: int) -> SettingsFile:
    values: dict[str, object] = {}
    spelled: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        key, equals, value = stripped.partition("=")
        written = key.strip().lower()
        if not equals or not written:
            raise ConfigError(f"configuration file {path} is damaged: line {number} is not key=value")
        name = _OLDER_NAMES.get(written, written)
        if name in values:
            raise ConfigError(f"configuration file {path} is damaged: line {number} says {written[:80]} once more")
        values[name] = _unquoted(value.strip())
        spelled[name] = written
    return SettingsFile(values, spelled, mode)


def _unquoted(value: str) -> str:
    """Return a value without the quotes around it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
