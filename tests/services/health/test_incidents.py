"""Error bursts and silences are found, an ordinary week has none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.health import incidents
from services.health.incidents import HOUR, Hours
from services.settings import settings
from tests.traffic import arrive, operation, send

ZONE = ZoneInfo("Asia/Manila")
END = datetime(2026, 3, 12, 5, tzinfo=UTC)  # a Thursday
DAYS = 34
FIRST = dict.fromkeys(incidents.KINDS, END - timedelta(days=6))
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


def look_at(moment: datetime) -> None:
    """Look as if it were then: what waits in the inbox since a moment hides what comes after it."""
    with transaction() as connection:
        connection.execute(text("update telemetry_inbox set received_at = :moment"), {"moment": moment})
    incidents.find()


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
    assert not burst.goes_on
    assert burst.operations == hours.operations[place : place + 2].sum()


@pytest.mark.parametrize("seed", range(5))
def test_a_silence_is_found_where_there_usually_is_traffic(seed: int) -> None:
    hours = traffic(seed)
    place = at(hours, 1, 13)
    hours.operations[place : place + 3] = hours.errors[place : place + 3] = 0
    (silence,) = found(hours)
    assert (silence.kind, silence.started_at, silence.ended_at, silence.seen) == ("silence", STARTS[place], STARTS[place + 3], 0)
    assert silence.expected == pytest.approx(180, rel=0.1)
    assert not silence.goes_on


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
    assert burst.goes_on


@pytest.mark.parametrize(("so_far", "goes_on"), [(0, True), (2, True), (9, False)])
def test_a_silence_goes_on_until_traffic_is_back(so_far: int, goes_on: bool) -> None:
    hours = traffic(3)
    hours.operations[-4:-1] = hours.errors[-4:] = 0
    hours.operations[-1] = so_far
    (silence,) = incidents.incidents(hours, FIRST, STARTS[-1] + timedelta(minutes=20), ZONE)
    assert (silence.started_at, silence.ended_at, silence.goes_on) == (STARTS[-4], STARTS[-1], goes_on)


def test_a_silence_is_over_where_the_last_whole_hour_had_traffic() -> None:
    hours = traffic(3)
    hours.operations[-4:-2] = hours.operations[-1] = 0
    hours.errors[-4:] = 0
    (silence,) = incidents.incidents(hours, FIRST, STARTS[-1] + timedelta(minutes=20), ZONE)
    assert (silence.ended_at, silence.goes_on) == (STARTS[-2], False)


@pytest.mark.parametrize("so_far", [0, 1])
def test_a_silence_goes_on_into_an_hour_with_too_little_to_compare_with_while_nothing_comes(so_far: int) -> None:
    saturday = datetime(2026, 3, 14, tzinfo=ZONE).astimezone(UTC)
    starts = [saturday - 12 * timedelta(days=1) + place * HOUR for place in range(12 * 24 + 1)]
    operations = np.full(len(starts), 60.0)
    operations[-5:] = 0
    operations[-1] = so_far
    hours = Hours("young", starts, operations, np.zeros(len(starts)))
    (silence,) = incidents.incidents(hours, FIRST, saturday + timedelta(minutes=20), ZONE)
    assert (silence.ended_at, silence.goes_on) == (saturday, so_far == 0)


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
            "update incidents set goes_on = true, started_at = started_at - interval '20 days', ended_at = ended_at - interval '20 days'"
        )
    incidents.find()
    assert [one.goes_on for one in incidents.latest(30) if one.kind == "errors"] == [False, False]


@pytest.mark.usefixtures("database")
def test_an_incident_stays_one_while_it_leaves_the_days_that_are_looked_at() -> None:
    today = utc_now().astimezone(settings().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=back) for back in range(1, 34)]
    bad = next(day for day in days if day < today - incidents.LOOKED_AT and day.weekday() < 5)
    open_hours = [timedelta(hours=hour) for hour in range(10, 14)]
    lively = [day + hour for day in days if day != bad and day.weekday() < 5 for hour in open_hours]
    arrive(
        [operation(f"t{start}-{n}", start + timedelta(minutes=n), module="tutor") for start in lively for n in range(25)]
        + [operation("first", days[-1])]
        + [operation(f"b{hour}-{n}", bad + hour + timedelta(minutes=n), error_type="timeout") for hour in open_hours for n in range(12)]
    )
    send([operation("waits", today)])
    for hour in range(9, 17):
        look_at(bad + incidents.LOOKED_AT + timedelta(hours=hour, minutes=5))
        kept = {(one.kind, one.module, one.started_at, one.ended_at) for one in incidents.latest(30)}
        start, end = bad + open_hours[0], bad + open_hours[-1] + HOUR
        assert kept == {("errors", "chat", start, end), ("silence", "tutor", start, end)}


@pytest.mark.usefixtures("database")
def test_the_type_of_an_error_burst_is_that_of_its_hours() -> None:
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    bad = midnight + 12 * HOUR
    kinds = ["timeout"] * 20 + ["overloaded"] * 10
    arrive(
        [operation("first", midnight - timedelta(days=30))]
        + [operation(f"b{n}", bad + timedelta(minutes=n), error_type=kind) for n, kind in enumerate(kinds)]
        + [
            operation(f"s{hour}-{n}", midnight + hour * HOUR + timedelta(minutes=n), error_type="rate_limit")
            for hour in range(24)
            for n in range(6)
            if hour != 12
        ]
        + [operation(f"o{n}", bad, module="other", error_type="refused") for n in range(40)]
    )
    incidents.find()
    assert [one.detail["error_type"] for one in incidents.latest(7) if one.module == "chat"] == ["timeout"]
    with transaction() as connection:
        connection.execute(text("delete from operations where started_at >= :bad and started_at < :end"), {"bad": bad, "end": bad + HOUR})
    incidents.find()
    (kept,) = [one for one in incidents.latest(7) if one.module == "chat"]
    assert kept.detail == {"provider": "openai", "error_type": None}
