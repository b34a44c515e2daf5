"""Days are local days: in every zone they add up to the same total, and each equals the raw count of its own day."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import metrics
from services.db import transaction
from services.rollups.rebuild import rebuild
from services.rollups.state import zone_changed
from services.rollups.verify import verify
from services.settings import settings as console_settings
from tests.traffic import arrive, many, operation

ZONES = ["Asia/Manila", "Asia/Kathmandu", "America/New_York"]
START = datetime(2026, 10, 25, tzinfo=UTC)  # the week in which New York leaves summer time
SPAN = timedelta(days=14)


def in_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_ZONE", zone)
    console_settings.cache_clear()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.datetimes(datetime(2026, 10, 25), datetime(2026, 11, 8)), min_size=1, max_size=60, unique=True))
def test_it_counts_each_local_day_as_the_raw_rows_do(
    zone: str, moments: list[datetime], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("empty")()
    in_zone(zone, monkeypatch)
    records = [operation(f"z{n}", moment.replace(tzinfo=UTC)) for n, moment in enumerate(moments)]
    arrive(records)
    days = metrics.query(["operations"], start=START - timedelta(days=1), end=START + SPAN + timedelta(days=1), interval="day").frame
    expected = Counter(moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() for moment in moments)
    counted = {bucket.date(): int(n) for bucket, n in zip(days["bucket"], days["operations"], strict=True) if n}
    assert counted == expected


@pytest.mark.usefixtures("database")
def test_it_changes_its_zone_without_losing_or_inventing_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone("UTC", monkeypatch)
    records = many(800, START, SPAN)
    arrive(records)
    measures = ["operations", "errors", "cost", "input_tokens", "users"]
    window = (START.date() - timedelta(days=2), (START + SPAN).date() + timedelta(days=2))
    before = metrics.query(measures, start=window[0], end=window[1]).frame
    for zone in ZONES:
        in_zone(zone, monkeypatch)
        with transaction() as connection:
            assert zone_changed(connection)
        result = rebuild(None, None, lambda *_: None, lambda: False)
        assert result["rebuilt_days"] == result["of"] != 0
        after = metrics.query(measures, start=window[0], end=window[1])
        assert after.zone == zone
        assert after.frame.to_dict("records") == before.to_dict("records")
        days = metrics.query(["operations"], start=window[0], end=window[1], interval="day").frame
        raw = Counter(datetime.fromisoformat(str(r["started_at"])).astimezone(ZoneInfo(zone)).date() for r in records)
        assert {b.date(): int(n) for b, n in zip(days["bucket"], days["operations"], strict=True) if n} == raw
        assert verify(*window)["differences"] == 0
