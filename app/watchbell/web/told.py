"""What the layers below the page say, in the language of whoever looks: reasons in the ledger, refusals, states, incidents.

The ledger, the interfaces, the command line and the log hold one truth, and that is English. A page that is read in another
language recognises each clause of such a text by the template that the code made it from (``run #%(a)s is still %(b)s``),
takes out the values, and fills them into the translation. What it does not recognise, such as the words of a person, is shown
as it is. The templates are collected from the code, and stand with their translations in ``translations/core``.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from babel.messages.pofile import read_po

from watchbell.web.i18n import language

_FOLDER = Path(__file__).resolve().parent / "translations/core"
_PLACE = re.compile(r"%\((\w+)\)s")
#: A place of this name takes digits only, and one of the other name what is left as it is.
_NUMBER, _VERBATIM = "number", "verbatim"
#: Longer texts are nobody's sentence.
_LONGEST = 1000
#: So deep may texts stand in texts.
_DEEPEST = 6
_QUOTES = ("'", '"')


@dataclasses.dataclass(frozen=True, slots=True)
class _Template:
    pattern: re.Pattern[str]
    translation: str
    #: How much of it is its own; of two that fit, the one with more says more exactly what is meant.
    weight: int

    def fill(self, text: str, table: _Table, depth: int) -> str | None:
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        given = found.groupdict().items()
        return self.translation % {n: value if n == _VERBATIM else table.value(value, depth) for n, value in given}


@dataclasses.dataclass(frozen=True, slots=True)
class _Table:
    """The texts of a language."""

    whole: Mapping[str, str]
    #: Templates by the rarest of their own words, so that a text is held against the few that it can be.
    by_word: Mapping[str, Sequence[_Template]]
    #: Those without a word of their own.
    wordless: Sequence[_Template]

    def text(self, text: str, depth: int = 0) -> str:
        """Return a text with every clause in the language that is known."""
        return "; ".join(self.clause(clause, depth) or clause for clause in text.split("; "))

    def value(self, value: str, depth: int) -> str:
        """Return a value of a text: itself a text of ours, or a name that is left alone."""
        if value.startswith(_QUOTES):
            return value
        if "), " in value:
            return "), ".join(self.value(part, depth) for part in re.split(r"(?<=\)), ", value)).replace(")), ", "), ")
        return self.clause(value, depth + 1) or value

    def clause(self, clause: str, depth: int) -> str | None:
        """Return a clause in the language; None if it is not known."""
        if depth > _DEEPEST:
            return None
        if clause in self.whole:
            return self.whole[clause]
        for template in self._candidates(clause):
            filled = template.fill(clause, self, depth)
            if filled is not None:
                return filled
        if clause.endswith(".") and ". " not in clause:
            whole = self.clause(clause[:-1], depth + 1)
            return f"{whole}." if whole else None
        if ". " in clause:
            sentences = re.split(r"(?<=\.) ", clause)
            known = [self.clause(one, depth + 1) for one in sentences]
            return " ".join(new or old for new, old in zip(known, sentences, strict=True)) if any(known) else None
        # The words before a colon say where, and those after it what; either may be somebody's own.
        head, colon, tail = clause.partition(": ")
        if not colon:
            return None
        place, what = self.clause(head, depth + 1), self.clause(tail, depth + 1)
        return f"{place or head}: {what or tail}" if place or what else None

    def _candidates(self, clause: str) -> Iterator[_Template]:
        words = set(re.findall(r"\w+", clause))
        near = [template for word in words & self.by_word.keys() for template in self.by_word[word]]
        yield from sorted(near, key=lambda template: -template.weight)
        yield from self.wordless


def told(text: str) -> str:
    """Return a text of the layers below in the language of this request."""
    name = language()
    if not text or len(text) > _LONGEST or not (_FOLDER / f"{name}.po").is_file():
        return text
    return _told(name, text)


def sentence(text: str) -> str:
    """Return a text of the layers below in the language of this request, with a capital and a full stop."""
    said = told(text.strip())
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith(('.', '!', '?')) else '.'}" if said else ""


@functools.lru_cache(maxsize=16_384)
def _told(name: str, text: str) -> str:
    return _table(name).text(text)


@functools.cache
def _table(name: str) -> _Table:
    with (_FOLDER / f"{name}.po").open("rb") as file:
        texts = {str(one.id): str(one.string) for one in read_po(file, locale=name) if one.id and one.string}
    templates = {text: translation for text, translation in texts.items() if _PLACE.search(text)}
    often = Counter(word for text in templates for word in _own_words(text))
    by_word: dict[str, list[_Template]] = defaultdict(list)
    wordless = []
    for text, translation in templates.items():
        template = _Template(_pattern(text), translation, len(_PLACE.sub("", text)))
        words = _own_words(text)
        if words:
            by_word[min(words, key=lambda word: (often[word], word))].append(template)
        else:
            wordless.append(template)
    whole = {text.replace("%%", "%"): said.replace("%%", "%") for text, said in texts.items() if text not in templates}
    return _Table(whole, dict(by_word), wordless)


def _own_words(text: str) -> set[str]:
    """Return the words of a template that stand in every text made from it: those that touch no value."""
    return set(re.findall(r"(?<![\w\0])\w+(?![\w\0])", _PLACE.sub("\0", text)))


def _pattern(text: str) -> re.Pattern[str]:
    parts = _PLACE.split(text)
    made = ""
    for literal, name in zip(parts[::2], [*parts[1::2], ""], strict=True):
        made += re.escape(literal.replace("%%", "%"))
        if name:
            made += f"(?P<{name}>{'[0-9][0-9.,]*' if name == _NUMBER else '.+?'})"
    return re.compile(made, re.DOTALL)
