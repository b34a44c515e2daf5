"""Ranges and buckets: local days, whatever the zone does to its clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clock import day_start
from services.errors import BadInput
from services.metrics.ranges import resolve

NOW = datetime(2026, 11, 21, 12, 7, tzinfo=UTC)
ZONES = [
    "UTC",
    "Asia/Manila",
    "Asia/Kathmandu",
    "America/New_York",
    "Europe/Lisbon",
    "Africa/Cairo",
    "America/Santiago",
    "Pacific/Apia",
    "Australia/Lord_Howe",
]


@given(
    st.sampled_from(ZONES), st.dates(date(2016, 1, 1), date(2026, 10, 1)), st.integers(1, 400), st.sampled_from(["day", "week", "month"])
)
def test_it_cuts_whole_days_without_gap_or_overlap(name: str, start: date, length: int, interval: str) -> None:
    zone = ZoneInfo(name)
    period, notes = resolve(start, start + timedelta(days=length), interval, zone, NOW)
    assert notes == ()
    assert (period.first_day, period.end_day, period.fine) == (start, start + timedelta(days=length), False)
    buckets = period.buckets()
    assert [bucket.to_pydatetime() for bucket in buckets] == [day_start(bucket.date(), zone) for bucket in buckets]
    minutes = sum(period.minutes(bucket, NOW) for bucket in buckets)
    assert minutes == pytest.approx((min(period.end, NOW) - period.start).total_seconds() / 60)


def test_it_knows_days_of_23_and_25_hours() -> None:
    zone = ZoneInfo("America/New_York")
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 11, 1), 25)):
        period, _ = resolve(day, day + timedelta(days=1), "hour", zone, datetime(2026, day.month, day.day + 10, tzinfo=UTC))
        assert len(period.buckets()) == hours


def test_it_starts_a_local_hour_where_the_zone_does() -> None:
    period, _ = resolve(NOW - timedelta(hours=2), NOW, "hour", ZoneInfo("Asia/Kathmandu"), NOW)
    assert [bucket.strftime("%H:%M") for bucket in period.buckets()] == ["15:00", "16:00", "17:00"]


def test_it_compares_with_as_many_days_before() -> None:
    period, _ = resolve(date(2026, 11, 1), date(2026, 11, 8), None, ZoneInfo("America/New_York"), NOW)
    before = period.previous()
    assert (before.first_day, before.end) == (date(2026, 10, 25), period.start)


def test_it_answers_old_hours_in_whole_days_and_says_so() -> None:
    period, notes = resolve(datetime(2025, 1, 1, 5, tzinfo=UTC), datetime(2025, 1, 2, 5, tzinfo=UTC), "hour", ZoneInfo("UTC"), NOW)
    assert (period.interval, period.fine, period.first_day, period.end_day) == ("day", False, date(2025, 1, 1), date(2025, 1, 3))
    assert "whole days" in notes[0]


@pytest.mark.parametrize(
    ("start", "end", "interval", "says"),
    [
        (date(2026, 2, 2), date(2026, 2, 2), None, "must lie before"),
        (date(2026, 2, 2), date(2026, 2, 1), None, "must lie before"),
        (datetime(2026, 2, 2), date(2026, 3, 1), None, "no time zone"),
        (date(2026, 2, 2), date(2026, 2, 9), "fortnight", "Unknown interval"),
        (date(1900, 1, 1), date(2026, 1, 1), "day", "more than 10000 buckets"),
    ],
)
def test_it_says_what_is_wrong_with_a_range(start: date, end: date, interval: str | None, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        resolve(start, end, interval, ZoneInfo("UTC"), NOW)
