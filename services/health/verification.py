"""What comparing the rollups with the stored operations found: the last run, and the days that differ until they are compared again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from services.db import reading

NAMED = 3


@dataclass(frozen=True, slots=True)
class Verification:
    """Days [start, end) of the reporting zone; `differences` of `cells` were not what the stored operations say.

    `not_checked` days have no longer all of their operations stored.
    """

    at: datetime
    start: date
    end: date
    cells: int
    differences: int
    not_checked: int


def last() -> Verification | None:
    """None while nothing was ever compared."""
    with reading() as connection:
        told = connection.execute(text("select value from console_state where key = 'verify'")).scalar()
    if told is None:
        return None
    return Verification(
        datetime.fromisoformat(told["verified_at"]),
        date.fromisoformat(told["start"]),
        date.fromisoformat(told["end"]),
        told["cells"],
        told["differences"],
        told["not_checked"],
    )


def differing() -> Mapping[date, int]:
    """Days whose cells were not what the stored operations say when they were compared last, oldest first, with how many cells."""
    with reading() as connection:
        told = connection.execute(text("select value from console_state where key = 'differing_days'")).scalar() or {}
    return {date.fromisoformat(day): told[day] for day in sorted(told)}


def named(days: Mapping[date, int]) -> str:
    """The first of them, and how many there are beside."""
    first = ", ".join(str(day) for day in list(days)[:NAMED])
    more = len(days) - NAMED
    return first if more <= 0 else f"{first} and {more:,} more {'day' if more == 1 else 'days'}"
