"""Where programs that understand a language of their own are given its text: after which options, or at which place.

A value that comes into such a text could say anything in that language, as one in the script of a shell could. Beside the
text, as its argument or in the environment, it is only a value.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

_QUOTES = re.compile(r"['\"\\]")
_VERSION = re.compile(r"[0-9][0-9.]*(?:\.exe)?$|\.exe$")
_LONGEST_NAME = 255
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
#: Programs, and words of the shell, that start the program which follows among their arguments.
STARTERS = frozenset(
    "sudo doas su runuser env nice ionice chrt taskset nohup timeout time stdbuf setsid busybox toybox xargs find flock chroot "
    "nsenter unshare ip docker podman kubectl exec command builtin strace systemd-run if then else elif do while until ! {".split()
)
_NEVER = re.compile(r"(?!)")


def _options(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL | flags)


@dataclasses.dataclass(frozen=True, slots=True)
class Interpreter:
    """How a program is given the text that it understands, and how to give it a value otherwise."""

    example: str | None
    #: Options that hold such a text behind them, else in the next argument.
    text: re.Pattern[str]
    #: Options after which all arguments are the text.
    all_after: re.Pattern[str] = _NEVER
    #: Options with a value that is none.
    value: re.Pattern[str] = _NEVER
    #: Options by which the text comes from a file; after those that end in one nothing else is an option.
    file: re.Pattern[str] = _NEVER
    #: Which arguments that are no options are the text as well, if no option gives it: none, the first, all, or those
    #: after the first; nowhere is none of a program whose name is an ordinary word.
    places: str = "none"


_PYTHON = Interpreter(
    "python3,-c,import sys; print(sys.argv[1]),{{FILE}}",
    text=_options("-[bBdEiIOPqRsSuvx]*c(.*)"),
    value=_options("-[bBdEiIOPqRsSuvx]*[WX]"),
)
_PERL = Interpreter(
    "perl,-e,print $ARGV[0],{{FILE}}",
    text=_options("-[acdflnpsStTuUvwWX0-9]*[eE](.*)|-[mM](.+)"),
    value=_options("-I"),
)
_RUBY = Interpreter(
    "ruby,-e,puts ARGV[0],{{FILE}}", text=_options("-[aclnpsSvwWy0-9]*e(.*)"), value=_options("-[rIEC]")
)
_NODE = Interpreter(
    "node,-e,console.log(process.argv[1]),{{FILE}}",
    text=_options("-p?e|-p|--eval(?:=(.*))?|--print(?:=(.*))?"),
    value=_options("-r|-C|--(?:require|import|loader|conditions|input-type)"),
)
_PHP = Interpreter(
    "php,-r,echo $argv[1];,--,{{FILE}}",
    text=_options("-[aCeHilmnqsvw]*[rBRE](.*)|--(?:run|process-begin|process-code|process-end)(?:=(.*))?"),
    value=_options("-[cdfFzt]|--(?:define|php-ini|file|docroot)"),
)
_AWK = Interpreter(
    'env,NAME={{NAME}},awk,$1 == ENVIRON["NAME"],/etc/passwd',
    text=_options("-e(.*)|--source(?:=(.*))?"),
    value=_options("-[Fvil]|--(?:field-separator|assign|include|load)"),
    file=_options("-[fE].*|--(?:file|exec)(?:=.*)?"),
    places="first",
)
_SED = Interpreter(
    "env,NAME={{NAME}},perl,-pi,-e,s/^name=.*/name=$ENV{NAME}/,/etc/app.conf",
    text=_options("-[nErsuz]*e(.*)|--expression(?:=(.*))?"),
    value=_options("-l|--line-length"),
    file=_options("-[nErsuz]*f.*|--file(?:=.*)?"),
    places="first",
)
_POWERSHELL = Interpreter(
    "env,NAME={{NAME}},pwsh,-Command,Get-Item $env:NAME",
    text=_options("[-/]+(?:e|ec|en[a-z]*)", re.IGNORECASE),
    all_after=_options("[-/]+(?:c|co[a-z]*|cwa)", re.IGNORECASE),
    value=_options("[-/]+(?:ep|ex|v|w|in|o|conf|psc|cus|se)[a-z]*", re.IGNORECASE),
    file=_options("[-/]+f[a-z]*", re.IGNORECASE),
    places="all",
)
_CMD = Interpreter(None, text=_NEVER, all_after=_options("/[ckr]", re.IGNORECASE))
_WATCH = Interpreter(
    None, text=_NEVER, value=_options("-[nq]|--interval|--equexit"), file=_options("-x|--exec"), places="all"
)
#: It splits such a text into the words of a command.
_ENV = Interpreter(
    "env,NAME={{NAME}},printenv,NAME",
    text=_options("-[iv0]*S(.*)|--split-string(?:=(.*))?"),
    value=_options("-[uC]|--(?:unset|chdir)"),
)
_SCRIPT = Interpreter(
    "env,NAME={{NAME}},script,-qc,printenv NAME,/dev/null",
    text=_options("-[aefqr]*c(.*)|--command(?:=(.*))?"),
    value=_options("-[BEIOTmo]|--(?:log-io|log-in|log-out|log-timing|logging-format|echo|output-limit)"),
    places="nowhere",
)
_SSH = Interpreter(None, text=_NEVER, value=_options("-[bBcDeEFiIJlLmoOpPQRSwW]"), places="after")


def _with_e(example: str) -> Interpreter:
    return Interpreter(example, text=_options("-[eE]|-e(.+)|--(?:eval|print)(?:=(.*))?"), value=_options("-l"))


_KNOWN = {
    **dict.fromkeys(("python", "pypy", "micropython"), _PYTHON),
    **dict.fromkeys(("node", "nodejs", "bun"), _NODE),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk"), _AWK),
    **dict.fromkeys(("sed", "gsed"), _SED),
    **dict.fromkeys(("powershell", "pwsh"), _POWERSHELL),
    "perl": _PERL,
    "ruby": _RUBY,
    "php": _PHP,
    "cmd": _CMD,
    "watch": _WATCH,
    "env": _ENV,
    "script": _SCRIPT,
    "ssh": _SSH,
    **dict.fromkeys(("lua", "luajit"), _with_e('env,NAME={{NAME}},lua,-e,print(os.getenv("NAME"))')),
    "rscript": _with_e("Rscript,-e,cat(commandArgs(TRUE)),{{FILE}}"),
    "julia": _with_e("julia,-e,println(ARGS[1]),{{FILE}}"),
    "elixir": _with_e("elixir,-e,IO.puts(hd(System.argv())),{{FILE}}"),
    "groovy": _with_e("groovy,-e,println args[0],{{FILE}}"),
    "osascript": _with_e("osascript,script.scpt,{{FILE}}"),
}


def find(words: Sequence[str], place: int) -> Interpreter | None:
    """Return the interpreter that a word of a command names, None if it names none, or is meant as something else."""
    name = _QUOTES.sub("", words[place]).rpartition("/")[2].lower()
    # No file has a longer name, and looking for the version of one costs the square of its length.
    found = _KNOWN.get(_VERSION.sub("", name)) if len(name) <= _LONGEST_NAME else None
    if found is None or found.places == "none" or _is_started(words, place):
        return found
    return None


def _is_started(words: Sequence[str], place: int) -> bool:
    """Return whether the word is the program of the command, or of one that starts another."""
    for word in words[:place]:
        plain = _QUOTES.sub("", word)
        if _ASSIGNMENT.match(plain) is None:
            return plain.rpartition("/")[2] in STARTERS
    return True


def texts_of(interpreter: Interpreter, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments of an interpreter that it reads as text in its language."""
    places, is_text, is_value = interpreter.places, False, False
    for number, word in enumerate(arguments):
        plain = _QUOTES.sub("", word)
        if is_text:
            yield word
            is_text = False
        elif is_value:
            is_value = False
        elif found := interpreter.text.fullmatch(plain):
            is_text = not any(found.groups())
            places = "none"
            yield from [] if is_text else [word]
        elif interpreter.all_after.fullmatch(plain):
            yield from arguments[number + 1 :]
            return
        elif interpreter.file.fullmatch(plain):
            places, is_value = "none", plain in {"--file", "--exec"} or plain[-1] in "fE"
        elif interpreter.value.fullmatch(plain):
            is_value = True
        elif plain.startswith("-") or (interpreter is _POWERSHELL and plain.startswith("/")):
            continue
        elif places == "first":
            yield word
            places = "none"
        else:
            yield from {"none": (), "nowhere": (), "all": arguments[number:], "after": arguments[number + 1 :]}[places]
            return
