"""Every call of ours is an operation like any application's: it goes through the same inbox, in the transaction that settles it."""

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Connection

from services.ai.budgets import NANO
from services.ai.ledger import About, Ending, Entry
from services.ai.providers.spoken import known_as
from services.ai.request import Request
from services.telemetry.inbox import accept
from services.telemetry.records import Record

SOURCE, DOOR = "binnacle", "gateway"
GOOD = ("answered", "truncated", "usage_missing", "usage_wrong")


def call(connection: Connection, entry: Entry, ending: Ending) -> None:
    """One call to a provider; the id is that of its entry, so however often it is told it counts once."""
    about, usage = entry.about, ending.usage
    _tell(
        connection,
        _of(about)
        | {
            "id": f"ledger:{entry.id}",
            "started_at": entry.at,
            "latency_ms": _ms(ending.latency_us),
            "ttft_ms": _ms(ending.ttft_us),
            "error_type": None if ending.outcome in GOOD else ending.outcome,
            "finish_reason": ending.outcome,
            "cost_usd": None if ending.cost_nano is None else Decimal(ending.cost_nano) / NANO,
        }
        | (
            {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cache_read_tokens": usage.cache_read_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            }
            if usage
            else {}
        ),
    )


def without_a_call(
    connection: Connection,
    request: Request,
    *,
    provider: str,
    model: str,
    started_at: datetime,
    latency_s: float,
    reason: str,
    cached: bool,
) -> None:
    """An answer that cost nothing: from before, or rendered without a model for that `reason`."""
    _tell(
        connection,
        {
            "id": f"free:{uuid4()}",
            "started_at": started_at,
            "module": request.module,
            "operation": request.operation,
            "provider": known_as(provider),
            "model": model,
            "user_id": request.user,
            "session_id": request.session,
            "latency_ms": latency_s * 1_000,
            "cached": cached,
            "cost_usd": Decimal(0),
            "finish_reason": reason,
        },
    )


def lost(connection: Connection, about: About, entry_id: int, at: datetime) -> None:
    """A call whose worker died: that it was made is all anybody knows."""
    call(connection, Entry(entry_id, at, about, 0), Ending("lost", None))


def _of(about: About) -> Record:
    return {
        "module": about.module,
        "operation": about.operation,
        "provider": known_as(about.provider),
        "model": about.model,
        "user_id": about.user,
        "session_id": about.session,
    }


def _tell(connection: Connection, record: Record) -> None:
    accept(connection, "operations", [record], source=SOURCE, door=DOOR, own=True)


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1_000
