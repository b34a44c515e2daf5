"""The difference of two products, told as what each of their factors adds: in fractions, so that nothing is lost.

The factors are changed one after the other, once from the first to the last and once the other way, and a factor adds the mean of both.
That sums to the difference whatever the numbers are, and the same two ranges in the other order give the same steps with the other sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul

Factors = Sequence[Fraction | None]  # None where a factor has no meaning because one before it is zero
ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Step:
    """`amount` in the smallest unit of what is split; `name` is stable, `label` is for people."""

    name: str
    label: str
    amount: int


def added(before: Factors, after: Factors) -> list[Fraction]:
    """What each factor adds to product(after) - product(before). One that has a meaning on one side only did not change."""
    pairs = [_alike(old, new) for old, new in zip(before, after, strict=True)]
    old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    old_ahead, new_ahead = _ahead(old), _ahead(new)
    old_behind, new_behind = _ahead(old[::-1])[::-1], _ahead(new[::-1])[::-1]
    return [
        (new[at] - old[at]) * (new_ahead[at] * old_behind[at] + old_ahead[at] * new_behind[at]) / 2 if new[at] != old[at] else Fraction(0)
        for at in range(len(pairs))
    ]


def whole(parts: Mapping[str, Fraction], total: int) -> dict[str, int]:
    """Parts of a whole number rounded to whole numbers that still sum to it: what rounding leaves goes to the largest."""
    if abs(sum(parts.values(), Fraction(0)) - total) > 1:
        raise AssertionError(f"The steps sum to {sum(parts.values(), Fraction(0))}, not to {total}.")
    rounded = {name: round(part) for name, part in parts.items()}
    left = total - sum(rounded.values())
    if left:
        largest = max(parts, key=lambda name: abs(parts[name]))
        rounded[largest] += left
    return rounded


def share(part: int, of: int) -> Fraction | None:
    """None of nothing."""
    return Fraction(part, of) if of else None


def _alike(old: Fraction | None, new: Fraction | None) -> tuple[Fraction, Fraction]:
    if old is None:
        old = new
    if new is None:
        new = old
    return (ONE, ONE) if old is None or new is None else (old, new)


def _ahead(factors: Sequence[Fraction]) -> list[Fraction]:
    """For each factor the product of those before it."""
    return list(accumulate(factors[:-1], mul, initial=ONE))
