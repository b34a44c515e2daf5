"""The SQL of the catalogue: sums over rollups by bucket and dimensions. Identifiers come from the catalogue, values are bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from services import histogram
from services.metrics.catalogue import quantiles_of
from services.metrics.ranges import Period

Where = Mapping[str, Sequence[str]]

BITS = 16_384
EXACT_KEYS = 20_000  # above this many key rows, distinct counts are estimated from bits: within about 2 %, in a fifth of the time
FULLEST = 0.98  # above this share of bits set, bits say too little: then the keys are counted however many there are
SESSION_COLUMNS = {"session_n": "n"}


@dataclass(frozen=True, slots=True)
class Split:
    """What is asked of a table: the period, the dimensions to split by, the values to keep."""

    period: Period
    by: Sequence[str]
    where: Where

    def asks(self, dimension: str) -> bool:
        """Whether a dimension is split by or filtered on."""
        return dimension in self.by or dimension in self.where


def operation_sums(connection: Connection, split: Split, needs: set[str]) -> pd.DataFrame:
    """Columns: bucket (if the period has an interval), the dimensions, and each of `needs` summed; quantiles are named histogram@share."""
    if split.asks("error_type"):
        return _sums(connection, split, "rollup_error", {"errors": "sum(r.n)"})
    histograms = sorted({need.partition("@")[0] for need in needs if "@" in need})
    plain = {need: f"sum(r.{need})" for need in sorted(needs) if "@" not in need and need != "minutes"}
    packed = {name: f"sparsevec_send(sum(r.{name})::sparsevec)" for name in histograms}
    sums = _sums(connection, split, "rollup_15m" if split.period.fine else "rollup_day", plain | packed)
    for name in histograms:
        counts = _unpack(sums.pop(name))
        for need in needs:
            if need.startswith(f"{name}@"):
                sums[need] = quantiles_of(counts, histogram.ESTIMATES_MS, float(need.partition("@")[2]))
    return sums


def session_sums(connection: Connection, split: Split, needs: set[str]) -> pd.DataFrame:
    """The same over sessions, by whole days; each session counts once, or once per topic when topics are asked for."""
    columns = {need: f"sum(r.{SESSION_COLUMNS.get(need, need)})" for need in sorted(needs)}
    topic = "r.topic <> ''" if split.asks("topic") else "r.topic = ''"
    return _sums(connection, split, "rollup_session_day", columns, topic)


def distinct_counts(connection: Connection, split: Split, kind: str) -> tuple[pd.DataFrame, bool]:
    """Column `kind` holds the distinct keys by bucket and dimensions, by whole days; True when they are estimates."""
    of_kind = f"r.kind = '{kind}'"
    whole = Split(replace(split.period, interval=None), (), split.where)
    keys = _sums(connection, whole, "rollup_distinct", {"n": "sum(r.n)"}, of_kind)["n"].fillna(0).sum()
    if int(keys) > EXACT_KEYS:
        counts = _sums(connection, split, "rollup_distinct", {kind: "bit_count(bit_or(r.bits))"}, of_kind)
        full = counts[kind].fillna(0).astype("float64") / BITS
        if full.max() <= FULLEST:
            counts[kind] = (-BITS * np.log(1 - full)).round().astype("int64")  # linear counting
            return counts, True
    return _sums(connection, split, "rollup_distinct_key", {kind: "count(distinct r.key_hash)"}, of_kind), False


def _sums(connection: Connection, split: Split, table: str, columns: Mapping[str, str], condition: str = "true") -> pd.DataFrame:
    """One grouped read of a rollup table; buckets come back as the period names them."""
    period = split.period
    fine = table == "rollup_15m"
    keys = [f"{_bucket(period, fine=fine)} as bucket"] if period.interval else []
    keys += [f"{_dimension(name)} as {name}" for name in split.by]
    picked = ", ".join(keys + [f"{expression} as {name}" for name, expression in columns.items()])
    time = "bucket" if fine else "day"
    kept = [f"r.{time} >= :start", f"r.{time} < :end", condition, *(f"{_dimension(name)} = any(:{name})" for name in split.where)]
    grouping = f" group by {', '.join(str(place + 1) for place in range(len(keys)))}" if keys else ""
    statement = f"select {picked} from {table} r join series s on s.id = r.series_id where {' and '.join(kept)}{grouping}"  # noqa: S608 - catalogue names only
    bounds: dict[str, Any] = (
        {"start": period.start, "end": period.end, "zone": period.zone.key} if fine else {"start": period.first_day, "end": period.end_day}
    )
    result = connection.execute(text(statement), bounds | {name: list(values) for name, values in split.where.items()})
    rows = pd.DataFrame(
        [tuple(row) for row in result], columns=list(result.keys())
    )  # tuples: pandas looks into rows attribute by attribute
    if period.interval:
        rows["bucket"] = _aware(rows["bucket"], period, fine=fine)
    return rows


def _bucket(period: Period, *, fine: bool) -> str:
    if fine:
        return "r.bucket" if period.interval == "15min" else f"date_trunc('{period.interval}', r.bucket, :zone)"
    return "r.day" if period.interval == "day" else f"date_trunc('{period.interval}', r.day::timestamp)::date"


def _dimension(name: str) -> str:
    return f"r.{name}" if name in ("topic", "error_type") else f"s.{name}"


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
