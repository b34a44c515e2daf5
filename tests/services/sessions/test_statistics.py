"""Statistics of sessions against pandas on the records themselves: real ones and made ones, over midnight, zones and changes of clocks."""

import json
import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services import metrics
from services.clock import utc_now
from services.db import transaction
from services.errors import BadInput
from services.metrics import WEEKDAYS
from services.rollups.rebuild import rebuild
from services.rollups.verify import verify
from services.sessions import statistics
from services.settings import ROOT
from services.settings import settings as console_settings
from tests.traffic import arrive

DATA = Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared" / "data"))
ZONES = ["America/New_York", "Asia/Manila", "Australia/Lord_Howe"]
MEASURES = ["sessions_started", "session_users", "session_duration", "session_messages", "session_rating", "rated_share", "topic_coverage",
            "sessions_without_end", "sessions_backwards", "sessions_overnight"]  # fmt: skip
EDGE = datetime(2026, 10, 31, 20, tzinfo=UTC)  # New York leaves summer time that night
pytestmark = pytest.mark.usefixtures("database")


def in_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTING_ZONE", zone)
    console_settings.cache_clear()


def loaded(records: list[dict[str, Any]], zone: str) -> pd.DataFrame:
    """Sessions as an analyst would load them: local start and end, what is odd."""
    frame = pd.DataFrame(records).reindex(
        columns=["id", "started_at", "ended_at", "user_id", "module", "subject", "cohort", "messages", "rating", "topics"]
    )
    for name in ("started_at", "ended_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").dt.tz_convert(zone)
    frame["day"] = frame["started_at"].dt.date
    seconds = (frame["ended_at"] - frame["started_at"]).dt.total_seconds()
    frame["seconds"] = seconds.where(seconds >= 0)
    frame["backwards"] = seconds < 0
    last = (frame["ended_at"] - pd.Timedelta(microseconds=1)).dt.date
    frame["overnight"] = [lasts > 0 and end > day for lasts, end, day in zip(seconds, last, frame["day"], strict=True)]
    frame["topics"] = [told if isinstance(told, list) else [] for told in frame["topics"]]
    return frame


def expected(group: pd.DataFrame) -> dict[str, float | None]:
    return {
        "sessions_started": len(group),
        "session_users": group["user_id"].nunique(),
        "session_duration": group["seconds"].mean(),
        "session_messages": group["messages"].astype(float).mean(),
        "session_rating": group["rating"].astype(float).mean(),
        "rated_share": group["rating"].notna().mean(),
        "topic_coverage": group["topics"].map(bool).mean(),
        "sessions_without_end": group["ended_at"].isna().sum(),
        "sessions_backwards": group["backwards"].sum(),
        "sessions_overnight": group["overnight"].sum(),
    }


def agree(answered: Any, truth: dict[str, float | None], but: tuple[str, ...] = ()) -> None:  # noqa: ANN401 - a row
    for measure, value in truth.items():
        if measure in but:
            continue
        ours = answered[measure]
        assert (pd.isna(ours) and pd.isna(value)) or float(ours) == pytest.approx(float(str(value)), rel=1e-6), measure


def check(frame: pd.DataFrame) -> None:
    """Every measure by day, subject, cohort and topic, and the hours of the week, against the records."""
    start, end = frame["day"].min(), frame["day"].max() + timedelta(days=1)
    span = {"start": start, "end": end}
    agree(metrics.query(MEASURES, **span).frame.iloc[0], expected(frame))
    days = metrics.query(MEASURES, interval="day", **span).frame.set_index("bucket")
    for day, group in frame.groupby("day"):
        agree(days.loc[next(bucket for bucket in days.index if bucket.date() == day)], expected(group))
    assert int(days["sessions_started"].sum()) == len(frame)
    for dimension in ("subject", "cohort"):
        named = pd.Series([told if isinstance(told, str) and told else f"(no {dimension})" for told in frame[dimension]], index=frame.index)
        answered = metrics.query([m for m in MEASURES if m != "session_users"], by=[dimension], **span).frame.set_index(dimension)
        assert set(answered.index) == set(named)
        for value, group in frame.groupby(named):
            agree(answered.loc[value], expected(group), ("session_users",))
    topics = Counter(topic for told in frame["topics"] for topic in (dict.fromkeys(told) or ["(no topic)"]))
    answered = metrics.query(["sessions_started"], by=["topic"], **span).frame
    assert dict(zip(answered["topic"], answered["sessions_started"], strict=True)) == topics
    hours = Counter((WEEKDAYS[at.weekday()], f"{at.hour:02d}") for at in frame["started_at"])
    answered = metrics.query(["sessions_started"], by=["weekday", "hour"], **span).frame
    assert {(row.weekday, row.hour): row.sessions_started for row in answered.itertuples()} == hours


def told(n: int, started_at: datetime, minutes: float | None, chance: int) -> dict[str, Any]:
    """A session record; `chance` decides what it tells."""
    record: dict[str, Any] = {"id": f"s{n}", "started_at": started_at.isoformat(), "module": ["tutor", "chat"][chance % 2]}
    record |= {} if chance % 3 == 0 else {"subject": ["maths", "art", ""][chance % 3]}
    record |= {} if chance % 5 == 0 else {"cohort": f"year {chance % 3}"}
    record |= {} if chance % 4 == 0 else {"user_id": f"u{chance % 7}", "messages": chance}
    record |= {} if chance % 2 else {"rating": 1 + chance % 9 / 2}
    record |= {} if chance % 7 < 2 else {"topics": [f"t{m}" for m in range(chance % 4)]}
    return record | ({} if minutes is None else {"ended_at": (started_at + timedelta(minutes=minutes)).isoformat()})


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
        st.tuples(st.integers(0, 3 * 24 * 60 * 60), st.none() | st.integers(0, 2_000), st.integers(0, 40)), min_size=1, max_size=40
    )
)
def test_it_counts_what_the_records_say_around_midnight_and_changes_of_clocks(
    zone: str, made: list[tuple[int, int | None, int]], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("empty")()
    in_zone(zone, monkeypatch)
    records = [told(n, EDGE + timedelta(seconds=second), minutes, chance) for n, (second, minutes, chance) in enumerate(made)]
    arrive(records, noun="sessions")
    frame = loaded(records, zone)
    check(frame)
    span = (frame["day"].min(), frame["day"].max() + timedelta(days=1))
    assert verify(*span)["differences"] == 0
    before = cells()
    statistics.make(*span)
    statistics.make(*span)
    assert cells() == before


def cells() -> list[Any]:
    with transaction() as connection:
        return [
            sorted(map(str, connection.execute(text(f"select * from {table}"))))
            for table in ("rollup_session_day", "rollup_session_hour", "rollup_feedback_day", "rollup_distinct")
        ]


def test_it_agrees_with_pandas_on_real_sessions() -> None:
    rows = json.loads((DATA / "convai2-sessions" / "data_volunteers.json").read_text())
    records = [
        {"id": f"{n}", "started_at": f"{row['start_time']}Z", "ended_at": f"{row['end_time']}Z", "messages": len(row["dialog"])}
        | {"rating": row["eval_score"], "user_id": row["participant1_id"]["user_id"]}
        for n, row in enumerate(rows)
    ]
    frame = loaded(records, "UTC")
    assert len(frame) > 1_000
    assert arrive(records, noun="sessions") == len(frame) - frame["backwards"].sum()
    check(frame[~frame["backwards"]])
    statistics.make()
    with transaction() as connection:
        kept = statistics.retention(connection)
    agree_retention(kept.frame, frame)


def agree_retention(ours: pd.DataFrame, frame: pd.DataFrame) -> None:
    """First week × week, counted from the records."""
    seen = frame.dropna(subset="user_id").assign(
        week=[day - timedelta(days=day.weekday()) for day in frame.dropna(subset="user_id")["day"]]
    )
    first = seen.groupby("user_id")["week"].min()
    pairs = seen[["user_id", "week"]].drop_duplicates()
    truth = Counter((first[row.user_id], row.week) for row in pairs.itertuples())
    assert {(row.first_week, row.week): row.users for row in ours.itertuples()} == truth


def test_it_counts_who_returns_in_all_and_in_each_module_and_follows_a_change_of_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    in_zone("UTC", monkeypatch)
    records = [told(n, datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=7.3 * n), 5, n * 13 % 41) for n in range(250)]
    arrive(records, noun="sessions")
    for zone in ("UTC", "Pacific/Auckland"):
        in_zone(zone, monkeypatch)
        rebuild(None, None, lambda *_: None, lambda: False)
        statistics.make()
        frame = loaded(records, zone)
        with transaction() as connection:
            agree_retention(statistics.retention(connection).frame, frame)
            agree_retention(statistics.retention(connection, module="tutor").frame, frame[frame["module"] == "tutor"])
            agree_retention(statistics.retention(connection, "production", "chat").frame, frame[frame["module"] == "chat"])
            assert statistics.retention(connection, module="nobody").frame.empty
        check(frame)


def test_it_counts_a_session_that_records_contradict_as_backwards_and_corrects_its_day() -> None:
    start = datetime(2026, 11, 2, 10, tzinfo=UTC)
    arrive([told(1, start, 30, 8)], noun="sessions")
    later = told(1, start + timedelta(days=1), None, 8)
    arrive([later], noun="sessions")
    days = metrics.query(MEASURES, interval="day", start=start.date(), end=start.date() + timedelta(days=2)).frame
    assert list(days["sessions_started"]) == [0, 1]
    assert list(days["sessions_backwards"]) == [0, 1]
    assert days["session_duration"].isna().all()
    hours = metrics.query(["sessions_started"], by=["hour"], start=start.date(), end=start.date() + timedelta(days=2)).frame
    assert list(hours["sessions_started"]) == [1]
    assert verify(start.date(), start.date() + timedelta(days=2))["differences"] == 0


@pytest.mark.parametrize(
    "damage",
    [
        "update rollup_session_day set overnight = overnight + 1 where topic = ''",
        "delete from rollup_session_day",
        "update rollup_session_hour set n = n + 1",
        "insert into rollup_session_hour select current_date, extract(hour from now()), min(series_id), 9 from rollup_session_day",
        "update rollup_feedback_day set up = up + 1",
        "delete from rollup_distinct where kind = 'session_user'",
    ],
)
def test_it_mends_the_last_days_and_verify_would_have_found_it(damage: str) -> None:
    start = utc_now() - timedelta(hours=20)
    arrive([told(n, start + timedelta(hours=n), 20, n) for n in range(15)], noun="sessions")
    arrive([{"id": "f", "session_id": "s1", "thumbs": "up", "rating": 2}], noun="feedback")
    right = cells()
    with transaction() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    span = (utc_now().date() - timedelta(days=1), utc_now().date() + timedelta(days=1))
    assert verify(*span)["differences"] != 0
    result = statistics.make()
    assert result["days"] == statistics.RECOUNTED_DAYS
    assert cells() == right
    assert verify(*span)["differences"] == 0


def test_it_wants_both_ends_of_a_range() -> None:
    with pytest.raises(BadInput, match="both ends"):
        statistics.make(date(2026, 1, 1), None)


def test_it_makes_weeks_that_follow_one_another() -> None:
    records = [told(n, utc_now() - timedelta(days=3 * n, hours=1), 5, 1) for n in range(12)]
    arrive(records, noun="sessions")
    statistics.make()
    with transaction() as connection:
        kept = statistics.retention(connection)
        assert kept.made_at is not None
        assert utc_now() - kept.made_at < timedelta(minutes=5)
    weeks = sorted(set(kept.frame["week"]))
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(weeks))
