"""Dead letters are grouped by what went wrong, not by which row it was."""

import json
from types import TracebackType

import pytest

from services.errors import BadInput
from services.jobs import fingerprint
from services.jobs.truth import as_json

PLACE = "workers/rollups.py:rebuild"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row 17 of 20 is bad", "row 3 of 9000 is bad"),
        ("no file '/tmp/a b'", 'no file "/var/c"'),
        ("job 0f8fad5b-d9cb-469f-a165-70867728950e", "job 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("at 2026-01-02T03:04:05.678", "at 2027-11-12T13:14:15.9"),
        ("object at 0x7f3a", "object at 0xDEADBEEF"),
        ("hash deadbeef00c0ffee", "hash 0123456789abcdef"),
        ("two\n  lines", "two lines"),
        ("x" * 2_000, "x" * 3_000),
    ],
)
def test_errors_that_differ_only_in_names_and_numbers_are_one(one: str, other: str) -> None:
    assert fingerprint.of("ValueError", one, PLACE) == fingerprint.of("ValueError", other, PLACE)


def test_another_class_other_words_or_another_place_are_another_error() -> None:
    told = [
        ("ValueError", "a bad row", PLACE),
        ("KeyError", "a bad row", PLACE),
        ("ValueError", "a good row", PLACE),
        ("ValueError", "a bad row", ""),
    ]
    assert len({fingerprint.of(*one) for one in told}) == 4


def trace(cause: object) -> TracebackType | None:
    try:
        as_json(cause) if cause else json.loads("{")
    except (BadInput, ValueError) as error:
        return error.__traceback__
    return None


def test_it_names_the_innermost_place_of_ours() -> None:
    assert fingerprint.own_frame(trace(object())) == "services/jobs/truth.py:as_json"
    assert fingerprint.own_frame(trace(None)) == "tests/services/jobs/test_fingerprint.py:trace"  # json is not ours
    assert fingerprint.own_frame(None) == ""
