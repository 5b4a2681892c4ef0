"""Write docs/configuration.md and docs/cli.md from the settings and commands themselves.

    python docs/reference.py            writes both files
    python docs/reference.py --check    writes nothing and fails if one of them is not up to date

They are never edited by hand; tests/docs fails when they differ from what this makes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from watchbell.cli.main import EXIT_CODES, cli
from watchbell.config import SETTINGS, Setting

HERE = Path(__file__).resolve().parent

CONFIGURATION = """\
# Configuration

Everything has a default that works. A setting is looked for in this order, and the first place that has it wins:

1. an argument, such as `--port` of `watchbell up` or `port=` of `RunDashboard`;
2. an environment variable; where several names stand below, the first one that is set wins, and one that is empty
   counts as not set;
3. the configuration file: the one that `--config` names, else `WATCHBELL_CONFIG`, else `CC_DIRECTOR_CONFIG`, else
   `watchbell.toml` in the data directory;
4. the default.

A file whose name ends in `.toml` is TOML with the names of the first column as keys:

```toml
port = 8080
zone = "Europe/Berlin"
allowed_hosts = ["bell.example.org"]
```

Any other file has lines of `key=value`, in which `#` begins a comment line and quotes around a value are taken away. In
such a file the older names `db_path`, `gateway_host` and `gateway_port` stand for `database_url`, `host` and `port`:

```ini
# taken over from cc_director
db_path = /srv/jobs/watchbell.db
log_dir = /var/log/jobs
gateway_enabled = yes
gateway_port = 6060
```

A value that cannot be, an unknown key and a damaged file each stop the start with one line that names them and exit code
78. Commands that tasks run never see these settings: the variables that begin with `WATCHBELL_` or `GUNICORN_`, the
passwords and the keys are taken out of the environment before it is passed on. What a command does see is in
[concepts.md](concepts.md#what-a-command-sees).

"""

COMMAND_LINE = """\
# Command line

`watchbell` and `python -m watchbell` are the same program. Errors are one line on standard error, and `--json` prints
JSON where an answer is meant for programs. Options of the program itself (`--home`, `--database-url`) stand before the
command. Every command also knows `-h` and `--help`.

## Exit codes

"""

NOTE = "<!-- Written by docs/reference.py; edit the settings or commands instead, then run it. -->\n\n"


def configuration() -> str:
    """Return the page of all settings."""
    rows = "".join(map(_setting, SETTINGS))
    return f"{NOTE}{CONFIGURATION}| key | variables | default | meaning |\n|---|---|---|---|\n{rows}"


def _setting(setting: Setting) -> str:
    default = setting.default_text or _shown(setting.default())
    variables = ", ".join(f"`{name}`" for name in setting.env)
    return f"| `{setting.name}` | {variables} | {default} | {setting.help} |\n"


def _shown(value: object) -> str:
    return f"`{value}`" if value not in ("", ()) else "none"


def command_line() -> str:
    """Return the page of all commands."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    pages = "".join(_page(path, command) for path, command in commands())
    return f"{NOTE}{COMMAND_LINE}| code | meaning |\n|---|---|\n{codes}{pages}"


def commands(group: click.Command = cli, path: str = "watchbell") -> Iterator[tuple[str, click.Command]]:
    """Yield each command with the words that call it, a group before what is in it."""
    yield path, group
    if isinstance(group, click.Group):
        # A group that is only shown needs no settings, so an empty context will do.
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, f"{path} {name}")


def _page(path: str, command: click.Command) -> str:
    """Return what stands about one command; how click lays help out differs between its versions, so it is not asked."""
    arguments = [
        param.metavar or param.human_readable_name for param in command.params if param.param_type_name == "argument"
    ]
    options = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    rest = ["COMMAND"] if isinstance(command, click.Group) else arguments
    usage = " ".join([path, *(["[OPTIONS]"] if options else []), *rest])
    parts = [f"\n## {path}\n", f"```text\n{usage}\n```\n", _prose(command.help or "")]
    if isinstance(command, click.Group):
        below = [
            (name, command.get_command(click.Context(command), name))
            for name in command.list_commands(click.Context(command))
        ]
        rows = "".join(
            f"| [{name}](#{_anchor(f'{path} {name}')}) | {found.short_help} |\n" for name, found in below if found
        )
        parts.append(f"| command | what it does |\n|---|---|\n{rows}")
    if options:
        parts.append("| option | meaning |\n|---|---|\n" + "".join(map(_option, options)))
    if command.epilog:
        parts.append(_epilog(command.epilog))
    return "\n".join(parts)


def _anchor(head: str) -> str:
    return head.replace(" ", "-")


def _prose(text: str) -> str:
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) + "\n"


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {_value(option)}"
    default = f" Default: {option.default}." if option.show_default and option.default is not None else ""
    return f"| {names}{value} | {option.help or ''}{default} |\n"


def _value(option: click.Option) -> str:
    if option.metavar:
        return f"`{option.metavar}`"
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    return "`N`" if isinstance(option.type, click.types.IntParamType) else "`TEXT`"


def _epilog(text: str) -> str:
    lines = inspect.cleandoc(text).replace("\b\n", "").splitlines()
    if lines[0] != "Examples:":
        return "\n".join(lines) + "\n"
    return "```sh\n" + "\n".join(line.strip() for line in lines[1:]) + "\n```\n"


PAGES = {"configuration.md": configuration, "cli.md": command_line}


def main() -> int:
    """Write both pages, or say which is not up to date."""
    stale = []
    for name, make in PAGES.items():
        path, text = HERE / name, make()
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
            print(f"wrote docs/{name}")
    if stale and "--check" in sys.argv[1:]:
        print(f"not up to date: {', '.join(stale)}; run: python docs/reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
