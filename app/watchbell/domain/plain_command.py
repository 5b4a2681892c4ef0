"""Whether a command is a plain list of arguments, which need no shell to tell them apart."""

from __future__ import annotations

import re
import shlex

SHELL = "/bin/sh"

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


#: Plain words, and between quotes whatever a shell would leave as it is there.
_LITERAL_TEXT = re.compile(r"(?:[A-Za-z0-9_@%+:,./=\- \t]|'[^'\0]*'|\"[^\"$`\\!\0]*\")*")


def literal_words(text: str) -> tuple[str, ...] | None:
    """Return the words of a text that asks nothing of a shell, however they are quoted, or None.

    The first one may be a builtin that is a program as well.
    """
    words = shlex.split(text) if _LITERAL_TEXT.fullmatch(text) else []
    return tuple(words) if words and words[0] not in SHELL_WORDS - BUILTINS and "=" not in words[0] else None


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
