"""What models cost at a moment: an override of ours before the list."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from services.pricing import overrides
from services.pricing.overrides import Override
from services.pricing.unit_prices import Tiers, UnitPrices, unit_prices

Model = tuple[str, str]  # provider, model


def prices(connection: Connection, models: Iterable[Model], at: datetime) -> dict[Model, UnitPrices]:
    """By model, those whose price somebody knows."""
    ours = overrides.load(connection)
    found = {(provider, model): of_override(ours, provider, model, at) or unit_prices(provider, model, at) for provider, model in models}
    return {model: known for model, known in found.items() if known is not None}


def of_override(ours: Sequence[Override], provider: str, model: str, at: datetime) -> UnitPrices | None:
    """The price of our own that holds at that moment, if any does."""
    for override in overrides.strongest_first(ours, provider, model):
        if override.effective_from <= at and (override.until is None or at < override.until):
            return override.unit_prices(provider, model)
    return None


def base_pico(tiers: Tiers) -> int:
    """Pico-USD a token of a request that is not large; 0 for a kind that is free."""
    return tiers[0][1] if tiers else 0
