"""What became of other projects: changes between two of their yearly reports, weighed by how like this project they were.

A project is like another when as much time was left, its rating was the same, and the reports are as many years apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan, log1p, nan

import numpy as np
import numpy.typing as npt

from services.analyses.history import Move, Point

# Widths of the weights, chosen on the UK yearly files by the pinball loss over rolling origins (tests/services/analyses/test_forecast.py).
LEFT_WIDTH, YEARS_WIDTH = 0.7, 0.4
OTHER_RATING, UNKNOWN_RATING, UNKNOWN_LEFT = 0.6, 0.8, 0.3
LEAST = 1e-3  # of the weight: any project teaches a little
FEWEST = 20  # changes, below which nothing is forecast
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """Changes, one a row: the key of the project, first and last year, log years left, rating, days of the end, log growth of the cost."""

    keys: npt.NDArray[np.int64]
    first: Array
    last: Array
    left: Array
    rating: Array
    days: Array
    growth: Array

    @classmethod
    def of(cls, moves: Iterable[tuple[int, Move]]) -> "Reference":
        rows = [
            (key, move.first.year, move.last.year, left_of(move.first), _known(move.first.rating), _known(move.days), _known(move.growth))
            for key, move in moves
        ]
        columns = np.array(rows, dtype=np.float64).reshape(len(rows), 7)
        return cls(columns[:, 0].astype(np.int64), *columns[:, 1:].T)

    def known(self, by: int, besides: int) -> "Reference":
        """What was known in a year about all projects but one."""
        keep = (self.last <= by) & (self.keys != besides)
        return Reference(
            self.keys[keep], self.first[keep], self.last[keep], self.left[keep], self.rating[keep], self.days[keep], self.growth[keep]
        )

    def days_after(self, start: Point, years: int) -> "Outcomes | None":
        """How many days ends move in so many years. A shorter change counts as if it went on at its pace: delays add up."""
        apart = self.last - self.first
        return self._outcomes(self.days * np.where(apart < years, years / np.maximum(apart, 1), 1.0), start, years)

    def growth_after(self, start: Point, years: int) -> "Outcomes | None":
        """How costs change, as logarithms. A shorter change counts as it is: costs are set anew rather than drift."""
        return self._outcomes(self.growth, start, years)

    def _outcomes(self, values: Array, start: Point, years: int) -> "Outcomes | None":
        told = ~np.isnan(values)
        if np.count_nonzero(told) < FEWEST:
            return None
        order = np.argsort(values[told], kind="stable")
        return Outcomes(values[told][order], self._weights(start, years)[told][order])

    def _weights(self, start: Point, years: int) -> Array:
        weights = np.exp(-np.abs((self.last - self.first) - years) / YEARS_WIDTH)
        left, rating = left_of(start), start.rating
        if not isnan(left):
            likeness = np.exp(-((np.nan_to_num(self.left) - left) ** 2) / (2 * LEFT_WIDTH**2))
            weights *= np.where(np.isnan(self.left), UNKNOWN_LEFT, likeness)
        if rating is not None:
            weights *= np.where(np.isnan(self.rating), UNKNOWN_RATING, np.where(self.rating == rating, 1.0, OTHER_RATING))
        return weights + LEAST


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Changes in their order, with weights."""

    values: Array
    weights: Array

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Values of the changes themselves, none in between."""
        reached = np.cumsum(self.weights) / self.weights.sum()
        return [float(self.values[min(int(np.searchsorted(reached, share)), len(self.values) - 1)]) for share in shares]

    def share_at_most(self, limit: float) -> float:
        """The weighted share, with one more change each way, so that nothing is ever certain."""
        n = float(self.weights.sum() ** 2 / (self.weights**2).sum())  # as many changes as would weigh the same
        share = float(self.weights[self.values <= limit].sum() / self.weights.sum())
        return (share * n + 1) / (n + 2)


def left_of(point: Point) -> float:
    """Time that is left, on a scale where a month more matters when little is left."""
    return nan if point.left_years is None else log1p(max(point.left_years, 0.0))


def _known(value: float | None) -> float:
    return nan if value is None else float(value)
