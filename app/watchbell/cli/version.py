"""``watchbell version``."""

from __future__ import annotations

import platform

import click

from watchbell.cli.screen import examples, json_option, print_json, say
from watchbell.version import __version__


@click.command(short_help="Print the version.", epilog=examples("watchbell version --json"))
@json_option
def version(*, as_json: bool) -> None:
    """Print the version of Watchbell and of the Python that runs it."""
    if as_json:
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        say(f"watchbell {__version__} (Python {platform.python_version()})")
