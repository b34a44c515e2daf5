"""What is kept and for how long; and that whatever is let in counts on its own day, however late it comes."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from services import metrics
from services.clock import day_start, utc_now
from services.db import engine, transaction
from services.jobs import claim, enqueue, get
from services.rollups import kept
from services.rollups.rebuild import rebuild
from services.rollups.state import WRITERS
from services.rollups.verify import verify
from services.settings import settings
from services.telemetry import retention
from tests.traffic import arrive, many, move_all, operation, send
from workers import housekeeping
from workers.running import Running

KATHMANDU = ZoneInfo("Asia/Kathmandu")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def partitions(database: None) -> Iterator[None]:
    """None to begin with, and none left behind: hundreds of them would make every later test slower."""
    drop_partitions()
    yield
    drop_partitions()


def drop_partitions() -> None:
    with transaction() as connection:
        for day in kept.stored_days(connection):
            connection.execute(text(f"drop table operations_{day:%Y%m%d}"))


def keep(monkeypatch: pytest.MonkeyPatch, **limits: object) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(name.upper(), str(value))
    settings.cache_clear()


def tidy() -> dict[str, object]:
    with transaction() as connection:
        return retention.tidy(connection)


def days() -> list[date]:
    with transaction() as connection:
        return kept.stored_days(connection)


def raw_from() -> date | None:
    with transaction() as connection:
        return kept.raw_from(connection)


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def daily(count: int) -> list[dict[str, object]]:
    """One operation a day, the newest now."""
    return [operation(f"d{n}", utc_now() - n * DAY, user_id=f"u{n}") for n in range(count)]


def total() -> object:
    now = utc_now()
    return metrics.query(["operations"], start=(now - 500 * DAY).date(), end=(now + 2 * DAY).date()).frame["operations"].iloc[0]


def test_it_makes_the_days_to_come_and_drops_nothing_that_is_young() -> None:
    today = utc_now().date()
    arrive(daily(3))
    assert tidy()["days_dropped"] == 0
    assert days() == [today + n * DAY for n in range(-2, 4)]
    assert raw_from() is None
    assert tidy()["days_dropped"] == 0


def test_it_drops_the_days_past_their_keep_and_what_they_were_is_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(20))
    keep(monkeypatch, raw_days=4)
    first = (utc_now() - 4 * DAY - retention.SLACK).date()
    dropped = tidy()["days_dropped"]
    assert dropped == 20 - (utc_now().date() - first).days - 1
    assert (min(days()), raw_from()) == (first, first)
    assert scalar("select count(*) from operations") == 20 - dropped
    assert total() == 20


def test_it_remembers_the_newest_day_it_dropped_and_never_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utc_now()
    arrive([operation("a", now - 30 * DAY), operation("b", now - 50 * DAY), operation("c", now)])
    keep(monkeypatch, raw_days=20)
    assert tidy()["days_dropped"] == 2
    assert raw_from() == (now - 29 * DAY).date()
    keep(monkeypatch, raw_days=60)
    refused = send([operation("b", now - 50 * DAY), operation("d", now - 40 * DAY)]).rejections
    assert [rejection.field for rejection in refused] == ["started_at", "started_at"], "one sent again could not be known again"
    assert tidy()["days_dropped"] == 0
    assert raw_from() == (now - 29 * DAY).date()
    assert total() == 3


def test_it_drops_a_bounded_number_of_days_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(12))
    keep(monkeypatch, raw_days=2)
    monkeypatch.setattr(retention, "MOST_DROPPED", 3)
    assert tidy()["days_dropped"] == 3
    assert raw_from() == min(days()) == (utc_now() - 8 * DAY).date()
    assert tidy()["days_dropped"] == 3


def test_it_keeps_the_day_of_what_was_let_in_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    first, late = utc_now() - 7 * DAY, operation("late", utc_now() - 7 * DAY)
    arrive([operation("first", first), late])
    send([late, operation("later", first)])
    with transaction() as connection:
        connection.execute(text("update telemetry_inbox set received_at = now() - interval '6 days'"))
    keep(monkeypatch, raw_days=2)
    assert tidy()["days_dropped"] == 0
    assert move_all() == 1
    assert tidy()["days_dropped"] == 1
    assert total() == 3


def test_it_does_not_wait_for_a_long_reader_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(9))
    keep(monkeypatch, raw_days=2)
    monkeypatch.setattr(retention, "READERS_S", 0.1)
    with engine().begin() as reader:
        reader.execute(text("select count(*) from operations"))
        told = tidy()
    assert told["days_dropped"] == 0
    assert "being read" in str(told["left"])
    assert raw_from() is None
    again = tidy()
    assert again["days_dropped"] != 0
    assert "left" not in again


def test_it_leaves_the_operations_alone_while_others_write(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(9))
    keep(monkeypatch, raw_days=2)
    monkeypatch.setattr(retention, "WRITERS_S", 0.1)
    with engine().begin() as writer:
        writer.execute(text("select pg_advisory_xact_lock(:key)"), {"key": WRITERS})
        told = tidy()
    assert "being written" in str(told["left"])
    assert "days_dropped" not in told
    assert len(days()) == 9


def test_it_leaves_locked_operations_without_days_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "READERS_S", 0.1)
    with engine().begin() as keeper:
        keeper.execute(text("lock table operations in access exclusive mode"))
        told = tidy()
    assert "coming days" in str(told["left"])


def test_it_passes_on_what_is_no_lock() -> None:
    def step() -> int:
        raise OperationalError("select 1", {}, Exception("the disk is full"))

    with transaction() as connection, pytest.raises(OperationalError, match="disk is full"):
        retention._patiently(connection, 1, step)


def test_it_forgets_everything_else_past_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, store_payloads="true", rejected_days=5, payload_days=3)
    arrive([operation("a", utc_now(), prompt="hello"), operation("b", utc_now(), told_by="lib", parent_id="p"), "junk"])
    assert {name: tidy()[name] for name in ("rejected", "payloads", "minutes", "tellings", "key_uses", "quarter_hours")} == dict.fromkeys(
        ("rejected", "payloads", "minutes", "tellings", "key_uses", "quarter_hours"), 0
    )
    with transaction() as connection:
        connection.execute(text("update telemetry_rejected set received_at = now() - interval '6 days'"))
        connection.execute(text("update operation_payloads set stored_at = now() - interval '4 days'"))
        connection.execute(text("update telemetry_minutes set minute = minute - interval '3 days'"))
        connection.execute(text("update operation_tellings set noted_at = now() - interval '3 days'"))
        connection.execute(text("update rollup_15m set bucket = bucket - interval '36 days'"))
        key = connection.execute(
            text("insert into api_keys (name, prefix, secret_hash, scopes) values ('k', 'p', '', '{telemetry}') returning id")
        ).scalar_one()
        connection.execute(text("insert into api_key_uses values (:key, now() - interval '2 days', 1)"), {"key": key})
    told = tidy()
    assert (told["rejected"], told["payloads"], told["minutes"], told["key_uses"]) == (1, 1, 1, 1)
    assert told["tellings"] != 0
    assert told["quarter_hours"] != 0


def test_it_keeps_nothing_that_was_said_on_a_day_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, store_payloads="true")
    arrive([operation("old", utc_now() - 9 * DAY, prompt="secret"), operation("new", utc_now(), prompt="news")])
    keep(monkeypatch, raw_days=2)
    assert tidy()["days_dropped"] == 1
    assert scalar("select string_agg(prompt, ',') from operation_payloads") == "news"


def test_the_hourly_job_says_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(9))
    keep(monkeypatch, raw_days=2)
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default")
        assert job_id is not None
        job = claim.claim(connection, job_id, "tester")
    assert job is not None
    housekeeping.tidy(Running(job))
    with transaction() as connection:
        result = get(connection, job_id).result
    assert result["days_dropped"] > 0
    assert set(result) >= {"jobs", "rejected", "payloads", "minutes", "key_uses", "quarter_hours", "tellings"}


def test_it_refuses_counts_and_keeps_what_is_a_little_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, raw_days=3, reporting_zone="Asia/Kathmandu")
    edge = utc_now() - 3 * DAY
    old, young = operation("old", edge - timedelta(seconds=5)), operation("young", edge + timedelta(seconds=30))
    receipt = send([old, young])
    assert (receipt.accepted, len(receipt.rejections)) == (1, 1)
    assert receipt.rejections[0].reason.startswith(f"lies before {edge.date()}, since when operations are kept")
    assert move_all() == 1
    assert scalar("select accepted || ' ' || rejected from telemetry_counts") == "1 1"
    with transaction() as connection:
        kept_row = connection.execute(text("select field, position, complete, raw from telemetry_rejected")).one()
    assert (kept_row.field, kept_row.position, kept_row.complete) == ("started_at", 1, True)
    assert '"old"' in kept_row.raw


def test_the_day_of_the_oldest_that_is_let_in_can_always_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(many(200, utc_now() - 9 * DAY, 8 * DAY))
    keep(monkeypatch, raw_days=3)
    for zone in ("Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        keep(monkeypatch, reporting_zone=zone)
        rebuild(None, None, lambda *_: None, lambda: False)
    tidy()
    with transaction() as connection:
        for zone in ("Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
            first = kept.first_day(connection, ZoneInfo(zone))
            assert first is not None
            assert day_start(first, ZoneInfo(zone)) < utc_now() - 3 * DAY


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minutes=st.lists(st.integers(0, 400 * 24 * 60), min_size=1, max_size=60, unique=True),
    at_once=st.integers(1, 20),
)
def test_what_comes_late_and_in_any_order_counts_on_its_own_local_day(
    minutes: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("empty")()
    keep(monkeypatch, reporting_zone="Asia/Kathmandu", raw_days=420)
    now = utc_now()
    moments = [now - timedelta(minutes=minute) for minute in minutes]
    records = [operation(f"k{n}", moment) for n, moment in enumerate(moments)]
    for start in range(0, len(records), at_once):
        arrive(records[start : start + at_once])
        tidy()
    arrive(records[::-1])
    frame = metrics.query(["operations"], start=(now - 402 * DAY).date(), end=(now + 2 * DAY).date(), interval="day").frame
    counted = {bucket.date(): int(n) for bucket, n in zip(frame["bucket"], frame["operations"], strict=True) if n}
    assert counted == Counter(moment.astimezone(KATHMANDU).date() for moment in moments)
    assert scalar("select count(*) from operations where day <> (started_at at time zone 'UTC')::date") == 0
    assert verify()["differences"] == 0


def test_what_comes_late_for_a_day_beside_dropped_ones_is_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(daily(12))
    keep(monkeypatch, raw_days=3)
    assert tidy()["days_dropped"] != 0
    late = operation("late", datetime.now(UTC) - 3 * DAY + timedelta(minutes=1), user_id="new")
    assert arrive([late]) == 1
    assert arrive([late]) == 0
    assert total() == 13
    assert verify()["differences"] == 0
