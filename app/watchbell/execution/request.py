"""What the keeper is asked for, made of a command, its limits and its bundle."""

from __future__ import annotations

from watchbell import clock
from watchbell.execution.bundle import MARKER, Bundle
from watchbell.execution.command import Command, Limits
from watchbell.execution.keeping import Request
from watchbell.execution.limits import CannotLimit, wrap
from watchbell.execution.process import SpawnFailed, current_boot_id, find_program
from watchbell.execution.record import Meta
from watchbell.execution.stepping import steps_command


def make_request(number: int, bundle: Bundle, command: Command, limits: Limits, keeper: tuple[int, int]) -> Request:
    """Return what is asked of the keeper; raises SpawnFailed when the command cannot be started."""
    program = find_program(command)
    argv, environment = command.argv, command.environment
    if command.steps:
        argv = steps_command(command.steps, bundle.status, bundle.token, limits.grace_seconds)
    if limits.is_confined or limits.niceness:
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
        directory=command.directory,
        program=program,
        argv=argv,
        environment=environment,
        marker=f"{MARKER}={bundle.token}",
    )
