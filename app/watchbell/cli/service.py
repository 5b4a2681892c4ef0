"""``watchbell service``: run and check a service in the words of the older program, with its configuration file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, note, pairs, print_json
from watchbell.config import SECRETS, Config
from watchbell.logs import configure_console

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG: Callable[[F], F] = click.option(
    "-c", "--config", "file", metavar="FILE", help="Configuration file: key=value lines, or TOML if its name ends so."
)


@click.group(short_help="Run and check the service, with its configuration file.")
def service() -> None:
    """Run and check the service. "watchbell up" and "watchbell scheduler" do the same and more."""


@service.command(
    short_help="Be the scheduler in the foreground, with the page if asked for.",
    epilog=examples("watchbell service run -c /etc/cc_director.conf", "watchbell service run --verbose --with-gateway"),
)
@_CONFIG
@click.option("-v", "--verbose", is_flag=True, help="Log everything, to the terminal as well.")
@click.option("-g", "--with-gateway", is_flag=True, help="Serve the page and the API, too (gateway_enabled).")
@pass_program
def run(program: Program, *, file: str | None, verbose: bool, with_gateway: bool) -> int:
    """Be the scheduler until TERM or Ctrl-C, in the foreground; with --with-gateway page and scheduler together."""
    config = program.load(config=file, log_level="debug" if verbose else None)
    if verbose:
        configure_console(config.log_level, config.zone)
    if with_gateway or config.gateway_enabled == "on":
        from watchbell.dashboard import serve

        if not verbose:
            configure_console(config.log_level, config.zone)
        serve(config, scheduler=True)
        return 0
    from watchbell.scheduler import main as program_2

    return program_2.run(config)


@service.command(
    short_help="Print the settings in force, and whether there is a database.",
    epilog=examples("watchbell service check -c /etc/cc_director.conf", "watchbell service check --json"),
)
@_CONFIG
@json_option
@pass_program
def check(program: Program, *, file: str | None, as_json: bool) -> None:
    """Print all settings as they are in force, whether the database is there, and how many jobs it has; change nothing.

    "watchbell doctor" looks further.
    """
    config = program.load(config=file)
    shown = {field.name: _shown(config, field.name) for field in dataclasses.fields(Config) if field.repr}
    values = shown | {name: "(set)" if getattr(config, name) else "" for name in sorted(SECRETS)}
    place = config.database_url.partition(":///")[2].partition("?")[0]
    has_database = bool(place) and Path(place).is_file()
    jobs = _count_jobs(config) if has_database else None
    if as_json:
        print_json({"settings": values, "database_exists": has_database, "jobs": jobs})
        return
    pairs(values)
    found = f"yes, with {jobs} job(s)" if jobs is not None else "yes" if has_database else "no"
    pairs({"Configuration file": f"{config.file} ({'read' if config.file.is_file() else 'not there'})",
           "Database exists": found})  # fmt: skip
    if has_database and jobs is None:
        note("the database is not one of this version; watchbell doctor says more")


def _shown(config: Config, name: str) -> object:
    value = getattr(config, name)
    return ", ".join(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def _count_jobs(config: Config) -> int | None:
    from watchbell.store import glance

    found = glance.list_tasks(config.database_url)
    return len(found[0]) if found is not None else None
