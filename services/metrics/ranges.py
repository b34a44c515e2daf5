"""A range and interval as asked, made definite: which cells answer it and which buckets it has. Pure decisions, no I/O."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo

import pandas as pd

from services.clock import FINE_REACH, QUARTER, day_start
from services.errors import BadInput

Interval = Literal["15min", "hour", "day", "week", "month"]
FINE = ("15min", "hour")
MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end) in UTC, cut in `interval` of `zone`; `fine` = answered from quarter-hour cells, else from whole days."""

    start: datetime
    end: datetime
    interval: Interval | None
    zone: ZoneInfo
    fine: bool

    @property
    def first_day(self) -> date:
        return self.start.astimezone(self.zone).date()

    @property
    def end_day(self) -> date:
        """First local day after the period."""
        last = self.end.astimezone(self.zone)
        return last.date() if day_start(last.date(), self.zone) == self.end else last.date() + timedelta(days=1)

    def days_before(self, days: int) -> "Period":
        """The same hours of the clock, some local days earlier."""
        start, end = (_same_clock(moment, days, self.zone) for moment in (self.start, self.end))
        return Period(start, end, self.interval, self.zone, self.fine)

    def previous(self) -> "Period":
        """The period of the same length just before: as many local days, or as much time where it is finer than days."""
        if self.fine:
            return Period(self.start - (self.end - self.start), self.start, self.interval, self.zone, True)
        days = self.end_day - self.first_day
        return Period(day_start(self.first_day - days, self.zone), self.start, self.interval, self.zone, False)

    def buckets(self) -> tuple[pd.Timestamp, ...]:
        """Start of each bucket in the zone, in order; the first may begin before the period where a week or month does."""
        return _buckets(self)

    def index(self) -> pd.DatetimeIndex:
        """The same as an index."""
        return _index(self)

    def minutes(self, bucket: pd.Timestamp, now: datetime) -> float:
        """Minutes of a bucket that lie inside the period and are over: the current one is not diluted by its future."""
        begin: datetime = bucket.to_pydatetime()
        start, end = max(begin, self.start), min(self._bucket_end(begin), self.end, now)
        return max((end - start).total_seconds() / 60, 0.0)

    def _bucket_end(self, begin: datetime) -> datetime:
        day = begin.date()
        match self.interval:
            case "15min":
                return begin + QUARTER
            case "hour":
                return begin + timedelta(hours=1)
            case "week":
                return day_start(day + timedelta(days=7), self.zone)
            case "month":
                return day_start((day.replace(day=28) + timedelta(days=4)).replace(day=1), self.zone)
            case _:
                return day_start(day + timedelta(days=1), self.zone)


@lru_cache(maxsize=256)
def _buckets(period: Period) -> tuple[pd.Timestamp, ...]:
    if period.interval in FINE:
        step = QUARTER if period.interval == "15min" else timedelta(hours=1)
        first = truncate(period.start, period.zone, period.interval)
        made = pd.date_range(first, period.end - timedelta(microseconds=1), freq=step, tz="UTC")
        return tuple(made.tz_convert(period.zone))
    days = pd.date_range(period.first_day, period.end_day - timedelta(days=1), freq="D")
    starts = sorted({_period_day(day.date(), period.interval) for day in days})
    return tuple(pd.Timestamp(day_start(day, period.zone)).tz_convert(period.zone) for day in starts)


@lru_cache(maxsize=256)
def _index(period: Period) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(_buckets(period))


def resolve(
    start: date | datetime, end: date | datetime, interval: str | None, zone: ZoneInfo, now: datetime
) -> tuple[Period, tuple[str, ...]]:
    """The period that answers, and notes on where it differs from what was asked. Raises BadInput on an impossible range."""
    if interval is not None and interval not in get_args(Interval):
        raise BadInput(f"Unknown interval '{interval}': use one of {', '.join(get_args(Interval))}.")
    chosen = cast(Interval | None, interval)
    begin, finish = _instant(start, zone, "start"), _instant(end, zone, "end")
    if begin >= finish:
        raise BadInput(f"The range is empty: start ({start}) must lie before end ({end}).")
    whole_days = all(day_start(moment.astimezone(zone).date(), zone) == moment for moment in (begin, finish))
    if chosen not in FINE and whole_days:
        return _bounded(Period(begin, finish, chosen, zone, False)), ()
    if begin >= now - FINE_REACH:
        quarter = Period(_floor_quarter(begin), _ceil_quarter(finish), chosen, zone, True)
        return _bounded(quarter), ()
    days = Period(
        day_start(begin.astimezone(zone).date(), zone),
        day_start(Period(begin, finish, None, zone, False).end_day, zone),
        "day" if chosen in FINE else chosen,
        zone,
        False,
    )
    return _bounded(days), (f"Detail finer than a day reaches {FINE_REACH.days} days back; this range is answered in whole days.",)


def truncate(moment: datetime, zone: ZoneInfo, interval: Interval | None) -> datetime:
    """Start (UTC) of the quarter hour or local hour that holds a moment; a repeated hour stays two hours."""
    local = moment.astimezone(zone)
    minutes = local.minute % 15 if interval == "15min" else local.minute
    return moment.astimezone(UTC) - timedelta(minutes=minutes, seconds=local.second, microseconds=local.microsecond)


def _same_clock(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    into_day = moment - day_start(local.date(), zone)
    return day_start(local.date() - timedelta(days=days), zone) + into_day


def _instant(moment: date | datetime, zone: ZoneInfo, name: str) -> datetime:
    if not isinstance(moment, datetime):
        return day_start(moment, zone)
    if moment.tzinfo is None:
        raise BadInput(f"{name} ({moment.isoformat()}) has no time zone: add one, such as +00:00, or give a date alone.")
    return moment.astimezone(UTC)


def _bounded(period: Period) -> Period:
    step = {"15min": timedelta(minutes=15), "hour": timedelta(hours=1)}.get(period.interval or "", timedelta(days=1))
    if period.interval and (period.end - period.start) / step > MOST_BUCKETS:
        raise BadInput(
            f"The range has more than {MOST_BUCKETS} buckets of '{period.interval}': choose a longer interval or a shorter range."
        )
    return period


def _period_day(day: date, interval: Interval | None) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def _floor_quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)


def _ceil_quarter(moment: datetime) -> datetime:
    floor = _floor_quarter(moment)
    return floor if floor == moment else floor + QUARTER
