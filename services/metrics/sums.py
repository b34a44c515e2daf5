"""The SQL of the catalogue: sums over rollups by bucket and dimensions. Identifiers come from the catalogue, values are bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from services import histogram
from services.metrics.catalogue import WEEKDAYS, quantiles_of
from services.metrics.ranges import Period
from services.metrics.table import Column, Key, Table

Where = Mapping[str, Sequence[str]]

BITS = 16_384
EXACT_KEYS = 20_000  # above this many key rows, distinct counts are estimated from bits: within about 2 %, in a fifth of the time
FULLEST = 0.98  # above this share of bits set, bits say too little: then the keys are counted however many there are
SESSION_COLUMNS = {"session_n": "n"}
FEEDBACK_COLUMNS = {"feedback_n": "n", "feedback_rated": "rated", "feedback_sum": "rating"}
OWN = ("topic", "subject", "cohort", "error_type", "weekday", "hour")  # what the rollup knows itself; the rest is of its series
WEEKDAY = "array[" + ", ".join(f"'{name}'" for name in WEEKDAYS) + "]"
EXACT = ("rating",)  # numeric sums; all others are whole numbers


@dataclass(frozen=True, slots=True)
class Split:
    """What is asked of a table: the period, the dimensions to split by, the values to keep."""

    period: Period
    by: Sequence[str]
    where: Where

    def asks(self, dimension: str) -> bool:
        """Whether a dimension is split by or filtered on."""
        return dimension in self.by or dimension in self.where


def operation_sums(connection: Connection, split: Split, needs: set[str]) -> Table:
    """Each of `needs` summed under (bucket if the period has an interval, the dimensions); quantiles are named histogram@share."""
    if split.asks("error_type"):
        return _sums(connection, split, "rollup_error", {"errors": "sum(r.n)::bigint"})
    histograms = sorted({need.partition("@")[0] for need in needs if "@" in need})
    plain = {need: f"sum(r.{need})::bigint" for need in sorted(needs) if "@" not in need and need != "minutes"}
    packed = {name: f"sparsevec_send(sum(r.{name})::sparsevec)" for name in histograms}
    sums = _sums(connection, split, "rollup_15m" if split.period.fine else "rollup_day", plain | packed)
    for name in histograms:
        counts = _unpack(sums.columns.pop(name))
        for need in needs:
            if need.startswith(f"{name}@"):
                sums.columns[need] = quantiles_of(counts, histogram.ESTIMATES_MS, float(need.partition("@")[2]))
    return sums


def histograms(connection: Connection, split: Split, name: str) -> tuple[Table, np.ndarray]:
    """The merged histogram `name` of each row: the rows' keys with column n (operations), and counts, rows × histogram.BUCKETS."""
    columns = {"n": "sum(r.n)::bigint", name: f"sparsevec_send(sum(r.{name})::sparsevec)"}
    sums = _sums(connection, split, "rollup_15m" if split.period.fine else "rollup_day", columns)
    return sums, _unpack(sums.columns.pop(name))


def session_sums(connection: Connection, split: Split, needs: set[str]) -> Table:
    """The same over sessions, by whole days; each session counts once, or once per topic when topics are asked for."""
    if split.asks("hour"):
        return _sums(connection, split, "rollup_session_hour", {"session_n": "sum(r.n)::bigint"})
    topic = "r.topic <> ''" if split.asks("topic") else "r.topic = ''"
    return _sums(connection, split, "rollup_session_day", _summed(SESSION_COLUMNS, needs), topic)


def feedback_sums(connection: Connection, split: Split, needs: set[str]) -> Table:
    """The same over feedback, by whole days."""
    return _sums(connection, split, "rollup_feedback_day", _summed(FEEDBACK_COLUMNS, needs))


def _summed(columns: Mapping[str, str], needs: set[str]) -> dict[str, str]:
    named = {need: columns.get(need, need) for need in sorted(needs)}
    return {need: f"sum(r.{column}){'' if column in EXACT else '::bigint'}" for need, column in named.items()}


def distinct_counts(connection: Connection, split: Split, kind: str) -> tuple[Table, bool]:
    """Column `kind` holds the distinct keys by bucket and dimensions, by whole days; True when they are estimates."""
    of_kind = f"r.kind = '{kind}'"
    whole = Split(replace(split.period, interval=None), (), split.where)
    if _sums(connection, whole, "rollup_distinct", {"n": "sum(r.n)::bigint"}, of_kind).total("n") > EXACT_KEYS:
        counts = _sums(connection, split, "rollup_distinct", {kind: "bit_count(bit_or(r.bits))"}, of_kind)
        full = np.nan_to_num(counts.number(kind)) / BITS
        if full.max() <= FULLEST:
            estimates = (-BITS * np.log(1 - full)).round().astype("int64")  # linear counting
            return Table(counts.keys, {kind: estimates.tolist()}), True
    return _sums(connection, split, "rollup_distinct_key", {kind: "count(distinct r.key_hash)"}, of_kind), False


def _sums(connection: Connection, split: Split, table: str, columns: Mapping[str, str], condition: str = "true") -> Table:
    """One grouped read of a rollup table; buckets come back as their place among those of the period."""
    period = split.period
    fine = table == "rollup_15m"
    keys = [f"{_bucket(period, fine=fine)} as bucket"] if period.interval else []
    keys += [f"{_dimension(name, fine=fine)} as {name}" for name in split.by]
    picked = ", ".join(keys + [f"{expression} as {name}" for name, expression in columns.items()])
    time = "bucket" if fine else "day"
    kept = [
        f"r.{time} >= :start",
        f"r.{time} < :end",
        condition,
        *(f"{_dimension(name, fine=fine)} = any(:{name})" for name in split.where),
    ]
    grouping = f" group by {', '.join(str(place + 1) for place in range(len(keys)))}" if keys else ""
    series = " join series s on s.id = r.series_id" if any(name not in OWN for name in (*split.by, *split.where)) else ""
    statement = f"select {picked} from {table} r{series} where {' and '.join(kept)}{grouping}"  # noqa: S608 - catalogue names only
    bounds: dict[str, Any] = (
        {"start": period.start, "end": period.end, "zone": period.zone.key} if fine else {"start": period.first_day, "end": period.end_day}
    )
    found = connection.execute(text(statement), bounds | {name: list(values) for name, values in split.where.items()}).all()
    by_column: list[Column] = list(zip(*found, strict=True)) or [()] * (len(keys) + len(columns))
    if period.interval:
        places = _places(period, fine=fine)
        by_column[0] = [places[bucket] for bucket in by_column[0]]
    named: list[Key] = list(zip(*by_column[: len(keys)], strict=True)) if keys else [()] * len(found)
    return Table(named, dict(zip(columns, by_column[len(keys) :], strict=True)))


@lru_cache(maxsize=256)
def _places(period: Period, *, fine: bool) -> Mapping[object, int]:
    """Place of each bucket as the database names it: an instant for quarters and hours, a local day for anything longer."""
    return {(bucket.to_pydatetime() if fine else bucket.date()): place for place, bucket in enumerate(period.buckets())}


def _bucket(period: Period, *, fine: bool) -> str:
    if fine:
        return "r.bucket" if period.interval == "15min" else f"date_trunc('{period.interval}', r.bucket, :zone)"
    return "r.day" if period.interval == "day" else f"date_trunc('{period.interval}', r.day::timestamp)::date"


def _dimension(name: str, *, fine: bool) -> str:
    if name == "weekday":  # looked up, because to_char takes ten times as long
        return f"({WEEKDAY})[extract(isodow from {'r.bucket at time zone :zone' if fine else 'r.day'})]"
    if name == "hour":
        return "lpad(r.hour::text, 2, '0')"
    return f"r.{name}" if name in OWN else f"s.{name}"


def _unpack(packed: Column) -> np.ndarray:
    """Histograms from pgvector's binary sparse form: dimensions, entries and a zero as int32, then indices, then float32 counts."""
    counts = np.zeros((len(packed), histogram.BUCKETS))
    for row, value in enumerate(packed):
        if value is not None:
            entries = int.from_bytes(value[4:8], "big")
            indices = np.frombuffer(value, ">i4", entries, 12)
            counts[row, indices] = np.frombuffer(value, ">f4", entries, 12 + 4 * entries)
    return counts
