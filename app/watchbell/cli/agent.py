"""``watchbell agent``: the program that does the jobs of a server on a device, and setting it up there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchbell.agent import main as program_3
from watchbell.agent.joining import FOLDER, Options
from watchbell.agent.loop import POLL_SECONDS
from watchbell.cli.program import not_empty
from watchbell.cli.screen import examples, say

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path)
_STATE = click.option("--state", "folder", metavar="DIR", type=_FILE, default=FOLDER, show_default=True,
                      help="Where the agent keeps its credentials and what it must not forget.")  # fmt: skip
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def _server_options(function: F) -> F:
    for option in (
        click.option("--plain-http", is_flag=True,
                     help="Allow http:// to another machine, where anybody on the way reads the key of the device."),
        click.option("--ca-file", metavar="FILE", type=_FILE,
                     help="Certificate to trust in place of the usual authorities, for a server with one of its own."),
        _STATE,
        click.option("--enroll-file", metavar="FILE", type=click.File(),
                     help="The same, with the code in a file, or on standard input for -; no list of processes shows it."),
        click.option("--enroll", "code", metavar="CODE", default="",
                     help="Join with this code, which watchbell device enroll-code makes, unless it has joined already."),
        click.option("--url", required=True, metavar="URL", callback=not_empty,
                     help="Of the server, such as https://bell.example.org."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(short_help="Do the jobs of a server on this machine, and set that up.")
def agent() -> None:
    """Do the jobs of a server on this machine. "watchbell-agent" is "watchbell agent run" as a program of its own."""


@agent.command(
    short_help="Do the jobs of a server here, in the foreground.",
    epilog=examples(
        "watchbell agent run --url https://bell.example.org --enroll CODE",
        "watchbell agent run --url http://127.0.0.1:5000 --state ~/agent",
    ),
)
@_server_options
@click.option("--poll-seconds", type=click.FloatRange(0.1, 86_400), default=POLL_SECONDS, show_default=True,
              metavar="N", help="How often it asks, a little sooner or later.")  # fmt: skip
def run(poll_seconds: float, **given: Any) -> None:
    """Ask the server for jobs, do one at a time and report of it, until TERM or Ctrl-C; the job that goes ends first."""
    program_3.start_log()
    program_3.run(_options(poll_seconds=poll_seconds, **given))


@agent.command(
    short_help="Join, and let systemd start the agent.",
    epilog=examples(
        "sudo watchbell agent install --url https://bell.example.org --enroll CODE",
        "watchbell agent install --url https://bell.example.org --dry-run",
    ),
)
@_server_options
@click.option("--user", metavar="NAME", default="root", show_default=True, callback=not_empty,
              help="User as whom the agent and its jobs run.")  # fmt: skip
@_DRY_RUN
def install(user: str, dry_run: bool, **given: Any) -> None:
    """Join with the code, write a unit for systemd, and start it; without systemd it says what was not done."""
    from watchbell.agent import install as setting_up

    _tell(setting_up.set_up(_options(**given), user, setting_up.Place.here(), is_dry=dry_run))


@agent.command(
    short_help="Stop the agent and remove what was set up.",
    epilog=examples("sudo watchbell agent uninstall", "watchbell agent uninstall --dry-run"),
)
@_STATE
@click.option("--keep-state", is_flag=True, help="Keep its credentials and what it has not reported yet.")
@_DRY_RUN
def uninstall(folder: Path, keep_state: bool, dry_run: bool) -> None:
    """Stop the agent, and remove its unit and its folder with the credentials of this device."""
    from watchbell.agent import install as setting_up

    _tell(setting_up.uninstall(folder, setting_up.Place.here(), keeps_state=keep_state, is_dry=dry_run))


def _options(*, code: str, enroll_file: Any, plain_http: bool, **given: Any) -> Options:
    read = enroll_file.read().strip() if enroll_file is not None else code
    return Options(code=read, is_plain_allowed=plain_http, **given)


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        say(f"{sentence}.")
