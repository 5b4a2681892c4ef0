"""What is run: argument vectors, environments and limits. How it is run is in keeper.py and watcher.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from watchbell.domain.plain_command import BUILTINS, SHELL, SHELL_WORDS, plain_argv, shell_command
from watchbell.domain.steps import Step

__all__ = ["BUILTINS", "SHELL", "SHELL_WORDS", "Command", "Limits", "Reader", "User", "plain_argv", "shell_command"]

#: Output kept per stream unless a task says otherwise: half of it from the head, half from the tail.
DEFAULT_OUTPUT_BYTES = 20 * 1024 * 1024


@dataclasses.dataclass(eq=False, slots=True)
class Reader:
    """Somebody who reads one output of a command while that is written, and wants all of it."""

    #: Up to where it has been read: what lies behind that is not given up yet, within a bound.
    read_to: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Somebody else as whom a command runs."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """One command: its arguments, the whole environment it sees, and its absolute working directory.

    ``argv[0]`` is looked up in the PATH of ``environment`` when it holds no slash. The command sees exactly
    ``environment``, ``common`` where that says nothing, plus the marker variable of its bundle, by which its processes are found again, and minus PWD, OLDPWD,
    SHLVL and ``_``, which describe the shell that somebody once started the scheduler from. Without a directory it runs
    in the launching process's own.
    """

    argv: tuple[str, ...]
    #: It may hold secrets, which no log shall show.
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NOTHING, repr=False)
    directory: str | None = None
    #: What many commands see beside their own variables; it is told to the keeper once.
    common: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NOTHING, repr=False)
    #: What is run one after the other instead of the arguments, by the shell that those name; see stepping.py.
    steps: tuple[Step, ...] = ()
    #: Of standard output and standard error, if somebody passes them on.
    readers: tuple[Reader, ...] = ()
    #: As whom it runs; None for the scheduler's own user.
    user: User | None = None
    #: A program and its arguments that is given the file of a script: of ``script``, or for each step of what that says.
    interpreter: tuple[str, ...] = ()
    script: str = dataclasses.field(default="", repr=False)

    def variable(self, name: str) -> str | None:
        """Return a variable as the command sees it."""
        return self.environment.get(name, self.common.get(name))


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt may use: time, the grace between TERM and KILL, and bytes of output kept per stream."""

    time_seconds: float | None = None
    grace_seconds: float = 10.0
    output_bytes: int = DEFAULT_OUTPUT_BYTES
    #: A run that writes more than is kept is ended instead of losing the middle of its output.
    output_ends: bool = False
    #: Of all its processes together where a control group can be made, else of each; see limits.py.
    memory_bytes: int | None = None
    #: Processes and threads.
    processes: int | None = None
    #: Added to the scheduler's own, as by nice(1).
    niceness: int = 0
    #: Its own process is a runner of steps, which writes their course into its record; see stepping.py.
    has_steps: bool = False

    @property
    def is_confined(self) -> bool:
        """Return whether the attempt gets a control group where one can be made."""
        return self.memory_bytes is not None or self.processes is not None
