"""The one door's inside: examine a batch, store what is good as columns, keep what is refused with its reason.

The caller's transaction makes it durable; only then may a sender be answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import cast
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import Connection, text

from services.clock import day_start, utc_now
from services.errors import TooMuch
from services.settings import settings
from services.telemetry.records import EARLIEST, SAID, Noun, Record, Rejection, examine
from services.telemetry.rules import redact

UNKNOWN = "(unknown)"
DEFAULT_ENVIRONMENT = "production"
NANO = Decimal(10) ** 9
SHORTEST_RESPONSE_ID = 16  # shorter ones are no names: some servers number their answers, and begin again

TEXTS = {
    "operations": ("error_type", "user_key", "session_key", "finish_reason", "service_tier", "told_by"),
    "sessions": ("session_key", "user_key", "subject", "cohort"),
    "feedback": ("session_key", "user_key", "comment"),
}
SHAPES: dict[Noun, pa.Schema] = {
    "operations": pa.schema(
        [("id", pa.binary(16)), ("started_at", pa.timestamp("us", "UTC"))]
        + [(name, pa.string()) for name in ("environment", "module", "operation", "provider", "model")]
        + [(name, pa.int64()) for name in ("latency_us", "ttft_us", "input_tokens", "output_tokens")]
        + [(name, pa.int64()) for name in ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nano")]
        + [("cached", pa.bool_()), ("adjusted", pa.bool_())]
        + [(name, pa.string()) for name in TEXTS["operations"]]
        + [
            ("parent", pa.binary(16)),
            ("response_key", pa.binary(16)),
            ("beside_key", pa.binary(16)),
            ("prompt", pa.string()),
            ("completion", pa.string()),
        ]
    ),
    "sessions": pa.schema(
        [("started_at", pa.timestamp("us", "UTC")), ("ended_at", pa.timestamp("us", "UTC"))]
        + [(name, pa.string()) for name in ("environment", "module", *TEXTS["sessions"])]
        + [("messages", pa.int64()), ("rating", pa.float64()), ("topics", pa.list_(pa.string()))]
    ),
    "feedback": pa.schema(
        [("id", pa.binary(16)), ("told_at", pa.timestamp("us", "UTC")), ("environment", pa.string()), ("operation_id", pa.binary(16))]
        + [(name, pa.string()) for name in TEXTS["feedback"]]
        + [("thumbs", pa.int64()), ("rating", pa.float64())]
    ),
}


COUNTS = ("accepted", "rejected", "ignored", "adjusted", "duplicates", "late")
COUNT = f"""
insert into telemetry_counts as c (day, source, door, {", ".join(COUNTS)})
values (current_date, :source, :door, {", ".join(f":{name}" for name in COUNTS)})
on conflict (day, source, door) do update set {", ".join(f"{name} = c.{name} + excluded.{name}" for name in COUNTS)}
"""  # noqa: S608 - the names are the constant above


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
    ignored: int = 0,
    own: bool = False,
) -> Receipt:
    """Store a batch of raw records; see `services.telemetry.records` for their fields. `ignored` counts what came along and is no call.

    Raises TooMuch while more rows wait than INBOX_LIMIT_ROWS allows; a call of our `own` was made and paid for, so it is always stored.
    """
    if not own:
        refuse_when_full(connection)
    now = utc_now()
    oldest = _oldest_kept(connection, now) if noun == "operations" else EARLIEST  # sessions are kept for ever
    usable, rejections = examine(noun, records, first_position, now, oldest)
    origin = {"noun": noun, "source": source, "door": door, "import_id": import_id}
    if usable:
        payload = pack(noun, usable, source, environment or DEFAULT_ENVIRONMENT)
        connection.execute(
            text(
                "insert into telemetry_inbox (noun, source, door, import_id, row_count, payload)"
                " values (:noun, :source, :door, :import_id, :row_count, :payload)"
            ),
            origin | {"row_count": len(usable), "payload": payload},
        )
        connection.execute(text("notify inbox"))
    keep_rejected(connection, rejections, origin | {"environment": environment})
    # What is accepted is counted by the move: a count here would make every sender of a source wait for the others' commits.
    count(connection, source, door, rejected=len(rejections), ignored=ignored)
    return Receipt(len(usable), rejections)


def keep_rejected(connection: Connection, rejections: Sequence[Rejection], origin: Mapping[str, object]) -> None:
    """Keep refused records for inspection; `origin` has noun, source, door, import_id and environment."""
    if rejections:
        connection.execute(
            text(
                "insert into telemetry_rejected (noun, source, door, import_id, environment, position, field, reason, raw, complete)"
                " select :noun, :source, :door, :import_id, :environment, r.*"
                " from unnest(cast(:positions as bigint[]), cast(:fields as text[]), cast(:reasons as text[]),"
                " cast(:raws as text[]), cast(:completes as boolean[])) r"
            ),
            dict(origin)
            | {f"{name}s": [getattr(r, name) for r in rejections] for name in ("position", "field", "reason", "raw", "complete")},
        )


def refuse_when_full(connection: Connection) -> None:
    """Raise TooMuch while the workers are too far behind to take more."""
    waiting = connection.execute(text("select coalesce(sum(row_count), 0) from telemetry_inbox")).scalar_one()
    if waiting >= settings().inbox_limit_rows:
        raise TooMuch(f"{waiting} records wait for the workers already; nothing of this request was stored.", retry_after_s=10)


def _oldest_kept(connection: Connection, now: datetime) -> datetime:
    """Operations before this have, or had, no rows beside them: one sent again could not be known again."""
    dropped = connection.execute(text("select raw_from from rollup_state")).scalar()
    kept = now - timedelta(days=settings().raw_days)
    return max(EARLIEST, kept, EARLIEST if dropped is None else day_start(dropped, ZoneInfo("UTC")))


def count(connection: Connection, source: str, door: str, **counted: int) -> None:
    """Add to today's (UTC) intake counts (COUNTS) of a source and door."""
    if not any(counted.values()):
        return
    connection.execute(text(COUNT), dict.fromkeys(COUNTS, 0) | counted | {"source": source, "door": door})


def pack(noun: Noun, records: list[Record], source: str, environment: str) -> bytes:
    """Typed records as one compressed Arrow stream in the schema of their noun."""
    columns = COLUMNS_OF[noun](records, source, environment)
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
    return _digest(f"{source}\0key\0{key}")


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
        **{name: [record.get(name) or None for record in records] for name in ("finish_reason", "service_tier", "told_by")},
        "adjusted": [record.get("adjusted", False) for record in records],
        "parent": [_identity_or_none(source, record.get("parent_id")) for record in records],
        "response_key": [_response_key(source, record) for record in records],
        "beside_key": [_beside_key(source, record) for record in records],
        **{name: [_said(record.get(name)) for record in records] for name in SAID},
    }


def _session_columns(records: list[Record], _: str, environment: str) -> dict[str, Iterable[object]]:
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


def _feedback_columns(records: list[Record], source: str, environment: str) -> dict[str, Iterable[object]]:
    now = utc_now()
    return {
        "id": [_digest(f"{source}\0feedback\0{record['id']}") for record in records],
        "told_at": [_instant(record.get("at") or now) for record in records],
        "environment": [record.get("environment") or environment for record in records],
        "operation_id": [_identity_or_none(source, record.get("operation_id")) for record in records],
        "session_key": [record.get("session_id") for record in records],
        "user_key": [record.get("user_id") or None for record in records],
        "comment": [redact(cast(str, words).strip()) if (words := record.get("comment")) else None for record in records],
        "thumbs": [{"up": 1, "down": -1}.get(cast(str, record.get("thumbs"))) for record in records],
        "rating": [record.get("rating") for record in records],
    }


COLUMNS_OF = {"operations": _operation_columns, "sessions": _session_columns, "feedback": _feedback_columns}


def _identity_or_none(source: str, key: object) -> bytes | None:
    return identity(source, cast(str, key)) if key else None


def _response_key(source: str, record: Record) -> bytes | None:
    """What two tellings of an answered call have in common, where the provider's answer has a name worth trusting."""
    response_id = cast(str | None, record.get("response_id"))
    if not response_id or len(response_id) < SHORTEST_RESPONSE_ID:
        return None
    return _digest(f"{source}\0response\0{response_id}")


def _beside_key(source: str, record: Record) -> bytes | None:
    """What two tellings of a failed call have in common: nothing was answered, so only who called whom."""
    if not (record.get("error_type") and record.get("process_id") and record.get("told_by")) or _response_key(source, record):
        return None
    return _digest("\0".join(["beside", source, *(str(record.get(name)) for name in ("process_id", "provider", "model"))]))


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _said(words: object) -> str | None:
    """A prompt or completion as it may be kept: not at all unless the console is set to, and then redacted."""
    return redact(cast(str, words)) if words and settings().store_payloads else None


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
