"""Text that a form brings must be text: bytes that mean nothing are refused, and never stored as something else."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from flask import request

from watchbell.errors import InputError

#: What unreadable bytes of a form in parts have become when it is read.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SHOWN_NAME = 60
#: More than any form of ours sends, all of them selected; each costs time before anything can be said of it.
FIELDS_LIMIT = 10_000


def refuse_broken() -> None:
    """Raise InputError that names the first field of a form whose name or value is not UTF-8, or that has no name.

    A form of more than FIELDS_LIMIT fields is refused unread.

    Browsers never send such a form. Read without a word, its bytes would be kept as escapes or as replacement signs.
    """
    if request.mimetype == "application/x-www-form-urlencoded":
        # Kept, so that the form can still be read from it.
        body = request.get_data(cache=True)
        if body.count(b"&") >= FIELDS_LIMIT:
            raise InputError.of("form", f"has more than {FIELDS_LIMIT:,} fields")
        for pair in body.replace(b"+", b" ").split(b"&"):
            name, _, value = pair.partition(b"=")
            _require_text(unquote_to_bytes(name), unquote_to_bytes(value))
    elif request.mimetype == "multipart/form-data":
        for key, text in request.form.items(multi=True):
            # What the library reads of a part that does not say its name.
            if key is None:
                raise InputError.of("form", "has a part without a name")
            if _REPLACEMENT in key + text:
                raise _broken(key)


def _require_text(name: bytes, value: bytes) -> None:
    try:
        name.decode()
        value.decode()
    except UnicodeDecodeError:
        raise _broken(name.decode("utf-8", "replace")) from None


def _broken(name: str) -> InputError:
    return InputError.of(name[:_SHOWN_NAME], "is not valid text: its bytes are not UTF-8", "naïve")
