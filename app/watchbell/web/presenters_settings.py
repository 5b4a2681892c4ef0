"""What the page of the settings shows: each with its value, where it comes from and how it is changed."""

from __future__ import annotations

import dataclasses
import platform
import shutil
from urllib.parse import urlsplit

from watchbell.config import SECRETS, SETTINGS, Config, Setting
from watchbell.store.session import Database
from watchbell.version import __version__
from watchbell.web.i18n import _
from watchbell.web.told import told

#: Settings that may name places on the server's disk.
_PLACES = frozenset({"home", "database_url", "log_dir", "runtime_dir", "python", "cron_folder"})
#: Settings that are addresses in which a password may stand.
_ADDRESSES = frozenset({"database_url", "tries_store", "broker"})
_HIDDEN = SECRETS | {"token"}


@dataclasses.dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting in force."""

    name: str
    value: str
    source: str
    #: Argument, variable or key that has set it, "" for the default.
    set_by: str
    meaning: str
    variable: str
    default: str


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """This installation."""

    version: str
    python: str
    system: str
    database: str
    database_bytes: int | None
    home: str
    free_bytes: int | None
    total_bytes: int | None


def setting_rows(config: Config, *, with_places: bool) -> list[SettingRow]:
    """Return all settings; without places whoever reads them has nothing to do with the server's files."""
    return [_row(config, setting, with_places=with_places) for setting in SETTINGS]


def about(config: Config, database: Database, *, with_places: bool) -> About:
    """Return what this installation is."""
    try:
        disk = shutil.disk_usage(config.home)
    except OSError:
        # The page of an installation in trouble says what it can.
        disk = None
    return About(
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        database=_("SQLite") if database.is_sqlite else _("PostgreSQL"),
        database_bytes=_size(database),
        home=_place(str(config.home), with_places=with_places),
        free_bytes=disk.free if disk else None,
        total_bytes=disk.total if disk else None,
    )


def _row(config: Config, setting: Setting, *, with_places: bool) -> SettingRow:
    source = config.sources[setting.name]
    value = getattr(config, setting.name)
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    if setting.name in _HIDDEN and text:
        text = "••••••"
    elif setting.name in _ADDRESSES and "://" in text:
        text = _without_password(text, with_places=with_places)
    elif setting.name in _PLACES:
        text = _place(text, with_places=with_places)
    kinds = {"argument": _("argument"), "configuration": _("file")}
    return SettingRow(
        name=setting.name,
        value=text,
        source=kinds.get(source.partition(" ")[0], _("environment")) if source else _("default"),
        set_by=source if with_places or not source.startswith("configuration") else "",
        meaning=told(setting.help),
        variable=setting.env[0],
        default=told(setting.default_text),
    )


def _without_password(url: str, *, with_places: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return f"{parts.scheme}:///{_place(url.partition(':///')[2], with_places=with_places)}"
    # Everything behind the question mark may hold a password, too.
    return f"{parts.scheme}://{parts.username or ''}{':••••••' if parts.password else ''}@{parts.hostname or ''}{parts.path}"


def _place(path: str, *, with_places: bool) -> str:
    return path if with_places else path.rstrip("/").rpartition("/")[2]


def _size(database: Database) -> int | None:
    if database.file is None:
        return None
    files = (database.file, database.file.with_name(f"{database.file.name}-wal"))
    return sum(file.stat().st_size for file in files if file.is_file())
