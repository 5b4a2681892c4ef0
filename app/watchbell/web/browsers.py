"""What a browser says of itself, in the few words by which its owner knows it again."""

from __future__ import annotations

import re

from watchbell.web.i18n import _

#: Whose mark is found first it is: browsers name those they are made from, and those they want to pass for, too.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?(?:iOS)?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:Headless)?(?:Chrome|CriOS|Chromium)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)[.\d]* (?:Mobile/\w+ )?Safari/")),
)
_SYSTEMS = (
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
#: A program that is no browser names itself first.
_PROGRAM = re.compile(r"[A-Za-z][\w.-]{0,30}/\d[\w.]{0,15}\b")


def browser_words(agent: str) -> str:
    """Return such as "Firefox 132 on Linux" for a User-Agent header; the header itself where nothing in it is known."""
    for name, pattern in _BROWSERS:
        if found := pattern.search(agent):
            browser = f"{name} {found[1]}"
            system = next((name for mark, name in _SYSTEMS if mark in agent), "")
            return _("%(browser)s on %(system)s", browser=browser, system=system) if system else browser
    program = _PROGRAM.match(agent)
    return program[0] if program and not agent.startswith("Mozilla/") else agent
