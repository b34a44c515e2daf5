"""A range and interval as asked, made definite: which cells answer it and which buckets it has. Pure decisions, no I/O."""

from dataclasses import dataclass, replace
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
LONGEST_DAY = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end) in UTC, cut in `interval` of `zone`; `fine` = answered from quarter-hour cells, else from whole days.

    `until_now` says of a fine one that it is today so far: the day's cell holds just that, and answers sooner.
    `part_day` says of one that is not fine that its last day ends early: that day alone is answered from quarter-hour cells.
    """

    start: datetime
    end: datetime
    interval: Interval | None
    zone: ZoneInfo
    fine: bool
    until_now: bool = False
    part_day: bool = False

    @property
    def first_day(self) -> date:
        return self.start.astimezone(self.zone).date()

    @property
    def end_day(self) -> date:
        """First local day after the period."""
        last = self.end.astimezone(self.zone)
        return last.date() if day_start(last.date(), self.zone) == self.end else last.date() + timedelta(days=1)

    @property
    def by_day(self) -> "Period":
        """The whole days that it touches."""
        return replace(self, fine=False, part_day=False)

    @property
    def ends_within_a_day(self) -> bool:
        """Whether what is counted by whole days is counted of more than it."""
        return self.fine or self.part_day

    def days_before(self, days: int, now: datetime) -> "Period":
        """The same hours of the clock, some local days earlier; of days that are not over, as much as has passed of them."""
        start, end = (_same_clock(moment, days, self.zone) for moment in (self.start, self.end))
        if self.part_day and not _reached(end, self.zone, now):
            end = day_start(self.end_day - timedelta(days=days), self.zone)
        part_day = self.part_day and not _is_midnight(end, self.zone)
        return self._so_far(Period(start, end, self.interval, self.zone, self.fine, part_day=part_day), days, now)

    def previous(self, now: datetime) -> "Period":
        """The period of the same length just before: as many local days, or as much time where it is finer than days.

        Of days that are not over it has as much as has passed of them, as far back as quarter hours are known.
        """
        if self.fine:
            return Period(self.start - (self.end - self.start), self.start, self.interval, self.zone, True)
        return self.days_before((self.end_day - self.first_day).days, now)

    def is_over(self, now: datetime) -> bool:
        """Whether nothing more can happen in it."""
        return self.end <= now

    def _so_far(self, earlier: "Period", days: int, now: datetime) -> "Period":
        """An earlier period cut off as far into it as now is into this one; whole where it is cut in buckets."""
        if self.fine or self.interval or not self.start < now < self.end:
            return earlier
        end = same_time(now, days, self.zone)
        if end <= earlier.start or not _reached(end, self.zone, now):
            return earlier
        return replace(earlier, end=end, part_day=not _is_midnight(end, self.zone))

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
    from_midnight, to_midnight = (_is_midnight(moment, zone) for moment in (begin, finish))
    if chosen not in FINE and from_midnight and to_midnight:
        return _bounded(Period(begin, finish, chosen, zone, False)), ()
    if chosen is None and from_midnight and begin + LONGEST_DAY < finish < now and _reached(finish, zone, now):
        last = _ceil_quarter(finish)
        return Period(begin, last, None, zone, False, part_day=not _is_midnight(last, zone)), ()
    if begin >= now - FINE_REACH:
        so_far = chosen not in FINE and finish >= now and begin == day_start(now.astimezone(zone).date(), zone)
        quarter = Period(_floor_quarter(begin), _ceil_quarter(finish), chosen, zone, True, so_far)
        return _bounded(quarter), ()
    days = Period(
        day_start(begin.astimezone(zone).date(), zone),
        day_start(Period(begin, finish, None, zone, False).end_day, zone),
        "day" if chosen in FINE else chosen,
        zone,
        False,
    )
    return _bounded(days), (f"Detail finer than a day reaches {FINE_REACH.days} days back; this range is answered in whole days.",)


def so_far(start: date, end: date, days: int, zone: ZoneInfo, now: datetime) -> date | datetime:
    """The end of days [start, end) so many days earlier: of days that are not over as far into them as now, where that is still known."""
    period, _ = resolve(start, end, None, zone, now)
    earlier = period.days_before(days, now)
    return earlier.end if earlier.part_day else earlier.end_day


def truncate(moment: datetime, zone: ZoneInfo, interval: Interval | None) -> datetime:
    """Start (UTC) of the quarter hour or local hour that holds a moment; a repeated hour stays two hours."""
    local = moment.astimezone(zone)
    minutes = local.minute % 15 if interval == "15min" else local.minute
    return moment.astimezone(UTC) - timedelta(minutes=minutes, seconds=local.second, microseconds=local.microsecond)


def same_time(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The end of the quarter hour of a moment so many local days earlier, and within that day."""
    day = moment.astimezone(zone).date() - timedelta(days=days)
    return min(_ceil_quarter(_same_clock(moment, days, zone)), day_start(day + timedelta(days=1), zone))


def _is_midnight(moment: datetime, zone: ZoneInfo) -> bool:
    return day_start(moment.astimezone(zone).date(), zone) == moment


def _reached(moment: datetime, zone: ZoneInfo, now: datetime) -> bool:
    """Whether quarter hours of its day are still known."""
    return day_start(moment.astimezone(zone).date(), zone) >= now - FINE_REACH


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
