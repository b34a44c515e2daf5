"""What the last comparison of the rollups with the stored operations found."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from services.db import transaction


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
    with transaction() as connection:
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
