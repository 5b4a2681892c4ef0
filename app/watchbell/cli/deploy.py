"""``watchbell deploy``: the files of a deployment, made for this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, print_json, say, table
from watchbell.control.deployment import PIECES, Plan, place, text
from watchbell.control.deployment.pieces import AGENT
from watchbell.errors import Conflict, InputError

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_PORT = click.IntRange(1, 65_535)

_OPTIONS = (
    click.option("--name", metavar="HOST", help="What people call the server. Default: the first allowed host, or this machine's name."),
    click.option("--prefix", metavar="PATH", help="Path of that host below which it stands, as /bell. Default: the top."),
    click.option("--certificate", type=_PATH, metavar="FILE", help="Certificate of the proxy. Default: /etc/ssl/HOST.pem."),
    click.option("--certificate-key", type=_PATH, metavar="FILE", help="Its key. Default: /etc/ssl/private/HOST.key."),
    click.option("--https-port", type=_PORT, metavar="N", help="Port of the proxy. Default: 443."),
    click.option("--http-port", type=_PORT, metavar="N", help="Port on which it only leads people on. Default: 80."),
    click.option("--web", multiple=True, metavar="HOST:PORT", help="A web process behind the proxy; again for each. Default: this machine's."),
    click.option("--proxy", "proxy_from", multiple=True, metavar="ADDRESS", help="Address of the proxy as web processes see it; again for each. Default: 127.0.0.1."),
    click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Web processes of this machine. Default: its processors, 2 to 8."),
    click.option("--user", metavar="USER", help="User of page, scheduler, worker and agent. Default: the owner of the data directory."),
    click.option("--queues", metavar="NAME,…", help="The queues that a worker of the engine is to carry. Default: default."),
    click.option("--folder", type=_PATH, metavar="DIR", help="Where settings and gunicorn.conf.py are to lie. Default: /etc/watchbell."),
)  # fmt: skip


def _plan_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(
    short_help="Print or write the files of a deployment, made for this machine.",
    epilog=examples(
        "watchbell deploy",
        "watchbell --home /var/lib/watchbell deploy --print nginx --name bell.example.org",
        "watchbell --home /var/lib/watchbell deploy --out /tmp/watchbell --name example.org --prefix /bell",
    ),
)
@click.option("--print", "printed", type=click.Choice(list(PIECES)), help="Print this file.")
@click.option(
    "--out", type=_PATH, metavar="DIR", help="Write all files below this directory, as they belong on the machine."
)
@click.option("--force", is_flag=True, help="Write also over files that are there.")
@_plan_options
@json_option
@pass_program
def deploy(
    program: Program, /, *, printed: str | None, out: Path | None, force: bool, as_json: bool, **given: Any
) -> None:
    """Without --print and --out, list the files with what each is for and where it belongs; nothing is changed.

    Values come from the settings in force and from this machine. No secret is copied.
    """
    program.require_here()
    if printed and out:
        raise InputError.of("out", "writes all files; leave --print out")
    if force and not out:
        raise InputError.of("force", "is for --out, which writes files")
    plan = Plan.of(program.config, **given)
    if printed:
        say(_text(printed, plan).rstrip("\n"))
    elif out:
        _write(out, plan, force=force)
    elif as_json:
        print_json([{"name": name, "path": place(name, plan), "help": piece.help} for name, piece in PIECES.items()])
    else:
        table(("NAME", "FOR", "WHERE"), [(name, piece.help, place(name, plan)) for name, piece in PIECES.items()])
        say("\nwatchbell deploy --print NAME prints one, --out DIR writes all.")


def _text(name: str, plan: Plan) -> str:
    if name != AGENT:
        return text(name, plan)
    from watchbell.agent.install import unit_text
    from watchbell.agent.joining import Options

    return unit_text(Options(f"https://{plan.public}{plan.prefix}"), "root")


def _write(folder: Path, plan: Plan, *, force: bool) -> None:
    """Write all files or none; raises Conflict for one that is there."""
    texts = {name: (folder / place(name, plan).lstrip("/"), _text(name, plan)) for name in PIECES}
    there = [str(path) for path, _text_of in texts.values() if path.exists() or path.is_symlink()]
    if there and not force:
        raise Conflict(f"there is {there[0]} already; nothing was written. Say --force to write over it")
    for name, (path, written) in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PIECES[name].mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # Also where an earlier part was left with another mode, and whatever the umask.
            os.fchmod(descriptor, PIECES[name].mode)
            file.write(written)
        part.replace(path)
        say(str(path))
