"""What the keeper is asked for, made of a command, its limits and its bundle."""

from __future__ import annotations

from watchbell import clock
from watchbell.execution.bundle import MARKER, Bundle
from watchbell.execution.command import SHELL, Command, Limits
from watchbell.execution.far import go_there_itself, is_far
from watchbell.execution.keeping import Person, Request
from watchbell.execution.limits import CannotLimit, set_bounds, wrap
from watchbell.execution.process import SpawnFailed, current_boot_id, find_program
from watchbell.execution.record import Meta
from watchbell.execution.scripts import put_scripts, step_of
from watchbell.execution.stepping import NOTES, steps_command


def make_request(number: int, bundle: Bundle, command: Command, limits: Limits, keeper: tuple[int, int]) -> Request:
    """Return what is asked of the keeper; raises SpawnFailed when the command cannot be started."""
    argv, directory, environment = command.argv, command.directory, command.environment
    is_away = is_far(command)
    program = find_program(command) if not is_away else SHELL
    scripts = put_scripts(bundle, command) if command.interpreter else ()
    if command.steps:
        record = bundle.status if command.user is None else ""
        steps = command.steps
        if scripts:
            steps = tuple(step_of(step, command.interpreter, path) for step, path in zip(steps, scripts, strict=True))
            program = SHELL
        argv = steps_command(steps, record, bundle.token, limits.grace_seconds)
    elif scripts:
        argv = (*command.interpreter, *scripts)
    if is_away:
        # Nobody but its own process may have to wait for a server that is gone.
        argv, directory = go_there_itself(directory, argv), None
    person = _person(command, limits, bundle) if command.user is not None else None
    if person is None and (limits.is_confined or limits.niceness):
        try:
            argv = wrap((program, *argv[1:]), {**command.common, **environment}, limits, bundle.token)
        except CannotLimit as error:
            raise SpawnFailed(str(error), 1) from error
        program = argv[0]
    meta = Meta(clock.now().timestamp(), clock.boot_time(), current_boot_id(), limits, keeper)
    return Request(
        number=number,
        status=bundle.status,
        out=bundle.out,
        err=bundle.err,
        header=meta.encode(),
        directory=directory,
        program=program,
        argv=argv,
        environment=environment,
        marker=f"{MARKER}={bundle.token}",
        person=person,
    )


def _person(command: Command, limits: Limits, bundle: Bundle) -> Person | None:
    """Return as whom a command runs, with its limits, which are set before anything of its environment counts."""
    user = command.user
    if user is None:
        return None
    try:
        bounds = set_bounds(limits, bundle.token, uid=user.uid)
    except CannotLimit as error:
        raise SpawnFailed(str(error), 1) from error
    return Person(
        uid=user.uid,
        gid=user.gid,
        groups=user.groups,
        niceness=limits.niceness,
        memory_bytes=bounds.memory_bytes,
        processes=bounds.processes,
        notes=NOTES if command.steps else 0,
        folders=bounds.folders,
    )
