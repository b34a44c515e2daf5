"""Error bursts and silences are found, an ordinary week has none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.clock import utc_now
from services.db import transaction
from services.health import incidents
from services.health.incidents import Hours
from tests.traffic import arrive, operation

ZONE = ZoneInfo("Asia/Manila")
END = datetime(2026, 3, 12, 5, tzinfo=UTC)  # a Thursday
DAYS = 34
FIRST = END - timedelta(days=6)
STARTS = [END - timedelta(hours=24 * DAYS - n) for n in range(24 * DAYS + 1)]


def traffic(seed: int, level: float = 60.0) -> Hours:
    """A rhythm of days and weeks, with two per cent errors; nothing at night."""
    chance = np.random.default_rng(seed)
    local = [start.astimezone(ZONE) for start in STARTS]
    shape = np.array([(0.3 if moment.weekday() >= 5 else 1.0) * (8 <= moment.hour < 19) for moment in local])
    n = chance.poisson(level * shape).astype("float64")
    return Hours("chat", STARTS, n, chance.binomial(n.astype(int), 0.02).astype("float64"))


def found(hours: Hours) -> list[incidents.Incident]:
    return list(incidents.incidents(hours, FIRST, END, ZONE))


def at(hours: Hours, days_back: int, hour: int) -> int:
    """The place of a local hour."""
    day = (END - timedelta(days=days_back)).astimezone(ZONE).date()
    return next(place for place, start in enumerate(STARTS) if (start.astimezone(ZONE).date(), start.astimezone(ZONE).hour) == (day, hour))


def test_ordinary_traffic_has_none() -> None:
    assert [one for seed in range(40) for one in found(traffic(seed))] == []


@pytest.mark.parametrize("seed", range(5))
def test_a_burst_is_found_with_its_hours(seed: int) -> None:
    hours = traffic(seed)
    place = at(hours, 1, 10)
    hours.errors[place : place + 2] = 30
    (burst,) = found(hours)
    assert (burst.kind, burst.started_at, burst.ended_at, burst.seen) == ("errors", STARTS[place], STARTS[place + 2], 60)
    assert burst.expected < 6
    assert burst.operations == hours.operations[place : place + 2].sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_silence_is_found_where_there_usually_is_traffic(seed: int) -> None:
    hours = traffic(seed)
    place = at(hours, 1, 13)
    hours.operations[place : place + 3] = hours.errors[place : place + 3] = 0
    (silence,) = found(hours)
    assert (silence.kind, silence.started_at, silence.ended_at, silence.seen) == ("silence", STARTS[place], STARTS[place + 3], 0)
    assert silence.expected == pytest.approx(180, rel=0.1)


def test_nights_weekends_and_new_modules_are_no_silence() -> None:
    hours = traffic(1)
    young = Hours("new", STARTS[-30:], np.zeros(30), np.full(30, 50.0))
    assert found(hours) == found(young) == []


def test_an_hour_that_is_not_over_may_have_too_many_errors_but_is_not_silent() -> None:
    hours = traffic(2)
    now = STARTS[-1] + timedelta(minutes=20)  # 13:20 on a working day
    hours.operations[-1], hours.errors[-1] = 0, 0
    assert list(incidents.incidents(hours, FIRST, now, ZONE)) == []
    hours.operations[-1], hours.errors[-1] = 25, 20
    (burst,) = incidents.incidents(hours, FIRST, now, ZONE)
    assert burst.seen == 20


@pytest.mark.usefixtures("database")
def test_the_job_keeps_what_it_finds_once_with_who_and_what() -> None:
    now = utc_now().replace(minute=0, second=0, microsecond=0)
    bad = now - timedelta(hours=3)
    calm = [operation(f"c{day}-{n}", bad - timedelta(days=day) + timedelta(minutes=n)) for day in range(1, 30) for n in range(25)]
    burst = [operation(f"b{n}", bad + timedelta(minutes=n), error_type="timeout", provider="anthropic") for n in range(30)]
    arrive(calm + burst)
    assert incidents.find() == incidents.find()
    (kept,) = [one for one in incidents.latest(7) if one.kind == "errors"]
    assert (kept.module, kept.started_at, kept.seen, kept.operations, kept.expected) == ("chat", bad, 30, 30, 0)
    assert kept.detail == {"provider": "anthropic", "error_type": "timeout"}
    with transaction() as connection:
        connection.exec_driver_sql(
            "update incidents set started_at = started_at - interval '20 days', ended_at = ended_at - interval '20 days'"
        )
    incidents.find()
    assert len([one for one in incidents.latest(30) if one.kind == "errors"]) == 2
