"""The cost of many operations at once, exact to the nano-USD.

A cost is unknown (NULL) when the model has no price or a count that is billed was not told; it is never zero by default.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from services.clock import QUARTER
from services.pricing.overrides import Override, strongest_first
from services.pricing.unit_prices import CONTEXTS, Tiers, UnitPrices, is_dated, unit_prices

PICO_PER_NANO = 1_000
Priced = Mapping[UnitPrices, np.ndarray]  # unit prices → positions of the operations they priced


def price(operations: pd.DataFrame, overrides: Sequence[Override] = ()) -> tuple[pd.Series, Priced]:
    """Cost in nano-USD (Int64, NA = unknown) of each row, and which unit prices applied to which positions.

    Columns read: provider, model, started_at, cached, cost_nano, the five token counts, and service_tier where there is one. A cost the
    sender told stands; an answer from the application's own cache costs nothing; everything else is tokens times price at its time:
    that of an override where one is effective, else that of the list.
    """
    cost = operations["cost_nano"].astype("Int64").copy()
    cost[operations["cached"].to_numpy() & cost.isna().to_numpy()] = 0
    applied: dict[UnitPrices, list[np.ndarray]] = {}
    open_rows = np.flatnonzero(cost.isna().to_numpy())
    for prices, positions in _price_groups(operations.iloc[open_rows], overrides):
        applied.setdefault(prices, []).append(open_rows[positions])
    priced: dict[UnitPrices, np.ndarray] = {}
    for prices, parts in applied.items():
        positions = np.concatenate(parts)
        amounts = _nano(operations.iloc[positions], prices)
        known = amounts.notna().to_numpy()
        cost.iloc[positions[known]] = amounts[known].to_numpy()
        priced[prices] = positions[known]
    return cost, priced


def _price_groups(rows: pd.DataFrame, overrides: Sequence[Override]) -> Iterator[tuple[UnitPrices, np.ndarray]]:
    """Positions of rows that share unit prices."""
    for (provider, model, tier), members in rows.groupby(["provider", "model", _tiers(rows)], sort=False, observed=True).indices.items():
        moments, left = rows["started_at"].iloc[members], members
        for override in strongest_first(overrides, provider, model):
            inside = override.covers(moments)
            if inside.any():
                yield override.unit_prices(provider, model), left[inside]
                moments, left = moments[~inside], left[~inside]
        if len(left):
            yield from _list_prices(provider, model, tier, moments, left)


def _list_prices(provider: str, model: str, tier: str, moments: pd.Series, members: np.ndarray) -> Iterator[tuple[UnitPrices, np.ndarray]]:
    """Positions by the prices of the list; only what is dated there is looked up by quarter hour."""
    if is_dated(provider, model, tier):
        quarters = moments.dt.floor(QUARTER)
        parts = [(quarter, members[inside]) for quarter, inside in quarters.groupby(quarters).indices.items()]
    else:
        parts = [(moments.iloc[0], members)]
    for moment, positions in parts:
        prices = unit_prices(provider, model, moment.to_pydatetime(), tier)
        if prices is not None:
            yield prices, positions


def _tiers(rows: pd.DataFrame) -> pd.Series:
    """The service tier of each row where tiers may have prices of their own, else ""."""
    if "service_tier" not in rows:
        return pd.Series("", index=rows.index, name="tier")
    told = rows["service_tier"].astype("str").str.lower()
    return told.where(told.isin(list(CONTEXTS)), "").rename("tier")


def _nano(rows: pd.DataFrame, prices: UnitPrices) -> pd.Series:
    """Nano-USD (Int64) of rows that share one set of unit prices; cache and reasoning counts not told are none."""
    whole = rows["input_tokens"].astype("Int64")
    cache_read = rows["cache_read_tokens"].astype("Int64").fillna(0)
    cache_write = rows["cache_write_tokens"].astype("Int64").fillna(0)
    output = rows["output_tokens"].astype("Int64")
    reasoning = rows["reasoning_tokens"].astype("Int64").fillna(0)
    size = whole.fillna(0).to_numpy(dtype=np.int64)
    pico = (
        _times(whole - cache_read - cache_write, prices.input, size)
        + _times(cache_read, prices.cache_read, size)
        + _times(cache_write, prices.cache_write, size)
        + _times(output - reasoning, prices.output, size)
        + _times(reasoning, prices.reasoning, size)
        + prices.request_pico
    )
    return (pico + PICO_PER_NANO // 2) // PICO_PER_NANO


def _times(count: pd.Series, tiers: Tiers, input_tokens: np.ndarray) -> pd.Series:
    """Pico-USD of `count` tokens; a kind that is free costs nothing even when its count was not told."""
    if not tiers:
        return pd.Series(0, index=count.index, dtype="Int64")
    unit = np.zeros(len(count), dtype=np.int64)
    for above, pico in tiers:
        unit[(input_tokens > above) | (above == 0)] = pico
    return count * unit
