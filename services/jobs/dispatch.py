"""Which due jobs go to a worker now. The caller hands them over before it commits: a crash in between only repeats a message,
and the claim makes nothing of a message that comes twice."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, text

from services.jobs import feed, hold, limits

# Handed over but not yet claimed, per queue: enough to keep workers busy, few enough for priorities to mean something.
WINDOW = 50


@dataclass(frozen=True, slots=True)
class Handover:
    """One message to a worker; (id, seq) names it."""

    id: int
    kind: str
    queue: str
    seq: int


# The most urgent due jobs, whatever their kind.
DUE = """
    select id from jobs
    where queue = :queue and state in ('queued', 'retry') and run_at <= now() and dispatched_at is null
    order by priority, run_at, id
    limit :room for update skip locked
"""
# The same, but of each kind only as many as its limit lets through. Kinds are hopped over one by one, so that
# however long the backlog of one that may not run is, it is not read.
DUE_BY_KIND = """
    select id from jobs
    where state in ('queued', 'retry') and dispatched_at is null and id in (
        with recursive hop(kind) as (
            (select kind from jobs where queue = :queue and state in ('queued', 'retry') and dispatched_at is null order by kind limit 1)
            union all
            select (select j.kind from jobs j
                    where j.queue = :queue and j.state in ('queued', 'retry') and j.dispatched_at is null and j.kind > hop.kind
                    order by j.kind limit 1)
            from hop where hop.kind is not null
        )
        select due.id
        from hop left join unnest(cast(:kinds as text[]), cast(:rooms as integer[])) limits (kind, room) using (kind)
        cross join lateral (
            select j.id, j.priority, j.run_at from jobs j
            where j.queue = :queue and j.kind = hop.kind and j.run_at <= now()
              and j.state in ('queued', 'retry') and j.dispatched_at is null
            order by j.priority, j.run_at, j.id limit coalesce(limits.room, :room)
        ) due
        where hop.kind is not null order by due.priority, due.run_at, due.id limit :room)
    for update skip locked
"""
TAKE = """
    with due as materialized ({due})
    update jobs set dispatched_at = clock_timestamp(), dispatch_seq = dispatch_seq + 1
    from due where jobs.id = due.id
    returning jobs.id, jobs.kind, jobs.queue, jobs.dispatch_seq, jobs.priority, jobs.run_at
"""


def take(connection: Connection, queue: str) -> list[Handover]:
    """Mark the most urgent due jobs of a queue as dispatched, as far as its limits and those of kinds leave room.

    Any number of dispatchers may do so at once; together they may then hand over more than a limit allows, which the claim refuses.
    """
    hold.briefly(connection)
    left = limits.rooms(connection, queue)
    room = min(_window(connection, queue), WINDOW if left.queue is None else left.queue)
    if room <= 0:
        return []
    told = {"queue": queue, "room": room, "kinds": list(left.kinds), "rooms": list(left.kinds.values())}
    rows = connection.execute(text(TAKE.format(due=DUE_BY_KIND if left.kinds else DUE)), told).all()
    urgent_first = sorted(rows, key=lambda row: (row.priority, row.run_at, row.id))
    return [Handover(row.id, row.kind, row.queue, row.dispatch_seq) for row in urgent_first]


def unclaimed(connection: Connection, older_than_s: float) -> list[Handover]:
    """What was handed over that long ago and has not been claimed."""
    rows = connection.execute(
        text(
            """
            select id, kind, queue, dispatch_seq from jobs
            where state in ('queued', 'retry') and dispatched_at < clock_timestamp() - make_interval(secs => :age)
            """
        ),
        {"age": older_than_s},
    )
    return [Handover(*row) for row in rows]


def take_back(connection: Connection, forgotten: list[Handover], *, redis_lost: bool = False) -> int:
    """Let these be dispatched again, for nobody carries their message any more, and tell it; how many still waited."""
    hold.briefly(connection)
    queues = connection.execute(
        text(
            """
            with gone as materialized (
                select jobs.id from jobs join unnest(cast(:ids as bigint[]), cast(:seqs as integer[])) message (id, seq)
                on jobs.id = message.id and jobs.dispatch_seq = message.seq
                where state in ('queued', 'retry') and dispatched_at is not null
                order by jobs.id for update of jobs skip locked
            )
            update jobs set dispatched_at = null from gone where jobs.id = gone.id returning queue
            """
        ),
        {"ids": [handover.id for handover in forgotten], "seqs": [handover.seq for handover in forgotten]},
    ).scalars()
    taken = Counter(queues)
    for queue, n in sorted(taken.items()):
        feed.tell(connection, "redis lost" if redis_lost else "sent again", queue=queue, n=n)
    return taken.total()


def _window(connection: Connection, queue: str) -> int:
    """How many more may wait in front of the workers."""
    counting = "select count(*) from jobs where queue = :queue and state in ('queued', 'retry') and dispatched_at is not null"
    return WINDOW - int(connection.execute(text(counting), {"queue": queue}).scalar_one())
