"""A project, with what was told of it each year where its source reports by year."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class ProjectYear:
    """What one yearly report told: budget and forecast are of that year, in minor units of the project's currency."""

    year: int
    name: str
    department: str | None
    start: date | None
    end: date | None
    status: str | None
    rating: str | None
    budget_minor: int | None
    forecast_minor: int | None
    variance_percent: Decimal | None
    whole_life_minor: int | None
    narrative: str | None
    imported_at: datetime
    unknown: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """One project. Money is in minor units (pence, cents) of `currency`.

    Where there are years, everything is as the newest of them tells, but for the planned dates, which are those of the first.
    Budget and forecast are then of that year, `whole_life_minor` of all of it. `variance_percent` is forecast over budget: +5 is
    five per cent more than planned, whichever way the source writes it. `unknown` tells why a field is None where the source says
    why; `content_hash` changes when any fact does.
    """

    id: int
    source: str
    source_id: str | None
    name: str
    department: str | None
    category: str | None
    description: str | None
    start_planned: date | None
    start_current: date | None
    end_planned: date | None
    end_current: date | None
    status: str | None
    rating: str | None
    currency: str | None
    budget_minor: int | None
    forecast_minor: int | None
    variance_percent: Decimal | None
    whole_life_minor: int | None
    narrative: str | None
    content_hash: str
    imported_at: datetime
    attributes: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    years: tuple[ProjectYear, ...] = ()
    kind: ClassVar[Literal["projects"]] = "projects"


NAMES = tuple(one.name for one in fields(Project) if one.name != "years")
FACTS = (
    "source_id", "name", "department", "category", "description", "start_planned", "start_current", "end_planned", "end_current",
    "status", "rating", "currency", "budget_minor", "forecast_minor", "variance_percent", "whole_life_minor", "narrative",
)  # fmt: skip
YEARLY = ("name", "department", "status", "rating", "budget_minor", "forecast_minor", "whole_life_minor", "narrative")


def from_row(row: Row[Any]) -> Project:
    """The project of a row that has NAMES and `years`, a list of JSON objects."""
    return Project(**{name: getattr(row, name) for name in NAMES}, years=tuple(year_of(told) for told in row.years))


def year_of(told: Mapping[str, Any]) -> ProjectYear:
    """A year as the database tells it in JSON."""
    facts = told["facts"]
    variance = facts.get("variance_percent")
    return ProjectYear(
        year=told["year"],
        start=_day(facts.get("start_current")),
        end=_day(facts.get("end_current")),
        variance_percent=None if variance is None else Decimal(variance),
        unknown=told["unknown"],
        imported_at=datetime.fromisoformat(told["imported_at"]),
        **{name: facts.get(name) for name in YEARLY},
    )


def _day(told: str | None) -> date | None:
    return None if told is None else date.fromisoformat(told)
