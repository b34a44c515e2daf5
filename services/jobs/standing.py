"""Standing work: jobs that come to be because something waits. What is done because it is time is a schedule."""

from sqlalchemy import Connection, text

from services.jobs.truth import enqueue
from services.rollups.state import zone_changed

MOVE, REBUILD = "telemetry.move", "rollups.rebuild"
FORGOTTEN_AT_ONCE = 5_000


def want_move(connection: Connection) -> int | None:
    """The inbox is its own outbox: while it holds anything there is one live move, and never two.

    A move that died is not followed at once, or one poisoned batch would keep a worker busy for nothing.
    """
    due = connection.execute(
        text(
            """
            select now() + coalesce(max(finished_at) - now() + interval '30 seconds', interval '0')
            from jobs where kind = :kind and state = 'dead' and finished_at > now() - interval '30 seconds'
            having exists (select 1 from telemetry_inbox)
               and not exists (select 1 from jobs where dedupe_key = :kind and state in ('queued', 'retry', 'running'))
            """
        ),
        {"kind": MOVE},
    ).scalar_one_or_none()
    return None if due is None else enqueue(connection, MOVE, queue="rollups", dedupe_key=MOVE, run_at=due, max_attempts=5)


def want_zone(connection: Connection) -> int | None:
    """Days cut in another zone than REPORTING_ZONE are cut anew."""
    return enqueue(connection, REBUILD, queue="default", dedupe_key=REBUILD) if zone_changed(connection) else None


def forget_finished(connection: Connection) -> int:
    """Drop some jobs that ended well 30 days ago, and dead ones after 90; how many. What an operator holds is left for the next time."""
    return connection.execute(
        text(
            """
            delete from jobs where id = any(array(
                select id from jobs where state in ('done', 'cancelled', 'dead')
                    and finished_at < now() - case state when 'dead' then interval '90 days' else interval '30 days' end
                    and finished_at < now() - interval '30 days'
                order by finished_at limit :most for update skip locked))
            """
        ),
        {"most": FORGOTTEN_AT_ONCE},
    ).rowcount
