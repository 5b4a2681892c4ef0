"""From a ticket to a process: the command of the version that was due, its environment and its limits."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from datetime import UTC
from typing import Protocol

from watchbell import clock
from watchbell.config import MIB, Config
from watchbell.domain import environment_sets, interpreters, placeholders, secret_names
from watchbell.domain import steps as task_steps
from watchbell.domain.concealing import Concealer
from watchbell.domain.parameters import Parameter, ParameterType
from watchbell.domain.policies import OutputExcess, Policies
from watchbell.domain.steps import Step
from watchbell.errors import KeyTrouble, NotFound
from watchbell.execution import Bundle, Bundles, Command, Limits, Reader, Watcher
from watchbell.execution.command import SHELL
from watchbell.execution.scripts import step_of
from watchbell.scheduler.people import People, environment_of
from watchbell.services import concealers, parameters, secrets, tasks
from watchbell.services.tickets import Ticket
from watchbell.store.session import Database

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a version of a task runs, ready for use."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: str | None
    limits: Limits
    policies: Policies
    steps: tuple[Step, ...] = ()
    #: What its environment names.
    secrets: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    #: Its arguments with the places of parameters in them, if it has any.
    template: tuple[str, ...] | None = None
    #: What is given its script, or those of its steps.
    interpreter: tuple[str, ...] = ()
    script: str = ""


class Definitions(Protocol):
    """Who may know what a version of a task says without looking it up."""

    def find_definition(self, task_id: int, version: int) -> Mapping[str, object] | None:
        """Return the definition, or None if it has to be looked up."""


class Launcher:
    """Starts the processes of tickets; knows the definitions that were used lately."""

    def __init__(
        self,
        db: Database,
        config: Config,
        bundles: Bundles,
        watcher: Watcher,
        plan: Definitions,
        people: People | None = None,
    ) -> None:
        """``people`` are those as whom tasks may run; None for a run in the foreground, which is its caller's."""
        self._db = db
        self._plan = plan
        self._config = config
        self._bundles = bundles
        self._watcher = watcher
        self._people = people
        self._jobs: dict[tuple[int, int], Job] = {}

    def job(self, task_id: int, version: int) -> Job:
        """Return what a version of a task runs; raises NotFound and Unavailable."""
        found = self._jobs.get((task_id, version))
        if found is None:
            if len(self._jobs) > 20_000:
                self._jobs.clear()
            definition = self._plan.find_definition(task_id, version)
            if definition is None:
                definition = tasks.revision(self._db, task_id, version).definition
            found = self._jobs[task_id, version] = self._build(definition)
        return found

    def start(self, ticket: Ticket, *, more: bool = False, readers: tuple[Reader, ...] = ()) -> Bundle:
        """Have the process of a ticket started; raises SpawnFailed when it is known at once that it cannot be.

        Raises NotFound if a secret that it needs is not there, and Unavailable if that cannot be known. With ``more`` it may wait for those that follow, until the watcher is flushed. ``readers`` pass its output on.
        """
        job = self.job(ticket.task_id, ticket.task_version)
        user = self._people.find(job.policies.as_user) if self._people is not None else None
        values = parameters.of_run(self._db, ticket.run_id, job.parameters) if job.parameters else {}
        own, concealer = self._fill(job, ticket, values)
        # What a command writes to tmpfs would count as memory of its own.
        on_disk = job.limits.memory_bytes is not None
        bundle = self._bundles.claim(str(ticket.run_id), ticket.number, on_disk=on_disk)
        bundle.concealer = concealer
        common = self._config.child_environment
        argv = placeholders.fill(job.template, values) if job.template else job.argv
        environment, directory = self._environment(own, ticket), job.directory
        if user is not None:
            environment, directory, common = {**environment_of(user, common), **environment}, directory or user.home, {}
        command = Command(argv, environment, directory, common, job.steps, readers, user, job.interpreter, job.script)
        self._watcher.launch((ticket.run_id, ticket.number), bundle, command, job.limits, more=more)
        return bundle

    def limits(self, ticket: Ticket) -> Limits:
        """Return the limits of a ticket's run, the defaults if its definition is gone."""
        try:
            return self.job(ticket.task_id, ticket.task_version).limits
        except NotFound:
            return Limits(output_bytes=self._config.output_limit_mib * MIB)

    def conceal(self, ticket: Ticket, bundle: Bundle) -> None:
        """Let the output of an attempt that was started earlier be masked of what it was given; raises Unavailable."""
        with self._db.read() as session:
            found = concealers.find(session, self._db.box, [ticket.attempt_id])
        concealer = found.get(ticket.attempt_id)
        bundle.is_unmasked = concealer is concealers.WITHHELD
        bundle.concealer = None if bundle.is_unmasked else concealer
        if bundle.is_unmasked:
            log.error("The secrets that run %d was given cannot be read; its output is shown to nobody", ticket.run_id)

    def _fill(self, job: Job, ticket: Ticket, given: Mapping[str, str]) -> tuple[Mapping[str, str], Concealer | None]:
        """Return a job's environment with its values and those of its secrets, and what masks the latter in its output."""
        texts = {one.variable_name: given.get(one.name, "") for one in job.parameters}
        hidden = [one.variable_name for one in job.parameters if one.type is ParameterType.SECRET]
        named = tuple(dict.fromkeys([*job.secrets, *filter(None, (texts[name] for name in hidden))]))
        if not named:
            return {**job.environment, **texts}, None
        try:
            values = secrets.take(self._db, named, ticket, now=clock.now())
        except KeyTrouble as error:
            raise NotFound(error.message) from None
        # Only what the task itself says names secrets: in a value of a run the same signs are nothing but signs.
        texts |= {name: values[texts[name]] if texts[name] else "" for name in hidden}
        return {**secret_names.fill(job.environment, values), **texts}, Concealer(values.values())

    def _environment(self, own: Mapping[str, str], ticket: Ticket) -> dict[str, str]:
        return {
            **own,
            "WATCHBELL_RUN_ID": str(ticket.run_id),
            "WATCHBELL_TASK": ticket.task_name,
            "WATCHBELL_ATTEMPT": str(ticket.number),
            "WATCHBELL_FENCE": str(ticket.fence),
            "WATCHBELL_SCHEDULED_FOR": ticket.due_at.astimezone(UTC).isoformat(),
            "SCRIPT_RUNNER_ACTIVE": "1",
            "SCRIPT_RUNNER_ATTEMPT": str(ticket.number),
        }

    def _build(self, definition: Mapping[str, object]) -> Job:
        policies = Policies.from_json(definition["policies"])  # type: ignore[arg-type]
        own = environment_sets.merged(definition)
        text = str(definition["command"])
        # A revision that an earlier version has made knows none.
        steps = task_steps.from_json(definition.get("steps"))
        declared = parameters.declared(definition)
        output_mib = policies.output_limit_mib or self._config.output_limit_mib
        if policies.interpreter == interpreters.NO_SHELL:
            steps = tuple(step_of(step, interpreters.direct_argv(step.command)) for step in steps)
        return Job(
            name=str(definition["name"]),
            argv=(SHELL,) if steps else interpreters.argv_of(text, policies.interpreter),
            environment=own,
            directory=str(definition["directory"]) if definition["directory"] else None,
            limits=_limits(policies, output_mib * MIB, has_steps=bool(steps)),
            policies=policies,
            steps=steps,
            secrets=secret_names.names_of(own),
            parameters=declared,
            template=placeholders.template_of(text, declared, policies.interpreter),
            interpreter=interpreters.words_of(policies.interpreter),
            script=text,
        )


def _limits(policies: Policies, output_bytes: int, *, has_steps: bool) -> Limits:
    memory = policies.memory_limit_mib
    return Limits(
        time_seconds=policies.time_limit_seconds,
        grace_seconds=policies.grace_seconds,
        output_bytes=output_bytes,
        output_ends=policies.output_excess is OutputExcess.END,
        memory_bytes=memory * MIB if memory else None,
        processes=policies.process_limit,
        niceness=policies.niceness,
        has_steps=has_steps,
    )
