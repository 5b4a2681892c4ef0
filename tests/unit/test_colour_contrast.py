"""Every text colour of tokens.css can be read on every ground it stands on, in both themes (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).resolve().parents[2] / "static/css/tokens.css"
PAIR = re.compile(r"--wb-([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
SINGLE = re.compile(r"--wb-([\w-]+): (#[0-9a-f]{6});")
#: On these no text stands by itself.
NOT_TEXT = {"ground", "surface", "raised", "line", "control-line", "bar", "on-brand"}
GROUNDS = ("ground", "surface", "raised")


def palette(theme: int) -> dict[str, str]:
    text = TOKENS.read_text()
    return {name: (light, dark)[theme] for name, light, dark in PAIR.findall(text)} | dict(SINGLE.findall(text))


THEMES = {"light": palette(0), "dark": palette(1)}


def luminance(colour: str) -> float:
    channels = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def mixed(colour: str, share: float, ground: str) -> str:
    parts = [round(int(colour[n : n + 2], 16) * share + int(ground[n : n + 2], 16) * (1 - share)) for n in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_palette_was_read() -> None:
    assert THEMES["light"]["failed"] == "#b42318"
    assert THEMES["dark"]["failed"] == "#ff8a80"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", THEMES)
def test_text_colours_stand_out_from_every_ground(theme: str) -> None:
    colours = THEMES[theme]
    texts = [name for name in colours if name not in NOT_TEXT and not name.startswith("sgr-")]
    weak = [
        f"{text} on {ground}: {ratio:.2f}"
        for text in texts
        for ground in GROUNDS
        if (ratio := contrast(colours[text], colours[ground])) < 4.5
    ]

    assert len(texts) > 12
    assert not weak


@pytest.mark.parametrize("theme", THEMES)
def test_text_on_the_main_button_and_controls_stand_out(theme: str) -> None:
    colours = THEMES[theme]

    assert contrast(colours["on-brand"], colours["brand"]) >= 4.5
    assert contrast(colours["control-line"], colours["surface"]) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_the_header_can_be_read_in_both_themes(theme: str) -> None:
    """Its text always has the dark theme's colours."""
    bar = THEMES[theme]["bar"]

    assert [
        name for name in ("ink", "muted", "succeeded", "failed", "lost") if contrast(THEMES["dark"][name], bar) < 4.5
    ] == []


@pytest.mark.parametrize("theme", THEMES)
def test_hovered_selected_and_tinted_rows_can_still_be_read(theme: str) -> None:
    colours = THEMES[theme]
    hovered = mixed(colours["ink"], 0.05, colours["surface"])
    selected = mixed(colours["link"], 0.09, colours["surface"])
    states = (
        "succeeded",
        "failed",
        "timed-out",
        "lost",
        "running",
        "waiting",
        "missed",
        "skipped",
        "cancelled",
        "link",
        "muted",
    )

    assert [name for name in states if contrast(colours[name], hovered) < 4.5] == []
    assert [name for name in states if contrast(colours[name], selected) < 4.5] == []
    assert contrast(colours["ink"], mixed(colours["failed"], 0.09, colours["surface"])) >= 4.5


@pytest.mark.parametrize("number", range(8))
def test_the_colours_of_a_command_can_be_read_in_the_terminal(number: int) -> None:
    colours = THEMES["dark"]

    assert contrast(colours[f"sgr-{number}"], "#0e1620") >= 4.5
    assert contrast(colours["ink"], mixed(colours[f"sgr-{number}"], 0.25, "#0e1620")) >= 4.5
