"""What a sender may say, and the words for what it may not."""

from datetime import UTC, datetime, timedelta

import pytest

from services.telemetry.records import RAW_KEPT, examine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOOD: dict[str, object] = {"id": "a", "started_at": "2026-11-21T10:00:00Z"}


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"input_tokens": -1}, "input_tokens", "greater than or equal to 0"),
        ({"input_tokens": "12"}, "input_tokens", "valid integer"),
        ({"input_tokens": True}, "input_tokens", "valid integer"),
        ({"latency_ms": float("nan")}, "latency_ms", "finite number"),
        ({"latency_ms": -0.1}, "latency_ms", "greater than or equal to 0"),
        ({"cached": "yes"}, "cached", "valid boolean"),
        ({"modle": "gpt"}, "modle", "unknown field"),
        ({"model": "a\x00b"}, "model", "NUL"),
        ({"model": "\ud800"}, "model", "unicode"),
        ({"model": "m" * 201}, "model", "200"),
        ({"id": ""}, "id", "at least 1"),
        ({"started_at": "yesterday"}, "started_at", "datetime"),
        ({"started_at": "2026-11-21T10:00:00"}, "started_at", "timezone"),
        ({"started_at": "2026-11-22T10:00:00Z"}, "started_at", "in the future"),
        ({"started_at": "1999-01-01T00:00:00Z"}, "started_at", "before 2015-01-01"),
        ({"ended_at": "2026-11-21T09:59:59Z"}, "ended_at", "before started_at"),
        ({"ended_at": "2026-11-23T10:00:00Z"}, "ended_at", "in the future"),
        (
            {"input_tokens": 10, "cache_read_tokens": 8, "cache_write_tokens": 3},
            "cache_read_tokens",
            "cache tokens (11) are part of input_tokens",
        ),
        ({"cache_read_tokens": 8}, "cache_read_tokens", "input_tokens is not told"),
        ({"output_tokens": 10, "reasoning_tokens": 11}, "reasoning_tokens", "output_tokens is 10"),
        ({"reasoning_tokens": 11}, "reasoning_tokens", "output_tokens is not told"),
        ({"cost_usd": "-1"}, "cost_usd", "greater than or equal to 0"),
    ],
)
def test_it_names_the_field_and_the_reason_and_keeps_the_good_rows(wrong: dict[str, object], field: str, reason: str) -> None:
    usable, rejections = examine("operations", [GOOD, GOOD | wrong, GOOD | {"id": "b"}], 10, NOW)
    assert [record["id"] for record in usable] == ["a", "b"]
    assert [(r.position, r.field) for r in rejections] == [(11, field)]
    assert reason in rejections[0].reason


@pytest.mark.parametrize("junk", [None, 5, "text", [], {}])
def test_it_refuses_what_is_no_record(junk: object) -> None:
    usable, rejections = examine("operations", [junk], 1, NOW)
    assert usable == []
    assert len(rejections) == 1


def test_it_takes_epoch_seconds_and_every_zone() -> None:
    usable, rejections = examine(
        "operations",
        [GOOD | {"started_at": 1_795_255_200}, GOOD | {"started_at": "2026-11-21T15:45:00+05:45"}],
        1,
        NOW,
    )
    assert rejections == []
    assert [record["started_at"] for record in usable] == [datetime(2026, 11, 21, 10, tzinfo=UTC)] * 2


def test_it_allows_a_clock_that_is_a_little_fast() -> None:
    usable, _ = examine("operations", [GOOD | {"started_at": (NOW + timedelta(minutes=9)).isoformat()}], 1, NOW)
    assert len(usable) == 1


def test_it_keeps_a_bounded_copy_of_what_it_refused() -> None:
    _, rejections = examine("operations", [GOOD | {"model": "x" * 100_000}], 1, NOW)
    assert len(rejections[0].raw) == RAW_KEPT + 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"rating": 6}, "rating"), ({"rating": 0}, "rating"), ({"messages": -1}, "messages"), ({"topics": "maths"}, "topics")],
)
def test_it_examines_sessions_too(wrong: dict[str, object], field: str) -> None:
    usable, rejections = examine("sessions", [GOOD | {"rating": 4.5, "topics": ["maths"]}, GOOD | wrong], 1, NOW)
    assert len(usable) == 1
    assert rejections[0].field == field
