"""What pages and the API read of jobs; arguments and results come redacted."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Unpack, cast
from uuid import UUID

from sqlalchemy import Connection, text

from services.errors import BadInput
from services.jobs.filters import Filters, where
from services.jobs.redact import redacted
from services.jobs.truth import Job, from_row, get

MOST = 10_000  # counted no further: it reads "10,000 or more"
MOST_ROWS = 500
CHART_MINUTES = 60
THROUGHPUT_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of `job_attempts`; `outcome` is None while it runs."""

    attempt: int
    worker: str
    pid: int | None
    lease_token: UUID | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error_class: str | None
    error: str | None
    traceback: str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A job with its attempts, oldest first."""

    job: Job
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True)
class Queue:
    """`depth` jobs are due and wait, the oldest for `oldest_wait_s` seconds; `later` are not due yet.

    `ended_by_minute` are attempts that ended in each of the last 60 whole minutes, oldest first; `ended_per_minute` is their mean over the
    last five. `cap` None is no limit; `workers` are processes that beat and are not quiet.
    """

    name: str
    depth: int
    later: int
    oldest_wait_s: float
    running: int
    cap: int | None
    paused_at: datetime | None
    paused_by: str | None
    workers: int
    ended_by_minute: list[int]

    @property
    def ended_per_minute(self) -> float:
        return sum(self.ended_by_minute[-THROUGHPUT_MINUTES:]) / THROUGHPUT_MINUTES


@dataclass(frozen=True, slots=True)
class Limit:
    """`scope` is queue or kind; `running` jobs of it run now."""

    scope: str
    name: str
    cap: int | None
    paused_at: datetime | None
    paused_by: str | None
    running: int


@dataclass(frozen=True, slots=True)
class Alike:
    """`n` dead jobs with the same error; `error` and `job_id` are the newest's."""

    fingerprint: str | None
    error_class: str | None
    n: int
    kinds: list[str]
    first_at: datetime
    last_at: datetime
    error: str | None
    job_id: int


@dataclass(frozen=True, slots=True)
class AtWork:
    """A process that beat `beat_age_s` seconds ago; `quiet_at` is since when it was told to take no further job."""

    id: UUID
    kind: str
    host: str
    pid: int
    queue: str | None
    version: str
    started_at: datetime
    beat_age_s: float
    quiet_at: datetime | None
    job_id: int | None
    job_kind: str | None


@dataclass(frozen=True, slots=True)
class Rescue:
    """Something the reconciler did to `n` jobs, or to a process."""

    id: int
    at: datetime
    action: str
    job_id: int | None
    queue: str | None
    n: int
    detail: str | None


def jobs(
    connection: Connection, *, before_id: int | None = None, after_id: int | None = None, limit: int = 50, **filters: Unpack[Filters]
) -> list[Job]:
    """Jobs that match, newest first, at most `limit`. Older ones follow `before_id`, the last id of a page; with `after_id`, the first id
    of a page, they are the newer ones next to it. Raises BadInput."""
    if not 1 <= limit <= MOST_ROWS:
        raise BadInput(f"A page may have 1 to {MOST_ROWS} jobs, not {limit}.")
    condition, values = where(connection, filters)
    if before_id is not None:
        condition, values["before_id"] = f"{condition} and id < :before_id", before_id
    if after_id is not None:
        condition, values["after_id"] = f"{condition} and id > :after_id", after_id
    order = "desc" if after_id is None else "asc"
    reading = f"select * from jobs where {condition} order by id {order} limit :limit"  # noqa: S608 - words of ours
    found = [shown(from_row(row)) for row in connection.execute(text(reading), values | {"limit": limit})]
    return found if after_id is None else found[::-1]


def matching(connection: Connection, **filters: Unpack[Filters]) -> int:
    """How many match; MOST means that many or more. Raises BadInput."""
    condition, values = where(connection, filters)
    counting = f"select count(*) from (select from jobs where {condition} limit {MOST}) found"  # noqa: S608 - words of ours
    return int(connection.execute(text(counting), values).scalar_one())


def one(connection: Connection, job_id: int) -> Whole:
    """The job of that id with its attempts; raises NotFound."""
    job = shown(get(connection, job_id))
    rows = connection.execute(
        text(
            """
            select attempt, worker, pid, lease_token, started_at, ended_at, outcome, error_class, error, traceback
            from job_attempts where job_id = :id order by attempt
            """
        ),
        {"id": job_id},
    )
    return Whole(job, [Attempt(*row) for row in rows])


def shown(job: Job) -> Job:
    """The job as people may see it."""
    return replace(job, args=cast(dict[str, Any], redacted(job.args)), result=redacted(job.result))


def queues(connection: Connection) -> list[Queue]:
    """Every queue that has a job, a worker, a limit or a recent past, by name."""
    rows = connection.execute(
        text(
            """
            with waiting as (
                select queue, count(*) filter (where run_at <= now()) as depth, count(*) filter (where run_at > now()) as later,
                       extract(epoch from now() - min(run_at) filter (where run_at <= now())) as oldest_wait_s
                from jobs where state in ('queued', 'retry') group by queue
            ), running as (
                select queue, count(*) as n from jobs where state = 'running' group by queue
            ), workers as (
                select queue, count(*) filter (where quiet_at is null) as n from processes where kind = 'worker' group by queue
            ), minutes as (
                select queue, minute, sum(n) as n from job_minutes
                where minute >= date_trunc('minute', now()) - make_interval(mins => :minutes) group by queue, minute
            ), names as (
                select queue as name from waiting union select queue from running union select queue from workers
                union select queue from minutes union select l.name from job_limits l where scope = 'queue'
            )
            select names.name, coalesce(waiting.depth, 0) as depth, coalesce(waiting.later, 0) as later,
                   coalesce(waiting.oldest_wait_s, 0) as oldest_wait_s, coalesce(running.n, 0) as running,
                   limits.cap, limits.paused_at, limits.paused_by, coalesce(workers.n, 0) as workers,
                   array(select coalesce((select m.n from minutes m where m.queue = names.name and m.minute = tick), 0)
                         from generate_series(date_trunc('minute', now()) - make_interval(mins => :minutes),
                                              date_trunc('minute', now()) - interval '1 minute', interval '1 minute') tick
                         order by tick) as ended
            from names
            left join waiting on waiting.queue = names.name left join running on running.queue = names.name
            left join workers on workers.queue = names.name
            left join job_limits limits on limits.scope = 'queue' and limits.name = names.name
            where names.name is not null order by names.name
            """
        ),
        {"minutes": CHART_MINUTES},
    )
    return [
        Queue(
            name=row.name,
            depth=row.depth,
            later=row.later,
            oldest_wait_s=float(row.oldest_wait_s),
            running=row.running,
            cap=row.cap,
            paused_at=row.paused_at,
            paused_by=row.paused_by,
            workers=row.workers,
            ended_by_minute=[int(n) for n in row.ended],
        )
        for row in rows
    ]


def limits(connection: Connection) -> list[Limit]:
    """Every cap and pause there is, kinds first."""
    rows = connection.execute(
        text(
            """
            select scope, name, cap, paused_at, paused_by,
                   (select count(*) from jobs where state = 'running' and case scope when 'kind' then kind else queue end = name)
            from job_limits order by scope, name
            """
        )
    )
    return [Limit(*row) for row in rows]


def kinds(connection: Connection) -> list[str]:
    """Every kind of which there is a job, by name."""
    hopping = """
        with recursive hop(kind) as (
            select min(kind) from jobs
            union all
            select (select min(kind) from jobs where kind > hop.kind) from hop where hop.kind is not null
        ) select kind from hop where kind is not null
    """
    return list(connection.execute(text(hopping)).scalars())


def dead_alike(connection: Connection, limit: int = 100) -> list[Alike]:
    """Dead jobs that nobody has put aside, grouped by what killed them, most numerous first."""
    rows = connection.execute(
        text(
            """
            select fingerprint, (array_agg(error_class order by id desc))[1], count(*), array_agg(distinct kind order by kind),
                   min(finished_at), max(finished_at), (array_agg(error order by id desc))[1], max(id)
            from jobs where state = 'dead' and discarded_at is null
            group by fingerprint order by count(*) desc, max(id) desc limit :limit
            """
        ),
        {"limit": limit},
    )
    return [Alike(*row) for row in rows]


def processes(connection: Connection) -> list[AtWork]:
    """Who is at work: dispatchers, then workers by queue."""
    rows = connection.execute(
        text(
            """
            select p.id, p.kind, p.host, p.pid, p.queue, p.version, p.started_at,
                   greatest(0, extract(epoch from clock_timestamp() - p.beat_at))::float8, p.quiet_at, p.job_id, j.kind
            from processes p left join jobs j on j.id = p.job_id
            order by p.kind, p.queue, p.host, p.started_at, p.id
            """
        )
    )
    return [AtWork(*row) for row in rows]


def rescues(connection: Connection, limit: int = 100) -> list[Rescue]:
    """What the reconciler did, newest first."""
    rows = connection.execute(
        text("select id, at, action, job_id, queue, n, detail from job_rescues where at > 'epoch' order by id desc limit :limit"),
        {"limit": limit},
    )
    return [Rescue(*row) for row in rows]
