"""The SQL of the catalogue: sums over rollups by bucket and dimensions. Identifiers come from the catalogue, values are bound."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import text

from services import histogram
from services.clock import day_start
from services.metrics.catalogue import WEEKDAYS, quantiles_of
from services.metrics.ranges import Period
from services.metrics.series import DIMENSIONS as SERIES
from services.metrics.series import folded, grouped
from services.metrics.snapshot import Snapshot
from services.metrics.table import Column, Key, Table

Where = Mapping[str, Sequence[str]]

BITS = 16_384
EXACT_KEYS = 10_000  # above this many key rows, distinct counts are estimated from bits: within about 2 %, in a fifth of the time
FULLEST = 0.98  # above this share of bits set, bits say too little: then the keys are counted however many there are
HISTOGRAMS = ("latency_hist", "ttft_hist")
PLAIN = (
    "n", "errors", "cached", "priced", "told_tokens", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_nano", "latency_n", "latency_us", "ttft_n", "ttft_us",
)  # fmt: skip
SUMS_OF_CELLS = {name: f"sum(r.{name})::bigint" for name in PLAIN} | {
    name: f"sparsevec_send(sum(r.{name})::sparsevec)" for name in HISTOGRAMS
}
_ALL = ", ".join(["series_id", *SUMS_OF_CELLS])
PART_DAY = (  # whole days, and the quarter hours of the last one that lie before the end
    f"(select day, {_ALL} from rollup_day where day < :last union all"  # noqa: S608 - constants
    f" select cast(:last as date), {_ALL} from rollup_15m where bucket >= :midnight and bucket < :until)"
)
SESSION_COLUMNS = {"session_n": "n"}
KINDS = ("user", "session", "session_user")  # of distinct keys
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

    @property
    def name(self) -> Hashable:
        """The same for equal splits."""
        return self.period, tuple(self.by), tuple((name, tuple(values)) for name, values in self.where.items())

    def asks(self, dimension: str) -> bool:
        """Whether a dimension is split by or filtered on."""
        return dimension in self.by or dimension in self.where


def operation_sums(snapshot: Snapshot, split: Split, needs: set[str]) -> Table:
    """At least `needs` summed under (bucket if the period has an interval, the dimensions); quantiles are named histogram@share."""
    if split.asks("error_type"):
        return _sums(snapshot, split, "rollup_error", {"errors": "sum(r.n)::bigint"})
    sums = _of_operations(snapshot, split, {need.partition("@")[0] for need in needs})
    for name, counts in [(name, np.asarray(sums.columns.pop(name))) for name in HISTOGRAMS if name in sums]:
        for need in needs:
            if need.startswith(f"{name}@"):
                sums.columns[need] = quantiles_of(counts, histogram.ESTIMATES_MS, float(need.partition("@")[2]))
    return sums


def histograms(snapshot: Snapshot, split: Split, name: str) -> tuple[Table, np.ndarray]:
    """The merged histogram `name` of each row: the rows' sums, and counts, rows × histogram.BUCKETS."""
    sums = _of_operations(snapshot, split, {"n", name})
    return sums, np.asarray(sums.columns.pop(name))


def _of_operations(snapshot: Snapshot, split: Split, needs: set[str]) -> Table:
    """Sums over cells in a table of the caller's own, each read once in a snapshot: of every series, where they can be folded from that.

    Where rows are few all sums are read, because the next question is often for the others.
    """
    folds = _folds(split)
    wanted = needs | set(PLAIN) if folds or not split.by else needs
    held = snapshot.once((split.period, "series") if folds else split.name, lambda: Table([], {}))
    missing = {name: told for name, told in SUMS_OF_CELLS.items() if name in wanted and name not in held}
    if missing:
        found = _of_series(snapshot, split.period, missing) if folds else _sums(snapshot, split, _cells(split.period), missing)
        held.take(found)
    chosen = Table(held.keys, {name: column for name, column in held.columns.items() if name in wanted})
    return folded(chosen, grouped(held.keys, split.by, split.where)) if folds else chosen


def _folds(split: Split) -> bool:
    """Whether it can be folded from the sums of each series."""
    return split.period.interval is None and all(name in SERIES for name in (*split.by, *split.where))


def _of_series(snapshot: Snapshot, period: Period, columns: Mapping[str, str]) -> Table:
    """Sums over the cells of a period of every series with traffic in it, under its DIMENSIONS."""
    time = "bucket" if period.fine else "day"
    told = ", ".join(f"{expression} as {name}" for name, expression in columns.items())
    cells = f"select r.series_id, {told} from {_cells(period)} r where r.{time} >= :start and r.{time} < :end group by 1"  # noqa: S608 - constants
    picked = ", ".join([f"s.{name}" for name in SERIES] + [f"c.{name}" for name in columns])
    statement = f"select {picked} from ({cells}) c join series s on s.id = c.series_id"  # noqa: S608
    return _table(snapshot.connection.execute(text(statement), _bounds(period, fine=period.fine)).all(), len(SERIES), columns)


def _table(found: Sequence[Sequence[Any]], keys: int, columns: Iterable[str]) -> Table:
    """Rows as Postgres gave them, the first so many columns being keys; histograms come out as counts, rows × histogram.BUCKETS."""
    names = list(columns)
    by_column: list[Column] = list(zip(*found, strict=True)) or [()] * (keys + len(names))
    named: list[Key] = list(zip(*by_column[:keys], strict=True)) if keys else [()] * len(found)
    told = dict(zip(names, by_column[keys:], strict=True))
    return Table(named, {name: _unpack(column) if name in HISTOGRAMS else column for name, column in told.items()})


def _cells(period: Period) -> str:
    if period.part_day:
        return PART_DAY
    return "rollup_15m" if period.fine else "rollup_day"


def session_sums(snapshot: Snapshot, split: Split, needs: set[str]) -> Table:
    """The same over sessions, by whole days; each session counts once, or once per topic when topics are asked for."""
    if split.asks("hour"):
        return _sums(snapshot, split, "rollup_session_hour", {"session_n": "sum(r.n)::bigint"})
    topic = "r.topic <> ''" if split.asks("topic") else "r.topic = ''"
    return _sums(snapshot, split, "rollup_session_day", _summed(SESSION_COLUMNS, needs), topic)


def feedback_sums(snapshot: Snapshot, split: Split, needs: set[str]) -> Table:
    """The same over feedback, by whole days."""
    return _sums(snapshot, split, "rollup_feedback_day", _summed(FEEDBACK_COLUMNS, needs))


def _summed(columns: Mapping[str, str], needs: set[str]) -> dict[str, str]:
    named = {need: columns.get(need, need) for need in sorted(needs)}
    return {need: f"sum(r.{column}){'' if column in EXACT else '::bigint'}" for need, column in named.items()}


def distinct_counts(snapshot: Snapshot, split: Split, kind: str) -> tuple[Table, bool]:
    """Column `kind` holds the distinct keys by bucket and dimensions, by whole days; True when they are estimates."""
    of_kind = f"r.kind = '{kind}'"
    if _key_rows(snapshot, split)[kind] > EXACT_KEYS:
        counts = _sums(snapshot, split, "rollup_distinct", {kind: "bit_count(bit_or(r.bits))"}, of_kind)
        full = np.nan_to_num(counts.number(kind)) / BITS
        if full.max() <= FULLEST:
            estimates = (-BITS * np.log(1 - full)).round().astype("int64")  # linear counting
            return Table(counts.keys, {kind: estimates.tolist()}), True
    return _sums(snapshot, split, "rollup_distinct_key", {kind: "count(distinct r.key_hash)"}, of_kind), False


def _key_rows(snapshot: Snapshot, split: Split) -> dict[str, int]:
    """How many rows of keys there are in all of a split, by kind: of all kinds, because who asks for one asks for the others."""
    whole = Split(replace(split.period, interval=None), (), split.where)
    kinds = {kind: f"(sum(r.n) filter (where r.kind = '{kind}'))::bigint" for kind in KINDS}
    of_any = "r.kind in ('user', 'session', 'session_user')"  # all there are: the index begins with it
    rows = snapshot.once(("key rows", whole.name), lambda: _sums(snapshot, whole, "rollup_distinct", kinds, of_any))
    return {kind: int(rows.total(kind)) for kind in KINDS}


def _sums(snapshot: Snapshot, split: Split, table: str, columns: Mapping[str, str], condition: str = "true") -> Table:
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
    values = _bounds(period, fine=fine) | {name: list(values) for name, values in split.where.items()}
    found = snapshot.connection.execute(text(statement), values).all()
    if not period.interval:
        return _table(found, len(keys), columns)
    places = _places(period, fine=fine)
    return _table([(places[row[0]], *row[1:]) for row in found], len(keys), columns)


def _bounds(period: Period, *, fine: bool) -> dict[str, Any]:
    if fine:
        return {"start": period.start, "end": period.end, "zone": period.zone.key}
    days: dict[str, Any] = {"start": period.first_day, "end": period.end_day}
    if not period.part_day:
        return days
    last = period.end_day - timedelta(days=1)
    return days | {"last": last, "midnight": day_start(last, period.zone), "until": period.end}


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
