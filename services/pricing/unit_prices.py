"""What one token of a model costs at a moment, from the bundled, dated price list (genai-prices)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, TieredPrices

from services.telemetry.inbox import UNKNOWN

PICO_PER_TOKEN = 10**6  # USD per million tokens → pico-USD per token
SOURCE = f"genai-prices {version('genai-prices')}"
# How the list names what senders call the service tier: OpenAI and Google have tiers, batches are a way of processing everywhere, and
# Anthropic's fast mode is a speed.
CONTEXTS: dict[str, dict[str, str]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}

Tiers = tuple[tuple[int, int], ...]  # (applies above this many input tokens, pico-USD per token); cliff: the whole request


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """Pico-USD per token by kind. A kind without a price of its own is billed as its parent; `()` means free."""

    provider: str
    model: str
    source: str
    input: Tiers
    cache_read: Tiers
    cache_write: Tiers
    output: Tiers
    reasoning: Tiers
    request_pico: int


def unit_prices(provider: str, model: str, at: datetime, service_tier: str = "") -> UnitPrices | None:
    """Prices of a call made at `at`, or None when nobody priced this model by the token.

    `service_tier` is one of CONTEXTS or ""; the standard price applies where the list has none for that tier at that time.
    """
    known = _find(provider, model)
    if known is None:
        return None
    standard = known.get_prices(at)
    if not _variants(known, service_tier):
        return _read(provider, model, SOURCE, standard)
    special = known.get_prices(at, CONTEXTS[service_tier])
    return _read(provider, model, SOURCE if special == standard else f"{SOURCE}, {service_tier}", special)


def is_dated(provider: str, model: str, service_tier: str = "") -> bool:
    """Whether the price of a model in a tier depends on the moment of the call."""
    known = _find(provider, model)
    if known is None:
        return False
    return not isinstance(known.prices, ModelPrice) or any(v.constraint is not None for v in _variants(known, service_tier))


def _variants(known: ModelInfo, service_tier: str) -> list[PriceVariant]:
    """The library ignores a context it has no variant for, so whether there is one must be asked."""
    context = CONTEXTS.get(service_tier, {})
    return [v for v in known.price_variants or () if context and v.when and v.when.items() <= context.items()]


@lru_cache(maxsize=8_192)
def _find(provider: str, model: str) -> ModelInfo | None:
    if model == UNKNOWN:
        return None
    try:
        return get_snapshot().find_provider_model(model, None, None if provider == UNKNOWN else provider, None)[1]
    except LookupError:
        return None


def _read(provider: str, model: str, source: str, price: ModelPrice) -> UnitPrices | None:
    if price.input_mtok is None and price.output_mtok is None:
        return None
    whole = _tiers(price.input_mtok)
    output = _tiers(price.output_mtok)
    return UnitPrices(
        provider=provider,
        model=model,
        source=source,
        input=whole,
        cache_read=_tiers(price.cache_read_mtok) if price.cache_read_mtok is not None else whole,
        cache_write=_tiers(price.cache_write_mtok) if price.cache_write_mtok is not None else whole,
        output=output,
        reasoning=_tiers(price.output_reasoning_mtok) if price.output_reasoning_mtok is not None else output,
        request_pico=_request(price.requests_kcount),
    )


def _tiers(price: Decimal | TieredPrices | None) -> Tiers:
    if price is None:
        return ()
    if isinstance(price, TieredPrices):
        return ((0, _pico(price.base)), *((tier.start, _pico(tier.price)) for tier in price.tiers))
    return ((0, _pico(price)),)


def _request(price: Decimal | TieredPrices | None) -> int:
    """USD per thousand requests → pico-USD per request; a tiered request price is not in use anywhere."""
    base = price.base if isinstance(price, TieredPrices) else price
    return 0 if base is None else int((base * 10**9).to_integral_value())


def _pico(usd_per_mtok: Decimal) -> int:
    return int((usd_per_mtok * PICO_PER_TOKEN).to_integral_value())
