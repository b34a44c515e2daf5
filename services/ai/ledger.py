"""The ledger: one entry a call to a provider, written before it is made and closed when it is known how it ended.

`intent` until then; `settled` with what it cost; `failed` when the provider bills nothing; `unknown` when it may have billed: its
reservation stays counted against the budgets until somebody knows better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, text

from services.accounts import audit
from services.ai import periods
from services.ai.outcomes import OUTCOMES, Outcome
from services.ai.providers.spoken import Usage
from services.errors import Conflict, NotFound

GRACE_S = 30.0  # what a worker may take, beyond its time-out, to write how a call ended
State = Literal["intent", "settled", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class About:
    """What a call is for, and to whom."""

    task: str
    template: str
    module: str
    operation: str
    provider: str
    host: str
    model: str
    user: str | None
    session: str | None
    job_id: int | None
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was opened."""

    id: int
    at: datetime
    about: About
    reserved_nano: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended; `cost_nano` None when nobody knows."""

    outcome: Outcome
    cost_nano: int | None
    usage: Usage | None = None
    latency_us: int | None = None
    ttft_us: int | None = None

    @property
    def state(self) -> State:
        if self.cost_nano is None:
            return "unknown"
        return "failed" if OUTCOMES[self.outcome].billed == "no" else "settled"


def open_entry(
    connection: Connection, about: About, *, reserved_nano: int, ceiling_tokens: int, period_ids: Sequence[int], wait_s: float
) -> Entry:
    """Write that a call is about to be made, for which `reserved_nano` are reserved in these periods; `wait_s`: how long it may take."""
    row = connection.execute(
        text(
            """
            insert into ai_ledger (until, task, template, module, operation, provider, host, model, user_key, session_key, job_id,
                request_hash, periods, reserved_nano, ceiling_tokens)
            values (clock_timestamp() + make_interval(secs => :wait_s), :task, :template, :module, :operation, :provider, :host, :model,
                :user, :session, :job_id, :request_hash, :periods, :reserved, :ceiling)
            returning id, at
            """
        ),
        {name: getattr(about, name) for name in About.__slots__}
        | {"wait_s": wait_s + GRACE_S, "periods": list(period_ids), "reserved": reserved_nano, "ceiling": ceiling_tokens},
    ).one()
    return Entry(row.id, row.at, about, reserved_nano)


def close(connection: Connection, entry_id: int, ending: Ending) -> bool:
    """Write how a call ended and move its reservation accordingly; False when that had been written already.

    What was taken for unknown is corrected when the worker that asked turns out to live.
    """
    held = connection.execute(
        text("select state, reserved_nano, periods from ai_ledger where id = :id for update"), {"id": entry_id}
    ).one_or_none()
    if held is None or held.state in ("settled", "failed") or held.state == ending.state:
        return False
    usage = ending.usage
    connection.execute(
        text(
            """
            update ai_ledger set state = :state, outcome = :outcome, cost_nano = :cost, ended_at = clock_timestamp(),
                input_tokens = :input, output_tokens = :output, latency_us = :latency, ttft_us = :ttft
            where id = :id
            """
        ),
        {
            "id": entry_id,
            "state": ending.state,
            "outcome": ending.outcome,
            "cost": ending.cost_nano,
            "input": usage.input_tokens if usage else None,
            "output": usage.output_tokens if usage else None,
            "latency": ending.latency_us,
            "ttft": ending.ttft_us,
        },
    )
    was_unknown = held.state == "unknown"
    periods.move(
        connection,
        held.periods,
        reserved=0 if was_unknown else -held.reserved_nano,
        spent=ending.cost_nano or 0,
        unknown=(held.reserved_nano if ending.state == "unknown" else 0) - (held.reserved_nano if was_unknown else 0),
    )
    return True


def resolve(connection: Connection, entry_id: int, cost_nano: int, actor: str) -> None:
    """An operator read on the provider's bill what an unknown call cost. Raises NotFound, and Conflict for one that is known."""
    row = connection.execute(text("select state, outcome from ai_ledger where id = :id"), {"id": entry_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no entry {entry_id}.")
    if row.state != "unknown":
        raise Conflict(f"What entry {entry_id} cost is not unknown: it is {row.state}.")
    close(connection, entry_id, Ending(row.outcome, cost_nano))
    audit.record(
        connection,
        actor,
        "ai.resolve",
        f"entry {entry_id}",
        {"cost_nano": cost_nano},
        before={"state": row.state},
        after={"cost_nano": cost_nano},
    )


def unknown(connection: Connection) -> Mapping[str, int]:
    """How many calls may have been billed without anybody knowing, and what they cost at most."""
    row = connection.execute(
        text("select count(*) as calls, coalesce(sum(reserved_nano), 0) as ceiling_nano from ai_ledger where state = 'unknown'")
    ).one()
    return {"calls": int(row.calls), "ceiling_nano": int(row.ceiling_nano)}
