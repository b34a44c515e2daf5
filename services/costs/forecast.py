"""What will have been spent when a day or month ends: how the days before went, and how wrong that would have been.

Days to come are expected to be as the same weekdays of the last four weeks, or as the last fortnight while there are fewer. The error is
that of the same forecast made at up to twelve earlier days for as many days ahead, so the interval holds what such forecasts really did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt

import numpy as np
import numpy.typing as npt

from services.costs.student import below, quantile

WEEK, FORTNIGHT, FOUR_WEEKS = 7, 14, 28
ORIGINS = 12
FEWEST = 4  # back-tests below which nobody knows how good it is
INTERVAL = 0.8
Days = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spending:
    """What a forecast is made from, USD: whole days, oldest first, up to yesterday; today so far, and the share of today that is over."""

    today: date
    past: Sequence[float]
    so_far: float
    elapsed: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """USD at the end, with what holds it in four of five cases; `error` is the mean back-tested error as a share of what was spent.

    `low`, `high` and `error` are None where there are fewer than FEWEST back-tests, `error` also where nothing was spent in any of them:
    it would be a share of nothing. `trials` says how many there were.
    """

    spent: float
    expected: float
    low: float | None
    high: float | None
    error: float | None
    trials: int
    path: tuple[tuple[date, float], ...]  # what is expected to have been spent by the end of each day
    scale: float | None

    def chance_over(self, cap: float) -> float | None:
        """The probability that more than `cap` is spent; None where nobody knows."""
        if self.spent > cap:
            return 1.0
        if self.scale is None:
            return None
        if self.scale == 0:
            return float(self.expected > cap)
        return 1 - below((cap - self.expected) / self.scale, self.trials - 1)

    def exhausted_on(self, cap: float) -> date | None:
        """The first day by whose end more than `cap` is expected to be spent; None when that is not expected before the end."""
        return next((day for day, total in self.path if total > cap), None)


def forecast(known: Spending, spent_before: float, end: date) -> Forecast | None:
    """Until the day before `end`; `spent_before` is what the budget's earlier days used. None without a single whole day before today."""
    past = np.asarray(known.past, dtype=np.float64)
    days = (end - known.today).days
    if not len(past):
        return None
    ahead = _expected(past, days)
    ahead[0] *= 1 - known.elapsed
    spent = spent_before + known.so_far
    totals = spent + ahead.cumsum()
    errors, sums = _trials(past, days)
    path = tuple((known.today + timedelta(days=n), float(total)) for n, total in enumerate(totals))
    expected = float(totals[-1])
    if len(errors) < FEWEST:
        return Forecast(spent, expected, None, None, None, len(errors), path, None)
    # On a day that is half over, only half of it can still go wrong.
    left = sqrt((days - known.elapsed) / days)
    scale = float(np.sqrt((errors**2).mean()) * sqrt(1 + 1 / len(errors)) * left)
    reach = quantile((1 + INTERVAL) / 2, len(errors) - 1) * scale
    off = float(np.abs(errors).sum() / sums.sum()) if sums.any() else None
    return Forecast(spent, expected, max(expected - reach, spent), expected + reach, off, len(errors), path, scale)


def _expected(past: Days, days: int) -> Days:
    """What each of the next days is expected to cost."""
    if len(past) < FOUR_WEEKS:
        return np.full(days, past[-FORTNIGHT:].mean())
    week = past[-FOUR_WEEKS:].reshape(-1, WEEK).mean(axis=0)
    return np.resize(week, days)


def _trials(past: Days, days: int) -> tuple[Days, Days]:
    """What came minus what was expected over `days`, and what came, at earlier days spread over what is known."""
    begin = FOUR_WEEKS if len(past) >= FOUR_WEEKS + days + FEWEST else WEEK
    last = len(past) - days
    origins = np.unique(np.linspace(begin, last, ORIGINS).astype(int)) if last >= begin else np.array([], dtype=int)
    came = np.array([past[origin : origin + days].sum() for origin in origins])
    told = np.array([_expected(past[:origin], days).sum() for origin in origins])
    return came - told, came
