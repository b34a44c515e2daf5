"""The two ranges asked of the rollups: everything in one snapshot, nothing from stored operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isnan, nan

import numpy as np
import pandas as pd

from services import metrics
from services.changed import cost as costs
from services.changed import latency as latencies
from services.changed.cost import CostChange, Spent, Weights
from services.changed.latency import LatencyChange, Timed
from services.clock import utc_now
from services.metrics.kept import KEPT, MOVING_S, frozen
from services.metrics.snapshot import Snapshot
from services.metrics.table import Table
from services.metrics.totals import Range, totals
from services.pricing import current
from services.pricing.unit_prices import UnitPrices

ANSWERED_BY = ("model", "module", "operation", "provider", "environment", "source")
SPENT = tuple(told.name for told in fields(Spent))


@dataclass(frozen=True, slots=True)
class Between:
    """Two ranges as metrics.query takes them, and the values of dimensions to keep."""

    before: Range
    after: Range
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)


def cost(asked: Between) -> CostChange:
    """The difference in cost. Raises BadInput for a range that cannot be asked."""

    def make(snapshot: Snapshot) -> CostChange:
        before, after = (_spent(totals(snapshot, of, ("provider", "model"), SPENT, asked.where)) for of in (asked.before, asked.after))
        prices = current.prices(snapshot.connection, {*before, *after}, utc_now())
        return costs.split(before, after, {model: _weights(known) for model, known in prices.items()})

    return KEPT.get(("cost change", asked.before, asked.after, frozen(asked.where)), make, age_s=MOVING_S)[1]


def latency(asked: Between) -> LatencyChange:
    """The difference in mean latency. Raises BadInput for a range that cannot be asked."""
    by, needs = ("module", "provider", "model"), ("latency_n", "latency_us")

    def make(snapshot: Snapshot) -> LatencyChange:
        before, after = (_timed(totals(snapshot, of, by, needs, asked.where)) for of in (asked.before, asked.after))
        return latencies.split(before, after)

    return KEPT.get(("latency change", asked.before, asked.after, frozen(asked.where)), make)[1]


def movers(asked: Between, by: str, measure: str) -> pd.DataFrame:
    """Who moved a measure that adds up: columns `by`, `measure`, before and change, floats, the largest change first."""
    now, then = (
        metrics.query([measure], start=start, end=end, by=[by], where=asked.where).frame for start, end in (asked.after, asked.before)
    )
    return KEPT.get(("movers", measure, by, asked.after, asked.before, frozen(asked.where)), lambda _: _moved(now, then, by, measure))[1]


def _moved(now: pd.DataFrame, then: pd.DataFrame, by: str, measure: str) -> pd.DataFrame:
    """Who was not there had nothing; what nobody could measure stays unknown."""
    after, before = (_amounts(side, by, measure) for side in (now, then))
    moved = sorted(((name, after.get(name, 0.0), before.get(name, 0.0)) for name in {*after, *before}), key=_by_change)
    names, afters, befores = zip(*moved, strict=True) if moved else ((), (), ())
    changes = np.subtract(afters, befores, dtype=np.float64)
    return pd.DataFrame({by: pd.array(names, dtype="str"), measure: afters, "before": befores, "change": changes})


def _amounts(side: pd.DataFrame, by: str, measure: str) -> dict[str, float]:
    return {name: nan if pd.isna(value) else float(value) for name, value in zip(side[by], side[measure], strict=True)}


def _by_change(row: tuple[str, float, float]) -> tuple[bool, float, str]:
    """The largest first, unknown ones last."""
    name, after, before = row
    change = abs(after - before)
    return isnan(change), 0.0 if isnan(change) else -change, name


def _spent(sums: Table) -> dict[costs.Model, Spent]:
    rows = zip(*(sums[name] for name in SPENT), strict=True)
    told = (Spent(**{name: value or 0 for name, value in zip(SPENT, row, strict=True)}) for row in rows)
    return {(str(provider), str(model)): spent for (provider, model), spent in zip(sums.keys, told, strict=True)}


def _timed(sums: Table) -> dict[latencies.Cell, Timed]:
    rows = zip(sums.keys, sums["latency_n"], sums["latency_us"], strict=True)
    return {(str(module), str(provider), str(model)): Timed(n, us or 0) for (module, provider, model), n, us in rows if n}


def _weights(known: UnitPrices) -> Weights:
    return Weights(*(current.base_pico(tiers) for tiers in (known.input, known.output, known.cache_read, known.cache_write)))
