"""How long operations took over time: how many of them in each band of latency, from the merged histograms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from services import histogram
from services.clock import utc_now
from services.metrics import kept
from services.metrics.ranges import Period, resolve
from services.metrics.snapshot import Snapshot
from services.metrics.sums import Split, histograms
from services.metrics.table import Table

# Upper ends in ms, the same for every range so that pictures can be compared; the last band has no end.
BANDS_MS = (100, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000)


@dataclass(frozen=True, slots=True)
class Distribution:
    """`counts` are operations, one row a band from the fastest, one column a bucket; bands that nobody reached at either end are left out.

    `ends_ms` are the upper ends of the bands, infinite for the last.
    """

    buckets: pd.DatetimeIndex
    ends_ms: tuple[float, ...]
    counts: np.ndarray

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(self.counts.size)


def distribution(
    *, start: date | datetime, end: date | datetime, interval: str, where: Mapping[str, Sequence[str]] | None = None
) -> Distribution:
    """Latency of [start, end) as metrics.query takes it. Raises BadInput saying what cannot be asked."""
    filters = {name: list(values) for name, values in (where or {}).items() if values}

    def make(snapshot: Snapshot) -> Distribution:
        period, _ = resolve(start, end, interval, snapshot.zone, utc_now())
        return _bands(period, *histograms(snapshot, Split(period, (), filters), "latency_hist"))

    return kept.KEPT.get(("distribution", start, end, interval, kept.frozen(filters)), make)[1]


def _bands(period: Period, sums: Table, found: np.ndarray) -> Distribution:
    counts = np.zeros((len(BANDS_MS) + 1, len(period.index())))
    places = np.array([key[0] for key in sums.keys], dtype=np.intp)
    bands = np.searchsorted(BANDS_MS, histogram.ESTIMATES_MS)
    for band in range(len(BANDS_MS) + 1):
        counts[band, places] = found[:, bands == band].sum(axis=1)
    reached = np.flatnonzero(counts.sum(axis=1))
    inside = slice(reached[0], reached[-1] + 1) if len(reached) else slice(0, 0)
    ends: tuple[float, ...] = (*BANDS_MS, float("inf"))
    return Distribution(period.index(), ends[inside], counts[inside])
