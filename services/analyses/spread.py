"""How a value lies among others: by ranks and medians, which a few wild values do not move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

FEWEST = 8  # among fewer, nothing can be called unusual
TO_SIGMA = 1.4826  # of the median absolute deviation, for a bell curve


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the width of some values."""

    n: int
    median: float
    scale: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], floor: float = 0.0) -> Self | None:
        """None of too few. `floor` is the least width: where most values are the same, a small step is not a wild one."""
        if len(values) < FEWEST:
            return None
        told = np.asarray(values, dtype=np.float64)
        median = float(np.median(told))
        scale = TO_SIGMA * float(np.median(np.abs(told - median)))
        low, high = (float(edge) for edge in np.quantile(told, (0.025, 0.975)))
        return cls(len(values), median, max(scale, floor), low, high)

    def score(self, value: float) -> float | None:
        """Robust widths from the middle; None where there is no width."""
        return (value - self.median) / self.scale if self.scale > 0 else None


def share_below(value: float, values: Sequence[float]) -> float | None:
    """The share of values that are smaller, ties counted half; None of too few."""
    if len(values) < FEWEST:
        return None
    told = np.asarray(values, dtype=np.float64)
    return float((np.count_nonzero(told < value) + 0.5 * np.count_nonzero(told == value)) / len(told))
