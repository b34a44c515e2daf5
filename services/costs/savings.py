"""What caches saved in a range, estimated from the rollups: answers that were not asked for again, and tokens at the lower price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.metrics.catalogue import NANO
from services.metrics.totals import Range, totals
from services.pricing import current
from services.pricing.cost import PICO_PER_NANO
from services.pricing.current import base_pico

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
    with transaction() as connection:
        connection.execute(text("set transaction isolation level repeatable read, read only"))
        sums = totals(connection, start_end, BY, NEEDS, where)
        prices = current.prices(connection, {(str(key[1]), str(key[2])) for key in sums.keys}, utc_now())
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
