"""Rollups outlive the operations they were made from: nothing makes them again from what is no longer there."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from services import metrics
from services.__main__ import main
from services.clock import day_start, today, utc_now
from services.db import transaction
from services.errors import BadInput
from services.jobs import claim, enqueue, get
from services.rollups import kept
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from services.settings import settings
from services.telemetry import retention
from tests.traffic import arrive, many
from workers import rollups as rollup_jobs
from workers.running import Running

DAY = timedelta(days=1)
RAW_DAYS = 4
MEASURES = ["operations", "errors", "cost", "input_tokens", "latency_p95", "users", "sessions", "sessions_started", "session_users"]
ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"]


@pytest.fixture(autouse=True)
def records(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, object]]]:
    """Twelve days of traffic that end now, of which the operations of the first days are dropped."""
    drop_partitions()
    start = utc_now() - 12 * DAY
    told = many(900, start, 12 * DAY)
    arrive(told)
    arrive(
        [{"id": f"t{n}", "started_at": (start + n * 6 * timedelta(hours=1)).isoformat(), "rating": 3} for n in range(40)], noun="sessions"
    )
    monkeypatch.setenv("RAW_DAYS", str(RAW_DAYS))
    settings.cache_clear()
    with transaction() as connection:
        assert retention.tidy(connection)["days_dropped"] != 0
    yield told
    drop_partitions()


def drop_partitions() -> None:
    with transaction() as connection:
        for day in kept.stored_days(connection):
            connection.execute(text(f"drop table operations_{day:%Y%m%d}"))


def in_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("REPORTING_ZONE", zone)
    settings.cache_clear()
    return everything()


def everything() -> dict[str, object]:
    return rebuild(None, None, lambda *_: None, lambda: False)


def first_day() -> date:
    with transaction() as connection:
        zone = connection.execute(text("select zone from rollup_state")).scalar_one()
        first = kept.first_day(connection, ZoneInfo(zone))
    assert first is not None
    return first


def cells(where: str = "true") -> object:
    with transaction() as connection:
        return [
            connection.execute(text(f"select * from {table} where {where} order by 1, 2, 3, 4")).all()
            for table in ("rollup_day", "rollup_error", "rollup_distinct_key", "rollup_distinct")
        ]


def totals(measures: list[str] = MEASURES) -> list[dict[str, object]]:
    now = utc_now()
    frame = metrics.query(measures, start=(now - 16 * DAY).date(), end=(now + 3 * DAY).date()).frame
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def per_day() -> dict[date, int]:
    now = utc_now()
    frame = metrics.query(["operations"], start=(now - 16 * DAY).date(), end=(now + 3 * DAY).date(), interval="day").frame
    return {bucket.date(): int(n) for bucket, n in zip(frame["bucket"], frame["operations"], strict=True) if n}


def test_it_refuses_a_day_whose_operations_are_gone_and_names_the_first_that_it_can() -> None:
    first, before = first_day(), cells()
    with pytest.raises(BadInput, match=f"The first day that can is {first}"):
        rebuild(first - DAY, first + DAY, lambda *_: None, lambda: False)
    assert cells() == before
    assert rebuild(first, utc_now().date() + DAY, lambda *_: None, lambda: False)["rebuilt_days"] != 0
    assert verify()["differences"] == 0
    assert totals()[0]["operations"] == 900


def test_it_makes_everything_again_but_the_days_whose_operations_are_gone() -> None:
    first, before = first_day(), totals()
    old = cells(f"day < '{first}'")
    with transaction() as connection:
        connection.execute(text("update rollup_day set n = n + 5 where day >= :first"), {"first": first})
        connection.execute(text("delete from rollup_distinct where day >= :first"), {"first": first})
        connection.execute(text("delete from rollup_session_day"))
    result = everything()
    assert "old_zone_days" not in result
    assert totals() == before
    assert cells(f"day < '{first}'") == old
    assert verify()["differences"] == 0


@pytest.mark.parametrize(("before", "after"), [pair for pair in permutations(ZONES, 2) if "UTC" in pair] + [(ZONES[3], ZONES[4])])
def test_a_new_zone_begins_where_operations_are_kept_and_loses_nothing(
    before: str, after: str, records: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction() as connection:  # as if it had always been the zone: nothing is dropped yet
        connection.execute(text("update rollup_state set raw_from = null"))
        connection.execute(text("delete from operations"))
        connection.execute(text("delete from sessions"))
    monkeypatch.setenv("RAW_DAYS", "100")
    in_zone(before, monkeypatch)
    arrive(records)
    monkeypatch.setenv("RAW_DAYS", str(RAW_DAYS))
    settings.cache_clear()
    with transaction() as connection:
        assert retention.tidy(connection)["days_dropped"] != 0
    was, old, first = totals(), per_day(), first_day()

    result = in_zone(after, monkeypatch)
    assert totals() == was
    zone, now = ZoneInfo(after), per_day()
    told = result["old_zone_days"]
    assert isinstance(told, dict)
    new_from = date.fromisoformat(told["before"])
    assert told["zone"] == before
    assert first <= new_from <= first + 2 * DAY
    raw = Counter(datetime.fromisoformat(str(record["started_at"])).astimezone(zone).date() for record in records)
    assert {day: n for day, n in now.items() if day >= new_from} == {day: n for day, n in raw.items() if day >= new_from}
    untouched = first - 2 * DAY  # a new day may begin up to 26 hours before the old one did
    assert {day: n for day, n in now.items() if day < untouched} == {day: n for day, n in old.items() if day < untouched}
    found = verify()
    assert (found["differences"], found["checked_from"]) == (0, str(new_from))
    with pytest.raises(BadInput, match=f"The first day that can is {new_from}"):
        rebuild(new_from - DAY, new_from, lambda *_: None, lambda: False)


def test_zones_may_change_again_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    was = totals()
    firsts = [first_day()]
    for zone in ("Asia/Kathmandu", "Pacific/Pago_Pago", "UTC"):
        in_zone(zone, monkeypatch)
        assert totals() == was
        assert verify()["differences"] == 0
        firsts.append(first_day())
    assert firsts == sorted(firsts)
    with transaction() as connection:
        told = connection.execute(text("select value from console_state where key = 'old_zone_days'")).scalar_one()
    assert [told["zone"], *(one["zone"] for one in told["earlier"])] == ["Pacific/Pago_Pago", "Asia/Kathmandu", "UTC"]
    arrive(many(50, utc_now() - 3 * DAY, 2 * DAY, seed=3))
    assert totals(["operations"]) == [{"operations": 950}]
    assert verify()["differences"] == 0


def test_the_trust_line_says_which_days_kept_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utc_now().date()
    assert metrics.trust(now - 12 * DAY, now).old_zone is None
    in_zone("Asia/Kathmandu", monkeypatch)
    line = metrics.trust(now - 12 * DAY, now)
    assert (line.zone, line.old_zone, line.old_zone_before) == ("Asia/Kathmandu", "UTC", first_day())
    assert metrics.trust(first_day(), now).old_zone is None


def test_sessions_are_kept_for_ever_so_their_days_are_always_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone("Pacific/Kiritimati", monkeypatch)
    with transaction() as connection:
        found = connection.execute(
            text(
                "select count(*) filter (where a.n is distinct from b.n) as wrong, count(*) as days from"
                " (select day, series_id, topic, n from rollup_session_day) a full join"
                " (select day, series_id, topic, count(*) as n from session_contributions group by 1, 2, 3) b using (day, series_id, topic)"
            )
        ).one()
    assert found.wrong == 0
    assert found.days > 12


def test_it_checks_only_days_whose_operations_are_all_stored() -> None:
    first, now = first_day(), utc_now().date()
    result = verify(first - 3 * DAY, now + DAY)
    assert (result["differences"], result["not_checked"], result["checked_from"]) == (0, 3, str(first))
    nothing = verify(first - 9 * DAY, first)
    assert (nothing["cells"], nothing["not_checked"], nothing["checked_from"]) == (0, 9, None)


def test_it_checks_everything_that_can_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    result = verify()
    assert (result["start"], result["not_checked"]) == (str(first_day()), 0)
    assert str(result["end"]) > str(utc_now().date() + DAY)
    with transaction() as connection:
        connection.execute(text("update rollup_day set n = n + 1 where day = :day"), {"day": first_day()})
    assert main(["verify"]) == 1
    assert main(["rebuild"]) == 0
    assert main(["verify"]) == 0
    assert main(["verify", str(utc_now().date())]) == 2
    assert "neither for everything" in capsys.readouterr().err


def test_it_checks_from_the_first_day_there_is_where_nothing_was_dropped() -> None:
    with transaction() as connection:
        connection.execute(text("update rollup_state set raw_from = null"))
        oldest = connection.execute(text("select min(day) from rollup_day")).scalar_one()
    assert verify()["start"] <= str(oldest)  # type: ignore[operator]


def test_it_finds_nothing_to_check_in_an_empty_console(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("empty")()
    result = verify()
    assert (result["cells"], result["differences"], result["not_checked"]) == (0, 0, 0)


def test_it_keeps_twenty_examples_of_any_number_of_differences() -> None:
    with transaction() as connection:
        connection.execute(text("update rollup_day set n = n + 1, errors = errors + 1"))
    result = verify()
    assert isinstance(result["differences"], int)
    assert isinstance(result["examples"], list)
    assert result["differences"] > 20
    assert len(result["examples"]) == 20


def test_a_job_that_is_told_no_days_verifies_the_last_two() -> None:
    with transaction() as connection:
        made = enqueue(connection, "rollups.verify", queue="default")
        assert made is not None
        job = claim.claim(connection, made, "tester")
        assert job is not None
    result = rollup_jobs.verify(Running(job))
    zone = ZoneInfo("UTC")
    assert (result["start"], result["end"]) == (str(today(zone) - DAY), str(today(zone) + DAY))
    assert result["differences"] == 0
    assert result["cells"] != 0
    with transaction() as connection:
        claim.finish(connection, job, result)
        assert connection.execute(text("select value ->> 'end' from console_state where key = 'verify'")).scalar_one() == result["end"]
        assert get(connection, made).result["differences"] == 0


def test_a_day_that_begins_at_the_boundary_is_whole() -> None:
    zone = ZoneInfo("Asia/Kathmandu")
    for day in (date(2026, 3, 1), date(2026, 10, 25)):
        assert kept.first_since(day_start(day, zone), zone) == day
        assert kept.first_since(day_start(day, zone) + timedelta(microseconds=1), zone) == day + DAY
