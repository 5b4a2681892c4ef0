"""What a run ran as a script that runs it again elsewhere: the same arguments, variables, directory and limits.

Everything from the task is quoted, so that the script means what the task means, whatever stands in it. What is secret is
not in it: the script asks for it by the name of a variable.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence

from watchbell.domain import interpreters, placeholders, secret_names
from watchbell.domain.masking import mask
from watchbell.domain.parameters import Parameter, ParameterType
from watchbell.domain.policies import Policies
from watchbell.domain.steps import Step

_REFERENCE = re.compile(r"(\$\{secret:[^{}]*\})")
_UNFIT = re.compile(r"[^A-Za-z0-9_]")
#: Variables of whoever started the command that say how it is found and which language it speaks.
BASE = ("PATH", "LANG", "LC_ALL", "TZ")


@dataclasses.dataclass(frozen=True, slots=True)
class Ran:
    """What a run ran."""

    command: str
    steps: Sequence[Step]
    directory: str | None
    environment: Mapping[str, str]
    parameters: Sequence[Parameter]
    values: Mapping[str, str]
    policies: Policies
    #: What every command was told of its run, and what it had from the machine.
    told: Mapping[str, str]
    base: Mapping[str, str]

    @property
    def scripts(self) -> Mapping[str, str]:
        """Return the scripts of its interpreter, by the names that their files have beside what runs them."""
        if not interpreters.words_of(self.policies.interpreter):
            return {}
        if not self.steps:
            return {"script": self.command}
        return {f"script-{number}": step.command for number, step in enumerate(self.steps, 1)}


@dataclasses.dataclass(frozen=True, slots=True)
class Variables:
    """The variables of a run, and what has to be given for those that hold secrets."""

    #: Lines for a shell.
    lines: Sequence[str]
    #: The variables that must be set before, with what belongs into each.
    wanted: Mapping[str, str]


def argv_of(ran: Ran) -> tuple[str, ...] | None:
    """Return the arguments of the command, the file of its script among them; None for a run of steps."""
    if ran.steps:
        return None
    interpreter = ran.policies.interpreter
    template = placeholders.template_of(ran.command, ran.parameters, interpreter)
    if template:
        return placeholders.fill(template, ran.values)
    return (*interpreters.argv_of(ran.command, interpreter), *ran.scripts)


def variables_of(ran: Ran) -> Variables:
    """Return what sets the variables of a run, without the value of any secret."""
    wanted: dict[str, str] = {}
    pairs = [(name, _spelled(name, text, wanted)) for name, text in ran.environment.items()]
    for one in ran.parameters:
        value = ran.values.get(one.name, "")
        if one.type is ParameterType.SECRET and value:
            value = secret_names.reference(value)
            pairs.append((one.variable_name, _spelled(one.variable_name, value, wanted)))
        else:
            # In a value these signs are nothing but signs.
            pairs.append((one.variable_name, _hidden(one.variable_name, value, wanted) or shlex.quote(value)))
    pairs += [(name, shlex.quote(text)) for name, text in ran.told.items()]
    plain = [f"export {name}={shlex.quote(text)}" for name, text in ran.base.items()]
    asked = [f': "${{{name}:?set it to {text}}}"' for name, text in wanted.items()]
    return Variables([*plain, *asked, *(f"export {name}={text}" for name, text in pairs)], wanted)


def script_of(ran: Ran) -> str:
    """Return the script that runs the command of a run with its variables and limits, for a POSIX shell."""
    policies = ran.policies
    lines = [
        "#!/bin/sh",
        "# Runs again what a run has run. Read README.md first.",
        'here=$(cd "$(dirname "$0")" && pwd) || exit 1',
        '. "$here/environment.sh" || exit 1',
        f"cd -- {shlex.quote(ran.directory)} || exit 1" if ran.directory else 'cd -- "$HOME" || exit 1',
    ]
    if policies.memory_limit_mib:
        # Of each process; the run had it for all of them together.
        lines.append(f"ulimit -v {policies.memory_limit_mib * 1024}")
    argv = argv_of(ran)
    if argv is not None:
        lines.append(f"exec {_limited(policies.time_limit_seconds, policies)} {_call(argv, ran)}")
    else:
        lines += _steps(ran)
    return "\n".join(lines) + "\n"


def _steps(ran: Ran) -> list[str]:
    lines = ["status=0"]
    for number, step in enumerate(ran.steps, 1):
        limit = step.timeout_seconds or ran.policies.time_limit_seconds
        argv = interpreters.argv_of(step.command, ran.policies.interpreter)
        named = (*argv, f"script-{number}") if ran.scripts else argv
        command = f"{_limited(limit, ran.policies)} {_call(named, ran)}"
        lines.append(f"export WATCHBELL_STEP={number}")
        # The code of the first step that failed is that of the run.
        lines.append(f"{command} || {{ code=$?; [ $status -ne 0 ] || status=$code; }}")
        if not step.continue_on_failure:
            lines.append("[ $status -eq 0 ] || exit $status")
    return [*lines, "exit $status"]


def _call(argv: Sequence[str], ran: Ran) -> str:
    """Return arguments as a shell spells them; a script is called by its path."""
    if argv[-1] not in ran.scripts:
        return shlex.join(argv)
    return f'{shlex.join(argv[:-1])} "$here/{argv[-1]}"'


def _limited(seconds: float | None, policies: Policies) -> str:
    words = ["nice", "-n", str(policies.niceness)] if policies.niceness > 0 else []
    if seconds:
        words += ["timeout", "-k", str(policies.grace_seconds), str(seconds)]
    return " ".join(words) or "env"


def _spelled(name: str, text: str, wanted: dict[str, str]) -> str:
    """Return a value as a shell spells it, with variables in the place of the secrets that it names."""
    if secret_names.OPENING not in text:
        return _hidden(name, text, wanted) or shlex.quote(text)
    parts = []
    for part in _REFERENCE.split(text):
        names = secret_names.names_in(part)
        if names:
            variable = "SECRET_" + _UNFIT.sub("_", names[0]).upper()
            wanted[variable] = f"the secret {names[0]}"
            parts.append(f'"${variable}"')
        elif part:
            parts.append(shlex.quote(part))
    return "".join(parts)


def _hidden(name: str, text: str, wanted: dict[str, str]) -> str:
    """Return what asks for a value that is not shown, empty for one that is."""
    if mask(name, text) == text:
        return ""
    wanted[name] = "its value, which is not shown"
    return f'"${name}"'
