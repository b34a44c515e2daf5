"""What one call costs and can cost at most, in nano-USD: the same prices, and to the unit the same sums, as `services.pricing`."""

from datetime import datetime

from sqlalchemy import Connection

from services.ai.providers import ollama
from services.ai.providers.spoken import Usage, known_as
from services.clock import utc_now
from services.pricing import current, overrides
from services.pricing.cost import PICO_PER_NANO
from services.pricing.unit_prices import Tiers, UnitPrices, unit_prices

OWN = UnitPrices("ollama", "", "own host", (), (), (), (), (), 0)  # a host of our own charges nothing for a token


def of(connection: Connection, provider: str, model: str, at: datetime) -> UnitPrices | None:
    """Prices of a call made now: an override's, else the list's; None when nobody knows them."""
    name = known_as(provider)
    ours = current.of_override(overrides.load(connection), name, model, at)
    return ours or (OWN if provider == ollama.NAME else unit_prices(name, model, at))


def preload() -> None:
    """Read the list of prices, which takes longer than all the rest of a call."""
    unit_prices(known_as("gemini"), "gemini", utc_now())


def cost_nano(prices: UnitPrices, usage: Usage) -> int:
    """Cost of a call whose tokens were told."""
    size = usage.input_tokens
    pico = (
        (size - usage.cache_read_tokens) * _unit(prices.input, size)
        + usage.cache_read_tokens * _unit(prices.cache_read, size)
        + (usage.output_tokens - usage.reasoning_tokens) * _unit(prices.output, size)
        + usage.reasoning_tokens * _unit(prices.reasoning, size)
        + prices.request_pico
    )
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO


def ceiling_nano(prices: UnitPrices, input_tokens: int, output_tokens: int) -> int:
    """What a call with at most so many tokens can cost at most."""
    dearest_input = max(_dearest(prices.input), _dearest(prices.cache_read), _dearest(prices.cache_write))
    pico = input_tokens * dearest_input + output_tokens * max(_dearest(prices.output), _dearest(prices.reasoning)) + prices.request_pico
    return -(-pico // PICO_PER_NANO)


def free(prices: UnitPrices) -> bool:
    """Whether calls cost nothing whatever they use."""
    return ceiling_nano(prices, 1, 1) == 0


def _unit(tiers: Tiers, input_tokens: int) -> int:
    """Pico-USD per token of a request of that size: of the last tier that it reaches."""
    return next((pico for above, pico in reversed(tiers) if above == 0 or input_tokens > above), 0)


def _dearest(tiers: Tiers) -> int:
    return max((pico for _, pico in tiers), default=0)
