"""Parameters of a task: what each may be, and the values that a run is given.

A value is a text. It reaches the command as a variable of its environment, or as a part of one argument where the command is
a plain list of arguments; nothing ever puts it into a text that a shell reads.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum

from watchbell.domain import bounded_pattern, secret_names
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError, Problem

FIELD = "parameters"
SETS_FIELD = "parameter_sets"
MOST_PARAMETERS = 30
MOST_SETS = 50
MOST_CHOICES = 100
NAME_LIMIT = 50
HELP_LIMIT = 500
VALUE_LIMIT = 4000
#: Values without a variable of their own are in one that begins so.
PREFIX = "WATCHBELL_PARAM_"
_FIELDS = ("name", "type", "default", "choices", "pattern", "required", "help", "variable")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: Variables by which programs are told to load or run something else: whoever may only run a task must not set them.
_UNFIT = re.compile(
    r"(LD_|DYLD_|PYTHON|PERL|RUBY|NODE_|GIT_|BASH_|GLIBC_|GCONV_|MALLOC_|LUA_(PATH|CPATH|INIT)|PIP_|(NPM|npm)_(CONFIG|config)_|BUNDLE_|"
    r"ANSIBLE_|XDG_).*|PATH|ENV|IFS|SHELLOPTS|BASHOPTS|SHELL|HOME|PS4|PPID|OPTIND|LINENO|CDPATH|FPATH|ZDOTDIR|PROMPT_COMMAND|"
    r"EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESS(OPEN|CLOSE)?|TMPDIR|CLASSPATH|JAVA_HOME|(JAVA_TOOL|_JAVA|JDK_JAVA)_OPTIONS|"
    r"(MAVEN|GRADLE|SBT)_OPTS|MAKE(FLAGS|FILES)|RUSTC_WRAPPER|RUSTFLAGS|CARGO_HOME|GEM_(HOME|PATH)|PHPRC|PHP_INI_SCAN_DIR|"
    r"DOCKER_(HOST|CONFIG)|(SSH|SUDO)_ASKPASS|OPENSSL_CONF|SSL_CERT_(FILE|DIR)|CURL_HOME|WGETRC|HOSTALIASES|LOCPATH|NLSPATH|"
    r"TERMINFO|TZDIR|PG(SERVICEFILE|SYSCONFDIR)"
)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?\Z")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLAGS = {"true": "true", "yes": "true", "on": "true", "1": "true",
          "false": "false", "no": "false", "off": "false", "0": "false"}  # fmt: skip


class ParameterType(StrEnum):
    """What the values of a parameter are."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "yes_no"
    """The command is given true or false."""
    CHOICE = "choice"
    DATE = "date"
    """As 2026-11-30."""
    SECRET = "secret"  # noqa: S105 - a word for a type
    """The name of a secret among its choices; the command is given that one's value, which nothing records."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that can be said to a run of a task."""

    name: str
    type: ParameterType = ParameterType.TEXT
    #: What a run is given where nothing is said, so also what its schedule gives; empty for nothing.
    default: str = ""
    choices: tuple[str, ...] = ()
    #: Must lie on the whole of a text; see bounded_pattern.
    pattern: str = ""
    required: bool = False
    help: str = ""
    #: Its variable where that is not PREFIX and the name in capitals.
    variable: str = ""

    @property
    def variable_name(self) -> str:
        """Return the variable that holds its value."""
        return self.variable or PREFIX + self.name.upper().replace("-", "_")

    def to_json(self) -> dict[str, object]:
        """Return a form that ``from_json`` reads back."""
        return {**dataclasses.asdict(self), "type": self.type.value, "choices": list(self.choices)}


def from_json(data: object) -> tuple[Parameter, ...]:
    """Return the parameters that were stored; nothing stored is none."""
    entries = data if isinstance(data, list | tuple) else ()
    return tuple(
        Parameter(**{**entry, "type": ParameterType(entry["type"]), "choices": tuple(entry["choices"])})
        for entry in entries
    )


def build_parameters(value: object) -> tuple[Parameter, ...]:
    """Return parameters from what a person gave: a list of objects with a name and what else is known of a parameter.

    Raises InputError that names each wrong one on the field ``parameters``.
    """
    if value is None or value == "":
        return ()
    if not isinstance(value, list | tuple):
        raise InputError.of(FIELD, "must be a list of objects, each with a name", "day")
    if len(value) > MOST_PARAMETERS:
        raise InputError.of(FIELD, f"must be at most {MOST_PARAMETERS}")
    found: list[Parameter] = []
    problems: list[Problem] = []
    for number, entry in enumerate(value, 1):
        try:
            found.append(_parameter(number, entry))
        except InputError as error:
            problems += error.problems
    variables = [one.variable_name for one in found]
    problems += [
        Problem(FIELD, f"two parameters have the variable {name}; give each a name of its own")
        for name in sorted({name for name in variables if variables.count(name) > 1})
    ]
    together = bounded_pattern.trouble_together(one.pattern for one in found)
    if problems or together:
        raise InputError(*problems, *([Problem(FIELD, together)] if together else []))
    return tuple(found)


def _parameter(number: int, entry: object) -> Parameter:
    if isinstance(entry, Parameter):
        return entry
    if not isinstance(entry, Mapping):
        raise _wrong(number, "must be an object with a name", "day")
    unknown = sorted(set(map(str, entry)) - set(_FIELDS))
    if unknown:
        raise _wrong(number, f"has no field {_shown(unknown[0])}; there are {', '.join(_FIELDS)}")
    texts = {name: _text(number, name, entry.get(name)) for name in ("name", "type", "pattern", "help", "variable")}
    made = Parameter(
        name=texts["name"],
        type=_type(number, texts["type"]),
        choices=_choices(number, entry.get("choices")),
        pattern=texts["pattern"],
        required=_switch(number, entry.get("required")),
        help=texts["help"],
        variable=texts["variable"],
    )
    _check(number, made)
    default = entry.get("default")
    try:
        return dataclasses.replace(made, default=check_value(made, default))
    except InputError as error:
        (problem,) = error.problems
        raise _wrong(number, f"its default {problem.message}", problem.example) from None


def _check(number: int, made: Parameter) -> None:
    if not _NAME.match(made.name) or len(made.name) > NAME_LIMIT:
        words = f"its name must begin with a letter and hold letters, digits, _ and - only, at most {NAME_LIMIT}"
        raise _wrong(number, words, "day")
    if made.variable and (
        not _VARIABLE.match(made.variable) or len(made.variable) > 100 or made.variable.startswith("WATCHBELL_")
    ):
        raise _wrong(number, f"{_shown(made.variable)} is not the name of a variable of yours", "DAY")
    if _UNFIT.fullmatch(made.variable):
        words = f"{made.variable} tells programs what to load or how to read; take another variable"
        raise _wrong(number, words, "DAY")
    takes_choices = made.type in {ParameterType.CHOICE, ParameterType.SECRET}
    if takes_choices != bool(made.choices):
        words = "needs choices" if takes_choices else f"of type {made.type} has no choices; make its type choice"
        raise _wrong(number, words, "staging, live")
    if made.type is ParameterType.SECRET:
        for name in made.choices:
            try:
                secret_names.check_name(name)
            except InputError as error:
                words = f"the name of a secret {error.problems[0].message}"
                raise _wrong(number, words, "database-password") from None
    if made.pattern:
        if made.type is not ParameterType.TEXT:
            raise _wrong(number, "only a text has a pattern")
        trouble = bounded_pattern.trouble(made.pattern)
        if trouble:
            raise _wrong(number, trouble, bounded_pattern.EXAMPLE)


def _wrong(number: int, message: str, example: str | None = None) -> InputError:
    return InputError.of(FIELD, f"parameter {number}: {message}", example)


def _text(number: int, name: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise _wrong(number, f"its {name} must be text")
    text = value or "" if name == "pattern" else (value or "").strip()
    if len(text) > HELP_LIMIT or not is_visible(text):
        raise _wrong(number, f"each of its texts must be at most {HELP_LIMIT} characters that can be seen")
    return text


def _type(number: int, text: str) -> ParameterType:
    try:
        return ParameterType(text or ParameterType.TEXT)
    except ValueError:
        raise _wrong(number, f"its type must be one of {', '.join(ParameterType)}", "text") from None


def _choices(number: int, value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else str(value or "").split(",")
    found = tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))
    if len(found) > MOST_CHOICES or any(len(one) > HELP_LIMIT or not is_visible(one) for one in found):
        words = (
            f"its choices must be at most {MOST_CHOICES} texts that can be seen, with at most {HELP_LIMIT} characters"
        )
        raise _wrong(number, words, "staging, live")
    return found


def _switch(number: int, value: object) -> bool:
    if value is None or value == "" or isinstance(value, bool):
        return bool(value)
    try:
        return _FLAGS[str(value).strip().lower()] == "true"
    except KeyError:
        raise _wrong(number, "required must be true or false", "true") from None


def read_values(parameters: Sequence[Parameter], given: Mapping[str, object]) -> dict[str, str]:
    """Return the value of each parameter, the default where none is given; empty for one that has none.

    Raises InputError with each problem on ``parameters.NAME``.
    """
    known = {one.name: one for one in parameters}
    problems = [
        Problem(f"{FIELD}.{_printable(name)}", "is not a parameter of this task", ", ".join(list(known)[:5]) or None)
        for name in given
        if name not in known
    ]
    values: dict[str, str] = {}
    for name, one in known.items():
        try:
            value = check_value(one, given[name]) if name in given else one.default
        except InputError as error:
            problems += error.problems
            continue
        if one.required and not value:
            problems.append(Problem(f"{FIELD}.{name}", "is required", example_of(one)))
        values[name] = value
    if problems:
        raise InputError(*problems)
    return values


def fitting(parameters: Sequence[Parameter], recorded: Mapping[str, object]) -> dict[str, str]:
    """Return those of some values that the parameters still take, so that a run can be repeated by another version."""
    found: dict[str, str] = {}
    for one in parameters:
        if one.name in recorded:
            try:
                found[one.name] = check_value(one, recorded[one.name])
            except InputError:
                # What it does not take any more is asked for again, or is the default.
                continue
    return found


def check_value(one: Parameter, value: object) -> str:
    """Return a value of a parameter as it is recorded; raises InputError with one problem."""
    text = _value_text(one, value)
    if not text:
        return ""
    wrong = _trouble(one, text)
    if wrong:
        raise InputError.of(f"{FIELD}.{one.name}", wrong, example_of(one))
    match one.type:
        case ParameterType.FLAG:
            return _FLAGS[text.lower()]
        case ParameterType.DATE:
            return date.fromisoformat(text).isoformat()
        case _other:
            return text


def _value_text(one: Parameter, value: object) -> str:
    if isinstance(value, bool) and one.type is ParameterType.FLAG:
        return "true" if value else "false"
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if value is not None and not isinstance(value, str) and not is_number:
        raise InputError.of(f"{FIELD}.{one.name}", "must be a text", example_of(one))
    text = "" if value is None else str(value)
    return text if one.type is ParameterType.TEXT else text.strip()


def _trouble(one: Parameter, text: str) -> str:
    """Return what is wrong with a value in words, empty if nothing is."""
    if len(text) > VALUE_LIMIT:
        return f"must be at most {VALUE_LIMIT} characters long"
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in text):
        return "must be one line without control characters"
    match one.type:
        case ParameterType.TEXT:
            fits = not one.pattern or bounded_pattern.fits(one.pattern, text)
            return "" if fits else f"must fit the pattern {one.pattern}"
        case ParameterType.NUMBER:
            return "" if _NUMBER.match(text) and len(text) <= NAME_LIMIT else "must be a number"
        case ParameterType.INTEGER:
            return "" if _INTEGER.match(text) else "must be a whole number"
        case ParameterType.FLAG:
            return "" if text.lower() in _FLAGS else "must be yes or no"
        case ParameterType.DATE:
            return "" if _is_date(text) else "must be a date"
        case ParameterType.CHOICE | ParameterType.SECRET:
            return "" if text in one.choices else f"must be one of {', '.join(one.choices[:10])}"


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def example_of(one: Parameter) -> str | None:
    """Return a value that it takes, None where nobody can know."""
    by_type = {
        ParameterType.NUMBER: "1.5",
        ParameterType.INTEGER: "10",
        ParameterType.FLAG: "yes",
        ParameterType.DATE: "2026-11-30",
    }
    return one.default or next(iter(one.choices), None) or by_type.get(one.type)


def build_sets(value: object) -> dict[str, dict[str, object]]:
    """Return named sets of values from what a person gave; whether the parameters take them is for ``check_sets``."""
    if value is None or value == "":
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, Mapping) for one in value.values()):
        raise InputError.of(SETS_FIELD, "must be an object of sets by their names, each an object of values")
    if len(value) > MOST_SETS:
        raise InputError.of(SETS_FIELD, f"must be at most {MOST_SETS}")
    found: dict[str, dict[str, object]] = {}
    for name, values in value.items():
        title = str(name).strip()
        if not title or len(title) > NAME_LIMIT or not is_visible(title):
            raise InputError.of(
                SETS_FIELD, f"each name must be 1 to {NAME_LIMIT} characters that can be seen", "nightly"
            )
        found[title] = dict(values)
    return found


def check_sets(parameters: Sequence[Parameter], sets: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """Return named sets whose values the parameters take; raises InputError that names each value which they do not."""
    known = {one.name: one for one in parameters}
    problems: list[Problem] = []
    found: dict[str, dict[str, str]] = {}
    for title, values in sets.items():
        found[title] = {}
        for name, value in values.items():
            try:
                if name not in known:
                    raise InputError.of(FIELD, "is not a parameter of this task")
                found[title][name] = check_value(known[name], value)
            except InputError as error:
                words = f"set {_shown(title)}, {_printable(name)}: {error.problems[0].message}"
                problems.append(Problem(SETS_FIELD, words, error.problems[0].example))
    if problems:
        raise InputError(*problems)
    return found


def pruned_sets(parameters: Sequence[Parameter], sets: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """Return named sets without the values that the parameters do not take any more; one that is left empty goes."""
    found = {title: fitting(parameters, values) for title, values in sets.items()}
    return {title: values for title, values in found.items() if values}


def secrets_named(parameters: Sequence[Parameter]) -> dict[str, tuple[str, ...]]:
    """Return the secrets that each variable may be given, by the variable."""
    return {one.variable_name: one.choices for one in parameters if one.type is ParameterType.SECRET}


def check_together(
    parameters: Sequence[Parameter], environment: Collection[str], *, has_schedule: bool, given: Collection[str] = ()
) -> list[Problem]:
    """Return what is wrong with parameters beside the other fields of their task; ``given`` are those of which its schedule says a value."""
    clashes = [one.variable_name for one in parameters if one.variable_name in environment]
    problems = [Problem(FIELD, f"{name} is set by the environment already", "another variable") for name in clashes]
    if has_schedule:
        problems += [
            Problem(FIELD, f"{one.name} is required: the schedule gives nothing but its default", "a default")
            for one in parameters
            if one.required and not one.default and one.name not in given
        ]
    return problems


def _printable(text: object) -> str:
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in str(text)[:40])


def _shown(text: object) -> str:
    return f"'{_printable(text)}'"
