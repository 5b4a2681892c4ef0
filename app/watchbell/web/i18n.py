"""The language of the page: which one a request is answered in, and the texts of it.

English is the source. Each further language is one file in ``translations``, in gettext's format as people edit it; it is
read when somebody first asks for that language, so that there is no compiled copy that could be another version.
"""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path
from typing import Any

import flask_babel
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, request
from flask_babel.speaklater import LazyString

from watchbell.web import askers

_FOLDER = Path(__file__).resolve().parent / "translations"
_SOURCE = "en"
#: Language -> its own name for itself, in the order of the menu.
LANGUAGES = {_SOURCE: "English", "de": "Deutsch"}
#: What keeps thousands apart, and what stands before a fraction.
_SIGNS = {_SOURCE: (",", "."), "de": ("\N{NARROW NO-BREAK SPACE}", ",")}
#: The cookie of whoever has chosen one; without it the browser's own order decides.
COOKIE = "watchbell_language"
#: Where texts stand that scripts show.
_SCRIPTS = "static/js/"


class _Texts(flask_babel.Domain):  # type: ignore[misc]
    """Texts from the files that people edit."""

    def get_translations(self) -> NullTranslations:
        """Return the texts of the language of this request."""
        return _translations(language())


class _Babel(flask_babel.Babel):  # type: ignore[misc]
    domain_instance = _Texts()


def init_app(app: Flask) -> None:
    """Let templates and views speak the language of whoever asks."""
    _Babel(app, locale_selector=language)
    # A page has thousands of texts: they are looked up without the way round by the extension's own context.
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: _translations(language()).gettext(text),
        ngettext=lambda one, many, num: _translations(language()).ngettext(one, many, num),
        newstyle=True,
    )
    app.add_template_global(language)
    app.add_template_global(grouped)
    app.jinja_env.globals["languages"] = LANGUAGES
    app.add_template_global(words_stamp)


def language() -> str:
    """Return the language of this request; programs are answered in English, which is what they compare with."""
    if not has_request_context():
        return _SOURCE
    if "language" not in g:
        is_program = askers.is_program(request) or askers.wants_twin(request)
        g.language = _SOURCE if is_program else chosen() or _preferred()
    return str(g.language)


def grouped(number: float, decimals: int | None = None) -> str:
    """Return a number with its thousands apart as the language of this request has them, rounded to so many decimals if any are named."""
    return signed_as_read(f"{number:,}" if decimals is None else f"{number:,.{decimals}f}")


def signed_as_read(written: str) -> str:
    """Return a number that is written as in English, with the signs that the language of this request has in it."""
    thousands, fraction = _SIGNS[language()]
    return written.translate({ord(","): thousands, ord("."): fraction})


def speak_to_programs() -> None:
    """Answer this request as programs are answered: what pages have as JSON beside them is read by them, whoever fetches it."""
    g.language = _SOURCE


def _preferred() -> str:
    """Return the language of ours that the browser asks for by itself."""
    return request.accept_languages.best_match(list(LANGUAGES), _SOURCE) or _SOURCE


def chosen() -> str | None:
    """Return the language that was chosen in this browser, None for the one that it asks for by itself."""
    found = request.cookies.get(COOKIE)
    return found if found in LANGUAGES else None


def _(text: str, **values: Any) -> str:
    """Return a text in the language of this request, with values in the places that it names as %(name)s."""
    found = _translations(language()).gettext(text)
    return found % values if values else found


def ngettext(one: str, many: str, num: int, **values: Any) -> str:
    """Return the text for a number of things, which stands in it as %(num)s or %(num)d."""
    return _translations(language()).ngettext(one, many, num) % {"num": num, **values}


def lazy(text: str, **values: Any) -> Any:
    """Return a text that is in the language of whoever reads it when it is shown: for what is written at import, as labels are."""
    return LazyString(_, text, **values)


def words(name: str) -> dict[str, str | list[str]]:
    """Return the texts of a language that scripts show, in English -> in that language; two of them where a number decides."""
    found: dict[str, str | list[str]] = {}
    for message in _catalog(name) if name != _SOURCE and name in LANGUAGES else ():
        if not message.id or not any(place.startswith(_SCRIPTS) for place, _line in message.locations):
            continue
        if isinstance(message.id, str):
            found[message.id] = str(message.string)
        else:
            found[message.id[0]] = list(message.string or ())
    return found


@functools.cache
def words_stamp(name: str) -> str:
    """Return a mark of the texts of a language, which its address carries so that browsers may keep them."""
    file = _FOLDER / f"{name}.po"
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else "0"


@functools.cache
def _translations(name: str) -> NullTranslations:
    if name == _SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _catalog(name))
    compiled.seek(0)
    return Translations(compiled)


@functools.cache
def _catalog(name: str) -> Catalog:
    with (_FOLDER / f"{name}.po").open("rb") as file:
        return read_po(file, locale=name)
