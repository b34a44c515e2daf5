"""What the reconciler did, kept 30 days for people to see; what is older stays as one sum for each action, so counters never fall."""

from typing import Literal

from sqlalchemy import Connection, text

KEPT_DAYS = 30
Action = Literal["rescued", "buried", "sent again", "redis lost", "process forgotten", "cancelled"]


def tell(
    connection: Connection, action: Action, *, job_id: int | None = None, queue: str | None = None, n: int = 1, detail: str | None = None
) -> None:
    """Say so in the transaction in which it is done; `n` is how many jobs or processes it concerned."""
    connection.execute(
        text("insert into job_rescues (action, job_id, queue, n, detail) values (:action, :job_id, :queue, :n, :detail)"),
        {"action": action, "job_id": job_id, "queue": queue, "n": n, "detail": detail},
    )


def fold(connection: Connection) -> int:
    """Add what is older than 30 days to the sum of its action, dated at the epoch; how many lines are gone."""
    return int(
        connection.execute(
            text(
                """
                with gone as (
                    delete from job_rescues where at < now() - make_interval(days => :kept) returning *
                ), folded as (
                    insert into job_rescues (at, action, n) select 'epoch', action, sum(n) from gone group by action
                )
                select count(*) filter (where at > 'epoch') from gone
                """
            ),
            {"kept": KEPT_DAYS},
        ).scalar_one()
    )
