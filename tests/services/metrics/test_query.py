"""Answers equal an independent computation on the raw records; what cannot be asked is refused in words."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from genai_prices import Usage, calc_price

from services import metrics
from services.clock import utc_now
from services.errors import BadInput
from services.metrics import sums
from tests.traffic import arrive, many, operation, send

pytestmark = pytest.mark.usefixtures("database")
START = datetime(2026, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=12)
WINDOW = {"start": START.date(), "end": (START + SPAN).date()}
OPERATION_MEASURES = [name for name, measure in metrics.MEASURES.items() if measure.family == "operation"]


def raw(records: list[dict[str, object]]) -> pd.DataFrame:
    """The records as an analyst would load them, priced call by call."""
    frame = pd.DataFrame(records)
    frame["started_at"] = pd.to_datetime(frame["started_at"], format="ISO8601")
    frame["cost"] = [cost(record) for record in records]
    return frame


def cost(record: dict[str, Any]) -> Decimal | None:
    if record.get("cached"):
        return Decimal(0)
    if record["input_tokens"] is None or record["output_tokens"] is None or record["provider"] == "ollama":
        return None
    usage = Usage(input_tokens=record["input_tokens"], output_tokens=record["output_tokens"])
    return calc_price(usage, record["model"], provider_id=record["provider"], genai_request_timestamp=START).total_price


def expected(group: pd.DataFrame) -> dict[str, object]:
    known = [value for value in group["cost"] if value is not None]
    latency, ttft = group["latency_ms"].dropna(), group["ttft_ms"].dropna()

    def told(column: str) -> float | None:
        return None if group[column].isna().all() else group[column].sum()

    return {
        "operations": len(group),
        "errors": group["error_type"].notna().sum(),
        "error_rate": group["error_type"].notna().mean(),
        "cached_share": group["cached"].mean(),
        "cost": sum(known) if known else None,
        "cost_per_operation": sum(known) / len(known) if known else None,
        "priced_share": len(known) / len(group),
        "unpriced": len(group) - len(known),
        "input_tokens": told("input_tokens"),
        "output_tokens": told("output_tokens"),
        "total_tokens": group["input_tokens"].sum() + group["output_tokens"].sum(),
        "latency_avg": latency.mean(),
        "ttft_avg": ttft.mean(),
        **{f"latency_p{q}": percentile(latency, q) for q in (50, 90, 95, 99)},
        **{f"ttft_p{q}": percentile(ttft, q) for q in (50, 95)},
        "users": group["user_id"].nunique(),
        "sessions": group["session_id"].nunique(),
    }


def percentile(values: pd.Series, q: int) -> float:
    return float(np.quantile(values, q / 100, method="inverted_cdf")) if len(values) else float("nan")


def agree(answered: pd.Series, truth: dict[str, object]) -> None:
    for measure, value in truth.items():
        ours = answered[measure]
        if value is None or pd.isna(value):
            assert ours is None or pd.isna(ours), measure
        elif "_p" in measure and measure != "cost_per_operation" and "priced" not in measure:
            assert float(ours) == pytest.approx(float(str(value)), rel=0.0101), measure
        elif isinstance(value, Decimal):
            assert abs(ours - value) <= Decimal("0.000001"), measure
        else:
            assert float(ours) == pytest.approx(float(str(value)), rel=1e-6), measure


@pytest.fixture
def truth() -> pd.DataFrame:
    records = many(2_500, START, SPAN)
    arrive(records)
    return raw(records)


def test_it_answers_every_measure_of_a_whole_range(truth: pd.DataFrame) -> None:
    answer = metrics.query([*OPERATION_MEASURES, "users", "sessions"], **WINDOW)  # type: ignore[arg-type]
    agree(answer.frame.iloc[0], expected(truth))
    assert answer.complete
    assert answer.priced_share == pytest.approx(expected(truth)["priced_share"])
    assert answer.frame["throughput"].iloc[0] == pytest.approx(2_500 / (SPAN.total_seconds() / 60))
    assert answer.frame["cache_read_tokens"].isna().all()


@pytest.mark.parametrize("dimension", ["model", "module", "provider"])
def test_it_answers_by_day_and_dimension(truth: pd.DataFrame, dimension: str) -> None:
    answer = metrics.query([*OPERATION_MEASURES, "users", "sessions"], by=[dimension], interval="day", **WINDOW)  # type: ignore[arg-type]
    answered = answer.frame.set_index(["bucket", dimension])
    groups = truth.groupby([truth["started_at"].dt.floor("D"), dimension])
    assert len(groups) > 30
    for key, group in groups:
        agree(answered.loc[key], expected(group))


def test_it_filters(truth: pd.DataFrame) -> None:
    where = {"model": ["gpt-5-mini", "llama3-local"], "module": ["chat"]}
    answer = metrics.query(["operations", "errors", "cost"], where=where, **WINDOW)  # type: ignore[arg-type]
    chosen = truth[truth["model"].isin(where["model"]) & truth["module"].isin(where["module"])]
    truthful = expected(chosen)
    agree(answer.frame.iloc[0], {name: truthful[name] for name in ("operations", "errors", "cost")})


@pytest.mark.parametrize("interval", ["15min", "hour"])
def test_it_answers_finer_than_a_day_from_quarter_hours(interval: str) -> None:
    start = (utc_now() - timedelta(days=2)).replace(minute=7)
    records = many(600, start, timedelta(hours=30))
    arrive(records)
    answer = metrics.query(["operations", "latency_p95", "users"], interval=interval, start=start, end=start + timedelta(hours=30))
    frame = raw(records)
    counted = frame.groupby(frame["started_at"].dt.floor("15min" if interval == "15min" else "h")).size()
    ours = answer.frame.set_index("bucket")["operations"]
    assert ours[ours > 0].to_dict() == counted.to_dict()
    assert answer.frame["users"].isna().all()
    assert "finer than that they are unknown" in answer.notes[0]


def test_it_answers_part_of_a_day_without_an_interval() -> None:
    start = utc_now() - timedelta(hours=24)
    records = many(300, start, timedelta(hours=23))
    arrive(records)
    answer = metrics.query(["operations", "users"], start=start, end=utc_now())
    assert answer.frame["operations"].iloc[0] == 300
    assert answer.frame["users"].iloc[0] == raw(records)["user_id"].nunique()
    assert "whole days that the range touches" in answer.notes[0]


def test_it_shows_empty_buckets_and_unknown_as_unknown() -> None:
    arrive([operation("only", START + timedelta(days=2, hours=1), model="nobody-priced-this", latency_ms=None)])
    frame = metrics.query(["operations", "cost", "error_rate", "latency_p95"], interval="day", **WINDOW).frame  # type: ignore[arg-type]
    assert list(frame["operations"]) == [0, 0, 1] + [0] * 9
    assert frame["cost"][0] == Decimal(0)
    assert frame["cost"][2] is None
    assert frame["error_rate"][2] == 0
    assert np.isnan(frame["error_rate"][0])
    assert frame["latency_p95"].isna().all()


def test_it_answers_from_nothing_at_all() -> None:
    answer = metrics.query([*metrics.MEASURES], **WINDOW)  # type: ignore[arg-type]
    row = answer.frame.iloc[0]
    assert (row["operations"], row["cost"], row["sessions_started"], row["users"]) == (0, 0, 0, 0)
    assert pd.isna(row["latency_p99"])
    assert answer.priced_share is None
    assert len(metrics.query(["operations"], by=["model"], **WINDOW).frame) == 0  # type: ignore[arg-type]


def test_it_compares_with_the_period_before(truth: pd.DataFrame) -> None:
    half = {"start": START.date() + timedelta(days=6), "end": START.date() + timedelta(days=12)}
    later = truth["started_at"] >= START + timedelta(days=6)
    answer = metrics.query(["operations", "cost"], compare=True, **half)  # type: ignore[arg-type]
    assert answer.frame["operations"].iloc[0] == later.sum()
    assert answer.frame["operations_previous"].iloc[0] == (~later).sum()
    by_model = metrics.query(["operations"], by=["model"], compare=True, **half).frame.set_index("model")  # type: ignore[arg-type]
    assert by_model["operations_previous"].to_dict() == truth[~later].groupby("model").size().to_dict()
    by_day = metrics.query(["operations"], interval="day", compare=True, **half).frame  # type: ignore[arg-type]
    assert list(by_day["operations_previous"]) == list(truth[~later].groupby(truth["started_at"].dt.date).size())


@pytest.mark.parametrize(("interval", "frequency"), [("week", "W-SUN"), ("month", "M")])
def test_it_sums_weeks_and_months(truth: pd.DataFrame, interval: str, frequency: str) -> None:
    frame = metrics.query(["operations", "users"], interval=interval, **WINDOW).frame  # type: ignore[arg-type]
    periods = truth["started_at"].dt.tz_localize(None).dt.to_period(frequency)
    assert list(frame["operations"]) == list(truth.groupby(periods).size())
    assert list(frame["users"]) == list(truth.groupby(periods)["user_id"].nunique())


def test_it_counts_errors_by_type(truth: pd.DataFrame) -> None:
    frame = metrics.query(["errors"], by=["error_type"], **WINDOW).frame  # type: ignore[arg-type]
    assert dict(zip(frame["error_type"], frame["errors"], strict=True)) == truth["error_type"].value_counts().to_dict()


def test_it_estimates_distinct_users_of_large_ranges_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive([operation(f"u{n}", START + timedelta(minutes=n), user_id=f"user-{n % 3000}") for n in range(6_000)])
    monkeypatch.setattr(sums, "EXACT_KEYS", 100)
    answer = metrics.query(["users"], by=["module"], **WINDOW)  # type: ignore[arg-type]
    assert answer.frame["users"].iloc[0] == pytest.approx(3_000, rel=0.03)
    assert "estimates" in answer.notes[0]


def test_it_counts_exactly_where_the_bits_are_too_full_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    arrive([operation(f"u{n}", START + timedelta(minutes=n), user_id=f"user-{n}") for n in range(600)])
    monkeypatch.setattr(sums, "EXACT_KEYS", 100)
    monkeypatch.setattr(sums, "FULLEST", 0.01)
    answer = metrics.query(["users"], **WINDOW)  # type: ignore[arg-type]
    assert (answer.frame["users"].iloc[0], answer.notes) == (600, ())


def test_it_says_how_current_it_is() -> None:
    send([operation("waiting", START)])
    answer = metrics.query(["operations"], **WINDOW)  # type: ignore[arg-type]
    assert not answer.complete
    assert answer.frame["operations"].iloc[0] == 0
    line = metrics.trust(**WINDOW)
    assert (line.waiting_rows, line.complete, line.sample_arriving) == (1, False, False)
    assert line.as_of == answer.as_of


def test_it_counts_rejected_and_duplicate_telemetry_in_the_trust_line() -> None:
    today = utc_now().date()
    arrive([operation("a", START), operation("a", START), {"id": "bad"}])
    line = metrics.trust(today, today + timedelta(days=1))
    assert (line.rejected, line.duplicates, line.waiting_rows) == (1, 1, 0)


def test_it_lists_values_busiest_first(truth: pd.DataFrame) -> None:
    assert metrics.values("module") == list(truth["module"].value_counts().index)
    assert set(metrics.values("error_type")) == {"timeout", "rate_limit"}
    with pytest.raises(BadInput, match="colour"):
        metrics.values("colour")


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"measures": []}, "at least one measure"),
        ({"measures": ["money"]}, "Unknown measure 'money'"),
        ({"measures": ["cost"], "by": ["colour"]}, "Unknown dimension 'colour'"),
        ({"measures": ["cost"], "by": ["model", "model"]}, "named twice"),
        ({"measures": ["cost"], "by": ["topic"]}, "cannot be split or filtered by topic"),
        ({"measures": ["cost"], "where": {"error_type": ["x"]}}, "cannot be split or filtered by error type"),
        ({"measures": ["sessions_started"], "by": ["model"]}, "cannot be split or filtered by model"),
        ({"measures": ["session_users"], "by": ["topic"]}, "cannot be split or filtered by topic"),
        ({"measures": ["cost"], "interval": "year"}, "Unknown interval"),
    ],
)
def test_it_says_what_cannot_be_asked(question: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        metrics.query(**question, start=date(2026, 1, 1), end=date(2026, 2, 1))


def test_it_refuses_an_answer_nobody_could_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.metrics.answer.MOST_ROWS", 20)
    arrive(many(50, START, SPAN))
    with pytest.raises(BadInput, match="more than 20 rows"):
        metrics.query(["operations"], by=["model"], interval="day", start=WINDOW["start"], end=WINDOW["end"])


@pytest.mark.parametrize(("compare", "days"), [("day", 1), ("week", 7)])
def test_it_compares_with_the_same_hours_of_an_earlier_day(compare: Literal["day", "week"], days: int) -> None:
    now = utc_now()
    start = now - timedelta(hours=3)
    earlier = [operation(f"{hours}-{days}", now - timedelta(days=days, hours=hours)) for hours in (1, 2, 5, 9)]
    arrive([operation("now", now - timedelta(hours=1)), *earlier])
    answer = metrics.query(["operations"], start=start, end=now, compare=compare)
    assert (answer.frame["operations"].iloc[0], answer.frame["operations_previous"].iloc[0]) == (1, 2)


def test_it_counts_error_types_by_whole_days_and_says_so() -> None:
    now = utc_now()
    arrive([operation("e", now - timedelta(minutes=5), error_type="timeout")])
    answer = metrics.query(["errors"], by=["error_type"], start=now - timedelta(hours=1), end=now)
    assert answer.frame["errors"].sum() == 1
    assert "Error types are counted by the whole days" in answer.notes[0]
    with pytest.raises(BadInput, match="counted by day"):
        metrics.query(["errors"], by=["error_type"], start=now - timedelta(hours=1), end=now, interval="hour")
