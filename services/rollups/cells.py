"""Cells: what happened in one bucket of one series, as sums, counts and histograms that merge by addition."""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from services import histogram
from services.clock import KEPT_15M, QUARTER
from services.db.copy import copy_rows

COUNTS = ("n", "errors", "cached", "priced", "told_tokens", "latency_n", "ttft_n")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
SUMS = (*TOKENS, "cost_nano", "latency_us", "ttft_us")  # NULL while no operation told it
HISTOGRAMS = ("latency_hist", "ttft_hist")
COLUMNS = (*COUNTS, *SUMS, *HISTOGRAMS)
KEYS = {"rollup_15m": "bucket", "rollup_day": "day"}

Integers = npt.NDArray[np.int64]


def build(operations: pd.DataFrame, buckets: pd.Series, name: str) -> pd.DataFrame:
    """One row per (bucket, series): key columns `name` and series_id, then COLUMNS; histograms as sparsevec texts.

    `operations` has series_id, started_at, cached, error_type and the nullable Int64 columns of SUMS; `buckets` is its bucket per row.
    """
    grouped = operations.groupby([buckets, operations["series_id"]], sort=False)
    group = grouped.ngroup().to_numpy()
    keys = pd.DataFrame(list(grouped.groups), columns=[name, "series_id"])
    size = len(keys)

    def counted(chosen: npt.NDArray[np.bool_]) -> Integers:
        return np.bincount(group[chosen], minlength=size).astype(np.int64)

    everything = np.ones(len(operations), dtype=bool)
    told = {column: operations[column].notna().to_numpy() for column in SUMS}
    cells = keys.assign(
        n=counted(everything),
        errors=counted(operations["error_type"].notna().to_numpy()),
        cached=counted(operations["cached"].to_numpy(dtype=bool)),
        priced=counted(told["cost_nano"]),
        told_tokens=counted(told["input_tokens"] | told["output_tokens"]),
        latency_n=counted(told["latency_us"]),
        ttft_n=counted(told["ttft_us"]),
    )
    for column in SUMS:
        cells[column] = _summed(operations[column], told[column], group, size)
    for column, source in zip(HISTOGRAMS, ("latency_us", "ttft_us"), strict=True):
        values = operations[source][told[source]].to_numpy(dtype=np.int64)
        cells[column] = pd.Series(
            histogram.as_sparse_texts(group[told[source]].astype(np.int64), histogram.bucket_of(values), size), dtype=object
        )
    return cells


def _summed(values: pd.Series, told: npt.NDArray[np.bool_], group: npt.NDArray[np.intp], size: int) -> pd.Series:
    """Exact integer sums per group (Int64); NA where nothing was told."""
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, group[told], values[told].to_numpy(dtype=np.int64))
    known = np.bincount(group[told], minlength=size) > 0
    return pd.Series(pd.array(sums, dtype="Int64")).where(known)


def local_days(moments: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Local calendar date of each UTC instant, as datetime64 midnight without a zone."""
    return moments.dt.tz_convert(zone).dt.tz_localize(None).dt.floor("D")


def merge(connection: Connection, operations: pd.DataFrame, zone: ZoneInfo, now: pd.Timestamp) -> None:
    """Add operations that were never counted before to their quarter-hour cells (if still kept) and day cells."""
    recent = operations[operations["started_at"] >= now - KEPT_15M]
    if len(recent):
        _add(connection, "rollup_15m", build(recent, recent["started_at"].dt.floor(QUARTER), "bucket"))
    days = local_days(operations["started_at"], zone)
    _add(connection, "rollup_day", build(operations, days, "day"))
    _add_errors(connection, operations.assign(day=days))


def take_out(connection: Connection, operations: pd.DataFrame, zone: ZoneInfo, now: pd.Timestamp) -> None:
    """Undo `merge` for operations whose stored rows were changed or deleted just before, in the same transaction."""
    recent = operations[operations["started_at"] >= now - KEPT_15M]
    if len(recent):
        _subtract(connection, "rollup_15m", build(recent, recent["started_at"].dt.floor(QUARTER), "bucket"), zone)
    days = local_days(operations["started_at"], zone)
    _subtract(connection, "rollup_day", build(operations, days, "day"), zone)
    _add_errors(connection, operations.assign(day=days), sign=-1)
    connection.execute(text("delete from rollup_error where n = 0"))


def forget_old(connection: Connection) -> int:
    """Drop quarter hours that are no longer kept; how many cells."""
    return connection.execute(text("delete from rollup_15m where bucket < now() - :kept"), {"kept": KEPT_15M}).rowcount


def _add(connection: Connection, table: str, cells: pd.DataFrame) -> None:
    key = KEYS[table]
    names = ", ".join((key, "series_id", *COLUMNS))
    values = ", ".join(f"{c}::vector" if c in HISTOGRAMS else c for c in (key, "series_id", *COLUMNS))
    connection.execute(text(f"create temp table if not exists new_{table} ({_shape(key)}) on commit delete rows"))
    copy_rows(connection, f"new_{table}", cells)
    # Ordered by key: two writers that meet wait for each other instead of dying in a deadlock.
    connection.execute(
        text(
            f"insert into {table} as c ({names}) select {values} from new_{table} order by 1, 2"  # noqa: S608 - names come from this module
            f" on conflict ({key}, series_id) do update set {', '.join(_addition(c) for c in COLUMNS)}"
        )
    )
    connection.execute(text(f"truncate new_{table}"))


BOUNDS = {
    "rollup_15m": ("c.bucket", "c.bucket + interval '15 minutes'"),
    "rollup_day": ("c.day::timestamp at time zone :zone", "(c.day + 1)::timestamp at time zone :zone"),
}


def _subtract(connection: Connection, table: str, cells: pd.DataFrame, zone: ZoneInfo) -> None:
    key = KEYS[table]
    connection.execute(text(f"create temp table if not exists new_{table} ({_shape(key)}) on commit delete rows"))
    copy_rows(connection, f"new_{table}", cells)
    values = {c: f"x.{c}::vector" if c in HISTOGRAMS else f"x.{c}" for c in COLUMNS}
    touched = f"from new_{table} x where c.{key} = x.{key} and c.series_id = x.series_id"
    less = ", ".join(f"{column} = coalesce(c.{column} - {value}, c.{column})" for column, value in values.items())
    connection.execute(text(f"update {table} c set {less} {touched}"))  # noqa: S608 - names come from this module
    connection.execute(text(f"delete from {table} c using {touched.removeprefix('from ')} and c.n = 0"))  # noqa: S608
    counted = {"cost_nano": "priced", "latency_us": "latency_n", "ttft_us": "ttft_n"}
    unknown = [f"{name} = case when c.{n} = 0 then null else c.{name} end" for name, n in counted.items()]
    connection.execute(text(f"update {table} c set {', '.join(unknown)} {touched}"))  # noqa: S608
    first, end = BOUNDS[table]
    for name in TOKENS:  # a sum of nothing is 0 only where somebody told a 0
        connection.execute(
            text(
                f"update {table} c set {name} = null {touched} and c.{name} = 0 and not exists (select from operations o"  # noqa: S608
                f" where o.series_id = c.series_id and o.started_at >= {first} and o.started_at < {end} and o.{name} is not null)"
            ),
            {"zone": zone.key} if ":zone" in first else {},
        )
    connection.execute(text(f"truncate new_{table}"))


def _shape(key: str) -> str:
    types = {"bucket": "timestamptz", "day": "date"}
    return ", ".join(
        [f"{key} {types[key]}", "series_id integer"] + [f"{c} {'sparsevec(668)' if c in HISTOGRAMS else 'bigint'}" for c in COLUMNS]
    )


def _addition(column: str) -> str:
    """`a + b` where NULL means nothing was told: it stays NULL only when both are."""
    if column in COUNTS:
        return f"{column} = c.{column} + excluded.{column}"
    return f"{column} = coalesce(c.{column} + excluded.{column}, c.{column}, excluded.{column})"


def _add_errors(connection: Connection, operations: pd.DataFrame, sign: int = 1) -> None:
    failed = operations[operations["error_type"].notna()]
    if failed.empty:
        return
    counts = failed.groupby(["day", "series_id", "error_type"], as_index=False).size().rename(columns={"size": "n"})
    connection.execute(
        text(
            "insert into rollup_error as e (day, series_id, error_type, n) values (:day, :series_id, :error_type, :n)"
            " on conflict (day, series_id, error_type) do update set n = e.n + excluded.n"
        ),
        [{**row, "day": row["day"].date(), "n": sign * row["n"]} for row in counts.to_dict("records")],
    )
