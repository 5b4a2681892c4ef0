"""When a task that runs after others has its turn: joins, what counts as which end, loops, and what is typed of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain import chains
from watchbell.domain.chains import ALL, ANY, After, On, Turnout
from watchbell.domain.run_state import FINAL, RunState
from watchbell.errors import InputError

OK, BAD, SKIPPED = RunState.SUCCEEDED, RunState.FAILED, RunState.SKIPPED
WAIT, START, SKIP = Turnout.WAIT, Turnout.START, Turnout.SKIP


@pytest.mark.parametrize(
    ("on", "counting"),
    [
        (On.SUCCEEDED, {RunState.SUCCEEDED}),
        (On.FAILED, {RunState.FAILED, RunState.TIMED_OUT, RunState.LOST}),
        (On.FINISHED, {RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.LOST}),
    ],
)
def test_what_never_started_or_was_cancelled_counts_as_no_end_at_all(on: On, counting: set[RunState]) -> None:
    assert {state for state in FINAL if chains.counts(on, state)} == counting


@pytest.mark.parametrize(
    ("join", "states", "turnout"),
    [
        (ALL, [], WAIT),
        (ALL, [OK, OK], WAIT),
        (ALL, [OK, OK, OK], START),
        # One that failed decides it, but the row names all that are known by then.
        (ALL, [OK, BAD], WAIT),
        (ALL, [OK, BAD, OK], SKIP),
        (ALL, [SKIPPED, OK, OK], SKIP),
        (ANY, [BAD], WAIT),
        (ANY, [BAD, OK], START),
        (ANY, [OK], START),
        (ANY, [BAD, SKIPPED, BAD], SKIP),
        ("2", [OK], WAIT),
        ("2", [OK, BAD], WAIT),
        ("2", [OK, BAD, OK], START),
        ("2", [OK, BAD, BAD], SKIP),
        ("2", [OK, OK], START),
        # A parent was deleted since the number was chosen.
        ("5", [OK, OK, OK], SKIP),
    ],
)
def test_a_join_of_three_parents(join: str, states: list[RunState], turnout: Turnout) -> None:
    wanted = dict.fromkeys((1, 2, 3), On.SUCCEEDED)

    assert chains.judge(join, wanted, dict(enumerate(states, 1))) is turnout


def test_each_parent_counts_by_the_end_that_is_asked_of_it() -> None:
    wanted = {1: On.SUCCEEDED, 2: On.FAILED, 3: On.FINISHED}

    assert chains.judge(ALL, wanted, {1: OK, 2: BAD, 3: BAD}) is START
    assert chains.judge(ALL, wanted, {1: OK, 2: OK, 3: OK}) is SKIP


_ENDS = st.dictionaries(st.integers(1, 6), st.sampled_from(sorted(FINAL)))


@given(
    st.dictionaries(st.integers(1, 6), st.sampled_from(sorted(On)), min_size=1),
    st.sampled_from([ALL, ANY, "1", "2", "3"]),
    _ENDS,
    _ENDS,
)
def test_a_chain_never_starts_a_child_before_its_condition_holds(
    wanted: dict[int, On], join: str, ends: dict[int, RunState], more: dict[int, RunState]
) -> None:
    known = {parent: state for parent, state in ends.items() if parent in wanted}
    later = {**{parent: state for parent, state in more.items() if parent in wanted}, **known}
    good = sum(chains.counts(wanted[parent], state) for parent, state in known.items())
    most = {ALL: len(wanted), ANY: 1}.get(join) or int(join)

    turnout = chains.judge(join, wanted, known)

    assert (turnout is START) == (good >= most)
    assert (turnout is WAIT) == (good < most and len(known) < len(wanted))
    if turnout is not WAIT:
        # Further ends take nothing back that has been decided.
        assert turnout is SKIP or chains.judge(join, wanted, later) is START


@pytest.mark.parametrize(
    ("parents", "loop"),
    [
        ({"a": ["b"], "b": ["c"]}, []),
        ({"a": ["a"]}, ["a"]),
        ({"a": ["b"], "b": ["a"]}, ["a", "b"]),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ["a", "b", "c"]),
        # The shorter way round is told, and a diamond is none.
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["e"]}, []),
        ({"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"]}, ["a", "d"]),
        # Somebody else's loop is not this task's.
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, []),
    ],
)
def test_a_loop_is_found_and_told_in_the_order_in_which_it_would_run(
    parents: dict[str, list[str]], loop: list[str]
) -> None:
    assert chains.find_loop(parents, "a") == loop


def test_a_loop_in_words_ends_where_it_begins() -> None:
    assert chains.say_loop(["import", "report"]) == "import → report → import"


def test_parents_stand_before_their_children_and_the_rest_in_its_order() -> None:
    parents = {"report": ["import", "check"], "check": ["import"], "mail": ["report"]}

    assert chains.in_order(parents, ["mail", "report", "other", "check"]) == ["check", "report", "mail", "other"]


def test_all_that_comes_after_a_task_is_found_through_any_number_of_steps() -> None:
    assert chains.reachable({1: [2, 3], 2: [4], 3: [4], 5: [1]}, 1) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        (None, ()),
        ("", ()),
        ("import\ncheck = failed\n", (After("import"), After("check", On.FAILED))),
        ("a = b", (After("a = b"),)),
        ([{"task": " import ", "on": "finished"}], (After("import", On.FINISHED),)),
        ([{"task": "import"}, "check=failed"], (After("import"), After("check", On.FAILED))),
    ],
)
def test_what_is_typed_of_parents_is_read(given_: object, found: tuple[After, ...]) -> None:
    assert chains.build_after(given_) == found
    assert chains.after_from_json([one.to_json() for one in found]) == found


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        (5, "must be a list of objects with task and on"),
        ([{"task": ""}], "entry 1: needs the name of a task"),
        ([{"task": "a", "on": "well"}], "entry 1: its end must be one of succeeded, failed, finished"),
        ([{"task": "a", "when": "x"}], "entry 1: has other fields"),
        ([{"task": 5}], "entry 1: must be an object"),
        (["a", "a = failed"], "entry 2: task 'a' stands there twice"),
        (["a"] * 101, "at most 100"),
    ],
)
def test_what_cannot_be_parents_is_refused(given_: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        chains.build_after(given_)


@pytest.mark.parametrize(
    ("given_", "join"), [(None, ALL), ("", ALL), (" Any ", ANY), ("2", "2"), (3, "3"), ("007", "7")]
)
def test_a_join_is_read(given_: object, join: str) -> None:
    assert chains.build_join(given_) == join


@pytest.mark.parametrize("given_", ["none", "0", "-1", "1.5", True, "1000", ["all"]])
def test_what_can_be_no_join_is_refused(given_: object) -> None:
    with pytest.raises(InputError, match="must be all, any, or how many"):
        chains.build_join(given_)


def test_more_parents_than_there_are_can_never_be_joined() -> None:
    assert chains.check_join("3", 2)
    assert not chains.check_join("2", 2)
    assert not chains.check_join(ALL, 0)
