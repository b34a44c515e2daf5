"""When clocks show a time, found without the code under test: walk every minute in UTC and look at the clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1)
Minutes = npt.NDArray[np.int64]


def slots_by_walking(
    zone: ZoneInfo, times: Sequence[time], start: datetime, end: datetime, weekdays: Sequence[int] = range(1, 8)
) -> list[datetime]:
    """Slots in (start, end], both whole hours: the first minute at which the clock has come to each local time, or jumped over it."""
    begin = start - 3 * DAY
    reached = np.maximum.accumulate(_shown(zone, begin, end + 3 * DAY))  # what it has shown at most: a clock set back reaches nothing new
    days = [begin.date() + DAY * n for n in range((end - begin).days + 3)]
    wanted = [_minutes(day, moment) for day in days if day.isoweekday() in weekdays for moment in times]
    first = np.searchsorted(reached, np.array(sorted(wanted), np.int64), "left")
    found = {begin + MINUTE * int(minute) for minute in first}
    return sorted(slot for slot in found if start < slot <= end)


def _shown(zone: ZoneInfo, begin: datetime, end: datetime) -> Minutes:
    """What the clock shows at each minute, in minutes since 1970 as if it were UTC."""
    hours = (end - begin) // HOUR
    at = [(begin + HOUR * n).astimezone(zone).utcoffset() for n in range(hours + 1)]
    first = (begin - EPOCH.replace(tzinfo=UTC)) // MINUTE
    shown = np.arange(first, first + hours * 60, dtype=np.int64)
    for n in range(hours):
        offset = at[n]
        assert offset is not None
        if offset == at[n + 1]:
            shown[n * 60 : n * 60 + 60] += offset // MINUTE
        else:  # the clock is set within this hour
            for minute in range(n * 60, n * 60 + 60):
                shown[minute] = ((begin + MINUTE * minute).astimezone(zone).replace(tzinfo=None) - EPOCH) // MINUTE
    return shown


def _minutes(day: date, moment: time) -> int:
    return (datetime.combine(day, moment) - EPOCH) // MINUTE
