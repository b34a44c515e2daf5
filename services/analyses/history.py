"""What was told of a project year by year, in whole units of money and steps of the rating."""

import re
from dataclasses import dataclass
from datetime import date
from math import log

from services.records import Project

RATINGS = {"green": 1, "ambergreen": 2, "amber": 3, "amberred": 4, "red": 5}
MINOR = 100  # of every currency that records know


@dataclass(frozen=True, slots=True)
class Point:
    """One report. `rating` is 1 (green) to 5 (red), `variance` forecast over budget of that year."""

    year: int
    start: date | None
    end: date | None
    cost: float | None
    rating: int | None
    rating_told: str | None
    budget: float | None
    forecast: float | None
    variance: float | None

    @property
    def left_years(self) -> float | None:
        """Years until the end, from the middle of the reported year."""
        return None if self.end is None else (self.end - date(self.year, 7, 1)).days / 365.25


@dataclass(frozen=True, slots=True)
class Move:
    """What changed between two reports of a project, `years` apart."""

    first: Point
    last: Point

    @property
    def years(self) -> int:
        return self.last.year - self.first.year

    @property
    def days(self) -> int | None:
        return None if self.first.end is None or self.last.end is None else (self.last.end - self.first.end).days

    @property
    def growth(self) -> float | None:
        """Of the whole-life cost, as a logarithm, so that doubling and halving are the same distance."""
        told = self.first.cost, self.last.cost
        return log(told[1] / told[0]) if told[0] and told[1] and min(told[0], told[1]) > 0 else None


def points(project: Project) -> tuple[Point, ...]:
    """Every yearly report, oldest first."""
    return tuple(
        Point(
            told.year, told.start, told.end, _whole(told.whole_life_minor), level(told.rating), told.rating,
            _whole(told.budget_minor), _whole(told.forecast_minor),
            None if told.variance_percent is None else float(told.variance_percent) / 100,
        )
        for told in sorted(project.years, key=lambda told: told.year)
    )  # fmt: skip


def moves(told: tuple[Point, ...]) -> list[Move]:
    """Every pair of reports, near and far."""
    return [Move(first, last) for n, first in enumerate(told) for last in told[n + 1 :]]


def level(rating: str | None) -> int | None:
    """1 to 5; None for a rating that is no colour ("Reset", "Exempt")."""
    return RATINGS.get(re.sub(r"[^a-z]", "", (rating or "").casefold()))


def slip_days(project: Project) -> int | None:
    """How far the end has moved from the first plan."""
    if project.end_planned is None or project.end_current is None:
        return None
    return (project.end_current - project.end_planned).days


def cost_growth(project: Project) -> float | None:
    """How much the whole-life cost has grown since it was first told; where nothing is told by year, forecast over budget."""
    told = [point.cost for point in points(project) if point.cost is not None and point.cost > 0]
    if len(told) > 1:
        return told[-1] / told[0] - 1
    if not project.years and project.budget_minor and project.forecast_minor is not None and project.budget_minor > 0:
        return project.forecast_minor / project.budget_minor - 1
    return None


def cost_of(project: Project) -> float | None:
    """The whole-life cost as last told."""
    return _whole(project.whole_life_minor)


def variance_of(project: Project) -> float | None:
    return None if project.variance_percent is None else float(project.variance_percent) / 100


def _whole(minor: int | None) -> float | None:
    return None if minor is None else minor / MINOR
