"""When schedules are due, beside a walk over every minute."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import BadInput
from services.schedules.slots import EPOCH, Timing, between, label, upcoming
from tests.services.schedules.walk import DAY, HOUR, slots_by_walking

NEW_YORK, LORD_HOWE = "America/New_York", "Australia/Lord_Howe"
# Clocks jump by an hour, half an hour, two hours, at midnight, over a whole day, for Ramadan, or never.
ODD = [NEW_YORK, LORD_HOWE, "Antarctica/Troll", "America/Santiago", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "Europe/Lisbon"]
JUMPS = [date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5), date(2026, 10, 4), date(2011, 12, 30), date(2026, 3, 29), date(2026, 2, 15)]


def at(*told: str) -> tuple[time, ...]:
    return tuple(time.fromisoformat(one) for one in told)


def utc(told: str) -> datetime:
    return datetime.fromisoformat(told).replace(tzinfo=UTC)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ODD),
    jump=st.sampled_from(JUMPS),
    hours=st.integers(-72, 72),
    length=st.integers(1, 96),
    times=st.lists(st.times().map(lambda moment: moment.replace(second=0, microsecond=0)), min_size=1, max_size=6),
    weekdays=st.sets(st.integers(1, 7), min_size=1),
)
def test_it_finds_what_a_walk_over_every_minute_finds(
    zone: str, jump: date, hours: int, length: int, times: list[time], weekdays: set[int]
) -> None:
    start = datetime.combine(jump, time.min, tzinfo=UTC) + HOUR * hours
    timing = Timing(zone, tuple(times), weekdays=tuple(weekdays))

    found = between(timing, start, start + HOUR * length)

    assert found == slots_by_walking(ZoneInfo(zone), times, start, start + HOUR * length, sorted(weekdays))
    assert upcoming(timing, start, len(found)) == found


@settings(max_examples=200, deadline=None)
@given(
    every_s=st.integers(60, 7 * 86_400),
    start=st.datetimes(datetime(1960, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
    length_s=st.integers(0, 20 * 86_400),
)
def test_intervals_are_counted_from_1970(every_s: int, start: datetime, length_s: int) -> None:
    until = start + timedelta(seconds=length_s)
    found = between(Timing("UTC", every_s=every_s), start, until, 500)

    assert all((slot - EPOCH) % timedelta(seconds=every_s) == timedelta(0) and start < slot <= until for slot in found)
    assert all(b - a == timedelta(seconds=every_s) for a, b in pairwise(found))
    if len(found) < 500:
        last = found[-1] if found else start
        assert until - last < timedelta(seconds=every_s)
        assert not found or found[0] - start <= timedelta(seconds=every_s)


@settings(max_examples=100, deadline=None)
@given(zone=st.sampled_from(ODD), hours=st.lists(st.integers(0, 24 * 20), min_size=1, max_size=8))
def test_it_makes_no_difference_how_often_one_looks(zone: str, hours: list[int]) -> None:
    timing, start = Timing(zone, at("00:00", "00:30", "02:30", "06:00")), utc("2026-10-20T00:00")
    looks = [start, *(start + HOUR * n for n in sorted(hours))]
    piecewise = [slot for after, until in pairwise(looks) for slot in between(timing, after, until)]

    assert piecewise == between(timing, start, looks[-1])


def test_a_skipped_time_is_the_first_instant_after_the_gap() -> None:
    spring = utc("2026-03-08T05:00")
    assert between(Timing(NEW_YORK, at("02:30")), spring, spring + DAY) == [utc("2026-03-08T07:00")]
    assert between(Timing(NEW_YORK, at("02:00", "02:15", "02:30", "03:00")), spring, spring + DAY) == [utc("2026-03-08T07:00")]
    assert label(utc("2026-03-08T07:00"), NEW_YORK) == "2026-03-08 03:00 EDT"
    assert between(Timing(LORD_HOWE, at("02:15")), utc("2026-10-03T00:00"), utc("2026-10-04T00:00")) == [utc("2026-10-03T15:30")]


def test_a_time_that_comes_twice_is_its_first_occurrence() -> None:
    autumn = utc("2026-11-01T04:00")
    assert between(Timing(NEW_YORK, at("01:30")), autumn, autumn + DAY) == [utc("2026-11-01T05:30")]
    assert between(Timing(NEW_YORK, at("01:30")), utc("2026-11-01T05:45"), autumn + DAY) == []
    assert label(utc("2026-11-01T05:30"), NEW_YORK) == "2026-11-01 01:30 EDT"


def test_times_of_a_day_that_never_was_are_its_end_once() -> None:
    timing = Timing("Pacific/Apia", at("00:00", "06:00", "18:30"))
    found = between(timing, utc("2011-12-30T05:00"), utc("2011-12-31T05:00"))
    assert [label(slot, "Pacific/Apia") for slot in found] == ["2011-12-31 00:00 +14", "2011-12-31 06:00 +14", "2011-12-31 18:30 +14"]


def test_a_slot_belongs_to_the_weekday_its_clock_shows() -> None:
    monday = Timing("Asia/Manila", at("06:00"), weekdays=(1,))
    assert upcoming(monday, utc("2026-01-01T00:00"), 2) == [utc("2026-01-04T22:00"), utc("2026-01-11T22:00")]


def test_it_labels_seconds_only_where_there_are_any() -> None:
    assert label(utc("2026-01-01T00:00:30"), "Asia/Kathmandu") == "2026-01-01 05:45:30 +0545"
    assert label(utc("2026-01-01T00:00"), "UTC") == "2026-01-01 00:00 UTC"


def test_it_keeps_each_time_and_weekday_once_in_order() -> None:
    timing = Timing("UTC", at("18:30", "06:00", "18:30"), weekdays=(5, 1, 5))
    assert (timing.slots, timing.weekdays) == (at("06:00", "18:30"), (1, 5))


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("zone", {"zone": "Mars/Olympus", "every_s": 60}),
        ("zone", {"zone": "../passwd", "every_s": 60}),
        ("zone", {"zone": "", "every_s": 60}),
        ("slots", {}),
        ("slots", {"slots": at("06:00"), "every_s": 60}),
        ("slots", {"slots": (time(6, microsecond=1),)}),
        ("slots", {"slots": (time(6, tzinfo=UTC),)}),
        ("slots", {"slots": tuple(time(n // 60, n % 60) for n in range(300))}),
        ("weekdays", {"slots": at("06:00"), "weekdays": ()}),
        ("weekdays", {"slots": at("06:00"), "weekdays": (0, 1)}),
        ("weekdays", {"every_s": 60, "weekdays": (1,)}),
        ("every_s", {"every_s": 59}),
        ("every_s", {"every_s": 366 * 86_400 + 1}),
    ],
)
def test_it_names_the_field_that_cannot_be(field: str, told: dict[str, object]) -> None:
    with pytest.raises(BadInput, match=f"^{field}: "):
        Timing(**({"zone": "UTC"} | told))  # type: ignore[arg-type]
