"""The tables of states, policies and promises say what the code says."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.docs.pages import ROOT, links, rows, section, text_of
from watchbell.domain.permissions import Role, Scope, scopes_of
from watchbell.domain.policies import CatchUp, Overlap, Policies, Uncertain
from watchbell.domain.run_state import ACTIVE, FINAL, INITIAL, TRANSITIONS, RunState
from watchbell.domain.samples import METRICS
from watchbell.domain.schedule import DSTRule
from watchbell.domain.steps import StepState
from watchbell.services import tokens

STATES = section("docs/concepts.md", "## States of a run")
POLICIES = section("docs/concepts.md", "## Policies of a task")


def first_words(text: str) -> list[str]:
    """Return the code words that begin the rows of a text's tables."""
    return [row[0].strip("`") for row in rows(text) if row[0].startswith("`")]


def test_every_state_is_explained_once_and_stands_on_its_side() -> None:
    active, _, final = STATES.partition("Final states:")

    assert sorted(first_words(active)) == sorted(ACTIVE)
    assert sorted(first_words(final)) == sorted(FINAL)


def test_every_state_of_a_step_is_explained() -> None:
    told = rows(section("docs/steps.md", "## How a run of steps ends"))

    assert first_words(section("docs/steps.md", "## How a run of steps ends")) == list(StepState)
    assert all(row[1] for row in told)


def test_the_drawn_table_has_every_legal_move_and_no_other() -> None:
    table = rows(section("docs/architecture.md", "## The states of a run"))[1:]
    drawn = [(row[0].strip("`"), row[1].strip("`")) for row in table]

    born = [("(due)", str(state)) for state in INITIAL]
    moves = [(str(state), str(to)) for state, following in TRANSITIONS.items() for to in following]
    assert sorted(drawn) == sorted(born + moves)
    assert all(row[2] for row in table)


def test_every_state_is_in_the_drawing() -> None:
    drawing = section("docs/architecture.md", "## The states of a run").split("```")[1]

    assert set(RunState) <= set(re.findall(r"\w+", drawing))


def test_every_metric_is_explained_as_it_is_in_the_code() -> None:
    told = rows(text_of("docs/metrics.md").partition("\n## ")[0])[1:]

    assert [row[0].strip("`") for row in told] == list(METRICS)
    assert [(row[1].replace("\u2013", ""), row[2]) for row in told] == list(METRICS.values())


@pytest.mark.parametrize("field", dataclasses.fields(Policies), ids=lambda field: field.name)
def test_every_policy_is_explained(field) -> None:
    assert f"`{field.name}`" in POLICIES


@pytest.mark.parametrize("word", [*Overlap, *CatchUp, *Uncertain])
def test_every_word_of_a_policy_is_explained(word: str) -> None:
    assert f"`{word}`" in POLICIES


def test_the_defaults_of_the_policies_are_told() -> None:
    told = {row[0].split("`")[1]: row[2].strip("`") for row in rows(POLICIES)[1:]}
    ours = Policies()

    assert told["overlap"] == ours.overlap
    assert told["catch_up"] == ours.catch_up
    assert told["uncertain"] == ours.uncertain
    assert told["grace_seconds"] == str(ours.grace_seconds)
    assert told["spread_seconds"] == str(ours.spread_seconds)


def test_every_rule_for_clock_changes_is_explained() -> None:
    told = section("docs/concepts.md", "## Schedules")

    assert {row[0].split("`")[1] for row in rows(told) if row[0].startswith("`")} == set(DSTRule)


def test_every_role_stands_in_the_help_of_the_command_that_gives_it() -> None:
    assert all(f"`{role}`" in section("docs/cli.md", "## watchbell user add") for role in Role)


def test_each_promise_names_the_tests_that_hold_it() -> None:
    told = {row[0]: row for row in rows(section("README.md", "## What it promises")) if row[0].startswith("P")}
    explained = {row[0] for row in rows(section("docs/concepts.md", "## Promises")) if row[0].startswith("P")}

    assert set(told) == explained == {f"P{number}" for number in range(1, 9)}
    for row in told.values():
        files = re.findall(r"\(([^)]+\.py)\)", row[2])
        assert files
        assert all((ROOT / file).is_file() for file in files)
    assert links("README.md")
    assert "P9" not in text_of("README.md")


def test_every_scope_is_explained_with_the_roles_that_can_make_it() -> None:
    told = {row[0].strip("`"): row[2] for row in rows(section("docs/tokens.md", "## Scopes"))[1:]}

    makers = {scope.value: [role.value for role in Role if scope in scopes_of(role)] for scope in Scope}
    assert told == {scope: "all" if len(who) == len(Role) else ", ".join(who) for scope, who in makers.items()}


def test_the_numbers_told_of_tokens_are_those_of_the_code() -> None:
    told = text_of("docs/tokens.md")

    assert f"After {tokens.DEFAULT_LIFETIME.days} days" in told
    assert f"within {tokens.SOON.days} days" in told
    assert f"can have {tokens.MOST_PER_ACCOUNT} tokens" in told


def test_every_finding_of_the_doctor_is_explained() -> None:
    folder = ROOT / "app/watchbell/control/diagnosis"
    text = "".join(path.read_text() for path in [*folder.glob("*.py"), ROOT / "app/watchbell/cli/doctor.py"])
    codes = set(re.findall(r'Finding\(\s*"([a-z-]+)"', text)) | set(re.findall(r'"(task-[a-z-]+)": \(', text))

    told = section("docs/command-line.md", "## Find out what is wrong")

    assert len(codes) > 25
    assert {code for code in codes if f"`{code}`" not in told} == set()
