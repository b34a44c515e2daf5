"""What caches saved in a range, estimated from the rollups: answers that were not asked for again, and tokens at the lower price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.clock import utc_now
from services.metrics.catalogue import NANO
from services.metrics.kept import KEPT, MOVING_S, frozen
from services.metrics.snapshot import Snapshot
from services.metrics.table import Table
from services.metrics.totals import Range, totals
from services.pricing import current
from services.pricing.cost import PICO_PER_NANO
from services.pricing.current import base_pico
from services.pricing.unit_prices import UnitPrices

BY = ("module", "provider", "model")
NEEDS = ("n", "priced", "cached", "cost_nano", "cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, slots=True)
class Saved:
    """USD: `answers` by the applications' caches, at what the other calls of the same module and model cost; `tokens` by providers' caches,

    at the prices of now and less what writing to them cost more.
    """

    answers: Decimal
    tokens: Decimal


def saved(start_end: Range, where: Mapping[str, Sequence[str]]) -> Saved:
    """In [start, end) as metrics.query takes it. Raises BadInput for an impossible range."""

    def make(snapshot: Snapshot) -> Saved:
        sums = totals(snapshot, start_end, BY, NEEDS, where)
        return _of(sums, current.prices(snapshot.connection, {(str(key[1]), str(key[2])) for key in sums.keys}, utc_now()))

    return KEPT.get(("saved", start_end, frozen(where)), make, age_s=MOVING_S)[1]


def _of(sums: Table, prices: Mapping[tuple[str, str], UnitPrices]) -> Saved:
    answers = pico = 0
    for key, *row in zip(sums.keys, *(sums[name] for name in NEEDS[1:]), strict=True):
        priced, cached, nano, read, write = (value or 0 for value in row)
        if priced > cached:
            answers += nano * cached // (priced - cached)
        known = prices.get((str(key[1]), str(key[2])))
        if known is not None:
            plain = base_pico(known.input)
            pico += read * (plain - base_pico(known.cache_read)) + write * (plain - base_pico(known.cache_write))
    return Saved(Decimal(answers) / NANO, Decimal(pico // PICO_PER_NANO) / NANO)
