"""``watchbell engine``: workers that carry the runs of some queues, on this machine or on others."""

from __future__ import annotations

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, print_json, say, table


@click.group(short_help="Carry runs of some queues on further machines.")
def engine() -> None:
    """Carry runs of some queues on further machines: watchbell queue set NAME --carrier engine sends a queue's runs here."""


@engine.command(
    short_help="Be a worker, in the foreground.",
    epilog=examples(
        "watchbell engine worker --queues heavy",
        "watchbell engine worker --queues heavy,reports --drain 600",
    ),
)
@click.option("--queues", metavar="NAME,…", required=True, help="The queues whose runs it carries, comma separated.")
@click.option(
    "--name",
    metavar="NAME",
    default="worker",
    show_default=True,
    help="Its folder in the data directory; a second worker beside it needs another one.",
)
@click.option(
    "--drain",
    metavar="SECONDS",
    type=click.IntRange(0, 86_400),
    default=60,
    show_default=True,
    help="How long it waits at TERM for commands that go on; a second TERM ends it at once.",
)
@pass_program
def worker(program: Program, *, queues: str, name: str, drain: int) -> int:
    """Be a worker until TERM or Ctrl-C. It needs the installation's database (PostgreSQL, from other machines), its encryption key and its broker.

    What still runs at its end goes on, and its next start takes it over if that comes within half a minute.
    """
    # The loop and the broker's library are loaded by the one command that needs them.
    from watchbell.scheduler import worker as program_4

    names = list(dict.fromkeys(part.strip() for part in queues.split(",") if part.strip()))
    if not names:
        raise click.UsageError("Give --queues at least one name.")
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise click.UsageError("--name is of letters, digits, '-' and '_'.")
    if name in {"active", "output"}:
        raise click.UsageError(f"--name {name} is a folder of the scheduler.")
    return program_4.run(program.config, queues=names, name=name, drain_seconds=float(drain))


@engine.command(short_help="Say how workers and broker do.", epilog=examples("watchbell engine status"))
@json_option
@pass_program
def status(program: Program, *, as_json: bool) -> None:
    """Say which queues the engine carries, which workers there are, and whether the broker answers."""
    from watchbell.services import engine as service

    now = clock.now()
    found = service.look(program.existing_db, now=now)
    rows = [
        {
            "host": worker.host, "pid": worker.pid, "queues": list(worker.queues), "running": worker.running,
            "max_running": worker.max_running, "version": worker.version, "state": service.state_of(worker, now),
            "beat_at": worker.beat_at, "trouble": worker.trouble,
        }
        for worker in found.workers
    ]  # fmt: skip
    if as_json:
        print_json({"queues": list(found.queues), "workers": rows, "broker": found.trouble or "ok",
                    "unserved": list(found.unserved)})  # fmt: skip
        return
    if not found.is_used:
        say("The engine carries no queue: watchbell queue set NAME --carrier engine lets it.")
    for sentence in service.sentences(found):
        say(sentence)
    shown = [
        (worker.host, worker.pid, ", ".join(worker.queues), f"{worker.running} of {worker.max_running}",
         service.state_of(worker, now), worker.version)
        for worker in found.workers
    ]  # fmt: skip
    if shown:
        table(("HOST", "PID", "QUEUES", "RUNNING", "STATE", "VERSION"), shown, right=(1,))
