"""How the command line shows things: aligned tables, JSON, times and lengths of time."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal

import click
from rich.cells import cell_len, set_cell_size

from watchbell.domain.run_state import RunState
from watchbell.domain.schedule.interval import UNITS, read_span
from watchbell.domain.shown_text import TURNS
from watchbell.errors import InputError

# What people and commands wrote is shown, never obeyed by the terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Beside colours and ends of lines: what moves a cursor, turns the direction of a line, or cannot be written at all.
_OBEYED = re.compile(
    r"(?!\x1b\[[0-9;]*m)[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_GAP = "  "
_NARROWEST = 12
#: A column that is wider than this gives way on a narrow terminal, too.
_WIDEST_KEPT = 20
#: Drawing takes its time; whoever lists more than this wants lines.
_MOST_DRAWN = 200
_COLOURS = {
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.TIMED_OUT: "red",
    RunState.LOST: "magenta",
    RunState.RUNNING: "blue",
    RunState.MISSED: "yellow",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def examples(*lines: str) -> str:
    """Return the end of a help text with examples, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def say(text: str = "") -> None:
    """Print a line for people, or several; colours of ours survive."""
    click.echo(_obeyed_by_nobody(text))


def note(text: str) -> None:
    """Print a remark that is not part of the answer."""
    click.echo(f"watchbell: {_obeyed_by_nobody(text)}", err=True)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON; times become ISO texts with their offset.

    What a terminal would obey is written as an escape of JSON, which programs read as what it was.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    click.echo(_OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{value!r} has no JSON form")


def _obeyed_by_nobody(text: str) -> str:
    return _OBEYED.sub(_sign, text)


def one_line(text: object) -> str:
    """Return text on one line in which nothing can move a cursor."""
    return _CONTROL.sub(_sign, str(text).replace("\n", " ⏎ ")).translate(TURNS)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, flexible: int = -1, right: Sequence[int] = ()
) -> None:
    """Print rows in aligned columns; on a terminal the flexible column gives way when the lines are too long."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and len(cells) <= _MOST_DRAWN:
        _draw(heads, cells, flexible % len(heads), right)
        return
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    if sys.stdout.isatty():
        surplus = sum(widths) + len(_GAP) * (len(widths) - 1) - shutil.get_terminal_size().columns
        if surplus > 0:
            widths[flexible] = max(min(widths[flexible], _NARROWEST), widths[flexible] - surplus)
    click.secho(_row(heads, widths, right), bold=True)
    for row in cells:
        click.echo(_row(row, widths, right))


def _draw(heads: Sequence[str], cells: Sequence[Sequence[str]], flexible: int, right: Sequence[int]) -> None:
    """Draw a table on a terminal, as wide as that is."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    _narrow(widths, flexible, console.width - len(_GAP) * (len(widths) - 1), kept=right)
    # Together with the line between two columns, which is blank, that is the gap of tables in a pipe.
    drawn = Table(
        box=SIMPLE_HEAD, padding=(0, len(_GAP) - 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold"
    )
    for index, (head, width) in enumerate(zip(heads, widths, strict=True)):
        side: Literal["left", "right"] = "right" if index in right else "left"
        drawn.add_column(Text(head), justify=side, no_wrap=True, overflow="ellipsis", width=width)
    states = set(RunState)
    for row in cells:
        # Plain texts: nothing in them is taken for markup.
        drawn.add_row(*(Text(cell, style=_COLOURS.get(RunState(cell), "") if cell in states else "") for cell in row))
    console.print(drawn)


def _narrow(widths: list[int], flexible: int, room: int, *, kept: Sequence[int]) -> None:
    """Let columns give way until they have room: the flexible one first, then the widest of the others.

    Those of numbers are kept as long as anything else can give way: a part of an id is of no use to anybody.
    """
    others = sorted((index for index in range(len(widths)) if index != flexible), key=lambda index: -widths[index])
    for index in (flexible, *(other for other in others if widths[other] > _WIDEST_KEPT)):
        surplus = sum(widths) - room
        if surplus > 0:
            widths[index] = max(min(widths[index], _NARROWEST), widths[index] - surplus)
    texts = [index for index in range(len(widths)) if index not in kept]
    while texts and sum(widths) > room:
        widest = max(texts, key=lambda index: widths[index])
        if widths[widest] == 1:
            return
        widths[widest] -= 1


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    placed = []
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        fitted = cell if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"
        space = " " * (width - cell_len(fitted))
        placed.append(space + fitted if index in right else _coloured(fitted) + space)
    return _GAP.join(placed).rstrip()


def _coloured(cell: str) -> str:
    colour = _COLOURS.get(RunState(cell)) if cell in set(RunState) else None
    return click.style(cell, fg=colour) if colour else cell


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values below one another; values that are None or empty are left out."""
    shown = {name: value for name, value in values.items() if value not in (None, "", [], {}, ())}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name.ljust(width)}  {one_line(value)}")


def moment(value: datetime | None, zone: tzinfo) -> str:
    """Return a time in the reader's zone, a dash for none."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}" if value else "-"


def span(seconds: float | None) -> str:
    """Return a length of time in at most two units."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, unit, smaller, below in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // smaller}{below}"
    return f"{whole}s"


def columns_of(row: object, names: Sequence[str]) -> dict[str, Any]:
    """Return some attributes of a row by name."""
    return {name: getattr(row, name) for name in names}


def seconds_of(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Return the seconds of an option that is a length of time, such as 90s or 10m."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return float(value)
    try:
        count, unit = read_span(value)
    except InputError:
        raise click.BadParameter(f"{value[:40]!r} is not a length of time; for example: 90s, 10m, 2h") from None
    # A wait of years is one without an end, and needs no arithmetic.
    return float(min(count, 10**9) * UNITS[unit])


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give a function that tells on a terminal what goes on; elsewhere nobody is told, and nothing is loaded for it."""
    if not sys.stderr.isatty():
        yield lambda _words: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda words: status.update(Text(words))


def follow(step: Callable[[], bool], pause: Callable[[float], None], seconds: float) -> None:
    """Do a step again and again until it says that nothing more will come; Ctrl-C ends it, too."""
    try:
        while step():
            sys.stdout.flush()
            pause(seconds)
    except KeyboardInterrupt:
        # This is how people end what follows for ever.
        return
