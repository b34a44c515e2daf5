"""One attempt at a job, from claim to end. Who holds the lease token owns the attempt; every write repeats id, token and state.

An attempt whose token is gone (its lease expired and somebody rescued the job) raises Fenced and so changes nothing,
not even in the rest of its transaction.
"""

from typing import Any, Literal

from sqlalchemy import Connection, text

from services.errors import Conflict
from services.jobs import fingerprint, hold, limits, minutes, processes
from services.jobs.retry import AT_ONCE, CANCELLED, Decision, after_failure, after_loss
from services.jobs.truth import Job, as_json, clean, from_row

LEASE_S = 30
BEAT_S = 10
# One statement where neither a limit nor an operator has a say, which is nearly always.
FREE = """not exists (select from job_limits l where (l.scope, l.name) in (('queue', jobs.queue), ('kind', jobs.kind)))
    and not exists (select from processes p where {named} and p.quiet_at is not null)"""
TAKE = """
    with claimed as (
        update jobs set state = 'running', attempt = attempt + 1, lease_token = gen_random_uuid(),
            lease_until = now() + make_interval(secs => :lease), claimed_at = clock_timestamp(), progress = null
        where id = :id and state in ('queued', 'retry') and run_at <= now() and {unless}
        returning *
    ), opened as (
        insert into job_attempts (job_id, attempt, worker, pid, lease_token, started_at)
        select id, attempt, :worker, :pid, lease_token, claimed_at from claimed
    ), shown as (
        update processes p set job_id = claimed.id from claimed where {named}
    )
    select claimed.* from claimed, (select {briefly}) bounded
"""
TAKE_FREELY = TAKE.format(unless=FREE.format(named=processes.NAMED), named=processes.NAMED, briefly=hold.BRIEFLY)
TAKE_ADMITTED = TAKE.format(unless="true", named=processes.NAMED, briefly=hold.BRIEFLY)
LOST = "Lost"  # the class of an attempt that ended without a word
Outcome = Literal["done", "failed", "cancelled", "lost", "released"]


class Fenced(Conflict):
    """Another attempt owns this job by now."""


def claim(connection: Connection, job_id: int, worker: str, pid: int | None = None) -> Job | None:
    """Take a due job and open its attempt; None when there is nothing to do: it runs, has ended, was put off or is gone, or its
    queue, its kind or this worker is to start no more now: then it is handed over again when there is room.

    `worker` is the name of the process that asks, `pid` the one that will run it.
    """
    told = {"id": job_id, "worker": worker, "pid": pid, "lease": LEASE_S, "longest": hold.LONGEST}
    row = connection.execute(text(TAKE_FREELY), told).one_or_none()
    if row is None and _waits(connection, job_id):
        if not processes.quiet(connection, worker) and limits.admits(connection, job_id):
            row = connection.execute(text(TAKE_ADMITTED), told).one_or_none()
        else:
            connection.execute(text("update jobs set dispatched_at = null where id = :id and state in ('queued', 'retry')"), told)
    return None if row is None else from_row(row)


def heartbeat(connection: Connection, job: Job, progress: dict[str, Any] | None = None) -> bool:
    """Extend the lease and store the progress, if there is news; True when the job was asked to stop. Raises Fenced."""
    row = connection.execute(
        text(
            f"""
            update jobs set lease_until = now() + make_interval(secs => :lease), progress = coalesce(cast(:progress as jsonb), progress)
            where id = :id and lease_token = :token and state = 'running'
            returning cancel_requested_at is not null, {hold.BRIEFLY}
            """  # noqa: S608 - words of ours
        ),
        {
            "id": job.id,
            "token": job.lease_token,
            "lease": LEASE_S,
            "progress": None if progress is None else as_json(progress),
            "longest": hold.LONGEST,
        },
    ).one_or_none()
    if row is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    return bool(row[0])


def asked(connection: Connection, job: Job) -> bool:
    """True when the job was asked to stop; between heartbeats, for reading costs less. Raises Fenced."""
    row = connection.execute(
        text("select cancel_requested_at is not null from jobs where id = :id and lease_token = :token and state = 'running'"),
        {"id": job.id, "token": job.lease_token},
    ).one_or_none()
    if row is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    return bool(row[0])


def finish(connection: Connection, job: Job, result: object = None, result_ref: str | None = None) -> None:
    """The job is done. Effects written before it in the same transaction count exactly once. Raises Fenced."""
    _leave(connection, job, Decision("done"), result=as_json(result), result_ref=result_ref)
    _close(connection, job, "done")


def stopped(connection: Connection, job: Job, result: object = None) -> None:
    """The job was asked to stop and did, with what it had got so far. Raises Fenced."""
    _leave(connection, job, CANCELLED, result=as_json(result))
    _close(connection, job, "cancelled")


def fail(connection: Connection, job: Job, error: BaseException, traceback: str) -> Decision:
    """The attempt raised `error`: retry later or bury the job. Raises Fenced."""
    asked_to_stop = _hold(connection, job)
    decision = after_failure(error, spent(connection, job) + 1, job.max_attempts)
    decision = CANCELLED if asked_to_stop and decision.state == "retry" else decision
    name = type(error).__name__
    words = clean(str(error), 2_000) or name
    alike = fingerprint.of(name, words, fingerprint.own_frame(error.__traceback__))
    _leave(connection, job, decision, error_class=name, error=words, alike=alike)
    _close(connection, job, "failed", name, words, clean(traceback, 20_000))
    return decision


def release(connection: Connection, job: Job) -> None:
    """The worker is going down: give the job back at once; the attempt is not counted, for it nor against it. Raises Fenced."""
    _leave(connection, job, CANCELLED if _hold(connection, job) else AT_ONCE, lost=job.lost)
    _close(connection, job, "released")


def lose(connection: Connection, job: Job) -> Decision:
    """The lease ran out: retry later, or bury what is used up or kills its workers. Raises Fenced."""
    asked_to_stop = _hold(connection, job)
    decision = after_loss(spent(connection, job) + 1, job.lost + 1, job.max_attempts)
    decision = CANCELLED if asked_to_stop and decision.state == "retry" else decision
    words = "The worker vanished in the middle of the job."
    alike = fingerprint.of(LOST, words, job.kind)
    _leave(connection, job, decision, error_class=LOST, error=words, alike=alike, lost=job.lost + 1)
    _close(connection, job, "lost", LOST, words)
    return decision


def abandon(connection: Connection, job_id: int, worker: str) -> None:
    """The process in which `worker` ran this job is known to be dead: let the lease expire now instead of waiting for it."""
    hold.briefly(connection)
    connection.execute(
        text(
            """
            update jobs set lease_until = now() from job_attempts a
            where jobs.id = :id and jobs.state = 'running' and a.job_id = jobs.id and a.attempt = jobs.attempt and a.worker = :worker
            """
        ),
        {"id": job_id, "worker": worker},
    )


def overdue(connection: Connection, job_id: int, worker: str, pid: int, grace_s: float) -> bool:
    """Whether the attempt in this process should have ended by itself that long ago: it was asked to stop, or is taken for lost."""
    return bool(
        connection.execute(
            text(
                """
                select case when a.outcome = 'lost' then a.ended_at when a.outcome is null then j.cancel_requested_at end
                    < clock_timestamp() - make_interval(secs => :grace)
                from job_attempts a join jobs j on j.id = a.job_id
                where a.job_id = :id and a.worker = :worker and a.pid = :pid order by a.attempt desc limit 1
                """
            ),
            {"id": job_id, "worker": worker, "pid": pid, "grace": grace_s},
        ).scalar()
    )


def stopped_hard(connection: Connection, job_id: int, worker: str) -> bool:
    """The process in which `worker` ran this job was ended because the job was asked to stop and did not; False when it had ended."""
    hold.briefly(connection)
    row = connection.execute(
        text(
            """
            select jobs.* from jobs join job_attempts a on a.job_id = jobs.id and a.attempt = jobs.attempt
            where jobs.id = :id and jobs.state = 'running' and jobs.cancel_requested_at is not null and a.worker = :worker
            for update of jobs
            """
        ),
        {"id": job_id, "worker": worker},
    ).one_or_none()
    if row is not None:
        stopped(connection, from_row(row))
    return row is not None


def spent(connection: Connection, job: Job) -> int:
    """How many of the attempts before this one failed or were lost."""
    counting = "select count(*) from job_attempts where job_id = :id and attempt < :attempt and outcome in ('failed', 'lost')"
    return int(connection.execute(text(counting), {"id": job.id, "attempt": job.attempt}).scalar_one())


def _waits(connection: Connection, job_id: int) -> bool:
    waiting = "select exists (select from jobs where id = :id and state in ('queued', 'retry') and run_at <= now())"
    return bool(connection.execute(text(waiting), {"id": job_id}).scalar_one())


def _hold(connection: Connection, job: Job) -> bool:
    """Keep the row while deciding; True when the job was asked to stop."""
    row = connection.execute(
        text(
            f"""
            select cancel_requested_at is not null, {hold.BRIEFLY} from jobs
            where id = :id and lease_token = :token and state = 'running'
            for update
            """  # noqa: S608 - words of ours
        ),
        {"id": job.id, "token": job.lease_token, "longest": hold.LONGEST},
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
    result_ref: str | None = None,
    error_class: str | None = None,
    error: str | None = None,
    alike: str | None = None,
    lost: int = 0,
) -> None:
    """Give up the lease, provided it is still held, and wake the dispatcher: there may be work for who is free now."""
    left = connection.execute(
        text(
            f"""
            update jobs set
                lease_token = null, lease_until = null, dispatched_at = null,
                state = cast(:state as text),
                run_at = case :state when 'retry' then now() + make_interval(secs => :delay_s) else run_at end,
                finished_at = case :state when 'retry' then null else clock_timestamp() end,
                result = coalesce(cast(:result as jsonb), result), result_ref = coalesce(:result_ref, result_ref),
                error_class = coalesce(:error_class, error_class), error = coalesce(:error, error),
                fingerprint = coalesce(:alike, fingerprint), lost = :lost
            where id = :id and lease_token = :token and state = 'running'
            returning id, {hold.BRIEFLY}
            """  # noqa: S608 - words of ours
        ),
        {
            "id": job.id,
            "token": job.lease_token,
            "longest": hold.LONGEST,
            "state": decision.state,
            "delay_s": decision.delay_s,
            "result": result,
            "result_ref": result_ref,
            "error_class": error_class,
            "error": error,
            "alike": alike,
            "lost": lost,
        },
    ).one_or_none()
    if left is None:
        raise Fenced(f"Job {job.id} belongs to another attempt.")
    connection.execute(text("notify jobs"))


def _close(
    connection: Connection,
    job: Job,
    outcome: Outcome,
    error_class: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    """End the attempt, take it off its process, and count it."""
    connection.execute(
        text(
            """
            with freed as (update processes set job_id = null where job_id = :id)
            update job_attempts set ended_at = clock_timestamp(), outcome = :outcome, error_class = :error_class, error = :error,
                traceback = :traceback
            where job_id = :id and attempt = :attempt and outcome is null
            """
        ),
        {
            "id": job.id,
            "attempt": job.attempt,
            "outcome": outcome,
            "error_class": error_class,
            "error": error,
            "traceback": traceback,
        },
    )
    minutes.count(connection, job, outcome)
