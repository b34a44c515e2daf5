"""Answers equal an independent computation on the raw records; what cannot be asked is refused in words."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from genai_prices import Usage, calc_price
from pandas.testing import assert_frame_equal

from services import metrics
from services.clock import minute_after, utc_now
from services.errors import BadInput
from services.metrics import answer, kept, sums
from services.rollups import cells
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


def test_all_sums_of_cells_are_known() -> None:
    """The catalogue may not import what keeps the rollups, so it names their columns itself."""
    assert (set(sums.PLAIN), sums.HISTOGRAMS) == ({*cells.COUNTS, *cells.SUMS}, cells.HISTOGRAMS)


@pytest.mark.parametrize("by", [[], ["model"], ["module", "provider"], ["source", "environment", "operation"]])
@pytest.mark.parametrize("where", [{}, {"module": ["chat", "nobody"]}, {"model": ["nothing"]}])
def test_what_is_read_once_for_a_look_gives_the_answers_that_single_questions_get(by: list[str], where: dict[str, list[str]]) -> None:
    now = utc_now()
    arrive(many(120, now - timedelta(days=9), timedelta(days=9)))
    today = now.date() + timedelta(days=1)
    asked: list[dict[str, Any]] = [
        {"measures": measures, "start": today - timedelta(days=days), "end": today, "by": by, "where": where, "compare": compare}
        for measures in (["operations"], ["cost", "latency_p95", "total_tokens"], ["ttft_p50", "error_rate", "latency_p50"])
        for days in (4, 12)
        for compare in (False, True)
    ]
    with metrics.one_look():
        together = [metrics.query(**question).frame for question in asked]
    for question, frame in zip(asked, together, strict=True):
        kept.KEPT.forget()
        assert_frame_equal(metrics.query(**question).frame, frame)


def test_a_range_that_is_not_over_is_held_against_as_much_of_the_days_before(monkeypatch: pytest.MonkeyPatch) -> None:
    today = utc_now().date() - timedelta(days=1)
    midnight = datetime.combine(today, datetime.min.time(), UTC)
    now = midnight + timedelta(hours=12, minutes=7)
    monkeypatch.setattr(answer, "utc_now", lambda: now)
    hours = {6: "early", 12: "noon", 18: "late"}
    told = [(midnight - timedelta(days=ago) + timedelta(hours=hour), module) for ago in range(1, 15) for hour, module in hours.items()]
    told += [(midnight + timedelta(hours=6), "early"), (midnight + timedelta(hours=12), "noon")]
    arrive([operation(f"o{n}", at, module=module, latency_ms=10 * (n + 1)) for n, (at, module) in enumerate(told)])
    asked: dict[str, Any] = {"start": today - timedelta(days=6), "end": today + timedelta(days=1)}
    ends = midnight - timedelta(days=7)
    either: tuple[Literal["week"] | bool, ...] = (True, "week")
    for compare in either:
        compared = metrics.query(["operations", "latency_avg"], compare=compare, **asked)
        then = [10 * (n + 1) for n, (at, _) in enumerate(told) if ends - timedelta(days=6) <= at <= ends + timedelta(hours=12)]
        row = compared.frame.iloc[0]
        assert (row["operations"], row["operations_previous"]) == (20, len(then)) == (20, 20)
        assert row["latency_avg_previous"] == pytest.approx(sum(then) / len(then))
        assert compared.notes == ()
    modules = metrics.query(["operations"], by=["module"], compare=True, **asked).frame.set_index("module")["operations_previous"]
    assert modules.to_dict() == {"early": 7, "noon": 7, "late": 6}
    weekdays = metrics.query(["operations"], by=["weekday"], compare=True, **asked).frame.set_index("weekday")["operations_previous"]
    assert sorted(weekdays) == [2, 3, 3, 3, 3, 3, 3]
    assert weekdays[f"{today.isoweekday()} {today:%a}"] == 2
    by_day = metrics.query(["operations", "sessions"], compare=True, **asked).notes
    assert "The range is not over: what is counted by days is held against whole days." in by_day
    long_ago: dict[str, Any] = {"start": today - timedelta(days=35), "end": today + timedelta(days=1)}
    assert metrics.query(["operations"], compare=True, **long_ago).notes == ()  # nothing was there
    arrive([operation("long ago", midnight - timedelta(days=50))])
    assert metrics.query(["operations"], compare=True, **long_ago).notes == ("The range is not over: it is held against whole days.",)


def test_a_range_of_days_that_ends_within_one_is_held_against_one_that_ends_so_too() -> None:
    noon = datetime.combine(utc_now().date() - timedelta(days=3), datetime.min.time(), UTC) + timedelta(hours=12)
    told = [noon - timedelta(days=ago) + timedelta(hours=hours) for ago in range(10) for hours in (-6, 6)]
    arrive([operation(f"e{n}", at, user_id="u1") for n, at in enumerate(told)])
    answer = metrics.query(["operations", "users"], start=noon.date() - timedelta(days=4), end=noon, compare=True)
    row = answer.frame.iloc[0]
    assert (row["operations"], row["operations_previous"], row["users"]) == (9, 9, 1)
    assert pd.isna(row["users_previous"])
    assert answer.notes == ("Users, sessions and feedback are counted by the whole days that the range touches.",)


def test_what_is_counted_by_days_is_not_held_against_hours() -> None:
    now = utc_now()
    arrive([operation(f"d{n}", now - timedelta(hours=30 * n), user_id="u1") for n in range(3)])
    asked: dict[str, Any] = {"start": now - timedelta(hours=24), "end": now + timedelta(minutes=1), "compare": "day"}
    row = metrics.query(["operations", "users"], **asked).frame.iloc[0]
    assert (row["operations"], row["operations_previous"], row["users"]) == (1, 1, 1)
    assert pd.isna(row["users_previous"])


def test_today_so_far_is_all_that_was_told_of_today_and_yesterday_the_same_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = datetime.combine(utc_now().date() - timedelta(days=1), datetime.min.time(), UTC)
    now = begin + timedelta(hours=12, minutes=7, seconds=30)
    monkeypatch.setattr(answer, "utc_now", lambda: now)
    ahead = now + timedelta(minutes=9)  # by a clock that is fast, in the next quarter of an hour
    told = [*[begin] * 3, ahead, *[begin - timedelta(hours=19)] * 2, *[begin - timedelta(hours=1)] * 5]
    arrive([operation(f"o{n}", at, latency_ms=100 * (n + 1)) for n, at in enumerate(told)])
    asked: dict[str, Any] = {"start": begin, "end": minute_after(now), "compare": "day"}
    row = metrics.query(["operations", "latency_avg", "errors"], **asked).frame.iloc[0]
    assert (row["operations"], row["operations_previous"]) == (4, 2)
    assert (row["latency_avg"], row["latency_avg_previous"]) == (250, 550)
    by = metrics.query(["operations"], by=["module"], where={"module": ["chat"]}, **asked).frame.iloc[0]
    assert (by["operations"], by["operations_previous"]) == (4, 2)
    hours = metrics.query(["operations"], interval="hour", start=begin, end=minute_after(now)).frame
    assert hours["operations"].sum() == 3
