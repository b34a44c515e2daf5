"""What the Telemetry page reads."""

from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.telemetry import overview
from services.telemetry.move import move_once
from tests.traffic import arrive, operation, send

pytestmark = pytest.mark.usefixtures("database")


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def of(frame: pd.DataFrame, source: str) -> pd.Series:
    (row,) = [row for _, row in frame.iterrows() if row["source"] == source]
    return row


def some(count: int, name: str = "o") -> list[object]:
    return [operation(f"{name}{n}", utc_now()) for n in range(count)]


def test_where_nothing_came_it_says_so_and_not_zero() -> None:
    with transaction() as connection:
        assert not overview.anything(connection)
        assert overview.rate(connection).empty
        assert overview.lag_ms(connection) is None
        assert overview.backlog(connection) == overview.Backlog(0, None)
        assert set(overview.today(connection).values()) == {0}
        assert overview.sources(connection).empty
        assert overview.rejected(connection).empty


def test_the_rate_has_every_minute_of_every_source_and_counts_what_waits() -> None:
    arrive(some(5), source="a")
    send(some(2, "w"), source="b")
    run("insert into telemetry_minutes values (date_trunc('minute', now()) - interval '30 minutes', 'a', 40, 9)")
    run("insert into telemetry_minutes values (date_trunc('minute', now()) - interval '61 minutes', 'a', 99, 9)")
    with transaction() as connection:
        rate = overview.rate(connection)
    assert len(rate) == 120
    assert rate.groupby("source")["n"].sum().to_dict() == {"a": 45, "b": 2}
    assert rate["minute"].is_monotonic_increasing
    assert str(rate["minute"].dt.tz) == "UTC"


def test_the_lag_is_the_longest_of_five_minutes() -> None:
    run(
        "insert into telemetry_minutes select date_trunc('minute', now()) - age, 'a', 1, lag from (values"
        " (interval '1 minute', 250), (interval '3 minutes', 900), (interval '6 minutes', 60000)) as v (age, lag)"
    )
    with transaction() as connection:
        assert overview.lag_ms(connection) == 900


def test_the_backlog_is_what_is_not_yet_counted() -> None:
    send(some(3))
    run("update telemetry_inbox set received_at = now() - interval '90 seconds'")
    send(some(4, "later"))
    with transaction() as connection:
        backlog = overview.backlog(connection)
    assert backlog.rows == 7
    assert backlog.oldest_s == pytest.approx(90, abs=10)
    move_once()
    with transaction() as connection:
        assert overview.backlog(connection) == overview.Backlog(0, None)


def test_counts_are_of_today_and_of_seven_days() -> None:
    arrive([*some(4), *some(1), {"id": "bad"}])
    run("insert into telemetry_counts (day, source, door, accepted, ignored) values (current_date - 6, 'app', '/api/operations', 100, 3)")
    run("insert into telemetry_counts (day, source, door, accepted) values (current_date - 7, 'app', '/api/operations', 1000)")
    with transaction() as connection:
        today, row = overview.today(connection), of(overview.sources(connection), "app")
    assert today == {"accepted": 5, "rejected": 1, "ignored": 0, "adjusted": 0, "duplicates": 1, "late": 0}
    assert (row["door"], row["accepted_today"], row["accepted"]) == ("/api/operations", 5, 105)
    assert (row["rejected"], row["duplicates"], row["ignored"], row["ignored_today"]) == (1, 1, 3, 0)


def test_sources_say_when_they_were_last_seen_and_who_fell_silent() -> None:
    arrive(some(1), source="live")
    arrive(some(1), source="gone")
    send(some(1), source="file", door="import")
    move_once()
    send([{"id": "bad"}], source="useless")
    run("update telemetry_sources set last_seen_at = now() - interval '25 hours' where source in ('gone', 'file')")
    with transaction() as connection:
        sources = overview.sources(connection)
    assert not of(sources, "live")["silent"]
    assert of(sources, "gone")["silent"]
    assert of(sources, "gone")["last_seen_at"] < pd.Timestamp(utc_now() - timedelta(hours=24))
    assert pd.isna(of(sources, "file")["silent"])
    assert pd.isna(of(sources, "useless")["last_seen_at"])
    assert pd.isna(of(sources, "useless")["silent"])
    assert of(sources, "useless")["rejected_today"] == 1


def test_refused_records_are_grouped_by_their_reason_largest_first() -> None:
    send([operation("a", utc_now(), colour=shade) for shade in ("red", "green", "blue")])
    send([operation("b", utc_now(), input_tokens=-1), operation("long", utc_now(), module="m" * 30_000)])
    send([operation("c", utc_now(), colour="grey")], source="other", door="import")
    with transaction() as connection:
        found = overview.rejected(connection)
    assert len(found) == 4
    assert found.iloc[0][["source", "field", "reason", "n", "replayable"]].tolist() == ["app", "colour", "unknown field", 3, 3]
    assert '"blue"' in found.iloc[0]["sample"]
    by_field = found[found["source"] == "app"].set_index("field")
    assert by_field["replayable"].to_dict() == {"colour": 3, "input_tokens": 1, "module": 0}
    assert len(by_field["sample"]["module"]) == overview.SAMPLE_KEPT
    assert of(found, "other")["replayable"] == 0


def test_it_stops_at_so_many_groups() -> None:
    send([operation("a", utc_now()) | {f"field {n}": 1} for n in range(overview.MOST_GROUPS + 1)])
    with transaction() as connection:
        assert len(overview.rejected(connection)) == overview.MOST_GROUPS


def test_a_source_is_seen_as_soon_as_it_sends_not_only_when_it_is_counted() -> None:
    send([operation("a", utc_now())], source="new")
    with transaction() as connection:
        seen = overview.sources(connection).set_index("source")
    assert seen.loc["new", "last_seen_at"] is not None
    assert not seen.loc["new", "silent"]
