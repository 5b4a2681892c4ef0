"""The text of documents of tasks: YAML or JSON, and on which line of it each thing stands."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from watchbell.domain.task_document import Document, Lines, Path, read_document
from watchbell.errors import InputError

FORMATS = ("yaml", "json")
LONGEST = 16 * 1024 * 1024
#: Names and values in YAML, each of which costs its reader up to 6 µs and 600 bytes, forty times what it costs in JSON.
MOST_IN_YAML = 500_000
#: Deeper than anything that a task could say.
_DEEPEST = 12


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Takes for a number, a truth or nothing only what JSON would: ``no`` is a text here, and so is 12:30."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the library's own way.


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:null|~|)\Z"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z"), list("-0123456789")
)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes several lines below one another, as they are, and never a reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A next line (U+0085) would be written as the end of a line, and be read as a space.
    style = '"' if "\x85" in text else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text_node)


def write(document: Mapping[str, object], kind: str) -> str:
    """Return the text of a document in one of FORMATS."""
    if kind == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def read(text: str) -> Document:
    """Return what a text of either form says; raises InputError that names line and place of all that is wrong."""
    if len(text) > LONGEST:
        raise InputError.of("the document", f"this is longer than {LONGEST // 1024 // 1024} MiB")
    if text.lstrip().startswith(("{", "[")):
        data, lines = _read_json(text)
    else:
        data, lines = _read_yaml(text)
    return read_document(data, lines)


def _read_json(text: str) -> tuple[object, Lines]:
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError.of(f"line {error.lineno}", f"this is no JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise InputError.of("the document", f"this cannot be read: {error}") from None
    try:
        # Nearly all JSON is YAML, too, and its reader knows the lines; of what is too much for it only the places are told.
        return data, _Lines(text).found
    except InputError:
        return data, {}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:40]!r} stands twice in one object")
        found[name] = value
    return found


def _read_yaml(text: str) -> tuple[object, Lines]:
    tree = _Lines(text)
    if tree.root is None:
        raise InputError.of("the document", "this is empty", "watchbell: 1")
    return tree.value, tree.found


class _Lines:
    """The nodes of a YAML text, which say on which line each thing stands; only plain values are let through."""

    def __init__(self, text: str) -> None:
        loader = _loader(text)
        try:
            _refuse_too_much(text)
            self.root = loader.get_single_node()
            #: The line of each place.
            self.found: dict[Path, int] = {}
            self._seen: set[int] = set()
            for path, node in self._walk(self.root, ()) if self.root is not None else ():
                self.found[path] = node.start_mark.line + 1
            self.value = loader.construct_document(self.root) if self.root is not None else None
        except yaml.YAMLError as error:
            raise _refusal(error) from None
        except (ValueError, RecursionError) as error:
            # Such as a character that no text may hold.
            raise InputError.of("the document", f"this is no YAML: {error}") from None
        finally:
            loader.dispose()

    def _walk(self, node: yaml.Node, path: Path) -> Iterator[tuple[Path, yaml.Node]]:
        line = f"line {node.start_mark.line + 1}"
        if id(node) in self._seen:
            raise InputError.of(line, "a reference (*name) is not taken here; write it out")
        self._seen.add(id(node))
        if len(path) > _DEEPEST:
            raise InputError.of(line, "this is nested too deeply")
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise InputError.of(line, f"{node.tag[:40]!r} is not taken here")
        yield path, node
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                yield from self._walk(child, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, child in node.value:
                where = f"line {key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    # Not quoted: it would be told as the parser's own objects.
                    raise InputError.of(where, "a list or a mapping is no name")
                if key.value in names:
                    raise InputError.of(where, f"{key.value[:40]!r} stands here twice")
                names.add(key.value)
                # The line of a value that goes over several lines is that of its name.
                for inner, found in self._walk(child, (*path, key.value)):
                    yield inner, key if inner == (*path, key.value) else found


def _loader(text: str) -> _Loader:
    try:
        return _Loader(text)
    except UnicodeEncodeError:
        raise InputError.of("the document", "this holds half a character, which no text may hold") from None


def _refuse_too_much(text: str) -> None:
    """Count what is in a text before anything is made of it; there are never more names and values than characters."""
    if len(text) <= MOST_IN_YAML:
        return
    events = yaml.parse(text, Loader=_Loader)
    nodes = (event for event in events if isinstance(event, yaml.NodeEvent))
    if next(itertools.islice(nodes, MOST_IN_YAML, None), None) is not None:
        message = f"there are more than {MOST_IN_YAML:,} names and values in this, which is too much for YAML; write it as JSON"
        raise InputError.of("the document", message)


def _refusal(error: yaml.YAMLError) -> InputError:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}" if mark is not None else "the document"
    words = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    # The library tells all of a tag, however long it is.
    return InputError.of(where, f"this is no YAML: {str(words)[:200]}")
