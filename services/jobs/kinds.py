"""What may be started from outside, by a key or a person: nothing that is not named here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from services.accounts import audit
from services.errors import BadInput, Forbidden
from services.jobs import truth

# Each with its queue. Kinds that only make sense as the consequence of something else (a move, a re-pricing) are not here.
POSTABLE = {"rollups.verify": "default", "rollups.rebuild": "default", "housekeeping": "default", "sessions.statistics": "default"}
MOST_ARGS_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Posted:
    """The job, and whether it is new: with a `dedupe_key` it may be one that was there already."""

    id: int
    new: bool


def post(
    connection: Connection,
    kind: str,
    args: Mapping[str, object],
    *,
    queue: str | None = None,
    priority: int = 100,
    run_at: datetime | None = None,
    dedupe_key: str | None = None,
    tags: Sequence[str] = (),
    created_by: str,
) -> Posted:
    """Enqueue for somebody outside, audited where that starts a job. Raises Forbidden for a kind that is not theirs to start and BadInput
    for the rest.

    Their dedupe keys are told apart by kind, so they never stand in the way of keys of our own.
    """
    if kind not in POSTABLE:
        raise Forbidden(f"Jobs of the kind '{kind[:100]}' cannot be started from outside: there are {', '.join(POSTABLE)}.")
    if queue is not None and queue not in POSTABLE.values():
        raise BadInput(f"There is no queue '{queue[:100]}' for jobs from outside: leave it out, or choose {_queues()}.")
    if len(truth.as_json(args).encode()) > MOST_ARGS_BYTES:
        raise BadInput(f"The arguments are longer than {MOST_ARGS_BYTES:,} bytes.")
    lane, key = queue or POSTABLE[kind], None if dedupe_key is None else f"{kind}/{dedupe_key}"
    while True:  # the one that was there may end before it is found; then there is room for this one
        made = truth.enqueue(
            connection, kind, args, queue=lane, priority=priority, run_at=_utc(run_at), dedupe_key=key, tags=tags, created_by=created_by
        )
        if made is not None:
            # The arguments stay with the job: they may be long, and hold what is not to be kept for ever.
            audit.record(connection, created_by, "job.start", f"job {made}", {"kind": kind, "queue": lane}, after={"state": "queued"})
            return Posted(made, new=True)
        there = connection.execute(
            text("select id from jobs where dedupe_key = :key and state in ('queued', 'retry', 'running')"), {"key": key}
        ).scalar_one_or_none()
        if there is not None:
            return Posted(there, new=False)


def _utc(instant: datetime | None) -> datetime | None:
    """Postgres takes no offset of sixteen hours or more, which JSON may well have."""
    if instant is None or instant.utcoffset() is None:
        return instant
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise BadInput("The time a job is due lies outside the calendar.") from None


def _queues() -> str:
    return ", ".join(sorted(set(POSTABLE.values())))
