"""The parameters of a version of a task, and what a run is given of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from watchbell.domain import interpreters, parameters, placeholders
from watchbell.domain.parameters import Parameter
from watchbell.errors import InputError
from watchbell.store import runs as store
from watchbell.store.session import Database


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """One value of a run, as people may see it: of a secret, its name."""

    name: str
    value: str
    #: None if the version of the task that it ran is not kept any more.
    parameter: Parameter | None = None


def declared(definition: Mapping[str, object]) -> tuple[Parameter, ...]:
    """Return the parameters of a stored definition."""
    return parameters.from_json(definition.get("parameters"))


def read(definition: Mapping[str, object], given: Mapping[str, object]) -> dict[str, str]:
    """Return the values of a run, with the defaults of what is not given; raises InputError on ``parameters.NAME``."""
    known = declared(definition)
    values = parameters.read_values(known, given)
    interpreter = interpreters.of_policies(definition.get("policies"))
    template = placeholders.template_of(str(definition.get("command") or ""), known, interpreter)
    problems = placeholders.check_values(template, known, values) if template else []
    if problems:
        raise InputError(*problems)
    return values


def fitting(definition: Mapping[str, object], recorded: Mapping[str, object] | None) -> dict[str, str]:
    """Return those of a run's values that a definition still takes."""
    return parameters.fitting(declared(definition), recorded or {})


def told(definition: Mapping[str, object], recorded: Mapping[str, object] | None) -> Sequence[Given]:
    """Return what a run was given, in the order of its parameters; the defaults where it was given nothing."""
    known = declared(definition)
    values = recorded if recorded is not None else {one.name: one.default for one in known}
    found = [Given(one.name, str(values[one.name]), one) for one in known if one.name in values]
    names = {one.name for one in known}
    return [*found, *(Given(name, str(value)) for name, value in values.items() if name not in names)]


def of_run(db: Database, run_id: int, known: Sequence[Parameter]) -> Mapping[str, str]:
    """Return the values of a run that is about to start, the defaults where it was given nothing."""
    with db.read() as session:
        run = store.find_run(session, run_id)
    recorded = run.parameters if run is not None else None
    return recorded if recorded is not None else {one.name: one.default for one in known}
