"""What a device is told to do: the document of a job, its commands and the variables in it."""

from __future__ import annotations

from watchbell.domain.job_document.command import argv_of, command_of, is_shell_line
from watchbell.domain.job_document.conditions import unmet
from watchbell.domain.job_document.model import DEFAULT_TIMEOUT_SECONDS, Condition, Document, Schedule, Step, Variable
from watchbell.domain.job_document.reading import read, read_timeout, unread_in
from watchbell.domain.job_document.variables import defaults_in, fill_in, names_in

__all__ = [
    "DEFAULT_TIMEOUT_SECONDS",
    "Condition",
    "Document",
    "Schedule",
    "Step",
    "Variable",
    "argv_of",
    "command_of",
    "defaults_in",
    "fill_in",
    "is_shell_line",
    "names_in",
    "read",
    "read_timeout",
    "unmet",
    "unread_in",
]
