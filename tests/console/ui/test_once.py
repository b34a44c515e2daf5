"""Made once of the same object, and of no other that merely looks like it."""

import gc

import numpy as np
import pytest

from console.ui import once as shared
from console.ui.once import LARGEST, MOST, once

CALLS: list[list[int]] = []


@pytest.fixture(autouse=True)
def afresh() -> None:
    CALLS.clear()
    shared._MADE.clear()


def total(numbers: list[int], /, times: int = 1, names: tuple[str, ...] | list[str] = (), **_: object) -> list[int]:
    CALLS.append(numbers)
    return [sum(numbers) * times, *map(len, names)]


def test_the_same_object_and_arguments_make_one() -> None:
    numbers = [1, 2]
    first = once(total, numbers, 2, names=["a"])
    assert first == [6, 1]
    assert once(total, numbers, 2, names=["a"]) is first
    assert once(total, numbers, 2, names=["b"]) is not first
    assert once(total, numbers, 3, names=["a"]) == [9, 1]
    assert once(total, numbers, also={"b": 1, "a": [2]}) is once(total, numbers, also={"a": [2], "b": 1})
    assert len(CALLS) == 4


def test_an_equal_object_is_another() -> None:
    assert once(total, [1, 2]) is not once(total, [1, 2])
    for n in range(200):  # memory that is used again gives no object the figure of one before it
        assert once(total, [n, n]) == [2 * n]
        gc.collect(0)


def test_what_is_drawn_of_very_much_is_not_kept() -> None:
    large = np.zeros(LARGEST + 1)
    assert once(np.sum, large) == 0
    assert not shared._MADE


def test_only_the_latest_are_kept() -> None:
    numbers = [1]
    first = once(total, numbers)
    for _ in range(MOST):
        once(total, [1])
    assert once(total, numbers) is not first
    assert len(shared._MADE) == MOST
