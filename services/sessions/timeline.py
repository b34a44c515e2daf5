"""One session's course: its operations in order, and what people said of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from sqlalchemy import Connection, text

from services.errors import BadInput
from services.sessions.session import Session

PAGE_ROWS = 100
MOST_FEEDBACK = 100
NANO = Decimal(10) ** 9
# The days and instants are told, so that few partitions are opened and only the rows of that while are read.
OPERATIONS = """
select o.id, o.started_at, o.latency_us, o.error_type, o.cached, o.cost_nano, o.input_tokens, o.output_tokens,
       x.operation, x.provider, x.model
from operations o join series x on x.id = o.series_id
where o.day between :first_day and :last_day and o.started_at >= :first and o.started_at <= :last
  and o.session_key = :key and x.source = :source and (o.started_at, o.id) > (:after, cast(:after_id as uuid))
order by o.started_at, o.id limit :most
"""
FEEDBACK = """
select told_at, thumbs, rating::float as rating, comment, user_key, operation_id is not null as of_operation from feedback
where (source, session_key) = (:source, :key) order by told_at desc, id limit :most
"""
NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a session; None is what nobody told. `latency_ms` of one that told no duration is None."""

    id: UUID
    started_at: datetime
    latency_ms: float | None
    error_type: str | None
    cached: bool
    cost_usd: Decimal | None
    input_tokens: int | None
    output_tokens: int | None
    operation: str
    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Page:
    """Operations in order, and the place in the address from which the later ones go on; None when there are none."""

    steps: list[Step]
    later: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """One piece of feedback: `thumbs` 1 up, -1 down; `rating` 1 to 5; about one operation of the session or about all of it."""

    told_at: datetime
    thumbs: int | None
    rating: float | None
    comment: str | None
    user_key: str | None
    of_operation: bool


def page(connection: Connection, session: Session, after: str | None = None) -> Page:
    """The first operations of a session, or those after a place. Dropped operations are not there any more.

    Raises BadInput for a place that was not given by a page.
    """
    if session.first_operation_at is None or session.last_operation_at is None:
        return Page([], None)
    first, last = (moment.astimezone(UTC) for moment in (session.first_operation_at, session.last_operation_at))
    since, after_id = (first, NOWHERE) if after is None else _place(after)
    rows = connection.execute(
        text(OPERATIONS),
        {
            "first_day": since.date(), "last_day": last.date(), "first": since, "last": last, "key": session.key, "source": session.source,
            "after": since, "after_id": after_id, "most": PAGE_ROWS + 1,
        },
    ).all()  # fmt: skip
    steps = [_step(row) for row in rows[:PAGE_ROWS]]
    return Page(steps, _name(steps[-1]) if len(rows) > PAGE_ROWS else None)


def feedback(connection: Connection, source: str, key: str) -> list[Said]:
    """What was said of a session, known or not, newest first."""
    found = connection.execute(text(FEEDBACK), {"source": source, "key": key, "most": MOST_FEEDBACK})
    return [Said(**row) for row in found.mappings()]


def _name(step: Step) -> str:
    """The place of an operation in its session, fit for an address."""
    return quote(f"{step.started_at.isoformat()},{step.id}", safe=",")


def _place(name: str) -> tuple[datetime, UUID]:
    at, _, told = unquote(name).partition(",")
    try:
        moment, operation = datetime.fromisoformat(at).astimezone(UTC), UUID(told)
    except (ValueError, OverflowError):
        raise BadInput("The address names no place in this session: go back to its start.") from None
    return moment, operation


def _step(row: Any) -> Step:  # noqa: ANN401 - a row of OPERATIONS
    latency_ms = None if row.latency_us is None else row.latency_us / 1_000
    cost_usd = None if row.cost_nano is None else Decimal(row.cost_nano) / NANO
    return Step(
        row.id, row.started_at, latency_ms, row.error_type, row.cached, cost_usd, row.input_tokens, row.output_tokens, row.operation,
        row.provider, row.model,
    )  # fmt: skip
