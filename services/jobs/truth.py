"""The job rows: written in the transaction of their cause, read by everyone."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, Row, text

from services.errors import BadInput, NotFound

MOST_TAGS, LONGEST_TAG = 20, 100
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # and not a backslash that happens to stand before u0000


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `jobs`. `attempt` counts claims, whatever became of them; `progress` is {"done", "total", "note"}.

    `lost` counts the newest attempts that ended with their process, in a row; `result_ref` says where what it makes is found.
    """

    id: int
    kind: str
    args: dict[str, Any]
    queue: str
    priority: int
    state: str
    dedupe_key: str | None
    attempt: int
    max_attempts: int
    run_at: datetime
    lease_token: UUID | None
    lease_until: datetime | None
    dispatch_seq: int
    dispatched_at: datetime | None
    cancel_requested_at: datetime | None
    progress: dict[str, Any] | None
    result: Any
    error_class: str | None
    error: str | None
    cause_type: str | None
    cause_id: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    tags: list[str]
    result_ref: str | None
    lost: int
    fingerprint: str | None
    claimed_at: datetime | None
    discarded_at: datetime | None


NAMES = tuple(field.name for field in fields(Job))


def from_row(row: Row[Any]) -> Job:
    """The job of a whole row of `jobs`."""
    return Job(**{name: getattr(row, name) for name in NAMES})


def enqueue(
    connection: Connection,
    kind: str,
    args: Mapping[str, object] | None = None,
    *,
    queue: str,
    dedupe_key: str | None = None,
    priority: int = 100,
    run_at: datetime | None = None,
    max_attempts: int = 3,
    cause: tuple[str, object] | None = None,
    created_by: str = "system",
    tags: Iterable[str] = (),
    result_ref: str | None = None,
) -> int | None:
    """Write a job in the caller's transaction; its id, or None when one with the same `dedupe_key` is queued or running.

    Lower `priority` goes first. `cause` is (type, id) of what made it necessary, `created_by` who.
    Raises BadInput for values no job can have.
    """
    labels = sorted(set(tags))
    _refuse_impossible(kind, queue, priority, run_at, max_attempts)
    _refuse_labels(labels)
    cause_type, cause_id = (cause[0], str(cause[1])) if cause else (None, None)
    made = connection.execute(
        text(
            """
            insert into jobs (kind, args, queue, dedupe_key, priority, run_at, max_attempts, cause_type, cause_id, created_by,
                              tags, result_ref)
            values (:kind, cast(:args as jsonb), :queue, :dedupe_key, :priority, coalesce(:run_at, now()), :max_attempts,
                    :cause_type, :cause_id, :created_by, cast(:tags as text[]), :result_ref)
            on conflict (dedupe_key) where state in ('queued', 'retry', 'running') do nothing
            returning id
            """
        ),
        {
            "kind": kind,
            "args": as_json(args or {}),
            "queue": queue,
            "dedupe_key": dedupe_key,
            "priority": priority,
            "run_at": run_at,
            "max_attempts": max_attempts,
            "cause_type": cause_type,
            "cause_id": cause_id,
            "created_by": created_by,
            "tags": labels,
            "result_ref": result_ref,
        },
    ).scalar_one_or_none()
    if made is not None:
        connection.execute(text("notify jobs"))
    return cast(int | None, made)


def get(connection: Connection, job_id: int) -> Job:
    """The job of that id; raises NotFound."""
    row = connection.execute(text("select * from jobs where id = :id"), {"id": job_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return from_row(row)


def live(connection: Connection, kind: str) -> list[Job]:
    """Jobs of a kind that are queued or running, oldest first."""
    rows = connection.execute(
        text("select * from jobs where state in ('queued', 'retry', 'running') and kind = :kind order by id"), {"kind": kind}
    )
    return [from_row(row) for row in rows]


def cancel(connection: Connection, job_id: int) -> Job:
    """Cancel a waiting job at once, ask a running one to stop; a finished one stays as it is. Raises NotFound."""
    connection.execute(
        text(
            """
            update jobs set
                cancel_requested_at = coalesce(cancel_requested_at, now()),
                state = case state when 'running' then state else 'cancelled' end,
                finished_at = case state when 'running' then null else now() end
            where id = :id and state in ('queued', 'retry', 'running')
            """
        ),
        {"id": job_id},
    )
    return get(connection, job_id)


def as_json(value: object) -> str:
    """JSON that jsonb takes; raises BadInput for what JSON or Postgres has no word for."""
    try:
        told = json.dumps(value, allow_nan=False, ensure_ascii=False)
        told.encode()
    except UnicodeEncodeError:
        raise BadInput("A job's arguments and results hold half of a surrogate pair, which is no character.") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"A job's arguments and results must be plain JSON: {error}.") from None
    if NUL.search(told):
        raise BadInput("A job's arguments and results must not hold NUL characters.")
    return told


def clean(words: str, limit: int) -> str:
    """Words that Postgres takes and a page can show; the end of what is too long, for that of a traceback says most."""
    return words.replace("\0", "").encode(errors="replace").decode()[-limit:]


def _refuse_impossible(kind: str, queue: str, priority: int, run_at: datetime | None, max_attempts: int) -> None:
    if not kind or not queue:
        raise BadInput("A job needs a kind and a queue.")
    if not 0 <= priority <= 32_767:
        raise BadInput(f"A job's priority must be 0 to 32767, not {priority}.")
    if not 1 <= max_attempts <= 1_000:
        raise BadInput(f"A job may have 1 to 1000 attempts, not {max_attempts}.")
    if run_at is not None and run_at.utcoffset() is None:
        raise BadInput("The time a job is due must say its zone.")


def _refuse_labels(tags: list[str]) -> None:
    if len(tags) > MOST_TAGS or any(not tag or len(tag) > LONGEST_TAG or "\0" in tag for tag in tags):
        raise BadInput(f"A job may have {MOST_TAGS} tags of 1 to {LONGEST_TAG} characters.")
