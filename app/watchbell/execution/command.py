"""What is run: argument vectors, environments and limits. How it is run is in keeper.py and watcher.py."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType

from watchbell.domain.steps import Step

#: Output kept per stream unless a task says otherwise: half of it from the head, half from the tail.
DEFAULT_OUTPUT_BYTES = 20 * 1024 * 1024

SHELL = "/bin/sh"


@dataclasses.dataclass(eq=False, slots=True)
class Reader:
    """Somebody who reads one output of a command while that is written, and wants all of it."""

    #: Up to where it has been read: what lies behind that is not given up yet, within a bound.
    read_to: int = 0


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


#: A word that every POSIX shell takes as it stands. No `~`, no globbing, no `=` in the first word (an assignment).
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_@%+:,./=\- \t'\"]*")
#: Words that a shell gives a meaning of its own, or that exist as builtins only or behave differently as builtins.
SHELL_WORDS = frozenset(
    """
    . : [ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs
    disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help history if in
    jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source
    suspend test then time times trap type typeset ulimit umask unalias unset until wait while
    """.split()
)


#: Words that a shell answers itself, without a program: faster, and in the shell's own way.
BUILTINS = frozenset({"echo", "false", "printf", "true"})


def shell_command(text: str) -> tuple[str, ...]:
    """Return the argument vector that runs ``text`` in a shell."""
    return (SHELL, "-c", text)


def plain_argv(text: str) -> tuple[str, ...] | None:
    """Return the arguments that a shell would make of ``text``, or None when the text needs a shell.

    The answer is None in every doubtful case: a missed chance costs half a millisecond, a wrong guess changes what a
    command means.
    """
    if not _PLAIN_TEXT.fullmatch(text):
        return _quoted_argv(text)
    try:
        # Without a quote there is nothing that shlex would see and split would not.
        words = shlex.split(text) if "'" in text or '"' in text else text.split()
    except ValueError:
        return None
    return tuple(words) if words and _names_program(words[0]) else None


def _quoted_argv(text: str) -> tuple[str, ...] | None:
    """Return the arguments of a text in which each word that could mean anything else is quoted as a whole."""
    try:
        words = shlex.split(text) if "'" in text else []
    except ValueError:
        return None
    # Only this spelling, in which nothing stands outside of quotes but what is plain, is sure to mean the same to a shell.
    return tuple(words) if words and _names_program(words[0]) and shlex.join(words) == text else None


def _names_program(word: str) -> bool:
    """Return whether a first word can only be the name of a program."""
    return bool(word) and "=" not in word and not word.startswith("-") and word not in SHELL_WORDS | BUILTINS
