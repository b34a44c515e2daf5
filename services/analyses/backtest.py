"""How well the forecast would have done: made from what was known each year, held against what was told later, beside "no change"."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

import numpy as np

from services.ai.grounding.ground import Score, Share, Unit
from services.analyses.case import Part
from services.analyses.history import Move, Point
from services.analyses.reference import Outcomes, Reference

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
SHARES = (LOW, MIDDLE, HIGH)
MOST_CASES = 3_000  # of the newest: more tell nothing new


class Skill(Part):
    """`loss` is the pinball loss over the interval and its middle: the lower the better. `covered` should be 80 %.

    `error` and `naive_error` are mean absolute errors of the middle: days, or logarithms of costs.
    """

    cases: Annotated[int, Unit("count", ("case", "cases", "forecast", "forecasts"))]
    error: Score
    naive_error: Score
    loss: Score
    naive_loss: Score
    gain: Share
    covered: Share
    brier: Score
    naive_brier: Score


@dataclass(frozen=True, slots=True)
class Trial:
    """One forecast and what came of it."""

    low: float
    middle: float
    high: float
    chance: float
    actual: float


def skill_of_days(moves: Sequence[tuple[int, Move]]) -> Skill | None:
    """Of end dates; the chance is that of no delay."""
    return _skill(_trials(moves, lambda move: move.days, Reference.days_after))


def skill_of_costs(moves: Sequence[tuple[int, Move]]) -> Skill | None:
    """Of whole-life costs; the chance is that of no growth."""
    return _skill(_trials(moves, lambda move: move.growth, Reference.growth_after))


def _trials(
    moves: Sequence[tuple[int, Move]],
    actual: Callable[[Move], float | None],
    forecast: Callable[[Reference, Point, int], Outcomes | None],
) -> list[Trial]:
    """One a change that began in a year of which enough was known."""
    trials: list[Trial] = []
    whole = Reference.of(moves)
    newest = sorted(moves, key=lambda told: (-told[1].first.year, told[0]))[:MOST_CASES]
    for (key, origin), told in groupby(newest, key=lambda told: (told[0], told[1].first.year)):
        known = whole.known(by=origin, besides=key)
        for _, move in told:
            came, made = actual(move), forecast(known, move.first, move.years)
            if came is not None and made is not None:
                low, middle, high = made.quantiles(SHARES)
                trials.append(Trial(low, middle, high, made.share_at_most(0.0), float(came)))
    return trials


def _skill(trials: list[Trial]) -> Skill | None:
    if not trials:
        return None
    told = np.array([(t.low, t.middle, t.high, t.chance, t.actual) for t in trials])
    actual, kept = told[:, 4], told[:, 4] <= 0
    loss = sum(_pinball(actual, told[:, n], share) for n, share in enumerate(SHARES))
    naive = sum(_pinball(actual, np.zeros_like(actual), share) for share in SHARES)
    return Skill(
        cases=len(trials),
        error=round(float(np.abs(actual - told[:, 1]).mean()), 4),
        naive_error=round(float(np.abs(actual).mean()), 4),
        loss=round(loss, 4),
        naive_loss=round(naive, 4),
        gain=round(1 - loss / naive, 4) if naive else 0.0,
        covered=round(float(((actual >= told[:, 0]) & (actual <= told[:, 2])).mean()), 4),
        brier=round(float(((told[:, 3] - kept) ** 2).mean()), 4),
        naive_brier=round(float((1.0 - kept).mean()), 4),
    )


def _pinball(actual: np.ndarray, told: np.ndarray, share: float) -> float:
    off = actual - told
    return float(np.maximum(share * off, (share - 1) * off).mean())
