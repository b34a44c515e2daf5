"""Ranges and buckets: local days, whatever the zone does to its clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clock import FINE_REACH, QUARTER, day_start
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
    before = period.previous(NOW)
    assert (before.first_day, before.end) == (date(2026, 10, 25), period.start)


@given(st.sampled_from(ZONES), st.integers(1, 32), st.integers(0, 3), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)))
def test_it_compares_with_as_much_as_has_passed(name: str, days: int, ahead: int, at: datetime) -> None:
    zone, now = ZoneInfo(name), at.replace(tzinfo=UTC)
    today = now.astimezone(zone).date()
    period, _ = resolve(today - timedelta(days=days - 1), today + timedelta(days=1 + ahead), None, zone, now)
    for before, shift in ((period.previous(now), days + ahead), (period.days_before(7, now), 7)):
        assert before.first_day == period.first_day - timedelta(days=shift)
        then, after = (day_start(today - timedelta(days=ago), zone) for ago in (shift, shift - 1))
        passed = min(now - day_start(today, zone), after - then)
        ends_with_its_day = after - then - passed < QUARTER  # which needs no quarter hours
        if (after if ends_with_its_day else then) >= now - FINE_REACH and period.start < now:
            assert timedelta(0) <= before.end - then - passed < QUARTER
        else:
            assert before.end == day_start(period.end_day - timedelta(days=shift), zone)


def test_it_compares_whole_days_where_each_has_its_bucket_or_quarter_hours_are_gone() -> None:
    zone, tomorrow = ZoneInfo("Asia/Manila"), date(2026, 11, 22)
    for days, interval in ((7, "day"), (90, None)):
        period, _ = resolve(tomorrow - timedelta(days=days), tomorrow, interval, zone, NOW)
        before = period.previous(NOW)
        assert (before.end, before.part_day) == (period.start, False)


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
