from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.rules import APP, APP_RULES, ROOT, TEST_RULES, Source, function_lines, sources

EXCEPTIONS = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text()).get("exception", [])
#: A few lines that break the rule of that name, to prove that the rule would notice.
BREAKERS = {
    "commit": ("services/x.py", "session.commit()"),
    "clock": ("services/x.py", "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
    "environment": ("services/x.py", "import os\nhome = os.environ['HOME']"),
    "print": ("services/x.py", "print('x')"),
    "long-file": ("services/x.py", "x = 1\n" * 401),
    "long-function": ("services/x.py", "def f():\n" + "    x = 1\n" * 61),
    "long-route": ("web/pages/x.py", "@pages.get('/')\ndef f():\n" + "    x = 1\n" * 16),
    "empty-name": ("services/utils.py", "x = 1"),
    "silent-except": ("services/x.py", "try:\n    x = 1\nexcept OSError:\n    pass"),
    "partial": ("web/pages/x.py", "render_template('tasks/_row.html')"),
    "sleep": ("tests/x.py", "import time\ntime.sleep(1)"),
    "mock": ("tests/x.py", "from unittest.mock import Mock"),
}
ALLOWED = {(entry["rule"], entry["where"]) for entry in EXCEPTIONS}


def findings(name: str, rule: rules.Rule, files: Iterable[Source]) -> list[str]:
    return [f"{where} ({what})" for source in files for where, what in rule(source) if (name, where) not in ALLOWED]


@pytest.mark.parametrize("name", APP_RULES)
def test_the_code_keeps_the_rule(name: str) -> None:
    broken = findings(name, APP_RULES[name], sources(APP))

    assert not broken, f"{APP_RULES[name].__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize("name", TEST_RULES)
def test_the_tests_keep_the_rule(name: str) -> None:
    broken = findings(name, TEST_RULES[name], sources(ROOT / "tests"))

    assert not broken, f"{TEST_RULES[name].__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize("name", BREAKERS)
def test_the_rule_notices_a_breach(name: str) -> None:
    path, text = BREAKERS[name]
    rule = {**TEST_RULES, **APP_RULES}[name]

    assert list(rule(Source(APP / path, text)))


def test_nine_of_ten_functions_are_short() -> None:
    lengths = sorted(function_lines(function) for source in sources(APP) for _, function in source.functions)

    assert lengths[int(len(lengths) * 0.9)] <= rules.P90_FUNCTION_LINES


def excuse_fault(entry: dict[str, str]) -> str | None:
    in_app = entry["where"].startswith("app/")
    rule = (APP_RULES if in_app else TEST_RULES).get(entry["rule"])
    if rule is None:
        return "there is no such rule"
    if len(entry["why"].split()) < 6:
        return "an exception needs a sentence that says why"
    places = {where for source in sources(APP if in_app else ROOT / "tests") for where, _ in rule(source)}
    return None if entry["where"] in places else "the place keeps the rule by now; remove the entry"


def test_every_exception_is_explained_and_still_needed() -> None:
    faults = {f"{entry['rule']}: {entry['where']}": excuse_fault(entry) for entry in EXCEPTIONS}

    assert not [fault for fault in faults.items() if fault[1]]


@pytest.mark.parametrize(
    "entry",
    [
        {"rule": "no-such-rule", "where": "app/x.py", "why": "a sentence of more than six words"},
        {"rule": "print", "where": "app/x.py", "why": "because"},
        {"rule": "print", "where": "app/x.py", "why": "a sentence of more than six words"},
    ],
    ids=["unknown", "unexplained", "not needed"],
)
def test_a_bad_exception_is_noticed(entry: dict[str, str]) -> None:
    assert excuse_fault(entry)
