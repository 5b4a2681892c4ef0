"""Errors: their words, their codes, and the exit codes that the README promises."""

from __future__ import annotations

import pytest

from watchbell import errors
from watchbell.errors import Conflict, InputError, Problem, WatchbellError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WatchbellError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_without_words_says_what_its_kind_means(kind: type[WatchbellError]) -> None:
    error = kind()

    assert error.message == str(error) == kind.__doc__
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EXIT_OK", 0),
        ("EXIT_FAILURE", 1),
        ("EXIT_USAGE", 2),
        ("EXIT_NOT_RUNNING", 3),
        ("EXIT_ALREADY_RUNNING", 4),
        ("EXIT_NOT_FOUND", 5),
        ("EXIT_CONFLICT", 6),
        ("EXIT_UNAVAILABLE", 69),
        ("EXIT_CONFIG", 78),
    ],
)
def test_exit_codes_stay_what_scripts_rely_on(name: str, code: int) -> None:
    assert getattr(errors, name) == code


def test_no_two_kinds_share_a_word_and_an_exit_code_only_with_what_they_are_a_kind_of() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    # Only programs are refused by these, whose answers have a status of their own.
    of_commands = set(KINDS) - {errors.VersionRequired, errors.TooMany, errors.TooManyTries}
    # This one is met by schedulers among themselves, which go on after it.
    of_commands -= {errors.LeaseLost}
    # To a program it is a collision with what there is, to whoever is at the shell a setting that has to be mended.
    assert errors.KeyTrouble.exit_code == errors.ConfigError.exit_code
    of_commands -= {errors.KeyTrouble}
    for kind in of_commands:
        for other in of_commands:
            assert kind.exit_code != other.exit_code or issubclass(kind, other) or issubclass(other, kind)


def test_an_input_error_tells_all_its_problems_in_one_line() -> None:
    error = InputError(Problem("name", "is required", "backup"), Problem("zone", "is unknown"))

    assert error.message == "name: is required (for example: backup); zone: is unknown"


def test_input_errors_can_be_joined() -> None:
    joined = InputError.joined([InputError.of("a", "is wrong"), InputError.of("b", "is wrong", "1")])

    assert [(p.field, p.example) for p in joined.problems] == [("a", None), ("b", "1")]


def test_an_error_keeps_the_words_that_it_was_given() -> None:
    assert Conflict("name: taken").message == "name: taken"
    assert Conflict().code == "conflict"
