"""The SQL of the catalogue: sums over rollups by bucket and dimensions. Identifiers come from the catalogue, values are bound."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from services import histogram
from services.metrics.catalogue import quantiles_of
from services.metrics.ranges import Period

Where = Mapping[str, Sequence[str]]

BITS = 16_384
EXACT_KEYS = 300_000  # above this many key rows, distinct counts are estimated from bits (about 1 % error)
SESSION_COLUMNS = {"session_n": "n"}


def operation_sums(connection: Connection, period: Period, by: Sequence[str], where: Where, needs: set[str]) -> pd.DataFrame:
    """Columns: bucket (if the period has an interval), `by`, and each of `needs` summed; quantiles are named histogram@share."""
    if "error_type" in by or "error_type" in where:
        return _rows(connection, _select("rollup_error", {"errors": "sum(r.n)"}, period, by, where), period, by, where)
    table = "rollup_15m" if period.fine else "rollup_day"
    histograms = sorted({need.partition("@")[0] for need in needs if "@" in need})
    plain = {need: f"sum(r.{need})" for need in sorted(needs) if "@" not in need and need != "minutes"}
    packed = {name: f"sparsevec_send(sum(r.{name})::sparsevec)" for name in histograms}
    sums = _rows(connection, _select(table, plain | packed, period, by, where), period, by, where)
    for name in histograms:
        counts = _unpack(sums.pop(name))
        for need in needs:
            if need.startswith(f"{name}@"):
                sums[need] = quantiles_of(counts, histogram.ESTIMATES_MS, float(need.partition("@")[2]))
    return sums


def session_sums(connection: Connection, period: Period, by: Sequence[str], where: Where, needs: set[str]) -> pd.DataFrame:
    """The same over sessions, by whole days; each session counts once, or once per topic when topics are asked for."""
    columns = {need: f"sum(r.{SESSION_COLUMNS.get(need, need)})" for need in sorted(needs)}
    topic = "r.topic <> ''" if "topic" in by or "topic" in where else "r.topic = ''"
    return _rows(connection, _select("rollup_session_day", columns, period, by, where, topic), period, by, where)


def distinct_counts(connection: Connection, period: Period, by: Sequence[str], where: Where, kind: str) -> tuple[pd.DataFrame, bool]:
    """Column `kind` holds the distinct keys by bucket and `by`, by whole days; True when they are estimates."""
    of_kind = f"r.kind = '{kind}'"
    size = _rows(connection, _select("rollup_distinct", {"n": "sum(r.n)"}, period, (), where, of_kind, bucketed=False), period, (), where, bucketed=False)
    if int(size["n"].fillna(0).sum()) <= EXACT_KEYS:
        return _rows(connection, _select("rollup_distinct_key", {kind: "count(distinct r.key_hash)"}, period, by, where, of_kind), period, by, where), False
    counts = _rows(connection, _select("rollup_distinct", {kind: "bit_count(bit_or(r.bits))"}, period, by, where, of_kind), period, by, where)
    zeros = np.maximum(BITS - counts[kind].astype("float64"), 0.5)
    counts[kind] = (-BITS * np.log(zeros / BITS)).round().astype("int64")
    return counts, True


def _select(
    table: str, columns: Mapping[str, str], period: Period, by: Sequence[str], where: Where, condition: str = "true", *, bucketed: bool = True
) -> str:
    keys = [f"{_bucket(table, period)} as bucket"] if period.interval and bucketed else []
    keys += [f"{_dimension(name)} as {name}" for name in by]
    picked = ", ".join(keys + [f"{expression} as {name}" for name, expression in columns.items()])
    time = "bucket" if table == "rollup_15m" else "day"
    filters = " and ".join([f"r.{time} >= :start and r.{time} < :end", condition, *(f"{_dimension(name)} = any(:{name})" for name in where)])
    grouping = f" group by {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    return f"select {picked} from {table} r join series s on s.id = r.series_id where {filters}{grouping}"  # noqa: S608 - catalogue names only


def _bucket(table: str, period: Period) -> str:
    if table == "rollup_15m":
        return "r.bucket" if period.interval == "15min" else f"date_trunc('{_unit(period)}', r.bucket, :zone)"
    return "r.day" if period.interval in ("day", "15min", "hour") else f"date_trunc('{_unit(period)}', r.day::timestamp)::date"


def _unit(period: Period) -> str:
    return period.interval or "day"


def _dimension(name: str) -> str:
    return f"r.{name}" if name in ("topic", "error_type") else f"s.{name}"


def _rows(connection: Connection, statement: str, period: Period, by: Sequence[str], where: Where, *, bucketed: bool = True) -> pd.DataFrame:
    fine = " rollup_15m r " in statement
    bounds: dict[str, Any] = (
        {"start": period.start, "end": period.end, "zone": period.zone.key} if fine else {"start": period.first_day, "end": period.end_day}
    )
    result = connection.execute(text(statement), bounds | {name: list(values) for name, values in where.items()})
    rows = pd.DataFrame(result.all(), columns=list(result.keys()))
    if period.interval and bucketed:
        rows["bucket"] = _aware(rows["bucket"], period, fine=fine)
    return rows


def _aware(buckets: pd.Series, period: Period, *, fine: bool) -> pd.Series:
    """Buckets as the period names them: local starts of quarters, hours, days, weeks or months."""
    if fine:
        return pd.to_datetime(buckets, utc=True).dt.tz_convert(period.zone)
    starts = {start.date(): start for start in period.buckets()}
    return pd.to_datetime(buckets.map(starts), utc=True).dt.tz_convert(period.zone)


def _unpack(packed: pd.Series) -> np.ndarray:
    """Histograms from pgvector's binary sparse form: dimensions, entries and a zero as int32, then indices, then float32 counts."""
    counts = np.zeros((len(packed), histogram.BUCKETS))
    for row, value in enumerate(packed):
        if value is not None:
            entries = int.from_bytes(value[4:8], "big")
            indices = np.frombuffer(value, ">i4", entries, 12)
            counts[row, indices] = np.frombuffer(value, ">f4", entries, 12 + 4 * entries)
    return counts
