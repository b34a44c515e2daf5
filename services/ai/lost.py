"""Intents whose worker died: nobody will write how they ended, so what they cost stays unknown, counted at its ceiling and shown."""

from sqlalchemy import text

from services.ai import ledger
from services.ai.ledger import About, Ending
from services.db import transaction

# Over are those past their time, those of a job that does not run, and those of an earlier attempt of one that does.
NEXT = """
select l.id, l.at, l.task, l.template, l.module, l.operation, l.provider, l.host, l.model, l.user_key as user, l.session_key as session,
    l.job_id, l.request_hash
from ai_ledger l left join jobs j on j.id = l.job_id
where l.state = 'intent' and (
    l.until < clock_timestamp() or (l.job_id is not null and (j.state is distinct from 'running' or j.claimed_at > l.at))
)
order by l.id limit 1 for update of l skip locked
"""


def write_off() -> int:
    """Make them unknown, each in a transaction of its own (several would lock budgets out of order); how many there were."""
    written = 0
    while True:
        with transaction() as connection:
            row = connection.execute(text(NEXT)).mappings().one_or_none()
            if row is None:
                return written
            from services.ai import telling  # loads Arrow, which the dispatcher needs for nothing else

            about = About(**{name: row[name] for name in About.__slots__})
            ledger.close(connection, row["id"], Ending("lost", None))
            telling.lost(connection, about, row["id"], row["at"])
        written += 1
