"""The options of the script runner that ``watchbell exec`` takes the place of: those that it has no use for, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import click

_METRICS = (
    "'--history --json' prints all metrics of each run, and /api/metrics/history and /api/metrics/export.csv serve them"
)
_KEPT = "how long runs are kept is a setting (docs/retention.md); 'watchbell db prune' deletes now"
_DASHBOARD = "the page shows all runs; start it: watchbell up"
_ALERTS = "alerts and where they are told of belong to the installation and not to one call; see docs/alerts.md"
_TYPES = "results are told by their exit codes: --retry-on and --retry-not-on"
_BASELINE = "a baseline needs no file: it follows from the recorded runs, see --analyze and --calculate-baseline"
#: What is said of each instead.
REFUSED = {
    "--monitor-interval": "samples are taken every 0.1 s, and less often of a command that is steady",
    "--log-level": "it says nothing of its own but what went wrong",
    "--config": "settings come before the command: watchbell --config FILE exec ...",
    "--history-db": "the data directory is named before the command: watchbell --home DIR exec ...",
    "--disable-history": "every run is recorded; --home names a data directory that may be thrown away",
    "--baseline": _BASELINE,
    "--save-baseline": _BASELINE,
    "--alert-config": _ALERTS,
    "--slack-webhook": _ALERTS,
    "--email-config": _ALERTS,
    "--cleanup-old": _KEPT,
    "--retention-policy": _KEPT,
    "--query-metric": _METRICS,
    "--aggregate": _METRICS,
    "--aggregations": _METRICS,
    "--bucket": _METRICS,
    "--export-format": _METRICS,
    "--dashboard": _DASHBOARD,
    "--retry-on-errors": _TYPES,
    "--skip-on-errors": _TYPES,
}


class RunnerCommand(click.Command):
    """A command whose own options come before what it runs; the runner took them behind it, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._in_order(ctx, list(args)))
        except click.NoSuchOption as error:
            if error.option_name in REFUSED:
                _refuse(ctx, error.option_name)
            raise

    def _in_order(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the arguments with options of ours in front; raises UsageError if nobody can know whose they are."""
        ctx.allow_interspersed_args = False
        words = self._words(ctx, args)
        if not words:
            return args
        front, (first, *rest) = args[: len(args) - len(words)], words
        if front[-1:] == ["--"]:
            return args
        if rest[:1] == ["--"]:
            return [*front, "--", first, *rest[1:]]
        named = [name for name in (word.partition("=")[0] for word in rest) if name in self._names() or name in REFUSED]
        if not named:
            return [*front, "--", first, *rest]
        if self._takes_all(ctx, rest):
            told = f"{', '.join(named)} {'are' if len(named) > 1 else 'is'} taken as if put before {first}"
            click.echo(f"watchbell: {told}; put -- behind it, before options of its own", err=True)
            return [*front, *rest, "--", first]
        if named[0] in REFUSED and rest[0].partition("=")[0] == named[0]:
            _refuse(ctx, named[0])
        raise click.UsageError(
            f"{named[0]} stands behind {first}, so it may be meant for that or for watchbell exec; put it before {first}, or "
            f"put -- between {first} and its own arguments",
            ctx,
        )

    def _takes_all(self, ctx: click.Context, words: Sequence[str]) -> bool:
        """Return whether words are options of ours and nothing else."""
        try:
            return not self._words(ctx, words)
        except click.UsageError:
            return False

    def _words(self, ctx: click.Context, args: Sequence[str]) -> Sequence[str]:
        """Return what is left of arguments behind our options."""
        values, _left, _order = self.make_parser(ctx).parse_args(list(args))
        words = values.get("words")
        # What stands for nothing differs from one version of the library to the next.
        return words if isinstance(words, tuple) else ()

    def _names(self) -> set[str]:
        return {
            name
            for parameter in self.params
            if isinstance(parameter, click.Option)
            for name in parameter.opts
            if name.startswith("--")
        }


def _refuse(ctx: click.Context, name: str, **_more: Any) -> NoReturn:
    raise click.UsageError(f"{name} is not an option of watchbell exec: {REFUSED[name]}.", ctx)
