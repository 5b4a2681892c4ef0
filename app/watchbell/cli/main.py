"""The ``watchbell`` program: its global options, its command groups and what becomes of errors."""

from __future__ import annotations

import errno
import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem

from watchbell import errors
from watchbell.cli.program import Program, not_empty, without_password
from watchbell.domain.shown_text import plain_text
from watchbell.errors import WatchbellError
from watchbell.version import __version__


class Place(NamedTuple):
    """Where a command lives, and what the list of commands says of it."""

    module: str
    name: str
    help: str


_CLI = "watchbell.cli"
#: Every command by what it is for. A command is loaded when it is called, so that the quick ones stay quick; its short help
#: stands here as well, so that the list of commands loads none.
SECTIONS: Mapping[str, Mapping[str, Place]] = {
    "Commands": {
        "up": Place(f"{_CLI}.server", "up", "Start page and scheduler, watch over both."),
        "dashboard": Place(f"{_CLI}.server", "dashboard", "Serve the page only."),
        "scheduler": Place(f"{_CLI}.scheduler", "scheduler", "Run, start, stop and watch the scheduler."),
        "task": Place(f"{_CLI}.tasks", "task", "Make, list, change, delete and run tasks."),
        "exec": Place(f"{_CLI}.execute", "execute", "Run a command now, here, and record it as a run."),
        "runs": Place(f"{_CLI}.runs", "runs", "List runs, show one, read its output."),
        "tail": Place(f"{_CLI}.following", "tail", "Print the end of what a run wrote, and go on with it."),
        "why": Place(f"{_CLI}.whys", "why", "Say why a task ran at a moment, or why it did not."),
        "wait": Place(f"{_CLI}.following", "wait", "Wait until a run has ended."),
        "pause": Place(f"{_CLI}.pauses", "pause", "Keep a task, a queue or everything from starting."),
        "resume": Place(f"{_CLI}.pauses", "resume", "Let what is paused start again."),
        "blackout": Place(f"{_CLI}.blackouts", "blackout", "Windows in which moments of tasks are left out."),
        "calendar": Place(
            f"{_CLI}.calendars", "calendar", "Calendars of days that tasks leave out, keep to, or move away from."
        ),
        "environment": Place(f"{_CLI}.environments", "environment", "Sets of environment variables that tasks share."),
        "queue": Place(f"{_CLI}.queues", "queue", "List queues and bound how many of their runs go at a time."),
        "engine": Place(f"{_CLI}.engine", "engine", "Carry runs of some queues on further machines."),
        "alert": Place(
            f"{_CLI}.alerts", "alert", "Make rules about the numbers of runs, and see what they have raised."
        ),
        "schedule": Place(f"{_CLI}.schedule", "schedule", "Preview schedules."),
    },
    "Devices": {
        "agent": Place(f"{_CLI}.agent", "agent", "Do the jobs of a server on this machine, and set that up."),
        "device": Place(
            f"{_CLI}.devices", "device", "List devices, let them take part, and make codes by which they join."
        ),
    },
    "Moving": {
        "export": Place(f"{_CLI}.transfer", "export_tasks", "Write tasks as a file."),
        "import": Place(f"{_CLI}.transfer", "import_tasks", "Make tasks from a file."),
        "crontab": Place(f"{_CLI}.crontab", "crontab", "Take a crontab over, or write one."),
    },
    "Installation": {
        "db": Place(f"{_CLI}.database", "database", "Upgrade, check, prune, compact and copy the database."),
        "user": Place(f"{_CLI}.accounts", "user", "Make accounts and set passwords."),
        "team": Place(f"{_CLI}.teams", "team", "Make teams, which have tasks together."),
        "audit": Place(f"{_CLI}.audit", "audit", "Show who did what, and prove that nothing of it was changed."),
        "token": Place(f"{_CLI}.tokens", "token", "Make, list, replace and revoke API tokens."),
        "secret": Place(
            f"{_CLI}.secrets", "secret", "Set, list and delete secrets, and change the key that seals them."
        ),
        "deploy": Place(f"{_CLI}.deploy", "deploy", "Print or write the files of a deployment, made for this machine."),
        "doctor": Place(f"{_CLI}.doctor", "doctor", "Find and explain what is wrong with an installation."),
        "completion": Place(f"{_CLI}.completion", "completion", "Print what lets a shell complete commands."),
        "version": Place(f"{_CLI}.version", "version", "Print the version."),
    },
    "The same in the words of cc_director": {
        "add": Place(f"{_CLI}.jobs", "add", "Make a job: task add with fewer words."),
        "list": Place(f"{_CLI}.jobs", "list_jobs", "List jobs: enabled ones, or all."),
        "show": Place(f"{_CLI}.jobs", "show", "Show a job."),
        "edit": Place(f"{_CLI}.jobs", "edit", "Change a job."),
        "enable": Place(f"{_CLI}.jobs", "enable", "Run a job on time again."),
        "disable": Place(f"{_CLI}.jobs", "disable", "Stop running a job on time."),
        "delete": Place(f"{_CLI}.jobs", "delete", "Delete a job."),
        "trigger": Place(f"{_CLI}.job_runs", "trigger", "Run a job now and print what it writes."),
        "run": Place(f"{_CLI}.job_runs", "run", "Show a run with what it wrote."),
        "last": Place(f"{_CLI}.job_runs", "last", "Show a job's newest run with what it wrote."),
        "status": Place(f"{_CLI}.job_runs", "status", "Count jobs and today's runs."),
        "service": Place(f"{_CLI}.service", "service", "Run and check the service, with its configuration file."),
    },
}
COMMANDS: Mapping[str, Place] = {name: place for section in SECTIONS.values() for name, place in section.items()}
#: What each exit code means; tests hold the programs to it.
EXIT_CODES: Mapping[int, str] = {
    errors.EXIT_OK: "done",
    errors.EXIT_FAILURE: "failed",
    errors.EXIT_USAGE: "the command line or a value on it is wrong",
    errors.EXIT_NOT_RUNNING: "the scheduler is not running",
    errors.EXIT_ALREADY_RUNNING: "the scheduler is running already",
    errors.EXIT_NOT_FOUND: "there is no such task, run, queue, account, token or secret",
    errors.EXIT_CONFLICT: "it collides with what is there, such as a name that is taken",
    errors.EXIT_RUN_FAILED: "the run that was waited for failed",
    errors.EXIT_RUN_TIMED_OUT: "the run that was waited for took longer than it may",
    errors.EXIT_RUN_CANCELLED: "the run that was waited for was cancelled",
    errors.EXIT_RUN_LOST: "nobody knows how the run that was waited for ended",
    errors.EXIT_RUN_SKIPPED: "the run that was waited for was skipped",
    errors.EXIT_RUN_MISSED: "the run that was waited for could not start in time",
    errors.EXIT_UNAVAILABLE: "the database does not answer at the moment",
    errors.EXIT_WATCHDOG: "the scheduler ended itself because its loop, or its end, stood still",
    errors.EXIT_STILL_ACTIVE: "the run that was waited for still goes on",
    errors.EXIT_NOT_ALLOWED: "the server does not let this account or token do that",
    errors.EXIT_CONFIG: "the configuration or the environment makes a start impossible",
    124: "the command of `watchbell exec` took longer than it may; any other code of its command passes through",
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
        place = COMMANDS[cmd_name]
        # What modules make stays, all of it: looking for circles in it, again and again, takes a seventh of a server's start.
        gc.disable()
        try:
            command = getattr(importlib.import_module(place.module), place.name)
        finally:
            gc.enable()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, places in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, place.help) for name, place in places.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [
            CompletionItem(name, help=place.help) for name, place in COMMANDS.items() if name.startswith(incomplete)
        ]
        # The group above would load every command to learn what it says of itself.
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

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
@click.option("--database-url", metavar="URL", callback=without_password,
              help="Database, if it is elsewhere (WATCHBELL_DATABASE_URL).")  # fmt: skip
@click.option("-c", "--config", metavar="FILE", callback=not_empty,
              help="Configuration file (WATCHBELL_CONFIG): TOML, or key=value lines if its name ends otherwise.")  # fmt: skip
@click.option("--url", metavar="URL", callback=not_empty,
              help="Server to ask instead of this machine's database (WATCHBELL_URL).")  # fmt: skip
@click.option("--token", metavar="TOKEN", callback=not_empty,
              help="API token for it; better in WATCHBELL_TOKEN, which no list of processes shows.")  # fmt: skip
@click.version_option(__version__, prog_name="watchbell", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, /, **given: str | None) -> None:
    """Run commands on time and prove what happened.

    Settings come from options, then WATCHBELL_* variables, then the configuration file, by default watchbell.toml in the data
    directory.
    """
    if sys.stdout.isatty():
        # NO_COLOR counts for lines as it does for tables.
        from rich.console import Console

        ctx.color = False if Console().no_color else None
    ctx.obj = ctx.with_resource(Program(given))


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
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _close_quietly()
        return _complain(f"the output could not be written: {error.strerror}", errors.EXIT_FAILURE)
    return result if isinstance(result, int) else errors.EXIT_OK


def _complain(message: str, code: int) -> int:
    # It may name what somebody else has written, which no terminal is to obey.
    told = plain_text(" ".join(message.split()).encode(errors="replace"))
    print("watchbell: error:", told, file=sys.stderr)
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
