"""What an operator does to jobs, queues and workers: every change with its audit line in the same transaction.

Jobs are chosen by id or by the filters of the list. Everything that matched when it began is done in batches, each a transaction
of its own, so that a million jobs neither lock the table nor are lost half-way: what was done stays done and recorded.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, Unpack, get_args
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from services.accounts import audit
from services.db import transaction
from services.errors import BadInput, Conflict
from services.jobs import hold
from services.jobs.filters import Filters, where
from services.jobs.listing import MOST
from services.jobs.redact import HIDDEN, sounds_secret

BATCH = 1_000
TRIES = 5
Scope = Literal["queue", "kind"]
Action = Literal["retry", "cancel", "discard"]

LIVE = "state in ('queued', 'retry', 'running')"
BURIED = "state = 'dead' and discarded_at is null"
# A job that waits for its next attempt gets it now. A key that another job lives under cannot live twice; of several the newest does.
STARTABLE = """(state in ('dead', 'cancelled') or state = 'retry' and run_at > now())
    and (state = 'retry' or dedupe_key is null or not exists (
        select from jobs other where other.dedupe_key = jobs.dedupe_key and other.state in ('queued', 'retry', 'running')))"""
RETRY = """
    update jobs set state = 'retry', run_at = now(), dispatched_at = null, finished_at = null, cancel_requested_at = null,
        discarded_at = null, lost = 0, max_attempts = greatest(max_attempts, 1 + (
            select count(*) from job_attempts where job_id = jobs.id and outcome in ('failed', 'lost')))
    where id in (
        select distinct on (coalesce(dedupe_key, id::text), dedupe_key is null) id from jobs
        where id = any(:held) order by coalesce(dedupe_key, id::text), dedupe_key is null, id desc)
    returning id
"""
CANCEL = """
    update jobs set cancel_requested_at = coalesce(cancel_requested_at, now()),
        state = case state when 'running' then state else 'cancelled' end,
        finished_at = case state when 'running' then null else now() end
    where id = any(:held) returning id
"""
DISCARD = "update jobs set discarded_at = now() where id = any(:held) returning id"

CANCELLABLE = f"{LIVE} and cancel_requested_at is null"
ALLOWED: Mapping[Action, str] = {"retry": STARTABLE, "cancel": CANCELLABLE, "discard": BURIED}


def possible(connection: Connection, action: Action, *, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """How many jobs the action would change now; `listing.MOST` means that many or more. Raises BadInput."""
    condition, values = where(connection, filters)
    if ids is not None:
        condition, values["ids"] = f"{condition} and id = any(:ids)", list(ids)
    # Of jobs that may live one at a time, a retry takes one.
    alone = "(coalesce(dedupe_key, id::text), dedupe_key is null)" if action == "retry" else "id"
    counting = f"""
        select count(distinct {alone}) from (
            select id, dedupe_key from jobs where {condition} and ({ALLOWED[action]}) limit {MOST}) found
    """  # noqa: S608 - words of ours
    return int(connection.execute(text(counting), values).scalar_one())


def retry(by: str, *, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Let dead and cancelled jobs run again now, with one attempt more than they had if those are used up; how many. Raises BadInput."""
    return _in_batches(by, "retry", STARTABLE, RETRY, ids, filters)


def cancel(by: str, *, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Cancel waiting jobs at once and ask running ones to stop; how many. Raises BadInput."""
    return _in_batches(by, "cancel", CANCELLABLE, CANCEL, ids, filters)


def discard(by: str, *, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Put dead jobs aside: they stay to be read, but are no dead letters any more; how many. Raises BadInput."""
    return _in_batches(by, "discard", BURIED, DISCARD, ids, filters)


def pause(by: str, scope: Scope, name: str) -> int:
    """Start no further job of a queue or kind; what runs goes on. 1, or 0 when it was paused. Raises BadInput."""
    return _limit(
        by,
        "pause",
        scope,
        name,
        """
        insert into job_limits (scope, name, paused_at, paused_by) values (:scope, :name, now(), :by)
        on conflict (scope, name) do update set paused_at = now(), paused_by = excluded.paused_by where job_limits.paused_at is null
        """,
    )


def resume(by: str, scope: Scope, name: str) -> int:
    """Start jobs of a queue or kind again; 1, or 0 when it was not paused. Raises BadInput."""
    return _limit(
        by,
        "resume",
        scope,
        name,
        "update job_limits set paused_at = null, paused_by = null where scope = :scope and name = :name and paused_at is not null",
    )


def cap(by: str, scope: Scope, name: str, at_once: int | None) -> int:
    """Let at most that many jobs of a queue or kind run at once, None for any number; 1, or 0 when it was so. Raises BadInput."""
    if at_once is not None and not 1 <= at_once <= 100_000:
        raise BadInput("At least one job must be allowed to run at once: to allow none, pause.")
    return _limit(
        by,
        "cap",
        scope,
        name,
        """
        insert into job_limits (scope, name, cap) select :scope, :name, :cap where :cap is not null
            or exists (select from job_limits where scope = :scope and name = :name)
        on conflict (scope, name) do update set cap = excluded.cap where job_limits.cap is distinct from excluded.cap
        """,
        cap=at_once,
    )


def quiet(by: str, process_id: UUID, *, on: bool = True) -> int:
    """Tell a worker to finish its job and take no further one, or, off, to take jobs again; 1, or 0 when nothing changed."""
    with transaction() as connection:
        changed = connection.execute(
            text(
                """
                update processes set quiet_at = case when :on then now() end
                where id = :id and kind = 'worker' and (quiet_at is null) = :on
                """
            ),
            {"id": process_id, "on": on},
        ).rowcount
        if changed:
            audit.record(connection, by, "job.quiet" if on else "job.wake", str(process_id), before={"quiet": not on}, after={"quiet": on})
    return changed


def _limit(by: str, action: str, scope: Scope, name: str, statement: str, **told: object) -> int:
    if scope not in get_args(Scope) or not name:
        raise BadInput("Only a queue or a kind, by its name, can be limited.")
    with transaction() as connection:
        hold.briefly(connection)
        before = _standing(connection, scope, name)
        changed = connection.execute(text(statement), {"scope": scope, "name": name, "by": by} | told).rowcount
        if changed:
            after = _standing(connection, scope, name)
            # Nobody need wait for the lock of a limit that limits nothing.
            connection.execute(text("delete from job_limits where cap is null and paused_at is null"))
            audit.record(connection, by, f"job.{action}", f"{scope} {name}", told, before=before, after=after)
            connection.execute(text("notify jobs"))
    return changed


def _in_batches(by: str, action: str, allowed: str, change: str, ids: Sequence[int] | None, filters: Filters) -> int:
    done = 0
    for batch in _chosen(allowed, ids, filters):
        done += _do_batch(by, action, allowed, change, batch, ids, filters)
    return done


def _do_batch(by: str, action: str, allowed: str, change: str, batch: list[int], ids: Sequence[int] | None, filters: Filters) -> int:
    """One batch and its audit line. Somebody who enqueues may be quicker to live under the key of a job that was to live again; that
    job is then none of the allowed any more. Raises Conflict when somebody is quicker again and again."""
    for _ in range(TRIES):
        with suppress(IntegrityError), transaction() as connection:
            states = _states(connection, batch)
            changed = _changed(connection, allowed, change, batch)
            if changed:
                before, after = (
                    {"states": dict(Counter(known[job_id] for job_id in changed))} for known in (states, _states(connection, changed))
                )
                audit.record(connection, by, f"job.{action}", _subject(changed), _detail(changed, ids, filters), before=before, after=after)
                connection.execute(text("notify jobs"))
            return len(changed)
    raise Conflict("Jobs under the keys of these come and go too quickly: try again.")


def _chosen(allowed: str, ids: Sequence[int] | None, filters: Filters) -> Iterator[list[int]]:
    """Ids to try, newest first, batch by batch; jobs that come later are not among them."""
    below: int | None = None
    while True:
        with transaction() as connection:
            condition, values = where(connection, filters)
            if ids is not None:
                condition, values["ids"] = f"{condition} and id = any(:ids)", list(ids)
            if below is not None:
                condition, values["below"] = f"{condition} and id < :below", below
            finding = f"select id from jobs where {condition} and ({allowed}) order by id desc limit {BATCH}"  # noqa: S608 - words of ours
            batch = list(connection.execute(text(finding), values).scalars())
        if not batch:
            return
        yield batch
        below = batch[-1]


def _changed(connection: Connection, allowed: str, change: str, batch: list[int]) -> list[int]:
    """Hold the rows in one order, whoever else does, then change what still may be changed."""
    hold.briefly(connection)
    holding = f"select id from jobs where id = any(:ids) and ({allowed}) order by id for update"  # noqa: S608 - words of ours
    held = connection.execute(text(holding), {"ids": batch})
    return sorted(connection.execute(text(change), {"held": list(held.scalars())}).scalars())


def _states(connection: Connection, ids: list[int]) -> dict[int, str]:
    """Job → state."""
    return {row.id: row.state for row in connection.execute(text("select id, state from jobs where id = any(:ids)"), {"ids": ids})}


def _standing(connection: Connection, scope: Scope, name: str) -> dict[str, object]:
    """What holds of a queue or kind now; no row means no limit and no pause."""
    row = (
        connection.execute(
            text("select cap, paused_at is not null as paused from job_limits where scope = :scope and name = :name"),
            {"scope": scope, "name": name},
        )
        .mappings()
        .one_or_none()
    )
    return {"cap": None, "paused": False} if row is None else dict(row)


def _subject(changed: list[int]) -> str:
    return f"job {changed[0]}" if len(changed) == 1 else f"{len(changed)} jobs"


def _detail(changed: list[int], ids: Sequence[int] | None, filters: Filters) -> Mapping[str, Any]:
    told: dict[str, object] = {name: str(value) for name, value in filters.items() if value is not None}
    path = filters.get("args")
    if path:
        told["args"] = f"{path[0]}:{HIDDEN if sounds_secret(path[0].split('.')[-1]) else path[1]}"
    return {"n": len(changed), "first": changed[0], "last": changed[-1]} | ({"ids": changed} if ids is not None else {"filter": told})
