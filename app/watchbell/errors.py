"""Every error that Watchbell raises on purpose, and the exit codes of its programs.

The web maps these classes to HTTP answers and the command line maps them to exit codes; nothing below those edges
formats an error for a person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import StrEnum

#: Everything went well.
EXIT_OK = 0
#: The command was understood and failed.
EXIT_FAILURE = 1
#: The command line or a value on it is wrong.
EXIT_USAGE = 2
#: The scheduler was asked to do something that needs it running, and it is not.
EXIT_NOT_RUNNING = 3
#: A second scheduler (or server) was asked for while one is running.
EXIT_ALREADY_RUNNING = 4
#: The named task, run, account or token does not exist.
EXIT_NOT_FOUND = 5
#: The change collides with what is there, such as a duplicate name.
EXIT_CONFLICT = 6
#: What somebody waited for was a run that did not succeed; each state has a code of its own.
EXIT_RUN_FAILED = 10
EXIT_RUN_TIMED_OUT = 11
EXIT_RUN_CANCELLED = 12
EXIT_RUN_LOST = 13
EXIT_RUN_SKIPPED = 14
EXIT_RUN_MISSED = 15
#: The database or another thing that is needed does not answer at the moment.
EXIT_UNAVAILABLE = 69
#: The scheduler's watchdog has ended it, because its loop or its end had stood still for too long or one of its threads had died.
EXIT_WATCHDOG = 70
#: What somebody waited for has not ended within the time that they gave it.
EXIT_STILL_ACTIVE = 75
#: A server elsewhere does not let whoever asks do this.
EXIT_NOT_ALLOWED = 77
#: The configuration or the environment makes a start impossible.
EXIT_CONFIG = 78


class WatchbellError(Exception):
    """Something went wrong."""

    #: A short machine-readable word for API answers and logs.
    code = "error"
    exit_code = EXIT_FAILURE

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])

    @property
    def message(self) -> str:
        """Return the one line that a person reads."""
        return str(self.args[0])


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one field of an input."""

    field: str
    message: str
    #: A value that would have been accepted.
    example: str | None = None

    def __str__(self) -> str:
        text = f"{self.field}: {self.message}"
        return f"{text} (for example: {self.example})" if self.example else text


class InputError(WatchbellError):
    """The input is not valid."""

    code = "invalid_input"
    exit_code = EXIT_USAGE

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems) or None)

    @classmethod
    def of(cls, field: str, message: str, example: str | None = None) -> InputError:
        """Return an error about one field."""
        return cls(Problem(field, message, example))

    @classmethod
    def joined(cls, errors: Iterable[InputError]) -> InputError:
        """Return one error that tells the problems of all the given ones."""
        return cls(*(problem for error in errors for problem in error.problems))


class NotFound(WatchbellError):
    """There is no such thing."""

    code = "not_found"
    exit_code = EXIT_NOT_FOUND


class Conflict(WatchbellError):
    """The change collides with the present state."""

    code = "conflict"
    exit_code = EXIT_CONFLICT


class LeaseLost(Conflict):
    """Another scheduler has taken the lease of the leader."""

    code = "lease_lost"


class KeyTrouble(Conflict):
    """The key that seals secrets cannot be used."""

    code = "key_unusable"
    exit_code = EXIT_CONFIG


class VersionConflict(Conflict):
    """Somebody else has changed this meanwhile."""

    code = "version_conflict"


class NotAllowed(WatchbellError):
    """The server does not let this account or token do that."""

    code = "not_allowed"
    exit_code = EXIT_NOT_ALLOWED


class VersionRequired(WatchbellError):
    """Say which version you have seen before you change this."""

    code = "version_required"


class NotRunning(WatchbellError):
    """The scheduler is not running."""

    code = "not_running"
    exit_code = EXIT_NOT_RUNNING


class AlreadyRunning(WatchbellError):
    """The scheduler is running already."""

    code = "already_running"
    exit_code = EXIT_ALREADY_RUNNING


class DatabaseTrouble(StrEnum):
    """Why a database does not do what it is asked."""

    LOCKED = "locked"
    FULL = "full"
    READ_ONLY = "read_only"
    GONE = "gone"
    """Its file is not where it was; it may have been moved, or its disk taken away."""
    REPLACED = "replaced"
    """Another file lies in its place; whoever has the old one open must not go on."""
    DAMAGED = "damaged"
    SILENT = "silent"


class Unavailable(WatchbellError):
    """The database does not answer at the moment."""

    code = "unavailable"
    exit_code = EXIT_UNAVAILABLE

    def __init__(self, message: str | None = None, trouble: DatabaseTrouble = DatabaseTrouble.SILENT) -> None:
        super().__init__(message)
        self.trouble = trouble


class TooMany(WatchbellError):
    """The server does this for as many at a time as it can; try again in a moment."""

    code = "too_many"


class TooManyTries(WatchbellError):
    """Too many tries; wait a minute, then try again."""

    code = "too_many_tries"

    def __init__(self, message: str | None = None, retry_seconds: int = 60) -> None:
        super().__init__(message)
        #: After so long there is another one.
        self.retry_seconds = retry_seconds


class ConfigError(WatchbellError):
    """The configuration is not usable."""

    code = "configuration"
    exit_code = EXIT_CONFIG


class DatabaseDamaged(ConfigError):
    """The database is damaged; restore a backup."""

    code = "damaged"
