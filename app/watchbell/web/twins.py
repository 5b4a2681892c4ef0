"""The .csv, .json and .ics twins of pages that show rows."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from flask import Response, current_app, stream_with_context

#: What a spreadsheet takes for the beginning of a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ICS_LINE_BYTES = 75
#: Characters that are sent at a time.
_PIECE = 65_536


def defused(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if cell is None:
        return ""
    if isinstance(cell, bool | int | float):
        return cell
    text = str(cell).replace("\0", "")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Response:
    """Return rows as a CSV file to be saved; they are read while they are sent, so that there may be any number."""
    response = Response(_streamed(_csv_lines(columns, rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f"attachment; filename={name}.csv"
    return response


def json_response(rows: Iterable[Mapping[str, object]]) -> Response:
    """Return rows as a JSON list, read while they are sent."""
    return Response(_streamed(_json_lines(rows)), mimetype="application/json")


def _csv_lines(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([defused(row.get(column)) for column in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _json_lines(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    between = "["
    for row in rows:
        yield f"{between}{current_app.json.dumps(row)}"
        between = ",\n"
    yield "[]\n" if between == "[" else "]\n"


def _streamed(lines: Iterator[str]) -> Iterator[str]:
    """Return lines in larger pieces; the first is read at once, so that what goes wrong is still told as an error."""
    pieces = _pieces(lines)
    first = next(pieces, "")
    return cast(Iterator[str], stream_with_context(itertools.chain([first], pieces)))


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    piece: list[str] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _PIECE:
            yield "".join(piece)
            piece, size = [], 0
    yield "".join(piece)


def calendar_response(name: str, events: Iterable[tuple[str, datetime, str, str]], *, now: datetime) -> Response:
    """Return events (uid, moment, summary, description) as an iCalendar file that calendars can subscribe to."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Watchbell//Next runs//EN", "X-WR-CALNAME:Watchbell"]
    for uid, moment, summary, description in events:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_ics_text(uid)}",
            f"DTSTAMP:{_ics_time(now)}",
            f"DTSTART:{_ics_time(moment)}",
            f"SUMMARY:{_ics_text(summary)}",
            f"DESCRIPTION:{_ics_text(description)}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    text = "".join(f"{_folded(line)}\r\n" for line in lines)
    response = Response(text, content_type="text/calendar; charset=utf-8")
    response.headers["Content-Disposition"] = f"inline; filename={name}.ics"
    return response


def _ics_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _ics_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _folded(line: str) -> str:
    """Return a content line cut so that no part has more than 75 bytes, and never within a character."""
    parts: list[str] = []
    current, size = "", 0
    for char in line:
        width = len(char.encode())
        if size + width > _ICS_LINE_BYTES - (1 if parts else 0):
            parts.append(current)
            current, size = "", 0
        current += char
        size += width
    return "\r\n ".join([*parts, current])
