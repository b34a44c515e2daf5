"""One attempt at a job, from claim to end. Who holds the lease token owns the attempt; every write repeats id, token and state.

An attempt whose token is gone (its lease expired and somebody rescued the job) raises Fenced and so changes nothing,
not even in the rest of its transaction.
"""

from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Connection, text

from services.errors import Conflict
from services.jobs.retry import AT_ONCE, CANCELLED, Decision, after_failure, after_loss
from services.jobs.truth import Job, as_json, from_row

LEASE_S = 30
BEAT_S = 10
Outcome = Literal["done", "failed", "cancelled", "lost", "released"]


class Fenced(Conflict):
    """Another attempt owns this job by now."""


def claim(connection: Connection, job_id: int, worker: str) -> Job | None:
    """Take a due job and open its attempt; None when there is nothing to do: it runs, has ended, was put off or is gone."""
    row = connection.execute(
        text(
            """
            with claimed as (
                update jobs set state = 'running', attempt = attempt + 1, lease_token = gen_random_uuid(),
                    lease_until = now() + make_interval(secs => :lease), progress = null
                where id = :id and state in ('queued', 'retry') and run_at <= now()
                returning *
            ), opened as (
                insert into job_attempts (job_id, attempt, worker) select id, attempt, :worker from claimed
            )
            select * from claimed
            """
        ),
        {"id": job_id, "worker": worker, "lease": LEASE_S},
    ).one_or_none()
    return None if row is None else from_row(row)


def heartbeat(connection: Connection, job: Job, progress: dict[str, Any] | None = None) -> bool:
    """Extend the lease and store the progress, if there is news; True when the job was asked to stop. Raises Fenced."""
    row = connection.execute(
        text(
            """
            update jobs set lease_until = now() + make_interval(secs => :lease), progress = coalesce(cast(:progress as jsonb), progress)
            where id = :id and lease_token = :token and state = 'running'
            returning cancel_requested_at is not null
            """
        ),
        {"id": job.id, "token": job.lease_token, "lease": LEASE_S, "progress": None if progress is None else as_json(progress)},
    ).one_or_none()
    if row is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    return bool(row[0])


def finish(connection: Connection, job: Job, result: object = None) -> None:
    """The job is done. Effects written in the same transaction count exactly once. Raises Fenced."""
    _leave(connection, job, Decision("done"), result=as_json(result))
    _close(connection, job, "done")


def stopped(connection: Connection, job: Job, result: object = None) -> None:
    """The job was asked to stop and did, with what it had got so far. Raises Fenced."""
    _leave(connection, job, CANCELLED, result=as_json(result))
    _close(connection, job, "cancelled")


def fail(connection: Connection, job: Job, error: BaseException, traceback: str) -> Decision:
    """The attempt raised `error`: retry later or bury the job. Raises Fenced."""
    asked_to_stop = _hold(connection, job)
    spent, _ = history(connection, job)
    decision = after_failure(error, spent + 1, job.max_attempts)
    decision = CANCELLED if asked_to_stop and decision.state == "retry" else decision
    words = _clean(str(error), 2_000) or type(error).__name__
    _leave(connection, job, decision, error_class=type(error).__name__, error=words)
    _close(connection, job, "failed", words, _clean(traceback, 20_000))
    return decision


def release(connection: Connection, job: Job) -> None:
    """The worker is going down: give the job back at once; the attempt is not counted. Raises Fenced."""
    _leave(connection, job, CANCELLED if _hold(connection, job) else AT_ONCE)
    _close(connection, job, "released")


def lose(connection: Connection, job: Job) -> Decision:
    """The lease ran out: retry later, or bury what is used up or kills its workers. Raises Fenced."""
    asked_to_stop = _hold(connection, job)
    spent, losses = history(connection, job)
    decision = after_loss(spent + 1, losses + 1, job.max_attempts)
    decision = CANCELLED if asked_to_stop and decision.state == "retry" else decision
    words = "The worker vanished in the middle of the job."
    _leave(connection, job, decision, error_class="Lost", error=words)
    _close(connection, job, "lost", words)
    return decision


def abandon(connection: Connection, job_id: int, worker: str) -> None:
    """The process in which `worker` ran this job is known to be dead: let the lease expire now instead of waiting for it."""
    connection.execute(
        text(
            """
            update jobs set lease_until = now() from job_attempts a
            where jobs.id = :id and jobs.state = 'running' and a.job_id = jobs.id and a.attempt = jobs.attempt and a.worker = :worker
            """
        ),
        {"id": job_id, "worker": worker},
    )


def history(connection: Connection, job: Job) -> tuple[int, int]:
    """Of the attempts before this one: how many failed or were lost, and how many of the newest were lost in a row."""
    newest_first = (
        connection.execute(
            text("select outcome from job_attempts where job_id = :id and attempt < :attempt order by attempt desc"),
            {"id": job.id, "attempt": job.attempt},
        )
        .scalars()
        .all()
    )
    spent = sum(outcome in ("failed", "lost") for outcome in newest_first)
    return spent, sum(1 for _ in takewhile(lambda outcome: outcome == "lost", newest_first))


def _hold(connection: Connection, job: Job) -> bool:
    """Keep the row while deciding; True when the job was asked to stop."""
    row = connection.execute(
        text(
            """
            select cancel_requested_at is not null from jobs
            where id = :id and lease_token = :token and state = 'running'
            for update
            """
        ),
        {"id": job.id, "token": job.lease_token},
    ).one_or_none()
    if row is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    return bool(row[0])


def _leave(
    connection: Connection,
    job: Job,
    decision: Decision,
    *,
    result: str | None = None,
    error_class: str | None = None,
    error: str | None = None,
) -> None:
    """Give up the lease, provided it is still held, and wake the dispatcher: there may be work for who is free now."""
    left = connection.execute(
        text(
            """
            update jobs set
                lease_token = null, lease_until = null, dispatched_at = null,
                state = cast(:state as text),
                run_at = case :state when 'retry' then now() + make_interval(secs => :delay_s) else run_at end,
                finished_at = case :state when 'retry' then null else clock_timestamp() end,
                result = coalesce(cast(:result as jsonb), result),
                error_class = coalesce(:error_class, error_class), error = coalesce(:error, error)
            where id = :id and lease_token = :token and state = 'running'
            returning id
            """
        ),
        {
            "id": job.id,
            "token": job.lease_token,
            "state": decision.state,
            "delay_s": decision.delay_s,
            "result": result,
            "error_class": error_class,
            "error": error,
        },
    ).one_or_none()
    if left is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    connection.execute(text("notify jobs"))


def _close(connection: Connection, job: Job, outcome: Outcome, error: str | None = None, traceback: str | None = None) -> None:
    connection.execute(
        text(
            """
            update job_attempts set ended_at = clock_timestamp(), outcome = :outcome, error = :error, traceback = :traceback
            where job_id = :id and attempt = :attempt and outcome is null
            """
        ),
        {"id": job.id, "attempt": job.attempt, "outcome": outcome, "error": error, "traceback": traceback},
    )


def _clean(words: str, limit: int) -> str:
    """Words that Postgres takes and a page can show; the end of a traceback says most."""
    return words.replace("\0", "").encode(errors="replace").decode()[-limit:]
