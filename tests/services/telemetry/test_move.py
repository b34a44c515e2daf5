"""From the door to the rollups: everything counts once, and what is refused is kept."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from services import metrics
from services.clock import utc_now
from services.db import transaction
from services.errors import TooMuch
from services.settings import settings
from services.telemetry import inbox
from services.telemetry.move import move_once
from services.telemetry.series import OTHER
from tests.traffic import arrive, instants, many, move_all, operation, send

pytestmark = pytest.mark.usefixtures("database")
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def total(measure: str = "operations", **question: object) -> object:
    """One number over everything."""
    answer = metrics.query([measure], start=date(2026, 1, 1), end=date(2027, 1, 1), **question)  # type: ignore[arg-type]
    return answer.frame[measure].iloc[0]


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def test_it_counts_an_operation_once_however_often_it_is_told() -> None:
    records = many(200, NOON, timedelta(hours=3))
    assert arrive(records + records[:50]) == 200
    assert [arrive(records) for _ in range(2)] == [0, 0]
    assert total() == 200
    assert scalar("select sum(duplicates) from telemetry_counts") == 450
    assert scalar("select count(*) from operations") == 200


def test_it_knows_a_call_told_again_on_the_other_side_of_midnight() -> None:
    midnight = datetime(2026, 11, 10, tzinfo=UTC)
    assert arrive([operation("twice", midnight - timedelta(milliseconds=3))]) == 1
    assert arrive([operation("twice", midnight + timedelta(milliseconds=3))]) == 0
    assert arrive([operation("twice", midnight - timedelta(hours=20))]) == 0
    assert total() == 1


def test_it_keeps_equal_keys_of_different_sources_apart() -> None:
    assert arrive([operation("same", NOON)], source="one") == 1
    assert arrive([operation("same", NOON)], source="two") == 1
    assert total() == 2


def test_it_moves_nothing_from_an_empty_inbox() -> None:
    assert move_once().rows == 0


def test_it_takes_only_about_as_much_as_it_may() -> None:
    for seed in range(4):
        send(many(50, NOON, timedelta(hours=1), seed))
    assert move_once(limit_rows=60).new == 100
    assert move_all() == 100


def test_it_counts_once_when_several_processes_move_at_once() -> None:
    records = many(600, NOON, timedelta(hours=1))
    for start in range(0, 600, 50):
        send(records[start : start + 50])
        send(records[start : start + 50])
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: move_all(), range(4)))
    move_all()
    assert total() == 600


def test_it_leaves_the_inbox_as_it_was_when_the_move_fails() -> None:
    send(many(20, NOON, timedelta(hours=1)))
    with transaction() as connection:
        connection.execute(text("alter table rollup_day add constraint broken check (n < 0)"))
    with pytest.raises(Exception, match="broken"):
        move_once()
    with transaction() as connection:
        connection.execute(text("alter table rollup_day drop constraint broken"))
    assert scalar("select count(*) from operations") == 0
    assert move_all() == 20


def test_it_keeps_what_it_refuses_with_the_reason() -> None:
    receipt = send([operation("good", NOON), operation("bad", NOON, input_tokens=-5), "junk"])
    assert (receipt.accepted, [r.position for r in receipt.rejections]) == (1, [2, 3])
    assert (
        scalar("select string_agg(field || ': ' || position, ', ' order by position) from telemetry_rejected")
        == "input_tokens: 2, (record): 3"
    )
    assert move_all() == 1
    assert scalar("select accepted || ' ' || rejected from telemetry_counts") == "1 2"


def test_it_refuses_more_while_too_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INBOX_LIMIT_ROWS", "1000")
    settings.cache_clear()
    send(many(1_000, NOON, timedelta(hours=1)))
    with pytest.raises(TooMuch) as refusal:
        send([operation("one more", NOON)])
    assert refusal.value.retry_after_s == 10
    assert move_all() == 1_000
    assert send([operation("one more", NOON)]).accepted == 1


def test_it_says_when_an_operation_arrives_a_day_late() -> None:
    send([operation("late", utc_now() - timedelta(days=3)), operation("fresh", utc_now())])
    move_all()
    assert scalar("select late from telemetry_counts") == 1


def test_it_bounds_the_series_of_a_source_and_loses_no_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIES_LIMIT_PER_SOURCE", "5")
    settings.cache_clear()
    arrive([operation(f"o{n}", NOON, model=f"model-{n}") for n in range(9)])
    arrive([operation(f"p{n}", NOON, model=f"new-{n}") for n in range(3)])
    arrive([operation("q", NOON, model="model-0")])
    by_model = metrics.query(["operations"], by=["model"], start=NOON.date(), end=NOON.date() + timedelta(days=1)).frame
    assert by_model["operations"].sum() == 13
    assert by_model.set_index("model")["operations"][OTHER] == 7
    assert by_model.set_index("model")["operations"]["model-0"] == 2
    assert len(by_model) == 6


def test_it_remembers_how_the_last_operation_of_a_series_ended() -> None:
    arrive([operation("1", NOON, error_type="timeout"), operation("2", NOON + timedelta(minutes=1))])
    arrive([operation("0", NOON - timedelta(minutes=9), error_type="late")])
    assert scalar("select last_error_type is null and last_operation_at = '2026-11-10 12:01+00' from series") is True


def test_it_takes_latency_from_the_end_where_only_that_is_told() -> None:
    record = operation("e", NOON, ended_at=(NOON + timedelta(seconds=2.5)).isoformat())
    del record["latency_ms"]
    arrive([record])
    assert scalar("select latency_us from operations") == 2_500_000


def test_it_makes_a_session_of_its_operations_and_corrects_it_as_more_is_told() -> None:
    def of_sessions(measure: str, **where: list[str]) -> object:
        return total(measure, where=where)

    start = datetime(2026, 11, 10, 23, 50, tzinfo=UTC)
    arrive([operation(f"s{n}", start + timedelta(minutes=6 * n), session_id="s", user_id="ada", latency_ms=1_000.0) for n in range(3)])
    assert of_sessions("sessions_started") == 1
    assert of_sessions("session_duration") == pytest.approx(12 * 60 + 1)
    assert of_sessions("session_users") == 1
    told = {
        "id": "s",
        "started_at": "2026-11-09T23:00:00Z",
        "ended_at": "2026-11-09T23:30:00Z",
        "rating": 4,
        "messages": 7,
        "topics": ["maths", 'x"y\\'],
    }
    arrive([told], noun="sessions")
    assert of_sessions("sessions_started") == 1
    assert of_sessions("session_duration") == 1_800
    assert of_sessions("session_rating") == 4
    assert of_sessions("session_users") == 1
    days = metrics.query(["sessions_started", "session_users"], start=date(2026, 11, 9), end=date(2026, 11, 11), interval="day").frame
    assert list(days["sessions_started"]) == [1, 0]
    assert list(days["session_users"]) == [1, 0]
    topics = metrics.query(["sessions_started"], start=date(2026, 11, 9), end=date(2026, 11, 11), by=["topic"]).frame
    assert dict(zip(topics["topic"], topics["sessions_started"], strict=True)) == {"maths": 1, 'x"y\\': 1}
    arrive([told | {"rating": 2}], noun="sessions")
    assert of_sessions("session_rating") == 2


def test_it_counts_every_session_record_of_a_batch_and_believes_the_latest() -> None:
    records = [{"id": f"s{n % 30}", "started_at": (NOON + timedelta(minutes=n)).isoformat(), "rating": 1 + n % 5} for n in range(90)]
    assert arrive(records, noun="sessions") == 30
    assert arrive(records, noun="sessions") == 0
    assert scalar("select sum(duplicates) from telemetry_counts") == 150
    assert total("sessions_started") == 30
    assert total("session_rating") == pytest.approx(sum(1 + (60 + n) % 5 for n in range(30)) / 30)


def test_it_counts_what_came_live_and_late() -> None:
    yesterday = utc_now() - timedelta(days=2)
    records = [operation("old", yesterday), operation("new", utc_now())]
    arrive(records)
    arrive([operation("older", yesterday - timedelta(days=1))], source="file")
    send([operation("oldest", yesterday)], door="import")
    move_all()
    arrive(records)
    assert scalar("select sum(late) from telemetry_counts where door = '/api/operations'") == 2
    assert scalar("select sum(late) from telemetry_counts") == 2


def test_it_gives_back_what_was_packed() -> None:
    records = many(25, NOON, timedelta(hours=2))
    send(records)
    with transaction() as connection:
        table = inbox.unpack(connection.execute(text("select payload from telemetry_inbox")).scalar_one())
    assert sorted(table["started_at"].to_pylist()) == sorted(instants(records))
    assert table["input_tokens"].to_pylist() == [record["input_tokens"] for record in records]
