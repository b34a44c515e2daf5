"""A service tier costs what the price library says for it, and the standard price where the list has none."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from services.pricing.cost import price
from services.pricing.unit_prices import SOURCE, unit_prices
from tests.services.pricing.test_cost import frame

NANO = Decimal("0.000000001")
MODELS = [
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
    ("openai", "o3"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("mistral", "mistral-large-latest"),
]
CONTEXTS: dict[str | None, dict[str, str] | None] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "standard": None,
    "made up": None,
    None: None,
}
LATER = pd.Timestamp("2026-11-01", tz="UTC")


@st.composite
def calls(draw: st.DrawFn) -> dict[str, object]:
    provider, model = draw(st.sampled_from(MODELS))
    read = draw(st.integers(0, 250_000))
    return {
        "provider": provider,
        "model": model,
        "service_tier": draw(st.sampled_from(list(CONTEXTS))),
        "started_at": pd.Timestamp(draw(st.datetimes(datetime(2026, 9, 1), datetime(2026, 12, 1))), tz="UTC"),
        "input_tokens": read + draw(st.integers(0, 300_000)),
        "output_tokens": draw(st.integers(0, 100_000)),
        "cache_read_tokens": read,
    }


@pytest.mark.unmeasured
@given(st.lists(calls(), min_size=1, max_size=20))
def test_it_costs_what_the_price_library_says_for_the_tier(some: list[dict[str, object]]) -> None:
    costs, priced = price(frame(*some))
    assert sorted(position for positions in priced.values() for position in positions) == list(range(len(some)))
    for call, cost in zip(some, costs, strict=True):
        tier = call["service_tier"]
        expected = calc_price(
            Usage(**{kind: int(str(call[kind])) for kind in ("input_tokens", "output_tokens", "cache_read_tokens")}),
            str(call["model"]),
            provider_id=str(call["provider"]),
            genai_request_timestamp=pd.Timestamp(str(call["started_at"])).to_pydatetime(),
            price_context=CONTEXTS[None if tier is None else str(tier)],
        )
        assert Decimal(int(cost)) * NANO == expected.total_price.quantize(NANO, ROUND_HALF_UP)


def cost(tier: object, model: str = "gpt-5-mini", provider: str = "openai") -> int:
    costs, _ = price(
        frame({"provider": provider, "model": model, "service_tier": tier, "input_tokens": 10**6, "output_tokens": 0, "started_at": LATER})
    )
    return int(costs[0])


def test_it_knows_the_tiers_of_one_model() -> None:
    usd = {tier: cost(tier) for tier in ("batch", "flex", "priority", "standard", "default", "auto", None)}
    standard = 250_000_000
    assert usd == {
        "batch": 125_000_000,
        "flex": 125_000_000,
        "priority": 450_000_000,
        "standard": standard,
        "default": standard,
        "auto": standard,
        None: standard,
    }
    assert cost("BATCH") == cost("batch")


def test_a_tier_without_a_price_of_its_own_costs_the_standard() -> None:
    assert cost("priority", "claude-sonnet-4-5", "anthropic") == cost(None, "claude-sonnet-4-5", "anthropic")
    assert cost("flex", "text-embedding-3-small") == cost(None, "text-embedding-3-small")


def test_the_fast_mode_of_anthropic_is_a_speed_in_the_list() -> None:
    at = LATER.to_pydatetime()
    fast = calc_price(
        Usage(input_tokens=10**6, output_tokens=0),
        "claude-opus-5",
        provider_id="anthropic",
        genai_request_timestamp=at,
        price_context={"speed": "fast"},
    )
    standard = calc_price(Usage(input_tokens=10**6, output_tokens=0), "claude-opus-5", provider_id="anthropic", genai_request_timestamp=at)
    assert fast.total_price > standard.total_price
    assert cost("fast", "claude-opus-5", "anthropic") == fast.total_price / NANO


def test_a_tier_has_its_own_price_only_from_the_day_the_list_says() -> None:
    before, after = (unit_prices("openai", "gpt-5", datetime(2026, 10, day, tzinfo=UTC), "batch") for day in (13, 14))
    assert before is not None
    assert after is not None
    assert (before.input, before.source) == (((0, 1_250_000),), SOURCE)
    assert (after.input, after.source) == (((0, 625_000),), f"{SOURCE}, batch")


@pytest.mark.parametrize("column", [["batch", None, "flex"], [None, None, None]])
def test_it_prices_frames_with_missing_tiers_row_by_row(column: list[str | None]) -> None:
    calls = [{"service_tier": tier, "input_tokens": 10**6, "output_tokens": 0, "started_at": LATER} for tier in column]
    costs, _ = price(frame(*calls))
    assert costs.tolist() == [cost(tier) for tier in column]
    plain, _ = price(frame(*calls).drop(columns="service_tier"))
    assert set(plain) == {cost(None)}
