"""Student's t for whole degrees of freedom, in closed form: the spread of a forecast whose error was seen a dozen times."""

from functools import lru_cache
from math import atan, cos, inf, pi, sin, sqrt


def below(t: float, freedom: int) -> float:
    """P(T <= t) with `freedom` >= 1 degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    if t in (inf, -inf):
        return float(t > 0)
    angle = atan(t / sqrt(freedom))
    square = cos(angle) ** 2
    term = total = 1.0 if freedom % 2 == 0 else cos(angle)
    for k in range(2 if freedom % 2 == 0 else 3, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    if freedom % 2 == 0:
        return 0.5 + sin(angle) * total / 2
    return 0.5 + (angle + (sin(angle) * total if freedom > 1 else 0.0)) / pi


@lru_cache(maxsize=64)
def quantile(share: float, freedom: int) -> float:
    """The t below which T lies with probability `share`, 0 < share < 1; to nine digits."""
    low, high = -1.0, 1.0
    while below(low, freedom) > share:
        low *= 2
    while below(high, freedom) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, freedom) < share else (low, middle)
    return (low + high) / 2
