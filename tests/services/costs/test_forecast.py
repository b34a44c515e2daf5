"""A forecast of spending knows how wrong it may be."""

from datetime import date, timedelta

import numpy as np
import pytest

from services.costs.forecast import Spending, forecast
from services.costs.student import below, quantile

TODAY = date(2026, 3, 11)
END = date(2026, 4, 1)
WEEK = np.array([5.0, 6, 7, 6, 5, 1, 1])


def series(seed: int, days: int = 150, noise: float = 0.25) -> np.ndarray:
    chance = np.random.default_rng(seed)
    drift = np.exp(np.cumsum(chance.normal(0, 0.02, days)))
    return np.resize(WEEK, days) * drift * chance.lognormal(0, noise, days)


@pytest.mark.parametrize(
    ("freedom", "share", "t"), [(1, 0.9, 3.078), (2, 0.9, 1.886), (3, 0.95, 2.353), (11, 0.9, 1.363), (11, 0.975, 2.201)]
)
def test_t_is_that_of_the_tables(freedom: int, share: float, t: float) -> None:
    assert quantile(share, freedom) == pytest.approx(t, abs=6e-4)
    assert below(-t, freedom) == pytest.approx(1 - share, abs=2e-4)
    assert (below(float("inf"), freedom), below(float("-inf"), freedom)) == (1, 0)


def test_it_goes_on_as_the_weekdays_went() -> None:
    past = np.resize(WEEK, 70)  # the day after is a first of WEEK
    made = forecast(Spending(TODAY, past.tolist(), 2.5, 0.5), 40.0, END)
    assert made is not None
    ahead = np.resize(WEEK, 21)
    assert made.expected == pytest.approx(42.5 + ahead.sum() - 2.5)
    assert (made.low, made.high, made.error) == (made.expected, made.expected, 0)
    assert made.chance_over(made.expected - 1) == 1
    assert made.chance_over(made.expected + 1) == 0
    assert made.exhausted_on(42.5 + 2.5 + 6 + 0.5) == TODAY + timedelta(days=2)
    assert made.exhausted_on(1_000) is None
    assert made.exhausted_on(10) == TODAY


def test_its_interval_holds_what_it_says() -> None:
    held, over, told = [], [], []
    for seed in range(150):
        days = series(seed)
        past, coming = days[:-20], days[-20:]
        made = forecast(Spending(TODAY, past.tolist(), 0.0, 0.0), 0.0, TODAY + timedelta(days=20))
        assert made is not None
        assert made.low is not None
        assert made.high is not None
        came = coming.sum()
        held.append(made.low <= came <= made.high)
        for cap in (0.8, 0.95, 1.05, 1.2):
            chance = made.chance_over(cap * past[-20:].sum())
            assert chance is not None
            told.append(chance)
            over.append(came > cap * past[-20:].sum())
    assert 0.7 <= np.mean(held) <= 0.92
    chances, came_over = np.array(told), np.array(over)
    assert came_over[chances < 0.2].mean() < 0.25
    assert came_over[chances > 0.8].mean() > 0.75
    brier = ((chances - came_over) ** 2).mean()
    assert brier < 0.8 * (came_over.mean() * (1 - came_over.mean()))


def test_it_says_nothing_of_its_error_where_it_was_never_tried() -> None:
    made = forecast(Spending(TODAY, [1.0, 3.0], 1.0, 0.5), 4.0, END)
    assert made is not None
    assert made.expected == pytest.approx(4 + 1 + 1 + 20 * 2)
    assert (made.low, made.high, made.error, made.chance_over(100)) == (None, None, None, None)
    assert made.chance_over(4.5) == 1
    assert forecast(Spending(TODAY, [], 1.0, 0.5), 4.0, END) is None


def test_nothing_spent_is_a_forecast_of_nothing() -> None:
    made = forecast(Spending(TODAY, [0.0] * 90, 0.0, 0.3), 0.0, END)
    assert made is not None
    assert (made.expected, made.error, made.chance_over(1.0), made.exhausted_on(1.0)) == (0, None, 0, None)


def test_a_day_can_be_forecast_like_a_month() -> None:
    made = forecast(Spending(TODAY, series(3).tolist(), 2.0, 0.5), 0.0, TODAY + timedelta(days=1))
    assert made is not None
    assert made.low is not None
    assert made.high is not None
    assert 2.0 <= made.low < made.expected < made.high
