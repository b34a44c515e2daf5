"""The two ranges asked of the rollups: everything in one snapshot, nothing from stored operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import pandas as pd
from sqlalchemy import Connection

from services import metrics
from services.changed import cost as costs
from services.changed import latency as latencies
from services.changed.cost import CostChange, Spent, Weights
from services.changed.latency import LatencyChange, Timed
from services.clock import utc_now
from services.metrics.kept import KEPT, frozen
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

    def make(connection: Connection) -> CostChange:
        before, after = (_spent(totals(connection, of, ("provider", "model"), SPENT, asked.where)) for of in (asked.before, asked.after))
        prices = current.prices(connection, {*before, *after}, utc_now())
        return costs.split(before, after, {model: _weights(known) for model, known in prices.items()})

    return KEPT.get(("cost change", asked.before, asked.after, frozen(asked.where)), make)[1]


def latency(asked: Between) -> LatencyChange:
    """The difference in mean latency. Raises BadInput for a range that cannot be asked."""
    by, needs = ("module", "provider", "model"), ("latency_n", "latency_us")

    def make(connection: Connection) -> LatencyChange:
        before, after = (_timed(totals(connection, of, by, needs, asked.where)) for of in (asked.before, asked.after))
        return latencies.split(before, after)

    return KEPT.get(("latency change", asked.before, asked.after, frozen(asked.where)), make)[1]


def movers(asked: Between, by: str, measure: str) -> pd.DataFrame:
    """Who moved a measure that adds up: columns `by`, `measure`, before, change and operations, the largest change first."""
    now, then = (
        metrics.query([measure, "operations"], start=start, end=end, by=[by], where=asked.where).frame
        for start, end in (asked.after, asked.before)
    )
    return KEPT.get(("movers", measure, by, asked.after, asked.before, frozen(asked.where)), lambda _: _beside(now, then, by, measure))[1]


def _beside(now: pd.DataFrame, then: pd.DataFrame, by: str, measure: str) -> pd.DataFrame:
    sides = [side.set_index(by) for side in (now, then)]
    both = sides[0].join(sides[1].rename(columns={measure: "before", "operations": "operations_before"}), how="outer")
    known = both[[measure, "before"]].apply(pd.to_numeric).astype("float64")
    # Who was not there cost nothing; what nobody could price stays unknown.
    known = known.mask(both[["operations", "operations_before"]].isna().to_numpy(), 0.0)
    both = both.assign(before=known["before"], change=known[measure] - known["before"], **{measure: known[measure]})
    return both.sort_values("change", key=abs, ascending=False, na_position="last").reset_index()


def _spent(sums: Table) -> dict[costs.Model, Spent]:
    rows = zip(*(sums[name] for name in SPENT), strict=True)
    told = (Spent(**{name: value or 0 for name, value in zip(SPENT, row, strict=True)}) for row in rows)
    return {(str(provider), str(model)): spent for (provider, model), spent in zip(sums.keys, told, strict=True)}


def _timed(sums: Table) -> dict[latencies.Cell, Timed]:
    rows = zip(sums.keys, sums["latency_n"], sums["latency_us"], strict=True)
    return {(str(module), str(provider), str(model)): Timed(n, us or 0) for (module, provider, model), n, us in rows if n}


def _weights(known: UnitPrices) -> Weights:
    return Weights(*(current.base_pico(tiers) for tiers in (known.input, known.output, known.cache_read, known.cache_write)))
