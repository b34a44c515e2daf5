"""The sample: the same every time, plausible, with a spike and an outage worth finding, and never there twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import text

from services import metrics, sample
from services.db import transaction
from services.sample import plan as plans
from services.sample.day import OUTAGE_PROVIDER, SPIKE_MODULE, draw
from services.sample.plan import SILENT_HOURS, Plan
from services.settings import settings
from services.telemetry.move import move_once

PLAN = Plan(seed=plans.SEED, anchor=datetime(2026, 5, 14, 15, 20, tzinfo=UTC), zone="Asia/Manila", days=30, operations=24_000)


def silent(_done: int, _total: int, _note: str) -> None:
    """A report nobody reads."""


def never() -> bool:
    return False


def _worker(_pause_s: float) -> None:
    """What goes on elsewhere while somebody sleeps."""
    move_once()


def moved() -> None:
    while move_once().rows:
        pass


def drawn(ages: range) -> pd.DataFrame:
    return pd.DataFrame([record for age in ages for record in draw(PLAN, age).operations])


def state() -> tuple[object, ...]:
    with transaction() as connection:
        return tuple(
            connection.execute(
                text(
                    "select (select count(*) from operations), (select count(*) from sessions),"
                    " (select count(*) from telemetry_rejected), (select coalesce(sum(row_count), 0) from telemetry_inbox)"
                )
            ).one()
        )


def test_it_is_the_same_whenever_it_is_drawn() -> None:
    assert draw(PLAN, 3) == draw(PLAN, 3)
    assert draw(PLAN, 3) != draw(PLAN, 4)


def test_it_never_speaks_of_the_future_and_has_the_size_it_should() -> None:
    calls = drawn(range(30))
    ended = calls["started_at"] + calls["latency_ms"] / 1_000
    assert ended.max() <= PLAN.anchor.timestamp()
    assert calls["id"].is_unique
    assert len(calls) == pytest.approx(PLAN.operations, rel=0.05)
    sessions = pd.DataFrame(draw(PLAN, 0).sessions)
    assert sessions["ended_at"].max() <= PLAN.anchor.timestamp()


def test_it_has_the_rhythm_of_people_at_work() -> None:
    calls = drawn(range(1, 15))
    local = pd.to_datetime(calls["started_at"], unit="s", utc=True).dt.tz_convert(PLAN.zone)
    days = calls.groupby(local.dt.day_of_week).size()
    assert days[[0, 1, 2, 3, 4]].min() > 2 * days[[5, 6]].max()
    assert local.dt.hour.between(8, 17).mean() > 0.7
    errors = calls["error_type"].notna().mean()
    assert 0.005 < errors < 0.05
    assert set(calls["environment"]) == {"production", "staging"}
    cached = calls[calls["cached"]]
    assert (cached["input_tokens"] == 0).all()
    assert cached["latency_ms"].median() < 50 < calls["latency_ms"].median()
    assert calls["latency_ms"].quantile(0.99) > 4 * calls["latency_ms"].median()
    assert set(calls[calls["ttft_ms"].notna()]["module"]) == {"tutor", "chat"}
    assert (calls["cache_read_tokens"] + calls["cache_write_tokens"] <= calls["input_tokens"])[calls["input_tokens"].notna()].all()


def test_it_has_a_spike_of_long_prompts() -> None:
    start, end = PLAN.spike()
    assert datetime.fromtimestamp(start, UTC).weekday() == 1
    assert timedelta(0) < PLAN.anchor - datetime.fromtimestamp(end, UTC) < timedelta(days=8)
    calls = drawn(range(1, 9))
    theirs = calls[(calls["module"] == SPIKE_MODULE) & ~calls["cached"] & calls["error_type"].isna()]
    inside = theirs["started_at"].between(start, end)
    assert inside.sum() > 20
    assert theirs[inside]["input_tokens"].median() > 8 * theirs[~inside]["input_tokens"].median()


def test_it_has_an_outage_with_a_burst_of_timeouts_and_silence_after() -> None:
    start, end = PLAN.outage()
    calls = drawn(range(10, 16))
    theirs = calls[(calls["provider"] == OUTAGE_PROVIDER) & ~calls["cached"]]
    inside = theirs[theirs["started_at"].between(start, end)]
    assert len(inside) > 20
    assert inside["error_type"].notna().all()
    assert (inside["error_type"] == "timeout").sum() > 15
    assert theirs[theirs["started_at"].between(end, end + SILENT_HOURS * 3_600)].empty
    assert theirs[~theirs["started_at"].between(start, end)]["error_type"].notna().mean() < 0.05
    for moment in (start, PLAN.spike()[0]):
        assert datetime.fromtimestamp(moment, UTC).weekday() < 5


@pytest.mark.usefixtures("database")
def test_it_arrives_newest_day_first_and_says_so() -> None:
    heard: list[tuple[int, int, str]] = []
    now = datetime.now(UTC)

    def arriving() -> bool:
        return metrics.trust(now.date() - timedelta(days=10), now.date()).sample_arriving

    def hear(done: int, total: int, note: str) -> None:
        heard.append((done, total, note))
        assert arriving() is (done < total)

    assert arriving() is False
    result = sample.generate(hear, never, operations=2_000, days=10)
    assert result == {"days": 10, "of": 10, "state": "finished"}
    assert [done for done, _, _ in heard] == list(range(1, 11))
    last = now.astimezone(settings().zone).date()
    assert [note for _, _, note in heard] == [f"{last - timedelta(days=age):%d %B %Y}" for age in range(10)]
    moved()
    operations, sessions, rejected, waiting = state()
    assert 1_600 < int(str(operations)) < 2_100  # a tenth of a busy Monday is still to come at midnight
    assert int(str(sessions)) > 100
    assert (rejected, waiting) == (0, 0)
    total = metrics.query(["operations", "priced_share"], start=now.date() - timedelta(days=11), end=now.date() + timedelta(days=2)).frame
    assert int(total["operations"].iloc[0]) == operations
    assert 0.85 < float(total["priced_share"].iloc[0]) < 1


@pytest.mark.usefixtures("database")
def test_it_continues_after_a_restart_and_adds_nothing_when_it_is_finished() -> None:
    days = iter([False, False, False, True])
    assert sample.generate(silent, lambda: next(days), operations=900, days=6)["days"] == 3
    moved()
    before = state()
    assert sample.generate(silent, never, operations=5, days=1) == {"days": 6, "of": 6, "state": "finished"}
    moved()
    whole = state()
    assert int(str(whole[0])) > int(str(before[0]))
    sample.generate(silent, never)
    moved()
    assert state() == whole


@pytest.mark.usefixtures("database")
def test_it_adds_nothing_when_a_day_is_sent_again() -> None:
    sample.generate(silent, never, operations=600, days=4)
    moved()
    whole = state()
    with transaction() as connection:
        plan = plans.load(connection)
        assert plan is not None
        plans.save(connection, replace(plan, done=1, state="arriving"))
    sample.generate(silent, never)
    moved()
    assert state() == whole


@pytest.mark.usefixtures("database")
def test_it_waits_while_the_inbox_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_LIMIT_ROWS", "1000")
    settings.cache_clear()
    monkeypatch.setattr("services.sample.traffic.time.sleep", _worker)
    try:
        assert sample.generate(silent, never, operations=6_000, days=5)["state"] == "finished"
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    moved()
    assert 3_900 < int(str(state()[0])) < 6_300  # at midnight a whole working day of the five is still to come
