"""The move: inbox → operations → rollups, in one transaction, so each operation counts exactly once whatever dies when."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Row, text

from services.db import transaction
from services.pricing import versions
from services.pricing.cost import price
from services.rollups import cells, distinct, session_days
from services.rollups.state import lock, note_move, zone_of
from services.telemetry import inbox, series
from services.telemetry.operations import insert_new

Batch = Row[Any]  # one row of telemetry_inbox
LATE = pd.Timedelta(days=1)
LIVE_DOORS = ("/api/operations", "/v1/traces")
# Moves hold the writers' lock, so nobody else deletes here; rows that senders are adding meanwhile are simply not seen yet.
CLAIM = """
delete from telemetry_inbox where id in (
    select id from (select id, sum(row_count) over (order by id) - row_count as before from telemetry_inbox) waiting
    where before < :limit_rows
) returning id, received_at, noun, source, door, import_id, row_count, payload
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What one move did: inbox rows taken, operations and sessions that were new, and those known already."""

    rows: int
    new: int
    duplicates: int


def move_once(limit_rows: int = 100_000) -> Moved:
    """Move the oldest batches of the inbox, about `limit_rows` records; Moved(0, 0, 0) when it is empty or another move runs."""
    with transaction() as connection:
        if not lock(connection, wait=False):
            return Moved(0, 0, 0)
        batches = sorted(connection.execute(text(CLAIM), {"limit_rows": limit_rows}).all(), key=lambda batch: batch.id)
        if not batches:
            return Moved(0, 0, 0)
        zone = zone_of(connection)
        told = [batch for batch in batches if batch.noun == "operations"]
        records = [batch for batch in batches if batch.noun == "sessions"]
        outcomes = []
        if told:
            outcomes.append(_move_operations(connection, _frame(told), zone))
        if records:
            outcomes.append(_move_sessions(connection, _frame(records)))
        outcome = pd.concat(outcomes, ignore_index=True)
        _count(connection, [*told, *records], outcome)
        note_move(connection)
        new = int(outcome["new"].sum())
        return Moved(len(batches), new, len(outcome) - new)


def _frame(batches: list[Batch]) -> pd.DataFrame:
    """All records of the batches with their source, and the position of their batch."""
    tables = []
    for position, batch in enumerate(batches):
        table = inbox.unpack(batch.payload)
        tables.append(
            table.append_column("source", pa.repeat(batch.source, table.num_rows))
            .append_column("batch", pa.repeat(position, table.num_rows))
            .append_column("received_at", pa.repeat(pa.scalar(batch.received_at, pa.timestamp("us", "UTC")), table.num_rows))
        )
    return pa.concat_tables(tables).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get, date_as_object=False)


def _move_operations(connection: Connection, told: pd.DataFrame, zone: ZoneInfo) -> pd.DataFrame:
    """Store and roll up what is new; per told operation whether it was `new`, and `late` (new, and a day old when received)."""
    operations = told.assign(id=[key.hex() for key in told["id"]], day=told["started_at"].dt.date)
    operations = operations.drop_duplicates("id")
    operations["series_id"] = series.resolve(connection, operations)
    operations["cost_nano"], priced = price(operations)
    operations["price_version"] = versions.of(connection, priced, operations.index)
    is_new = insert_new(connection, operations)
    new = operations[is_new]
    if len(new):
        cells.merge(connection, new, zone, pd.Timestamp.now("UTC"))
        distinct.merge(connection, new.assign(day=cells.local_days(new["started_at"], zone)))
        series.note_last(connection, new)
        with_session = new[new["session_key"].notna()]
        if len(with_session):
            own = series.resolve(connection, _own_series(with_session))
            session_days.merge(connection, session_days.from_operations(with_session.assign(series_id=own)))
    is_new_told = told.index.isin(new.index)
    return pd.DataFrame({"new": is_new_told, "late": is_new_told & (told["received_at"] - told["started_at"] > LATE)})


def _move_sessions(connection: Connection, records: pd.DataFrame) -> pd.DataFrame:
    """Store and roll up what sessions tell; a record of a session that was told before is no new one, though its words count."""
    records["series_id"] = series.resolve(connection, _own_series(records))
    known = session_days.told_before(connection, records)
    session_days.merge(connection, session_days.from_records(records))
    again = records.duplicated(["source", "session_key"]) | known
    return pd.DataFrame({"new": ~again, "late": False})


def _own_series(rows: pd.DataFrame) -> pd.DataFrame:
    """A session may use many models, so it has a series of its own: where it happened, not what answered."""
    return rows.assign(operation=session_days.SESSION, provider=session_days.SESSION, model=session_days.SESSION)


def _count(connection: Connection, batches: list[Batch], outcome: pd.DataFrame) -> None:
    """Book new, known and late rows, in the order of the batches, to the source, door and import they came by."""
    owner = np.repeat(np.arange(len(batches)), [batch.row_count for batch in batches])
    fresh = np.bincount(owner[outcome["new"]], minlength=len(batches))
    old = np.bincount(owner[outcome["late"]], minlength=len(batches))
    for batch, new, late in zip(batches, fresh.tolist(), old.tolist(), strict=True):
        known = batch.row_count - new
        inbox.count(connection, batch.source, batch.door, duplicates=known, late=late if batch.door in LIVE_DOORS else 0)
        if batch.import_id is not None:
            connection.execute(
                text("update telemetry_imports set moved = moved + :new, duplicates = duplicates + :known where id = :id"),
                {"new": new, "known": known, "id": batch.import_id},
            )
