"""What a database says when it does not do what it is asked, turned into errors of ours without SQL in them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from watchbell.errors import DatabaseDamaged, DatabaseTrouble, Unavailable

_LOCKED = "the database is locked by another program; try again in a moment"
_REFUSED = "the database server refuses the login of its URL"
_MISSING = "the database that the URL names does not exist on its server"
#: What the classes and codes of the server's errors mean to us, the longer ones first.
_MEANINGS: tuple[tuple[str, str, DatabaseTrouble], ...] = (
    ("55P03", _LOCKED, DatabaseTrouble.LOCKED),
    ("40001", _LOCKED, DatabaseTrouble.LOCKED),
    ("40P01", _LOCKED, DatabaseTrouble.LOCKED),
    ("25006", "the database is read-only", DatabaseTrouble.READ_ONLY),
    ("25P03", "the connection to the database was lost", DatabaseTrouble.SILENT),
    ("42P01", "the database schema is not this version's; run: watchbell db upgrade", DatabaseTrouble.SILENT),
    ("42703", "the database schema is not this version's; run: watchbell db upgrade", DatabaseTrouble.SILENT),
    ("42501", "the database server does not let the user of its URL do this", DatabaseTrouble.SILENT),
    ("53100", "the disk of the database is full", DatabaseTrouble.FULL),
    ("53300", "the database server has no connection left", DatabaseTrouble.SILENT),
    ("57014", "the database takes too long to answer", DatabaseTrouble.SILENT),
    ("28", _REFUSED, DatabaseTrouble.SILENT),
    ("3D", _MISSING, DatabaseTrouble.SILENT),
    ("08", "the database does not answer", DatabaseTrouble.SILENT),
    ("53", "the database does not answer", DatabaseTrouble.SILENT),
    ("57", "the database does not answer", DatabaseTrouble.SILENT),
    ("58", "the disk of the database reports an error", DatabaseTrouble.SILENT),
)

_SILENCE = ("the database does not answer", DatabaseTrouble.SILENT)
_UNWANTED = "a pooler before the database refuses the options of the URL"
_FULL_UP = ("the database server has no connection left", DatabaseTrouble.SILENT)
#: What the server says without a code, to whoever cannot even connect.
_SAID = (
    (
        re.compile(r"authentication failed|no pg_hba\.conf entry|no password supplied|role .+ does not exist"),
        (_REFUSED, DatabaseTrouble.SILENT),
    ),
    (re.compile(r"database .+ does not exist"), (_MISSING, DatabaseTrouble.SILENT)),
    (re.compile(r"unsupported startup parameter|command-line options"), (_UNWANTED, DatabaseTrouble.SILENT)),
    (re.compile(r"too many c|remaining connection slots"), _FULL_UP),
)


def is_busy(error: OperationalError) -> bool:
    """Return whether the embedded database is only held by another program, which passes."""
    text = str(error.orig).lower()
    return "locked" in text or "busy" in text


def is_damaged(error: DBAPIError) -> bool:
    """Return whether the database finds its own files damaged."""
    if _is_of_server(error):
        return _code(error) in {"XX001", "XX002"}
    name = getattr(error.orig, "sqlite_errorname", "")
    return name.startswith("SQLITE_CORRUPT") or name == "SQLITE_NOTADB"


@contextlib.contextmanager
def translated(file: Path | None) -> Iterator[None]:
    """Turn the driver's ways of saying "not now" into one error of ours, without SQL in it."""
    try:
        yield
    except DatabaseError as error:
        if is_damaged(error):
            raise DatabaseDamaged(damage_words(file)) from error
        reason = reason_of(error) if isinstance(error, OperationalError) else _reason_of_server(error)
        if reason is not None:
            raise Unavailable(*reason) from error
        _raise_if_lost(error)
        raise
    except DBAPIError as error:
        _raise_if_lost(error)
        raise
    except NoConnectionFree as error:
        raise Unavailable("all connections to the database are in use; try again in a moment") from error


def _raise_if_lost(error: DBAPIError) -> None:
    if error.connection_invalidated:
        raise lost() from error


def damage_words(file: Path | None) -> str:
    """Return what is said of a damaged database and what is to be done."""
    return (
        f"the database {file or ''} is damaged or not a database; restore a backup, and keep the files that are there "
        "for a look"
    )


def reason_of(error: OperationalError) -> tuple[str, DatabaseTrouble]:
    """Return what is wrong for the moment: in words, without SQL or paths, and in one of our words."""
    if _is_of_server(error):
        return _reason_of_server(error) or _SILENCE
    text = str(error.orig).lower()
    name = getattr(error.orig, "sqlite_errorname", "")
    if is_busy(error):
        return _LOCKED, DatabaseTrouble.LOCKED
    if "full" in text:
        return "the disk of the database is full", DatabaseTrouble.FULL
    if "readonly" in text or "read-only" in text:
        return "the database is read-only", DatabaseTrouble.READ_ONLY
    if "no such table" in text or "no such column" in text:
        return "the database schema is not this version's; run: watchbell db upgrade", DatabaseTrouble.SILENT
    if name.startswith("SQLITE_CANTOPEN"):
        return "the database file cannot be opened; it may have been moved or deleted", DatabaseTrouble.GONE
    if name.startswith("SQLITE_IOERR"):
        return "the disk of the database reports an error", DatabaseTrouble.SILENT
    return _SILENCE


def locked() -> Unavailable:
    """Return the error of whoever does not wait for another writer."""
    return Unavailable(_LOCKED, DatabaseTrouble.LOCKED)


def lost() -> Unavailable:
    """Return the error of whoever has lost the connection."""
    return Unavailable("the connection to the database was lost")


def unknown() -> Unavailable:
    """Return the error of whoever does not hear whether a change was made."""
    return Unavailable("the connection to the database was lost in the middle of a change")


def is_lost(error: DBAPIError) -> bool:
    """Return whether an error means that nobody will hear any more what became of a statement."""
    code = _code(error)
    return bool(error.connection_invalidated) or (isinstance(error, OperationalError) and code[:2] in {"", "08", "57"})


def _is_of_server(error: DBAPIError) -> bool:
    """Return whether an error is one of PostgreSQL."""
    return hasattr(error.orig, "sqlstate")


def _reason_of_server(error: DBAPIError) -> tuple[str, DatabaseTrouble] | None:
    """Return what is wrong for the moment, in words without SQL and in one of ours; None for what is not of that kind."""
    code = _code(error)
    if code or not _is_of_server(error):
        return _meaning(code)
    if not isinstance(error, OperationalError) and not error.connection_invalidated:
        return None
    # What goes wrong while a connection is made has no code, only the server's words.
    said = str(error.orig)
    return next((told for pattern, told in _SAID if pattern.search(said)), _SILENCE)


def is_refusal(words: str) -> bool:
    """Return whether a reason is one that waiting does not change."""
    return words in {_REFUSED, _MISSING, _UNWANTED}


def _meaning(code: str) -> tuple[str, DatabaseTrouble] | None:
    return next(((words, trouble) for start, words, trouble in _MEANINGS if code.startswith(start)), None)


def _code(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
