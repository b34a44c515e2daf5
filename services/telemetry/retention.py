"""What has had its time: day partitions past RAW_DAYS are dropped, and what stands around them past its own. Rollups stay."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from services.accounts import keys
from services.clock import utc_now
from services.rollups import cells, kept
from services.rollups.state import lock, zone_of
from services.settings import settings
from services.telemetry import payloads, rate, tellings
from services.telemetry.operations import ensure_partitions

AHEAD_DAYS = 3
MOST_DROPPED = 200  # in one transaction: every table that goes holds locks until its end
WRITERS_S, READERS_S = 10.0, 2.0  # how long to wait for them; whoever comes after us waits as long
LOCK_TIMEOUT = "55P03"
# What arrives is refused past RAW_DAYS. A day of any zone that may still get an operation, or have one corrected, keeps all of them.
SLACK = timedelta(hours=26)
FIRST_KEPT = """
select ((least(now(), (select min(received_at) from telemetry_inbox)) - make_interval(days => :days) - :slack) at time zone 'UTC')::date
"""


def tidy(connection: Connection) -> dict[str, object]:
    """Make the coming days' partitions and drop what is no longer kept, in the caller's transaction; how many of each.

    Nothing waits for locks for long: what could not be had is left for the next time and named in `left`, a list of sentences. Takes
    the writers' lock, so it belongs at the end of a transaction.
    """
    done: dict[str, object] = {
        "rejected": _forget_rejected(connection),
        "payloads": payloads.forget_old(connection),
        "minutes": rate.forget_old(connection),
        "key_uses": keys.forget_old_uses(connection),
    }
    if _patiently(connection, WRITERS_S, lambda: lock(connection, wait=True)) is None:
        return done | {"left": ["The rollups are being written: quarter hours and operations are left for the next time."]}
    done |= {"quarter_hours": cells.forget_old(connection), "tellings": tellings.forget_old(connection)}
    left = []
    if _patiently(connection, READERS_S, lambda: _make_ahead(connection)) is None:
        left.append("The operations are locked: the partitions of the coming days are left for the next time.")
    dropped = _patiently(connection, READERS_S, lambda: _drop_old(connection))
    if dropped is None:
        left.append("The operations are being read: dropping old days is left for the next time.")
    return done | {"days_dropped": dropped or 0} | ({"left": left} if left else {})


def _patiently(connection: Connection, seconds: float, step: Callable[[], int]) -> int | None:
    """What `step` returned, or None when it would have waited longer than that for a lock; then nothing of it is done."""
    try:
        with connection.begin_nested():
            connection.execute(text("select set_config('lock_timeout', :ms, true)"), {"ms": f"{seconds * 1000:.0f}ms"})
            done = step()
            connection.execute(text("set local lock_timeout to default"))
            return done
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != LOCK_TIMEOUT:
            raise
        return None


def _make_ahead(connection: Connection) -> int:
    """Partitions of today and the days to come, so that no move has to make them at midnight."""
    today = utc_now().date()
    days = {today + timedelta(days=n) for n in range(AHEAD_DAYS + 1)}
    ensure_partitions(connection, days)
    return len(days)


def _drop_old(connection: Connection) -> int:
    """Drop the oldest partitions past their keep; how many. What waits in the inbox was let in when it was younger."""
    first_kept = connection.execute(text(FIRST_KEPT), {"days": settings().raw_days, "slack": SLACK}).scalar_one()
    old = [day for day in kept.stored_days(connection) if day < first_kept][:MOST_DROPPED]
    for day in old:
        name = f"operations_{day:%Y%m%d}"
        connection.execute(text(f"alter table operations detach partition {name}"))
        connection.execute(text(f"drop table {name}"))
    if old:
        zone_of(connection)
        kept.note_dropped(connection, old[-1] + kept.DAY)
        connection.execute(text("delete from operation_payloads where day <= :last"), {"last": old[-1]})
    return len(old)


def _forget_rejected(connection: Connection) -> int:
    return connection.execute(
        text("delete from telemetry_rejected where received_at < now() - make_interval(days => :days)"), {"days": settings().rejected_days}
    ).rowcount
