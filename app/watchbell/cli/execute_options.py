"""The options of ``watchbell exec``; each has the script runner's spelling beside ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from watchbell.cli.program import not_empty
from watchbell.cli.screen import json_option, seconds_of
from watchbell.domain.analysis import anomaly, baseline
from watchbell.domain.policies import Backoff

F = TypeVar("F", bound=Callable[..., object])

_DAYS = click.IntRange(1, 36_500)


def exec_options(command: F) -> F:
    """Give a command all options."""
    for option in reversed([*_running(), *_retrying(), *_reporting(), *_looking()]):
        command = option(command)
    return command


def _whole_seconds(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    seconds = seconds_of(context, option, value)
    if seconds is not None and (seconds != int(seconds) or seconds < 1) and option.name != "retry_delay":
        raise click.BadParameter("must be a whole number of seconds, or a length of time such as 10m")
    return seconds


def _running() -> list[Callable[[F], F]]:
    return [
        click.option("--name", metavar="NAME", callback=not_empty,
                     help="Task that the run belongs to. Default: the path of the script, or the name of the program."),
        click.option("--directory", metavar="DIR", callback=not_empty,
                     help="Working directory. Default: the folder of a script of Python's, else this one."),
        click.option("--env", multiple=True, metavar="K=V",
                     help="Environment variable beside those of this shell; it is stored. Give it again for more."),
        click.option("--timeout", metavar="SPAN", default="24h", show_default=True, callback=_whole_seconds,
                     help="End an attempt that takes longer, as 90s or 10m."),
        click.option("--gate", "--add-gate", multiple=True, metavar="CONDITION",
                     help="What must hold of its numbers, or the run has failed, as 'cpu_max <= 80' or cpu_max:80."),
        click.option("--own-metrics", is_flag=True, help="Read numbers that the command tells about itself."),
        click.option("--dry-run", is_flag=True, help="Say what would be run, and run nothing."),
    ]  # fmt: skip


def _retrying() -> list[Callable[[F], F]]:
    return [
        click.option("--retry", "--retries", type=click.IntRange(0, 100), default=0, show_default=True, metavar="N",
                     help="Further attempts after one that failed."),
        click.option("--strategy", "--retry-strategy", type=click.Choice([one.value for one in Backoff]), metavar="WORD",
                     default=Backoff.EXPONENTIAL.value, show_default=True,
                     help="How delays grow: exponential, linear, fibonacci or exponential_jitter."),
        click.option("--retry-delay", "--retry-initial-delay", metavar="SPAN", default="1", show_default=True,
                     callback=_whole_seconds, help="Delay before the first retry."),
        click.option("--retry-max-delay", metavar="SPAN", default="60", show_default=True, callback=_whole_seconds,
                     help="Longest delay before a retry."),
        click.option("--retry-multiplier", type=click.FloatRange(1, 10), default=2.0, show_default=True, metavar="X",
                     help="Factor of the exponential delays."),
        click.option("--retry-total", "--retry-max-time", metavar="SPAN", default="300", show_default=True,
                     callback=_whole_seconds, help="No attempt begins later than this after the first."),
        click.option("--retry-on", metavar="RESULTS", default="",
                     help="Retry only on these: exit codes, ranges of them, signal, timeout."),
        click.option("--retry-not-on", metavar="RESULTS", default="", help="Never retry on these."),
    ]  # fmt: skip


def _file(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse what other programs take for standard output, which is the command's here."""
    if value == "-":
        raise click.BadParameter("a report goes to a file, since standard output is the command's own.")
    return not_empty(context, option, value)


def _reporting() -> list[Callable[[F], F]]:
    return [
        click.option("--junit", "--junit-output", metavar="FILE", callback=_file,
                     help="Write the result as JUnit's XML."),
        click.option("--tap", "--tap-output", metavar="FILE", callback=_file, help="Write the result as TAP."),
        json_option,
    ]  # fmt: skip


def _looking() -> list[Callable[[F], F]]:
    return [
        click.option("--history", "--show-history", is_flag=True, help="List earlier runs with their metrics."),
        click.option("--history-limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N",
                     help="With --history: at most so many."),
        click.option("--days", "--history-days", "--trend-days", "--baseline-comparison-days", type=_DAYS, default=30,
                     show_default=True, metavar="N", help="Look at the runs of so many days."),
        click.option("--analyze", is_flag=True, help="Tell trend, regression, anomalies and baseline."),
        click.option("--analyze-trend", is_flag=True, help="Tell the trend."),
        click.option("--detect-regression", is_flag=True, help="Tell whether the last five runs were worse."),
        click.option("--detect-anomalies", is_flag=True, help="Tell which runs do not belong with the others."),
        click.option("--calculate-baseline", is_flag=True, help="Tell what is usual."),
        click.option("--metric", "--trend-metric", "--baseline-metric", multiple=True, metavar="NAME", callback=_names,
                     help="What is analysed; give it again for more. Default: duration, CPU, memory and output."),
        click.option("--regression-threshold", type=click.FloatRange(0), default=10.0, show_default=True, metavar="PERCENT",
                     help="So much worse is no regression yet."),
        click.option("--anomaly-method", type=click.Choice([one.value for one in anomaly.Method]), metavar="WORD",
                     default=anomaly.Method.IQR.value, show_default=True, help="How anomalies are found: iqr, zscore or mad."),
        click.option("--baseline-method", type=click.Choice([one.value for one in baseline.Method]), metavar="WORD",
                     default=baseline.Method.INTELLIGENT.value, show_default=True,
                     help="How the baseline is found: intelligent, iqr, percentile or time-based."),
        click.option("--baseline-percentile", type=click.FloatRange(0, 100), default=50.0, show_default=True,
                     metavar="PERCENT", help="With --baseline-method percentile: which one."),
        click.option("--baseline-recent-days", type=_DAYS, default=baseline.RECENT_DAYS, show_default=True, metavar="N",
                     help="With --baseline-method time-based: what the last days are."),
        click.option("--db-stats", is_flag=True, help="Tell how much is recorded in all."),
    ]  # fmt: skip


def _names(_context: click.Context, _option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in value if name.strip()))
