"""``watchbell up`` and ``watchbell dashboard``: serving the page, with and without a scheduler."""

from __future__ import annotations

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples
from watchbell.dashboard import serve
from watchbell.logs import configure_console

_HOST = click.option("--host", metavar="HOST", help="Address to listen on. Default: 127.0.0.1 (WATCHBELL_HOST).")
_PORT = click.option("--port", type=click.IntRange(0, 65_535), metavar="N",
                     help="Port to listen on; 0 takes a free one. Default: 5000 (WATCHBELL_PORT).")  # fmt: skip


@click.command(
    short_help="Start page and scheduler, watch over both.",
    epilog=examples("watchbell up", "watchbell --home /srv/watchbell up --port 8080"),
)
@_HOST
@_PORT
@pass_program
def up(program: Program, *, host: str | None, port: int | None) -> None:
    """Migrate the database, start page and scheduler, watch over both, and stop both on Ctrl-C.

    A scheduler that dies is started again; one that somebody stops stays stopped, and one that ran before is left running. Commands that are still running at
    the end go on, and the next start looks after them.
    """
    _serve(program, host, port, scheduler=True)


@click.command(
    short_help="Serve the page only.",
    epilog=examples("watchbell dashboard --port 8080"),
)
@_HOST
@_PORT
@pass_program
def dashboard(program: Program, *, host: str | None, port: int | None) -> None:
    """Serve the page only; a scheduler is started and stopped on its own, from the page too."""
    _serve(program, host, port, scheduler=False)


def _serve(program: Program, host: str | None, port: int | None, *, scheduler: bool) -> None:
    config = program.load(host=host, port=port)
    configure_console(config.log_level, config.zone)
    serve(config, scheduler=scheduler)
