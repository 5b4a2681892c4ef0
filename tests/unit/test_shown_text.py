"""Which texts can be seen as a whole."""

from __future__ import annotations

import pytest

from watchbell.domain.shown_text import is_visible


@pytest.mark.parametrize(
    "text",
    [
        "backup",
        "Straße",
        "family \U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\U0001f469\U0001f3fd\u200d\U0001f4bb",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\u2764\ufe0f\u200d\U0001f525",
    ],
)
def test_joined_emoji_can_be_seen(text: str) -> None:
    assert is_visible(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a\u200db",
            "\u200d",
            "\U0001f469\u200d",
            "\u200d\U0001f469",
            "\U0001f469\u200d\u200d\U0001f467",
            "\U0001f469\u200dx",
        ),
        *("a\u200bb", "\u202eevil", "\u2066x\u2069", "\u200f", "line\nbreak", "\x1b[31m", "\ufeffx"),
    ],
)
def test_what_is_invisible_or_turns_the_direction_cannot(text: str) -> None:
    assert not is_visible(text)
