"""The one door's inside: examine a batch, store what is good as columns, keep what is refused with its reason.

The caller's transaction makes it durable; only then may a sender be answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import cast

import pyarrow as pa
from sqlalchemy import Connection, text

from services.clock import utc_now
from services.errors import TooMuch
from services.settings import settings
from services.telemetry.records import Noun, Record, Rejection, examine

UNKNOWN = "(unknown)"
NANO = Decimal(10) ** 9

TEXTS = {"operations": ("error_type", "user_key", "session_key"), "sessions": ("session_key", "user_key", "subject", "cohort")}
SHAPES: dict[Noun, pa.Schema] = {
    "operations": pa.schema(
        [("id", pa.binary(16)), ("started_at", pa.timestamp("us", "UTC"))]
        + [(name, pa.string()) for name in ("environment", "module", "operation", "provider", "model")]
        + [(name, pa.int64()) for name in ("latency_us", "ttft_us", "input_tokens", "output_tokens")]
        + [(name, pa.int64()) for name in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nano")]
        + [("cached", pa.bool_())]
        + [(name, pa.string()) for name in TEXTS["operations"]]
    ),
    "sessions": pa.schema(
        [("started_at", pa.timestamp("us", "UTC")), ("ended_at", pa.timestamp("us", "UTC"))]
        + [(name, pa.string()) for name in ("environment", "module", *TEXTS["sessions"])]
        + [("messages", pa.int64()), ("rating", pa.float64()), ("topics", pa.list_(pa.string()))]
    ),
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch."""

    accepted: int
    rejections: list[Rejection]


def accept(
    connection: Connection,
    noun: Noun,
    records: Sequence[object],
    *,
    source: str,
    environment: str | None = None,
    door: str,
    import_id: int | None = None,
    first_position: int = 1,
) -> Receipt:
    """Store a batch of raw records; see `services.telemetry.records` for their fields.

    Raises TooMuch while more rows wait than INBOX_LIMIT_ROWS allows.
    """
    refuse_when_full(connection)
    usable, rejections = examine(noun, records, first_position, utc_now())
    origin = {"noun": noun, "source": source, "door": door, "import_id": import_id}
    if usable:
        payload = pack(noun, usable, source, environment or "production")
        connection.execute(
            text(
                "insert into telemetry_inbox (noun, source, door, import_id, row_count, payload)"
                " values (:noun, :source, :door, :import_id, :row_count, :payload)"
            ),
            origin | {"row_count": len(usable), "payload": payload},
        )
        connection.execute(text("notify inbox"))
    if rejections:
        connection.execute(
            text(
                "insert into telemetry_rejected (noun, source, door, import_id, position, field, reason, raw)"
                " values (:noun, :source, :door, :import_id, :position, :field, :reason, :raw)"
            ),
            [origin | {"position": r.position, "field": r.field, "reason": r.reason, "raw": r.raw} for r in rejections],
        )
    count(connection, source, door, accepted=len(usable), rejected=len(rejections))
    return Receipt(len(usable), rejections)


def refuse_when_full(connection: Connection) -> None:
    """Raise TooMuch while the workers are too far behind to take more."""
    waiting = connection.execute(text("select coalesce(sum(row_count), 0) from telemetry_inbox")).scalar_one()
    if waiting >= settings().inbox_limit_rows:
        raise TooMuch(f"{waiting} records wait for the workers already; nothing of this request was stored.", retry_after_s=10)


def count(
    connection: Connection, source: str, door: str, *, accepted: int = 0, rejected: int = 0, duplicates: int = 0, late: int = 0
) -> None:
    """Add to today's (UTC) intake counts of a source and door."""
    if not (accepted or rejected or duplicates or late):
        return
    connection.execute(
        text(
            """
            insert into telemetry_counts as c (day, source, door, accepted, rejected, duplicates, late)
            values (current_date, :source, :door, :accepted, :rejected, :duplicates, :late)
            on conflict (day, source, door) do update set
                accepted = c.accepted + excluded.accepted, rejected = c.rejected + excluded.rejected,
                duplicates = c.duplicates + excluded.duplicates, late = c.late + excluded.late
            """
        ),
        {"source": source, "door": door, "accepted": accepted, "rejected": rejected, "duplicates": duplicates, "late": late},
    )


def pack(noun: Noun, records: list[Record], source: str, environment: str) -> bytes:
    """Typed records as one compressed Arrow stream in the schema of their noun."""
    columns = _operation_columns(records, source, environment) if noun == "operations" else _session_columns(records, environment)
    table = pa.table([pa.array(columns[field.name], field.type) for field in SHAPES[noun]], schema=SHAPES[noun])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return cast(bytes, sink.getvalue().to_pybytes())


def unpack(payload: bytes | memoryview) -> pa.Table:
    """The table that `pack` stored."""
    with pa.ipc.open_stream(pa.py_buffer(payload)) as reader:
        return reader.read_all()


def identity(source: str, key: str) -> bytes:
    """16 bytes that name an operation for ever: the sender's own key, within its source."""
    return blake2b(f"{source}\0key\0{key}".encode(), digest_size=16).digest()


def _operation_columns(records: list[Record], source: str, environment: str) -> dict[str, Iterable[object]]:
    def column(name: str) -> list[object]:
        return [record.get(name) for record in records]

    return {
        "id": [identity(source, cast(str, record["id"])) for record in records],
        "started_at": [_instant(record["started_at"]) for record in records],
        "environment": [record.get("environment") or environment for record in records],
        **{name: [record.get(name) or UNKNOWN for record in records] for name in ("module", "operation", "provider", "model")},
        "latency_us": [_latency_us(record) for record in records],
        "ttft_us": [_microseconds(record.get("ttft_ms")) for record in records],
        **{name: column(name) for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")},
        "cost_nano": [_nano(record.get("cost_usd")) for record in records],
        "cached": [bool(record.get("cached")) for record in records],
        "error_type": [record.get("error_type") or None for record in records],
        "user_key": [record.get("user_id") or None for record in records],
        "session_key": [record.get("session_id") or None for record in records],
    }


def _session_columns(records: list[Record], environment: str) -> dict[str, Iterable[object]]:
    def column(name: str) -> list[object]:
        return [record.get(name) for record in records]

    return {
        "session_key": column("id"),
        "started_at": [_instant(record["started_at"]) for record in records],
        "ended_at": [_instant(record.get("ended_at")) for record in records],
        "environment": [record.get("environment") or environment for record in records],
        "module": [record.get("module") or UNKNOWN for record in records],
        "user_key": [record.get("user_id") or None for record in records],
        **{name: column(name) for name in ("subject", "cohort", "messages", "rating", "topics")},
    }


def _latency_us(record: Record) -> int | None:
    told = _microseconds(record.get("latency_ms"))
    ended_at = cast(datetime | None, record.get("ended_at"))
    if told is not None or ended_at is None:
        return told
    return round((ended_at - cast(datetime, record["started_at"])).total_seconds() * 1_000_000)


def _instant(moment: object) -> int | None:
    """Microseconds since 1970: Arrow takes integers ten times faster than datetimes."""
    return None if moment is None else round(cast(datetime, moment).timestamp() * 1_000_000)


def _microseconds(milliseconds: object) -> int | None:
    return None if milliseconds is None else round(cast(float, milliseconds) * 1_000)


def _nano(dollars: object) -> int | None:
    return None if dollars is None else int((cast(Decimal, dollars) * NANO).to_integral_value())
