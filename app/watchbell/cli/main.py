"""The ``watchbell`` program: its global options, its command groups and what becomes of errors."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from watchbell import errors
from watchbell.cli.program import Program, not_empty
from watchbell.errors import WatchbellError
from watchbell.version import __version__

#: Where each command lives; it is loaded when it is called, so that the quick ones stay quick.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("watchbell.cli.server", "up"),
    "dashboard": ("watchbell.cli.server", "dashboard"),
    "scheduler": ("watchbell.cli.scheduler", "scheduler"),
    "task": ("watchbell.cli.tasks", "task"),
    "runs": ("watchbell.cli.runs", "runs"),
    "pause": ("watchbell.cli.pauses", "pause"),
    "resume": ("watchbell.cli.pauses", "resume"),
    "queue": ("watchbell.cli.queues", "queue"),
    "schedule": ("watchbell.cli.schedule", "schedule"),
    "db": ("watchbell.cli.database", "database"),
    "user": ("watchbell.cli.accounts", "user"),
    "token": ("watchbell.cli.tokens", "token"),
    "version": ("watchbell.cli.version", "version"),
}
#: What each exit code means; tests hold the programs to it.
EXIT_CODES: Mapping[int, str] = {
    errors.EXIT_OK: "done",
    errors.EXIT_FAILURE: "failed",
    errors.EXIT_USAGE: "the command line or a value on it is wrong",
    errors.EXIT_NOT_RUNNING: "the scheduler is not running",
    errors.EXIT_ALREADY_RUNNING: "the scheduler is running already",
    errors.EXIT_NOT_FOUND: "there is no such task, run, queue, account or token",
    errors.EXIT_CONFLICT: "it collides with what is there, such as a name that is taken",
    errors.EXIT_UNAVAILABLE: "the database does not answer at the moment",
    errors.EXIT_WATCHDOG: "the scheduler ended itself because its loop stood still",
    errors.EXIT_CONFIG: "the configuration or the environment makes a start impossible",
    130: "interrupted by Ctrl-C",
}
_INTERRUPTED = 130
#: What a group without a command raises to show its help; older versions of click just show it.
_NO_ARGUMENTS: tuple[type[click.UsageError], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class _LazyGroup(click.Group):
    """A group whose commands are imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])
        with formatter.section("Examples"):
            for line in (
                "watchbell up",
                "watchbell task add backup --command 'tar czf /backup/home.tgz /home' --cron '30 2 * * *'",
                "watchbell task trigger backup --wait && watchbell runs list --task backup",
                "watchbell schedule preview '30 2 * * *' --zone Europe/Berlin",
            ):
                formatter.write(f"  {line}\n")


@click.group(cls=_LazyGroup, context_settings=_SETTINGS)
@click.option("--home", metavar="DIR", callback=not_empty, help="Directory of database, log and keys (WATCHBELL_HOME).")
@click.option("--database-url", metavar="URL", callback=not_empty,
              help="Database, if it is elsewhere (WATCHBELL_DATABASE_URL).")  # fmt: skip
@click.version_option(__version__, prog_name="watchbell", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, home: str | None, database_url: str | None) -> None:
    """Run commands on time and prove what happened.

    Settings come from options, then WATCHBELL_* variables, then watchbell.toml in the data directory.
    """
    ctx.obj = ctx.with_resource(Program({"home": home, "database_url": database_url}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error is one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the program.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        result = cli.main(args=arguments, prog_name="watchbell", standalone_mode=False)
        sys.stdout.flush()
    except WatchbellError as error:
        return _complain(_in_words_of_the_command_line(error), error.exit_code)
    except _NO_ARGUMENTS as error:
        error.show(sys.stderr)
        return errors.EXIT_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "watchbell"
        return _complain(f"{error.format_message()} See: {path} --help", errors.EXIT_USAGE)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has had enough; the rest of it has nowhere to go.
        _close_quietly()
        return errors.EXIT_OK
    return result if isinstance(result, int) else errors.EXIT_OK


def _complain(message: str, code: int) -> int:
    print("watchbell: error:", " ".join(message.split()), file=sys.stderr)
    return code


def _in_words_of_the_command_line(error: WatchbellError) -> str:
    """Return the message with the names of options where it names fields."""
    if not isinstance(error, errors.InputError):
        return error.message
    from watchbell.cli.task_options import option_of

    problems = []
    for problem in error.problems:
        text = f"{option_of(problem.field)}: {problem.message}"
        problems.append(f"{text} (for example: {problem.example})" if problem.example else text)
    return "; ".join(problems) or error.message


def _close_quietly() -> None:
    # The interpreter flushes standard output at its end, which would fail once more.
    sys.stdout = None


def run() -> NoReturn:
    """Run the command line as a program of its own."""
    sys.exit(main())
