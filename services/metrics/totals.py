"""Exact sums of rollup columns over a range, for arithmetic that may not lose a unit: integers, None where nothing was told."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from services.clock import utc_now
from services.metrics.ranges import resolve
from services.metrics.snapshot import Snapshot
from services.metrics.sums import Split, operation_sums
from services.metrics.table import Table

Range = tuple[date | datetime, date | datetime]  # [start, end) as metrics.query takes it


def totals(snapshot: Snapshot, of: Range, by: Sequence[str], needs: Sequence[str], where: Mapping[str, Sequence[str]]) -> Table:
    """Columns `needs` of the cells of operations under the values of `by`. Raises BadInput for an impossible range."""
    period, _ = resolve(*of, None, snapshot.zone, utc_now())
    kept = {name: list(values) for name, values in where.items() if values}
    return operation_sums(snapshot, Split(period, by, kept), {*needs, "n"})
