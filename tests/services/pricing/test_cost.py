"""Costs equal the price library's own calculation, call by call, to the nano-USD."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from services.pricing.cost import price
from services.pricing.unit_prices import unit_prices

NANO = Decimal("0.000000001")
MODELS = [
    ("openai", "gpt-5-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("openai", "text-embedding-3-small"),
    ("perplexity", "sonar"),
]
KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def frame(*calls: dict[str, object]) -> pd.DataFrame:
    """Calls as the move has them; what is not told is missing."""
    defaults: dict[str, object] = {
        "provider": "openai",
        "model": "gpt-5-mini",
        "started_at": pd.Timestamp("2026-11-01", tz="UTC"),
        "cached": False,
    }
    columns = ("cost_nano", *KINDS)
    rows = pd.DataFrame([defaults | dict.fromkeys(columns) | call for call in calls])
    return rows.astype(dict.fromkeys(columns, "Int64"))


@st.composite
def calls(draw: st.DrawFn) -> dict[str, object]:
    provider, model = draw(st.sampled_from(MODELS))
    cache_read, cache_write = draw(st.integers(0, 250_000)), draw(st.integers(0, 50_000))
    return {
        "provider": provider,
        "model": model,
        "started_at": pd.Timestamp(draw(st.datetimes(datetime(2025, 3, 1), datetime(2026, 11, 1))), tz="UTC"),
        "input_tokens": cache_read + cache_write + draw(st.integers(0, 300_000)),
        "output_tokens": draw(st.integers(0, 100_000)),
        "cache_read_tokens": cache_read,
        "cache_write_tokens": cache_write,
    }


@pytest.mark.unmeasured
@given(st.lists(calls(), min_size=1, max_size=20))
def test_it_costs_what_the_price_library_says(some: list[dict[str, object]]) -> None:
    costs, priced = price(frame(*some))
    assert sorted(position for positions in priced.values() for position in positions) == list(range(len(some)))
    for call, cost in zip(some, costs, strict=True):
        usage = Usage(**{kind: int(str(call[kind])) for kind in KINDS if kind in call})
        expected = calc_price(
            usage,
            str(call["model"]),
            provider_id=str(call["provider"]),
            genai_request_timestamp=pd.Timestamp(str(call["started_at"])).to_pydatetime(),
        )
        assert Decimal(int(cost)) * NANO == expected.total_price.quantize(NANO, ROUND_HALF_UP)


@pytest.mark.parametrize(
    "call",
    [
        {"model": "nobody-priced-this", "input_tokens": 5, "output_tokens": 5},
        {"model": "(unknown)", "provider": "(unknown)", "input_tokens": 5, "output_tokens": 5},
        {"provider": "no-such-provider", "input_tokens": 5, "output_tokens": 5},
        {"input_tokens": 5},
        {"output_tokens": 5},
        {},
        {"model": "whisper-1", "input_tokens": 5, "output_tokens": 5},
    ],
)
def test_it_leaves_unknown_what_cannot_be_priced(call: dict[str, object]) -> None:
    costs, _ = price(frame(call))
    assert costs.isna().all()


def test_it_believes_the_sender_and_charges_nothing_for_a_cached_answer() -> None:
    costs, priced = price(
        frame({"cost_nano": 77, "input_tokens": 5, "output_tokens": 5}, {"cached": True}, {"cached": True, "cost_nano": 3})
    )
    assert costs.tolist() == [77, 0, 3]
    assert priced == {}


def test_it_prices_an_embedding_that_has_no_output() -> None:
    costs, _ = price(frame({"model": "text-embedding-3-small", "input_tokens": 1_000_000}))
    assert costs.tolist() == [20_000_000]


def test_it_knows_that_prices_change() -> None:
    before, after = (unit_prices("openai", "o3", datetime(2025, month, 1, tzinfo=UTC)) for month in (5, 7))
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (((0, 10_000_000),), ((0, 2_000_000),))
