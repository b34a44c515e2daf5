"""The move: inbox → operations → rollups, in one transaction, so each operation counts exactly once whatever dies when."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Row, text

from services.db import transaction
from services.pricing import overrides, versions
from services.pricing.cost import price
from services.rollups import cells, distinct, session_days
from services.rollups.state import lock, note_move, zone_of
from services.telemetry import feedback, inbox, payloads, rate, second, series, tellings
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


def move_once(limit_rows: int = 40_000) -> Moved:
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
        said = [batch for batch in batches if batch.noun == "feedback"]
        outcomes = []
        if told:
            outcomes.append(_move_operations(connection, _frame(told), zone))
        if records:
            outcomes.append(_move_sessions(connection, _frame(records)))
        if said:  # last, so that it finds what came along with it
            outcomes.append(pd.DataFrame({"new": feedback.store(connection, _frame(said)), "late": False, "adjusted": False}))
        outcome = pd.concat(outcomes, ignore_index=True)
        _count(connection, [*told, *records, *said], outcome)
        note_move(connection)
        new = int(outcome["new"].sum())
        return Moved(len(batches), new, len(outcome) - new)


def _frame(batches: list[Batch]) -> pd.DataFrame:
    """All records of the batches with their source and the time they were received, in order of arrival."""
    tables = []
    for batch in batches:
        table = inbox.unpack(batch.payload)
        tables.append(
            table.append_column("source", pa.repeat(batch.source, table.num_rows)).append_column(
                "received_at", pa.repeat(pa.scalar(batch.received_at, pa.timestamp("us", "UTC")), table.num_rows)
            )
        )
    # Batches of an earlier version lack the newest columns: those are unknown there.
    together = pa.concat_tables(tables, promote_options="default")
    return together.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get, date_as_object=False)


def _move_operations(connection: Connection, told: pd.DataFrame, zone: ZoneInfo) -> pd.DataFrame:
    """Store and roll up what is new; per told operation whether it was `new`, `late` (new, and a day old when received), `adjusted`."""
    told = told.assign(id=[key.hex() for key in told["id"]], day=told["started_at"].dt.date, position=range(len(told)))
    told["adjusted"] = told["adjusted"].fillna(False).astype(bool)
    operations = told.drop_duplicates("id")
    settled = tellings.settle(connection, operations)
    operations = second.fill_here(operations, settled.again)
    again = operations["position"].isin(list(settled.again))
    new = _store(connection, operations[~again], zone)
    second.withdraw(connection, [gone for gone, _ in settled.withdrawn], zone)
    calls = pd.Series(settled.again, dtype=object)
    seconds = operations[again].assign(call_id=calls.map(lambda call: call.id), call_day=calls.map(lambda call: call.day))
    second.fill_stored(connection, seconds[~seconds["call_id"].isin(new["id"])], zone)
    is_new = told.index.isin(new.index)
    tellings.remember(connection, settled, is_new)
    late = is_new & (told["received_at"] - told["started_at"] > LATE)
    return pd.DataFrame({"new": is_new, "late": late, "adjusted": is_new & told["adjusted"]})


def _store(connection: Connection, operations: pd.DataFrame, zone: ZoneInfo) -> pd.DataFrame:
    """Price and store operations, add those that were never stored to the rollups; returns these."""
    if operations.empty:
        return operations
    operations = operations.assign(series_id=series.resolve(connection, operations))
    operations["cost_nano"], priced = price(operations, overrides.load(connection))
    operations["price_version"] = versions.of(connection, priced, operations.index)
    new = operations[insert_new(connection, operations)]
    if len(new):
        cells.merge(connection, new, zone, pd.Timestamp.now("UTC"))
        distinct.merge(connection, new.assign(day=cells.local_days(new["started_at"], zone)))
        series.note_last(connection, new)
        payloads.store(connection, new)
        with_session = new[new["session_key"].notna()]
        if len(with_session):
            own = series.resolve(connection, series.of_sessions(with_session))
            session_days.merge(connection, session_days.from_operations(with_session.assign(series_id=own)))
            feedback.link_sessions(connection, with_session)
    return new


def _move_sessions(connection: Connection, records: pd.DataFrame) -> pd.DataFrame:
    """Store and roll up what sessions tell; a record of a session that was told before is no new one, though its words count."""
    records["series_id"] = series.resolve(connection, series.of_sessions(records))
    known = session_days.told_before(connection, records)
    session_days.merge(connection, session_days.from_records(records))
    feedback.link_sessions(connection, records)
    again = records.duplicated(["source", "session_key"]) | known
    return pd.DataFrame({"new": ~again, "late": False, "adjusted": False})


def _count(connection: Connection, batches: list[Batch], outcome: pd.DataFrame) -> None:
    """Book what became of each row, in the order of the batches, to the source, door and import it came by."""
    owner = np.repeat(np.arange(len(batches)), [batch.row_count for batch in batches])
    told = pd.DataFrame(
        {
            "source": [batch.source for batch in batches],
            "door": [batch.door for batch in batches],
            "import_id": pd.array([batch.import_id for batch in batches], dtype="Int64"),
            "received_at": [batch.received_at for batch in batches],
            "accepted": [batch.row_count for batch in batches],
        }
        | {name: np.bincount(owner[outcome[name]], minlength=len(batches)) for name in ("new", "late", "adjusted")}
    )
    told["duplicates"] = told["accepted"] - told["new"]
    told["late"] = told["late"].where(told["door"].isin(LIVE_DOORS), 0)
    for (source, door), sums in told.groupby(["source", "door"])[["accepted", "duplicates", "late", "adjusted"]].sum().iterrows():
        inbox.count(connection, source, door, **{name: int(value) for name, value in sums.items()})
    rate.note(connection, told)
    for import_id, sums in told.groupby("import_id")[["new", "duplicates"]].sum().iterrows():
        connection.execute(
            text("update telemetry_imports set moved = moved + :new, duplicates = duplicates + :known where id = :id"),
            {"new": int(sums["new"]), "known": int(sums["duplicates"]), "id": int(import_id)},
        )
