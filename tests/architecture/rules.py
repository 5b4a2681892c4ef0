"""The house rules that an import graph cannot see, each a function from a parsed file to the places that break it."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app" / "watchbell"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_ROUTE_LINES = 15
P90_FUNCTION_LINES = 32
#: Names that say nothing about what lives in a module.
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "misc", "tools", "util", "utils"}
VERBS = {"route", "get", "post", "put", "patch", "delete"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One Python file and what the rules ask about it."""

    def __init__(self, path: Path, text: str) -> None:
        self.name = path.relative_to(ROOT).as_posix()
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def commented_lines(self) -> set[int]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {token.start[0] for token in tokens if token.type == tokenize.COMMENT}

    @cached_property
    def functions(self) -> list[tuple[str, Function]]:
        return list(_functions(self.tree, ""))

    @cached_property
    def calls(self) -> list[ast.Call]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        if isinstance(child, Function | ast.ClassDef):
            inner = f"{prefix}{child.name}."
        yield from _functions(child, inner)


def function_lines(function: Function) -> int:
    """Return the lines from ``def`` to the end, without decorators and docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


@lru_cache
def sources(folder: Path) -> tuple[Source, ...]:
    """Return every Python file below the folder."""
    return tuple(Source(path, path.read_text()) for path in sorted(folder.rglob("*.py")))


#: A rule yields (where, what): where names the place without its line, so that an exception survives an edit above it.
Finding = tuple[str, str]
Rule = Callable[[Source], Iterator[Finding]]


def _at(source: Source, node: ast.AST, name: str) -> Finding:
    return f"{source.name}:{name}", f"line {getattr(node, 'lineno', 0)}"


def _dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for such an expression, and an empty text for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else f"?.{node.attr}"
    return ""


def commits_outside_the_session(source: Source) -> Iterator[Finding]:
    """A transaction begins and ends in one place, so that nobody commits half of another's work."""
    if source.name == "app/watchbell/store/session.py":
        return
    for call in source.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}:
            yield _at(source, call, _dotted(call.func))


def asks_the_time(source: Source) -> Iterator[Finding]:
    """Now is an argument; clock.py is the one that looks."""
    if source.name == "app/watchbell/clock.py":
        return
    wall = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ".".join(_dotted(node).split(".")[-2:]) in wall:
            yield _at(source, node, _dotted(node))
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            for name in node.names:
                if name.name in {"time", "time_ns"}:
                    yield _at(source, node, f"from time import {name.name}")


def reads_the_environment(source: Source) -> Iterator[Finding]:
    """Settings come from config.py, which also builds the environment of commands."""
    if source.name == "app/watchbell/config.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and _dotted(node) in {"os.environ", "os.environb", "os.getenv", "os.putenv"}:
            yield _at(source, node, _dotted(node))
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for name in node.names:
                if name.name in {"environ", "environb", "getenv"}:
                    yield _at(source, node, f"from os import {name.name}")


def prints(source: Source) -> Iterator[Finding]:
    """Only the command line talks to a person."""
    if source.name.startswith("app/watchbell/cli/"):
        return
    for call in source.calls:
        if _dotted(call.func) in {"print", "click.echo", "sys.stdout.write"}:
            yield _at(source, call, _dotted(call.func))


def long_file(source: Source) -> Iterator[Finding]:
    """A file that outgrows its one-line description is split."""
    if source.lines > MAX_FILE_LINES:
        yield source.name, f"{source.lines} lines"


def long_function(source: Source) -> Iterator[Finding]:
    """A function fits on one screen."""
    for name, function in source.functions:
        if function_lines(function) > MAX_FUNCTION_LINES:
            yield _at(source, function, name)[0], f"{function_lines(function)} lines"


def long_route(source: Source) -> Iterator[Finding]:
    """A route translates between HTTP and a service; what it decides belongs into the service."""
    if not source.name.startswith("app/watchbell/web/"):
        return
    for name, function in source.functions:
        is_route = any(
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr in VERBS
            for decorator in function.decorator_list
        )
        if is_route and function_lines(function) > MAX_ROUTE_LINES:
            yield _at(source, function, name)[0], f"{function_lines(function)} lines"


def empty_name(source: Source) -> Iterator[Finding]:
    """A module is named after what lives in it."""
    if Path(source.name).stem in EMPTY_NAMES:
        yield source.name, "the name says nothing"


def silent_except(source: Source) -> Iterator[Finding]:
    """Whoever swallows an error says why, in a comment beside it."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            idle = all(
                isinstance(statement, ast.Pass | ast.Continue)
                or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
                for statement in node.body
            )
            span = range(node.lineno - 1, (node.end_lineno or node.lineno) + 1)
            if idle and source.commented_lines.isdisjoint(span):
                yield _at(source, node, "except")
        if isinstance(node, ast.With):
            silent = any("suppress" in ast.unparse(item.context_expr).split("(")[0] for item in node.items)
            if silent and source.commented_lines.isdisjoint(range(node.lineno - 1, node.body[0].lineno + 1)):
                yield _at(source, node, "suppress")


def renders_a_partial(source: Source) -> Iterator[Finding]:
    """A template that starts with an underscore is a part of a page, unless it is listed as a fragment that is fetched."""
    for call in source.calls:
        if _dotted(call.func).split(".")[-1] != "render_template" or not call.args:
            continue
        name = call.args[0]
        if isinstance(name, ast.Constant) and str(name.value).split("/")[-1].startswith("_"):
            yield _at(source, call, str(name.value))


def sleeps(source: Source) -> Iterator[Finding]:
    """A test waits for a condition with a deadline (tests/waiting.py); a sleep is too long or too short."""
    if source.name == "tests/waiting.py":
        return
    for call in source.calls:
        if _dotted(call.func) in {"time.sleep", "sleep"}:
            yield _at(source, call, "sleep")


def mocks(source: Source) -> Iterator[Finding]:
    """Real things in tests: a mock proves that the code calls the mock."""
    for node in ast.walk(source.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == "mock" or name.startswith("unittest.mock") for name in names):
            yield _at(source, node, "mock")


APP_RULES: dict[str, Rule] = {
    "commit": commits_outside_the_session,
    "clock": asks_the_time,
    "environment": reads_the_environment,
    "print": prints,
    "long-file": long_file,
    "long-function": long_function,
    "long-route": long_route,
    "empty-name": empty_name,
    "silent-except": silent_except,
    "partial": renders_a_partial,
}
TEST_RULES: dict[str, Rule] = {"long-file": long_file, "sleep": sleeps, "mock": mocks, "silent-except": silent_except}
