"""The operations table: day partitions, and the one insert that decides what is new."""

from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, text

from services.db.copy import copy_rows

COLUMNS = (
    "day", "id", "started_at", "series_id", "latency_us", "ttft_us",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_nano", "price_version", "cached", "error_type", "user_key", "session_key",
    "finish_reason", "service_tier", "adjusted",
)  # fmt: skip

NUMBERS = (
    "latency_us", "ttft_us", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_nano", "price_version",
)  # fmt: skip
TEXTS = (
    "error_type", "user_key", "session_key", "finish_reason", "service_tier",
    "environment", "source", "module", "operation", "provider", "model",
)  # fmt: skip
CHANGEABLE = tuple(name for name in COLUMNS if name not in ("day", "id", "started_at", "error_type", "cached"))

# The key is (day, id) because a partitioned table's key must hold its partition column. A second telling of the same call may
# start just across midnight, so the neighbouring days are asked as well.
# The driver writes the days into the statement, so the planner opens, and locks, the few partitions that matter and not every day kept.
# Scalar look-ups, as the planner turns no such thing into a join: of days nobody has analysed yet it would read all rows for each new one.
# In order of the random ids, so that each page of the key's index is touched once.
BETWEEN = "o.day between cast(:first as date) - 1 and cast(:last as date) + 1"
INSERT = f"""
insert into operations ({", ".join(COLUMNS)})
select {", ".join(COLUMNS)} from new_operations m
where (select true from operations o where o.day = m.day - 1 and o.id = m.id and {BETWEEN} limit 1) is null
  and (select true from operations o where o.day = m.day + 1 and o.id = m.id and {BETWEEN} limit 1) is null
order by m.day, m.id
on conflict (day, id) do nothing
returning encode(uuid_send(id), 'hex')
"""  # noqa: S608 - the names are the constant above


def ensure_partitions(connection: Connection, days: set[date]) -> None:
    """Create missing day partitions. Attached rather than created in place: that does not lock out readers."""
    present = set(
        connection.execute(text("select inhrelid::regclass::text from pg_inherits where inhparent = 'operations'::regclass")).scalars()
    )
    for day in sorted(days):
        name = f"operations_{day:%Y%m%d}"
        if name not in present:
            connection.execute(text(f"create table {name} (like operations including defaults including constraints)"))
            connection.execute(
                text(f"alter table operations attach partition {name} for values from ('{day}') to ('{day + timedelta(days=1)}')")
            )


def stored(connection: Connection, condition: str, values: dict[str, object]) -> pd.DataFrame:
    """Stored operations `o` under a condition of ours, typed as the move has them, with the dimensions of their series `s`."""
    columns = "o.*, s.environment, s.source, s.module, s.operation, s.provider, s.model"
    statement = f"select {columns} from operations o join series s on s.id = o.series_id where {condition}"  # noqa: S608 - constants
    found = connection.execute(text(statement), values)
    return typed(pd.DataFrame(found.all(), columns=list(found.keys())))


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows as the driver gives them, as the move has them: `id` as 32 hex digits, missing numbers as NA."""
    rows["started_at"] = pd.to_datetime(rows["started_at"], utc=True)
    rows["id"] = [key.hex for key in rows["id"]]
    texts = [name for name in TEXTS if name in rows]
    return rows.astype(dict.fromkeys(NUMBERS, "Int64") | dict.fromkeys(texts, "str") | {"cached": bool, "adjusted": bool})


def update(connection: Connection, operations: pd.DataFrame) -> None:
    """Write CHANGEABLE of stored operations again, found by day and id."""
    connection.execute(text("create temp table if not exists new_operations (like operations including defaults) on commit delete rows"))
    copy_rows(connection, "new_operations", pa.Table.from_pandas(operations[list(COLUMNS)], preserve_index=False))
    connection.execute(
        text(
            f"update operations o set {', '.join(f'{name} = m.{name}' for name in CHANGEABLE)}"  # noqa: S608 - constant names
            f" from new_operations m where o.day = m.day and o.id = m.id and {BETWEEN}"
        ),
        {"first": operations["day"].min(), "last": operations["day"].max()},
    )
    connection.execute(text("truncate new_operations"))


def insert_new(connection: Connection, operations: pd.DataFrame) -> pd.Series:
    """Insert rows (COLUMNS; `id` as 32 hex digits, no id twice) that were never stored; True for each that was new."""
    days = set(operations["day"].unique())
    ensure_partitions(connection, days)
    connection.execute(text("create temp table if not exists new_operations (like operations including defaults) on commit delete rows"))
    copy_rows(connection, "new_operations", pa.Table.from_pandas(operations[list(COLUMNS)], preserve_index=False))
    inserted = connection.execute(text(INSERT), {"first": min(days), "last": max(days)}).scalars().all()
    connection.execute(text("truncate new_operations"))
    if len(inserted) == len(operations):
        return pd.Series(True, index=operations.index)
    return operations["id"].isin(set(inserted))
