"""Markdown that people have written, as HTML that can do nothing: no tags of theirs, no pictures, only links to the web."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from watchbell.domain.runbooks import is_safe_address

#: Headings stand below those of the page.
_DEEPER = 2


@functools.cache
def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20})
    # A picture would ask another server who reads this; tags stand there as the text that they are.
    reader.enable("table").disable(["image", "html_block", "html_inline"])
    reader.validateLink = is_safe_address  # type: ignore[method-assign, assignment]
    return reader


@functools.lru_cache(maxsize=256)
def render(text: str) -> Markup:
    """Return a text in Markdown as HTML to be put into a page."""
    reader = _reader()
    tokens = reader.parse(text)
    _settle(tokens)
    _level(tokens)
    return Markup(reader.renderer.render(tokens, reader.options, {}))  # noqa: S704 - made by the renderer, which escapes.


def _level(tokens: Sequence[Token]) -> None:
    """Put headings below those of the page, none of them more than one level below the one before it."""
    last = _DEEPER
    for token in tokens:
        if token.type == "heading_open":
            last = min(int(token.tag[1:]) + _DEEPER, last + 1, 6)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{last}"


def _settle(tokens: Sequence[Token]) -> None:
    """Take away what a page must not hold: styles, which its policy forbids, and classes of its own."""
    for token in tokens:
        token.attrs.pop("style", None)
        token.attrs.pop("class", None)
        if token.type == "fence":
            token.info = ""
        if token.type == "link_open":
            token.attrs = {**token.attrs, "rel": "noopener noreferrer nofollow"}
        token.children = _without_dead_links(token.children or [])
        _settle(token.children)


def _without_dead_links(tokens: list[Token]) -> list[Token]:
    """Leave of a link that leads nowhere what stands in it; no link has another one in it."""
    kept, is_dead = [], False
    for token in tokens:
        if token.type == "link_open":
            is_dead = not token.attrs.get("href")
        if not (is_dead and token.type in {"link_open", "link_close"}):
            kept.append(token)
    return kept
