"""The shim: the `/bin/sh` line that is the parent of one command and outlives whoever started it.

It is spawned with stdin from /dev/null, descriptor 1 on the bundle's ``out``, 3 on ``err`` and 2 on ``status``, which the
kernel creates exclusively as part of the spawn: that file is the mark that forbids a second start, and no instruction of
the shim runs without it. The shim writes into it, in this order,

1. its pid; when even that cannot be written it gives up before the command, and because the line allocates the file's
   first block, the record at the end cannot fail for want of space;
2. "cd" when the working directory is gone; nothing was run then;
3. whatever the shell says about a command that died by a signal ("Killed"). The shell's `$?` is 128+n for a death by
   signal n and for `exit 128+n` alike; this text is what tells them apart. It stays silent for INT and PIPE;
4. the output of `times` and one line ``end N``. A reader takes only what has that end mark. The time of the last write is
   the time at which the command ended.

It traps the signals that are meant for the command (a trap, since ignored signals would be inherited), so that a TERM to
the whole group leaves it alive to write the record. The command runs in a forked subshell that replaces itself by
it. dash would start a plain `"$@"` faster, by vfork, but then reports the death into the command's own stderr.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Mapping

from watchbell.execution.command import SHELL_WORDS

#: Variables that tell about the shell somebody started the scheduler from, and would be untrue for the command.
_STALE = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})
#: Variables that a shell changes or drops on the way from its environment to that of its children.
_CHANGED_BY_SHELL = frozenset({"IFS", "OPTIND", "PPID", "LINENO"})
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: All on one line: a shell text that runs inside must report its errors as line 1.
_BEGIN = "echo $$ >&2||exit 125;trap : HUP INT QUIT TERM USR1 USR2 ALRM;"
_DIRECTORY = 'cd -P -- "$1"||{ echo cd >&2;exit 126;};shift;'
_END = "\ns=$?;times >&2;echo end $s >&2;exit $s"
_TEXT = "(unset OLDPWD;%s) 2>&3 3>&-"
_ARGUMENTS = '(unset PWD OLDPWD SHLVL;exec "$@" 2>&3 3>&-)'

#: Builtins that do the same in a subshell as in a shell of their own.
_SAFE_BUILTINS = frozenset({"cd", "echo", "exit", "printf", "pwd", "test"})
_TOKEN = re.compile(
    r"""[ \t]*(?:
        (?P<join>&&|\|\||\||;)
      | (?P<redirect>2>&1|1>&2|[012]?>>|[012]?>|<)(?![<>&|])
      | (?P<word>(?:[A-Za-z0-9_@%+:,./=-]|'[A-Za-z0-9_@%+:,./=\-\ |&;<>(){}*?!\#~^]*'
                 |"[A-Za-z0-9_@%+:,./=\-\ |&;<>(){}*?\#~^]*")+)(?=[ \t|&;<>]|\Z)
    )[ \t]*""",
    re.VERBOSE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Spawn:
    """What to hand to posix_spawn: the arguments of `/bin/sh` and its environment."""

    arguments: list[str]
    environment: dict[str, str]


def prepare(
    argv: tuple[str, ...], environment: Mapping[str, str], directory: str | None, marker: str, *, is_shell: bool = False
) -> Spawn:
    """Return how the shim of a command is spawned; ``marker`` is one NAME=value that is added to the environment.

    ``is_shell`` says that ``argv[0]`` is the very shell that the shim itself runs in.
    """
    name, _, value = marker.partition("=")
    stale, odd = _sorted_names(tuple(environment))
    passed = {**environment, name: value}
    for key in stale:
        del passed[key]
    awkward = {key: passed[key] for key in odd}
    text = _text_for_own_shell(argv) if is_shell and not awkward else None
    if awkward:
        # A shell would lose or change these, so env(1) sets them after the last shell of ours.
        argv = ("/usr/bin/env", "--", *(f"{key}={text}" for key, text in awkward.items()), *argv)
        passed = {key: text for key, text in passed.items() if key not in awkward}
    begin = _BEGIN + (_DIRECTORY if directory is not None else "")
    places = [directory] if directory is not None else []
    if text is not None:
        return Spawn([argv[0], "-c", begin + _TEXT % text + _END, argv[0], *places], passed)
    return Spawn(["watchbell-run", "-c", begin + _ARGUMENTS + _END, "watchbell-run", *places, *argv], passed)


@functools.lru_cache(maxsize=1024)
def _sorted_names(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which variables are left out and which a shell would not pass on as they are."""
    stale = tuple(name for name in names if name in _STALE)
    return stale, tuple(
        name for name in names if name not in _STALE and (name in _CHANGED_BY_SHELL or not _IDENTIFIER.fullmatch(name))
    )


@functools.lru_cache(maxsize=4096)
def _text_for_own_shell(argv: tuple[str, ...]) -> str | None:
    """Return the text of a `sh -c TEXT` that may run in a subshell of the shim, which saves an exec of the shell.

    Loading a second shell is the greatest single cost of a short run: without it the rate is half as high again. A subshell
    differs from a new shell in `$$`, `$0`, positional parameters, options, traps, jobs and what builtins tell about
    them. A text qualifies when it can see none of this: one line of simple commands joined by ``; && || |`` with plain
    redirections, no expansion of any kind, and of the builtins only a few. Everything else gets its own shell.
    """
    if len(argv) != 3 or argv[1] != "-c":
        return None
    text = argv[2]
    position, at_command, wants_file, found = 0, True, False, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        position = match.end()
        if match["word"] is not None:
            word = match["word"]
            if at_command and not _is_inert(word):
                return None
            at_command, wants_file, found = False, False, True
        elif at_command or wants_file:
            return None
        elif match["join"] is not None:
            at_command = True
        else:
            wants_file = not match["redirect"].endswith(("&1", "&2"))
    trailing = text.rstrip().endswith(";")
    return text if found and not wants_file and (not at_command or trailing) else None


def _is_inert(word: str) -> bool:
    """Return whether a command word is an external command or one of the harmless builtins."""
    if not re.fullmatch(r"[A-Za-z0-9_./+-]+", word) or word.startswith("-"):
        return False
    return word in _SAFE_BUILTINS or word not in SHELL_WORDS


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What a status file says so far."""

    pid: int | None
    exit_code: int | None = None
    #: The shell reported that the command died by a signal (its number is exit_code - 128).
    by_signal: bool = False
    no_directory: bool = False
    user_seconds: float | None = None
    system_seconds: float | None = None
    #: When the command ended, in nanoseconds since the epoch.
    ended_ns: int = 0
    #: What the shim's shell said; shown when there is nothing better.
    text: str = ""


_TIMES = re.compile(rb"(\d+)m([\d.,]+)s (\d+)m([\d.,]+)s\n")
_LAST = re.compile(rb"end (\d+)\n\Z")
#: What an adopter writes into a status file that it made itself, so that a shim that comes late cannot start.
REFUSED = b"refused\n"


def read_record(path: str) -> Record | None:
    """Return what the status file says, or None while there is no such file: nothing was started then."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        data = os.read(descriptor, 65536)
        ended_ns = os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
    return parse_record(data, ended_ns)


def parse_record(data: bytes, ended_ns: int) -> Record:
    """Return what the bytes of a status file mean."""
    first, newline, rest = data.partition(b"\n")
    pid = int(first) if newline and first.isdigit() else None
    last = _LAST.search(rest)
    times = list(_TIMES.finditer(rest))[-2:]
    said = rest[: times[0].start()] if last and times else rest
    text = said.decode("utf-8", "replace").strip()[:500]
    if last is None:
        return Record(
            pid,
            no_directory=rest.endswith(b"cd\n"),
            text=text if pid is not None else data[:500].decode("utf-8", "replace").strip(),
        )
    code = int(last[1])
    user, system = (sum(_seconds(part[index], part[index + 1]) for part in times) for index in (1, 3))
    return Record(pid, code, bool(text) and code > 128, False, user, system, ended_ns, text)


def _seconds(minutes: bytes, seconds: bytes) -> float:
    return int(minutes) * 60 + float(seconds.replace(b",", b"."))
