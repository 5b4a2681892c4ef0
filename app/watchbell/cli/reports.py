"""Reports of a run for programs that read those of tests: JUnit's XML and TAP."""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from watchbell.domain.run_state import RunState
from watchbell.errors import InputError

#: Of each output so much of its end goes into a report.
TAIL_BYTES = 64 * 1024
#: What XML cannot hold at all.
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BAD = {RunState.FAILED, RunState.TIMED_OUT}


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a report tells of a run."""

    name: str
    run_id: int
    state: RunState
    reason: str
    exit_code: int | None
    started_at: datetime | None
    seconds: float
    metrics: Mapping[str, float]
    stdout: str
    stderr: str


def junit(told: Told) -> bytes:
    """Return a run as a suite of one case: a failure if its command failed, an error if nothing can be said of that."""
    bad = told.state in _BAD
    counts = {
        "tests": "1",
        "failures": str(int(bad)),
        "errors": str(int(not bad and told.state is not RunState.SUCCEEDED)),
        "skipped": "0",
        "time": f"{told.seconds:.3f}",
    }
    suites = ET.Element("testsuites", counts)
    about = {"name": _text(told.name), **counts}
    if told.started_at is not None:
        about["timestamp"] = told.started_at.isoformat(timespec="seconds")
    suite = ET.SubElement(suites, "testsuite", about)
    properties = ET.SubElement(suite, "properties")
    for name, value in {"run_id": told.run_id, "exit_code": told.exit_code, **told.metrics}.items():
        ET.SubElement(properties, "property", name=_text(name), value="" if value is None else f"{value:.12g}")
    case = ET.SubElement(
        suite, "testcase", name=_text(told.name), classname="watchbell.exec", time=f"{told.seconds:.3f}"
    )
    if told.state is not RunState.SUCCEEDED:
        kind = "failure" if bad else "error"
        ET.SubElement(case, kind, type=told.state.value, message=_text(told.reason)).text = _text(told.reason)
    for tag, output in (("system-out", told.stdout), ("system-err", told.stderr)):
        ET.SubElement(case, tag).text = _text(output)
    ET.indent(suites)
    data: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def tap(told: Told) -> bytes:
    """Return a run as one test in the protocol's version 13."""
    good = told.state is RunState.SUCCEEDED
    # A number sign would begin a directive.
    name = " ".join(told.name.replace("\\", "\\\\").replace("#", "\\#").split())
    lines = ["TAP version 13", "1..1", f"{'ok' if good else 'not ok'} 1 - {name}", "  ---"]
    reason = told.reason.replace("'", "''")
    lines += [f"  run_id: {told.run_id}", f"  state: {told.state.value}", f"  message: '{' '.join(reason.split())}'"]
    lines += [f"  duration_ms: {told.seconds * 1000:.0f}"]
    lines += [] if told.exit_code is None else [f"  exit_code: {told.exit_code}"]
    return ("\n".join([*lines, "  ..."]) + "\n").encode("utf-8", "replace")


def write(path: str, data: bytes, option: str) -> None:
    """Write a report in one step, so that nobody reads half of it; raises InputError."""
    place = Path(path)
    try:
        if place.exists() and not place.is_file():
            # Such as /dev/stdout, which nothing may take the place of.
            place.write_bytes(data)
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(place)
    except OSError as error:
        raise InputError.of(option, f"{path[:200]} cannot be written: {error.strerror}", "report.xml") from None


def require_writable(path: str, option: str) -> None:
    """Raise InputError for a report that could not be written in the end, before anything is run."""
    folder = Path(path).parent
    if not os.access(folder, os.W_OK | os.X_OK) and not Path(path).exists():
        raise InputError.of(
            option, f"{path[:200]} cannot be written: its folder is not there, or not yours", "report.xml"
        )


def _text(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
