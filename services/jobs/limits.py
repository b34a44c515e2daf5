"""How many jobs of a queue or kind may run at once, and whether any may: looked at when jobs are handed over, and held to at the claim."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from services.jobs import hold


@dataclass(frozen=True, slots=True)
class Rooms:
    """How many more may be handed over: of the queue, None for any number, and of each kind that has a limit."""

    queue: int | None
    kinds: dict[str, int]


def rooms(connection: Connection, queue: str) -> Rooms:
    """What limits leave for a queue now; what was handed over and not yet claimed takes room already. 0 while paused."""
    rows = connection.execute(
        text(
            """
            select l.scope, l.name, case when l.paused_at is null then l.cap - (
                select count(*) from jobs j
                where j.state = 'running' and case l.scope when 'queue' then j.queue else j.kind end = l.name) - (
                select count(*) from jobs j
                where j.state in ('queued', 'retry') and j.dispatched_at is not null
                  and case l.scope when 'queue' then j.queue else j.kind end = l.name) else 0 end as room
            from job_limits l
            where (l.scope = 'kind' or l.name = :queue) and (l.cap is not null or l.paused_at is not null)
            """
        ),
        {"queue": queue},
    ).all()
    left = {(row.scope, row.name): max(0, row.room) for row in rows}
    return Rooms(left.get(("queue", queue)), {name: room for (scope, name), room in left.items() if scope == "kind"})


def admits(connection: Connection, job_id: int) -> bool:
    """Whether the limits of its queue and kind let one more job run. They stay held until the end of the transaction, so that
    of two that come together the second sees the first; without a limit nothing is held."""
    hold.briefly(connection)
    held = connection.execute(
        text(
            """
            select l.scope, l.name, l.cap, l.paused_at from job_limits l join jobs j
            on j.id = :id and (l.scope, l.name) in (('queue', j.queue), ('kind', j.kind))
            order by l.scope, l.name for update of l
            """
        ),
        {"id": job_id},
    ).all()
    running = text(
        "select count(*) from jobs where state = 'running' and case cast(:scope as text) when 'queue' then queue else kind end = :name"
    )
    for limit in held:
        if limit.paused_at is not None:
            return False
        if limit.cap is not None and connection.execute(running, {"scope": limit.scope, "name": limit.name}).scalar_one() >= limit.cap:
            return False
    return True
