"""The texts that the layers below the page say to people, collected from their code for the translators.

Everything that is a sentence or a part of one in these modules counts: a text with a space in it that is no docstring, no
line of the log, no pattern and no statement for the database. What is not shown on a page is listed in ``SILENT``. So a new
reason or a new refusal is found without anybody having to think of it, and a test fails until it is translated.

A text that holds values is written as a template, each value by its name: ``run #%(number)s is still %(state)s``. Reasons
are made of clauses with a semicolon between them, and each clause is a text of its own.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "app/watchbell"
FILES = PACKAGE / "web/translations/core"
LAYERS = ("domain/**/*.py", "services/*.py")
#: Of these layers little comes to a page, and what does comes from these modules.
FURTHER = (
    *(f"execution/{name}.py" for name in ("outcome", "process", "result", "limits", "kept", "adoption", "scripts", "tracking", "watcher")),
    *(f"scheduler/{name}.py" for name in ("gate", "leadership", "long_past", "loop", "main", "reap", "recovery", "timekeeper",
                                           "vitals", "watchdog")),
    *(f"control/{name}.py" for name in ("process", "health", "detached", "log_pages", "logfile")),
    *("store/session.py", "store/trouble.py", "store/secret_box.py", "store/sealed.py", "config.py"),
)  # fmt: skip
#: Here only what is wrong with an address or a form is of this kind; all else is translated where it is said.
PAGES = ("web/*.py", "web/forms/*.py", "web/pages/*.py")
#: Modules whose words only programs, the command line or files read: the five families, agents, crontabs, the log.
APART = (
    *("domain/agent_protocol.py", "domain/analysis/baseline.py", "domain/crontab/writing.py", "domain/presence.py"),
    "domain/reproduction.py",
    "domain/job_document/interpreters.py",
    *("domain/samples.py", "domain/schedule/describe.py", "domain/schedule/pattern.py", "services/cron_log.py"),
    *("services/cron_task.py", "services/first_start.py", "services/idempotency.py", "services/totals.py"),
)
#: What is no sentence for a page: examples, patterns, statements, lines for a shell or of the command line, and pieces of
#: sentences that are given as a whole below.
SILENT = frozenset(
    {
        "log.index",
        "scheduler.lock",
        "scheduler.log",
        "scheduler.pid",
        "run.json",
        "Dashboard https://grafana.example.org/d/backup",
        "run.sh",
        "task.json",
        "Invalid control",
        "final step",
        "Callable[_P, _R]",
        "exec %(a)s",
        "/bin/bash -e",
        "or template_id is required",
        '{"start": "02:00", "end": "04:00", "days": ["sat", "sun"]}',
        "argument %(a)s",
        "configuration file %(a)s has an unknown key",
        "configuration file %(a)s holds a %(b)s and everybody can read it",
        "configuration file %(a)s, key %(b)s",
        "is %(a)s:",
        "run: chmod 600 %(a)s",
        "there is no setting",
        "%(a)s -c %(b)s",
        "%(a)s at %(b)s.",
        "%(a)s for %(b)s",
        "%(a)s is %(b)s",
        "%(a)s s",
        "%(a)s time%(b)s, first at revision %(c)s",
        "%(a)ss at %(b)s:00",
        "%(a)s… (%(b)s characters)",
        "(for example: %(a)s)",
        "(taken over after a restart of the scheduler)",
        ", but late: %(a)s",
        ", no",
        ", out of memory?",
        "--replace puts these in their place",
        "0 9 * * mon#1",
        "30 2 * * mon-fri",
        "PRAGMA data_version",
        "Bearer %(a)s",
        "RELEASE all_or_none",
        "ROLLBACK TO all_or_none",
        "Running%(a)s since %(b)s.",
        "SAVEPOINT all_or_none",
        "The clock was set %(a)s by %(b)s, %(c)s.",
        "[daily, backup]",
        "about %(a)s",
        "at least",
        "by cgroup v%(a)s",
        "by rlimit, for all processes of the user",
        "by rlimit, for each process",
        "cd %(a)s || exit 1",
        "cpu_max > 80 and execution_time_seconds > 60",
        "echo 0 >%(a)s/cgroup.procs",
        "echo hello",
        "export %(a)s",
        "fast: execution_time_seconds < 60",
        "first time, at revision %(a)s",
        "import=python import.py",
        "in %(a)s tasks",
        "memory limits %(a)s",
        "name: backup",
        "next attempt at",
        "keys %(a)s",
        "the next wave needs",
        "no such column",
        "no such table",
        "not possible (they would not apply to root)",
        "on %(a)s",
        "openid profile email",
        "or %(a)s to %(b)s",
        "paused by",
        "printf '%%s\\n' %(a)s | %(b)s -c %(c)s",
        "process limits %(a)s",
        "the clock was set %(a)s by %(b)s",
        "ulimit -v %(a)s",
        "unset PWD OLDPWD SHLVL",
        "until %(a)s",
        "# Watchbell seals secrets with the first of these keys",
        "secret:%(a)s, version %(b)s",
        "watchbell encryption key %(a)s",
        "watchbell token list shows all",
        "watchbell: %(a)s",
        "watchbell: error:",
        "watchbell: the limits of this run could not be set",
        "why it is there",
        '{ %(a)s;} 2>/dev/null||{ echo %(b)s >&2;exit 126;};%(c)s;exec "$@"',
        "{ ulimit -u %(a)s||ulimit -p %(b)s;}",
    }
)
#: Single words, and sentences that the code puts together from pieces; a place that is called ``number`` takes only
#: digits, and what is at one called ``verbatim`` is nobody's text but that of whoever wrote it.
EXTRA = frozenset(
    {
        "%(a)s (exit %(b)s)",
        "%(a)s (for example: %(verbatim)s)",
        "%(a)s (not found)",
        "%(a)s (signal %(b)s)",
        "%(a)s (taken over after a restart of the scheduler)",
        "%(a)s (timed out)",
        "%(a)s UTC until %(b)s UTC",
        "%(a)s UTC until %(b)s UTC: %(verbatim)s",
        "%(a)s and the clock was set back by %(b)s",
        "%(a)s and the clock was set forward by %(b)s",
        "%(a)s and the scheduler was held up for %(b)s",
        "%(a)s is paused by %(b)s since %(c)s",
        "%(a)s runs on %(b)s",
        "%(a)s, but late: %(b)s",
        "%(a)s, out of memory?",
        "%(number)s bytes",
        "%(number)s days",
        "%(number)s or %(a)s to %(b)s",
        "%(number)s seconds",
        "%(number)s years",
        "Asked to stop by %(a)s at %(b)s.",
        "Fridays",
        "Fridays at %(a)s",
        "Mondays",
        "Mondays at %(a)s",
        "Running on %(a)s since %(b)s.",
        "Running since %(a)s.",
        "Saturdays",
        "Saturdays at %(a)s",
        "Stopped at %(a)s.",
        "Stopped by %(a)s at %(b)s.",
        "Stopping.",
        "Sundays",
        "Sundays at %(a)s",
        "The clock was set back by %(a)s, from %(b)s to %(c)s.",
        "The clock was set forward by %(a)s, from %(b)s to %(c)s.",
        "Thursdays",
        "Thursdays at %(a)s",
        "Tuesdays",
        "Tuesdays at %(a)s",
        "Wednesdays",
        "Wednesdays at %(a)s",
        "another task is called %(a)s already",
        "at least %(number)s",
        "cancelled",
        "cancelling",
        "claimed",
        "days",
        "everything",
        "failed",
        "gate",
        "hour",
        "hours",
        "killed",
        "lost",
        "minute",
        "minutes",
        "missed",
        "month",
        "next attempt at %(a)s UTC",
        "paused by %(a)s",
        "rejected",
        "the next wave needs %(a)s %%",
        "timed out",
        "none",
        "queued",
        "retry_wait",
        "running",
        "seconds",
        "skipped",
        "starting",
        "succeeded",
        "the clock was set back by %(a)s",
        "the clock was set forward by %(a)s",
        "the connection to the database was lost for %(a)s",
        "the database did not answer for %(a)s",
        "the database was locked by another program for %(a)s",
        "the connection to the database was lost",
        "the database was damaged",
        "the database was locked by another program",
        "the database was read-only",
        "the disk of the database was full",
        "there is a token %(a)s already",
        "there is an account %(a)s already",
        "timed_out",
        "weekday",
    }
)
_LOG = {"debug", "info", "warning", "error", "critical", "exception", "log"}
_INTERNAL = {"ValueError", "TypeError", "AssertionError", "RuntimeError", "compile", "text", "exec_driver_sql"}


#: A deed in the audit; the pages' own addresses have their first word in the plural.
_DEED = re.compile(r"(?:login|request|account|token|task|run|failure|pause|queue|scheduler|log|template)\.[a-z]+")


def collect() -> dict[str, str]:
    """Return each text that may come to a page, with the module in which it is said first."""
    found: dict[str, str] = {}
    for text, place in everything():
        if text not in SILENT:
            found.setdefault(text, place)
    for text in EXTRA:
        found.setdefault(text, "tests/core_texts.py")
    return dict(sorted(found.items()))


def everything() -> Iterator[tuple[str, str]]:
    """Yield all texts of the modules with the place of each, shown or not."""
    for pattern in (*LAYERS, *FURTHER, *PAGES):
        for file in sorted(PACKAGE.glob(pattern)):
            place = file.relative_to(PACKAGE).as_posix()
            if any(fnmatch(place, apart) for apart in APART):
                continue
            tree = ast.parse(file.read_text(encoding="utf-8"))
            nodes = _refusals(tree) if pattern in PAGES else ast.walk(tree)
            yield from ((text, f"app/watchbell/{place}") for text in _texts(tree, nodes))
            if pattern in PAGES or not place.startswith("domain"):
                yield from ((deed, f"app/watchbell/{place}") for deed in _deeds(tree))


def _deeds(tree: ast.Module) -> Iterator[str]:
    """Yield what the audit calls that which a module writes into it, such as ``task.create``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DEED.fullmatch(node.value):
            yield node.value


def _refusals(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the messages of refusals that a module of the web gives in English, as the services do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "of" and len(node.args) > 1:
            yield node.args[1]


def _texts(tree: ast.Module, nodes: Iterable[ast.AST]) -> Iterator[str]:
    left_out = set(_left_out(tree))
    for node in nodes:
        if node in left_out or not isinstance(node, ast.JoinedStr | ast.Constant):
            continue
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            continue
        for clause in _template(node).split("; "):
            text = _renamed(clause.strip(" ;"))
            if " " in text and "\n" not in text and re.search("[a-z]", re.sub(r"%\(\w\)s", "", text)):
                yield text


def _left_out(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            # Docstrings, of functions as of fields.
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
            yield from (inner for one in node.values if isinstance(one, ast.FormattedValue) and one.format_spec
                        for inner in ast.walk(one.format_spec))  # fmt: skip
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            if called in _LOG | _INTERNAL:
                yield from (inner for argument in node.args for inner in ast.walk(argument))
            elif called in {"of", "Problem", "_wrong"}:
                # An example is something to type.
                yield from (inner for argument in node.args[2:] for inner in ast.walk(argument))


def _template(node: ast.JoinedStr | ast.Constant) -> str:
    """Return a text with its values as %(a)s, %(b)s and so on, so that what they are called in the code says nothing here."""
    if isinstance(node, ast.Constant):
        return str(node.value).replace("%", "%%").replace("{}", "%(a)s")
    parts: list[str] = []
    names = iter("abcdefghij")
    for before, part in itertools.pairwise((None, *node.values)):
        if isinstance(part, ast.Constant):
            parts.append(str(part.value).replace("%", "%%"))
        elif not isinstance(before, ast.FormattedValue):
            # Of values that follow each other nobody can tell where one ends: they are one value.
            parts.append(f"%({next(names)})s")
    return "".join(parts)


def _renamed(clause: str) -> str:
    """Return a clause of a text with its own values counted from the first."""
    names = iter("abcdefghij")
    return re.sub(r"%\(\w\)s", lambda _place: f"%({next(names)})s", clause)


def write() -> None:
    """Bring the files of the translators up to what is said now; what is new in them has no translation yet."""
    said = collect()
    for file in sorted(FILES.glob("*.po")):
        with file.open("rb") as old_file:
            old = read_po(old_file, locale=file.stem)
        new = Catalog(locale=file.stem)
        for text, place in said.items():
            known = old.get(text)
            new.add(text, string=known.string if known else "", locations=[(place, 1)])
        with file.open("wb") as new_file:
            write_po(new_file, new, width=0, omit_header=True, include_lineno=False)


if __name__ == "__main__":
    write()
