"""The data directory: who may read it, how much room there is, and whether the database in it is whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from watchbell.config import MIB, Config
from watchbell.control import own_user
from watchbell.control.diagnosis.finding import Finding, Level, ok
from watchbell.control.pidfile import is_held
from watchbell.errors import ConfigError, WatchbellError
from watchbell.store import glance, hearing, reserve, schema
from watchbell.store.hearing import Way
from watchbell.store.place import network_kind, remains_of
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database

_LITTLE_BYTES, _SCARCE_BYTES = 1024 * MIB, 128 * MIB
_FEW_FILES = 1000
#: A look at a big database goes no further than this; db check takes its time.
_LOOK_SECONDS = 5.0
#: So long it is waited for a server to tell of something, before it is taken for one that never does.
_HEARING_SECONDS = 2.0
#: What holds what nobody else should read.
_PRIVATE = ("watchbell.db", "watchbell.db-wal", "secret.key", "encryption.key", "scheduler.log", "watchbell.toml")


def look_at_home(config: Config) -> Iterator[Finding]:
    """Look whether the directory is there, ours, and for us alone."""
    home = config.home
    if not home.is_dir():
        yield Finding("home-missing", Level.NOTE, f"{home} is not there yet", "watchbell up makes it")
        return
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("home-not-writable", Level.PROBLEM, f"this user cannot write in {home}",
                      f"run as {_owner(home)}, or give the directory to this user: chown")  # fmt: skip
        return
    open_ones = [name for name in _PRIVATE if _is_open(home / name)]
    if stat.S_IMODE(home.stat().st_mode) & 0o022:
        # Who may write in a directory can put another file in the place of a private one.
        yield Finding(
            "home-open",
            Level.PROBLEM,
            f"others on this machine can put files of theirs into {home}",
            f"chmod 700 {home}",
        )
    elif open_ones:
        files = " ".join(str(home / name) for name in open_ones)
        yield Finding("home-open", Level.PROBLEM, f"others on this machine can read {', '.join(open_ones)} in {home}",
                      f"chmod 600 {files}")  # fmt: skip
    else:
        yield ok("home", f"{home} is there and its files are private")


def look_at_user(config: Config, uid: int | None = None) -> Iterator[Finding]:
    """Look whether commands are kept from anything at all."""
    if own_user.runs_all_as_root(config, uid):
        words, _semicolon, remedy = own_user.AS_ROOT.partition("; ")
        yield Finding("runs-as-root", Level.WARNING, words, remedy)
    keys = own_user.keys_in_reach(config)
    if keys and not config.run_as:
        yield Finding("keys-in-reach", Level.NOTE, f"commands run as this user and can read {keys[0].name} and the database",
                      f"tasks that must not see each other get installations of their own: {own_user.PAGE}")  # fmt: skip


def _is_open(path: Path) -> bool:
    """Return whether others than the owner reach a file: through its own mode and that of its folder."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077) and bool(
            stat.S_IMODE(path.parent.stat().st_mode) & 0o011
        )
    except FileNotFoundError:
        return False


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def look_at_room(config: Config) -> Iterator[Finding]:
    """Look whether there is room for rows and outputs."""
    place = next(path for path in (config.home, *config.home.parents) if path.is_dir())
    found = os.statvfs(place)
    room = found.f_bavail * found.f_frsize
    shown = f"{room / MIB:,.0f} MiB are free where the data lies"
    if room < _SCARCE_BYTES:
        yield Finding("disk-full", Level.PROBLEM, f"{shown}: results may soon not be stored any more",
                      "make room, or lower WATCHBELL_RETENTION_OUTPUT_MIB and run watchbell db prune")  # fmt: skip
    elif room < _LITTLE_BYTES:
        yield Finding("disk-low", Level.WARNING, shown, "make room, or keep less: watchbell db prune --dry-run")
    else:
        yield ok("disk", shown)
    if found.f_files and found.f_favail < _FEW_FILES:
        yield Finding("inodes-low", Level.PROBLEM, f"only {found.f_favail} more files can be made where the data lies",
                      "remove files that nobody needs; df -i shows which disk")  # fmt: skip


def _no_database(home: Path, file: Path) -> Finding:
    """Return what is said where there is none: that it has gone, if there was one."""
    left = remains_of(home, file)
    if left:
        return Finding("database-missing", Level.PROBLEM, f"the database {file} is missing or empty, but there was one",
                       f"put it back, or restore a backup; to begin anew, remove {left[0]}")  # fmt: skip
    return Finding("database-missing", Level.NOTE, f"there is no database {file} yet", "watchbell up makes it")


def look_at_database(config: Config) -> Iterator[Finding]:
    """Look whether the database is there, of this version, and whole."""
    file = file_of(config)
    if file is None:
        yield from _look_at_server(config)
        return
    if not file.is_file() or file.stat().st_size == 0:
        yield _no_database(config.home, file)
        return
    kind = network_kind(file)
    if kind:
        yield Finding("database-network", Level.PROBLEM, f"the database lies on a network file system ({kind}), where it can be damaged",
                      "move the data directory to a local disk")  # fmt: skip
    db = Database.open(config.database_url)
    try:
        found = schema.state(db)
        yield from _of_schema(found)
        if found.is_newer:
            return
        is_complete, damage = schema.find_damage(db, _LOOK_SECONDS)
    except WatchbellError as error:
        yield Finding(
            "database-damaged", Level.PROBLEM, error.message, "restore a backup, and keep the damaged files for a look"
        )
        return
    finally:
        db.close()
    if damage:
        yield Finding("database-damaged", Level.PROBLEM, f"the database is damaged: {damage}",
                      "restore a backup, and keep the damaged files for a look")  # fmt: skip
    elif not is_complete:
        yield Finding("database-big", Level.NOTE, f"the database was looked at for damage for {_LOOK_SECONDS:g} s only, and none was found",
                      "watchbell db check looks at all of it")  # fmt: skip
    else:
        yield ok("database", f"the database has schema {found.current}, and no damage was found")


def _of_schema(found: schema.SchemaState) -> Iterator[Finding]:
    if found.is_newer:
        yield Finding("database-newer", Level.PROBLEM, f"the database has schema {found.current}, of a newer Watchbell; this one knows {found.head}",
                      "install the newer version again")  # fmt: skip
    elif not found.is_current:
        yield Finding("database-older", Level.WARNING, f"the database has schema {found.current} and this version wants {found.head}",
                      "watchbell db upgrade")  # fmt: skip


def _look_at_server(config: Config) -> Iterator[Finding]:
    """Look whether the database of a server answers and is of this version."""
    try:
        with contextlib.closing(Database.open(config.database_url)) as db:
            found = schema.state(db)
            way = hearing.way(db, patience_seconds=_HEARING_SECONDS)
    except WatchbellError as error:
        yield Finding(
            "database-silent", Level.PROBLEM, error.message, "see to the server, and to the address in database_url"
        )
        return
    yield from _of_schema(found)
    if found.is_current:
        yield ok("database", f"the database server answers, and the database has schema {found.current}")
    if way is Way.POLL:
        yield Finding("database-pooler", Level.NOTE, "a pooler before the database does not carry LISTEN, so that it is asked four times a second "
                      "whether anything has changed",
                      "connect to the server itself or let the pooler lend whole sessions, as docs/postgresql.md says")  # fmt: skip


def look_at_reserve(config: Config) -> Iterator[Finding]:
    """Look whether there is a reserve for a full disk while a scheduler works."""
    file = file_of(config)
    if file is None or not file.is_file() or not is_held(config):
        return
    kept = file.with_name(f"{file.name}.reserve")
    if kept.is_file() and kept.stat().st_size >= reserve.SIZE:
        yield ok("reserve", "the reserve for a full disk is there")
    else:
        yield Finding("reserve-missing", Level.WARNING, "the reserve that lets results be stored on a full disk is used up",
                      "make room; the scheduler makes a new one by itself")  # fmt: skip


def open_current(config: Config) -> Database | None:
    """Return the database if it is one of this version that answers."""
    if file_of(config) is not None and not glance.is_current(config.database_url):
        return None
    try:
        db = Database.open(config.database_url, box=SecretBox.of(config))
    except ConfigError:
        # The look at the database says what is wrong with it.
        return None
    if db.is_sqlite or _answers(db):
        return db
    db.close()
    return None


def _answers(db: Database) -> bool:
    try:
        return schema.state(db).is_current
    except WatchbellError:
        return False


def file_of(config: Config) -> Path | None:
    """Return the file of the embedded database."""
    scheme, _, place = config.database_url.partition(":///")
    return Path(place.partition("?")[0]) if scheme.partition("+")[0] == "sqlite" else None
