"""Which due jobs go to a worker now. The caller hands them over before it commits: a crash in between only repeats a message,
and the claim makes nothing of a message that comes twice."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

# Handed over but not yet claimed, per queue: enough to keep workers busy, few enough for priorities to mean something.
WINDOW = 50


@dataclass(frozen=True, slots=True)
class Handover:
    """One message to a worker; (id, seq) names it."""

    id: int
    kind: str
    queue: str
    seq: int


def take(connection: Connection, queue: str) -> list[Handover]:
    """Mark the most urgent due jobs of a queue as dispatched; any number of dispatchers may do so at once."""
    rows = connection.execute(
        text(
            """
            with due as materialized (
                select id from jobs
                where queue = :queue and state in ('queued', 'retry') and run_at <= now() and dispatched_at is null
                order by priority, run_at, id
                limit greatest(0, :window - (
                    select count(*) from jobs where queue = :queue and state in ('queued', 'retry') and dispatched_at is not null))
                for update skip locked
            )
            update jobs set dispatched_at = clock_timestamp(), dispatch_seq = dispatch_seq + 1
            from due where jobs.id = due.id
            returning jobs.id, jobs.kind, jobs.queue, jobs.dispatch_seq, jobs.priority, jobs.run_at
            """
        ),
        {"queue": queue, "window": WINDOW},
    ).all()
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


def take_back(connection: Connection, forgotten: list[Handover]) -> None:
    """Let these be dispatched again: nobody carries their message any more."""
    for handover in forgotten:
        connection.execute(
            text("update jobs set dispatched_at = null where id = :id and dispatch_seq = :seq and state in ('queued', 'retry')"),
            {"id": handover.id, "seq": handover.seq},
        )
