"""What a budget's day or month has used. Whoever changes several of these rows locks them in the order of their ids: no deadlock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

ADMIT = """
with held as (
    select p.id, not b.hard_stop or p.reserved_nano + p.spent_nano + p.unknown_nano + :nano <= b.cap_nano as fits
    from budget_periods p join budgets b on b.id = p.budget_id
    where p.id = any(:ids) order by p.id for update of p
)
update budget_periods p set reserved_nano = p.reserved_nano + :nano from held h
where p.id = h.id and (select bool_and(fits) from held)
returning p.id
"""
# Told of those that stood in the way only, and after the transaction that was refused, of which nothing is left.
REFUSED = """
with held as (
    select p.id from budget_periods p join budgets b on b.id = p.budget_id
    where p.id = any(:ids) and b.hard_stop and p.reserved_nano + p.spent_nano + p.unknown_nano + :nano > b.cap_nano
    order by p.id for update of p
)
update budget_periods p set refused = refused + 1, refused_at = clock_timestamp() from held where p.id = held.id
"""
# A crossing is recorded once, by whoever makes it.
MOVE = """
with held as (
    select id from budget_periods where id = any(:ids) order by id for update
), moved as (
    update budget_periods p set reserved_nano = p.reserved_nano + :reserved, spent_nano = p.spent_nano + :spent,
        unknown_nano = p.unknown_nano + :unknown
    from held where p.id = held.id
    returning p.*
)
insert into budget_crossings (period_id, percent)
select moved.id, percent from moved join budgets b on b.id = moved.budget_id cross join unnest(b.thresholds) percent
where moved.spent_nano + moved.unknown_nano > 0 and (moved.spent_nano + moved.unknown_nano) * 100 >= percent * b.cap_nano
on conflict do nothing
"""
# What the ledger says of every period, beside what its row says.
COMPARE = """
with told as (
    select period, sum(reserved_nano) filter (where state = 'intent') as reserved, sum(cost_nano) as spent,
        sum(reserved_nano) filter (where state = 'unknown') as unknown
    from ai_ledger cross join unnest(periods) period group by 1
)
select p.id, p.reserved_nano, p.spent_nano, p.unknown_nano,
    coalesce(told.reserved, 0) as ledger_reserved, coalesce(told.spent, 0) as ledger_spent, coalesce(told.unknown, 0) as ledger_unknown
from budget_periods p left join told on told.period = p.id
where (p.reserved_nano, p.spent_nano, p.unknown_nano) is distinct from
    (coalesce(told.reserved, 0), coalesce(told.spent, 0), coalesce(told.unknown, 0))
order by p.id
"""


def ids(connection: Connection, wanted: Sequence[tuple[int, datetime, datetime]]) -> list[int]:
    """The periods of these budgets, (id, start, end), made where the first call in them is this one."""
    found = _find(connection, wanted)
    if len(found) < len(wanted):
        for budget_id, starts_at, ends_at in wanted:
            _make(connection, budget_id, starts_at, ends_at)
        found = _find(connection, wanted)
    return found


def admit(connection: Connection, period_ids: Sequence[int], nano: int) -> bool:
    """Reserve in all of them, or in none: one statement. False where a cap would be passed."""
    return len(connection.execute(text(ADMIT), {"ids": list(period_ids), "nano": nano}).all()) == len(period_ids)


def note_refused(connection: Connection, period_ids: Sequence[int], nano: int) -> None:
    """Count a call that was not admitted in the periods that have no room for it."""
    connection.execute(text(REFUSED), {"ids": list(period_ids), "nano": nano})


def move(connection: Connection, period_ids: Sequence[int], *, reserved: int = 0, spent: int = 0, unknown: int = 0) -> None:
    """Add to what they hold reserved, spent and unknown, and record the thresholds that are crossed by it."""
    connection.execute(text(MOVE), {"ids": list(period_ids), "reserved": reserved, "spent": spent, "unknown": unknown})


def begin(connection: Connection, budget_id: int, starts_at: datetime, ends_at: datetime) -> None:
    """Start counting for a budget in the middle of a period: with what the ledger has of it. Nobody may reserve meanwhile.

    Where it was counted already, what is recorded of it is made right for the cap and the thresholds as they are now.
    """
    made = _make(connection, budget_id, starts_at, ends_at)
    period_id = _find(connection, [(budget_id, starts_at, ends_at)])[0]
    if made:
        _count(connection, budget_id, period_id, starts_at)
    else:
        _forget_what_was(connection, period_id)
    move(connection, [period_id])


def _count(connection: Connection, budget_id: int, period_id: int, starts_at: datetime) -> None:
    """What the ledger has of a budget since then."""
    connection.execute(
        text(
            """
            with mine as (
                update ai_ledger l set periods = periods || cast(:period as bigint) from budgets b
                where b.id = :budget and l.at >= :starts_at and (
                    b.scope = 'all' or (b.scope = 'module' and l.module = b.name)
                    or (b.scope = 'model' and b.name in (l.model, l.provider || '/' || l.model))
                    or (b.scope = 'user' and l.user_key = b.name)
                )
                returning l.*
            )
            update budget_periods set
                reserved_nano = (select coalesce(sum(reserved_nano), 0) from mine where state = 'intent'),
                spent_nano = (select coalesce(sum(cost_nano), 0) from mine),
                unknown_nano = (select coalesce(sum(reserved_nano), 0) from mine where state = 'unknown')
            where id = :period
            """
        ),
        {"period": period_id, "budget": budget_id, "starts_at": starts_at},
    )


def _forget_what_was(connection: Connection, period_id: int) -> None:
    """Crossings of thresholds that are not crossed any more, and what was refused: another cap may allow it."""
    connection.execute(
        text(
            """
            delete from budget_crossings c using budget_periods p join budgets b on b.id = p.budget_id
            where c.period_id = :period and p.id = c.period_id
                and not (c.percent = any(b.thresholds) and (p.spent_nano + p.unknown_nano) * 100 >= c.percent * b.cap_nano)
            """
        ),
        {"period": period_id},
    )
    connection.execute(text("update budget_periods set refused = 0, refused_at = null where id = :period"), {"period": period_id})


def used(connection: Connection, budget_id: int, starts_at: datetime) -> dict[str, Any]:
    """Reserved, spent and unknown nano-USD of a period, the thresholds it crossed, how many calls it refused and when last.

    Empty for one that nothing was asked of yet.
    """
    rows = connection.execute(
        text(
            "select reserved_nano, spent_nano, unknown_nano, refused, refused_at,"
            " array(select percent from budget_crossings c where c.period_id = p.id order by percent) as crossed"
            " from budget_periods p where budget_id = :budget and starts_at = :starts_at"
        ),
        {"budget": budget_id, "starts_at": starts_at},
    )
    found = rows.mappings().one_or_none()
    return {} if found is None else dict(found) | {"crossed": tuple(found["crossed"])}


def differences(connection: Connection) -> list[dict[str, int]]:
    """Periods whose row is not what the ledger adds up to: none, if all is well."""
    return [{name: int(value) for name, value in row.items()} for row in connection.execute(text(COMPARE)).mappings()]


def _find(connection: Connection, wanted: Sequence[tuple[int, datetime, datetime]]) -> list[int]:
    return list(
        connection.execute(
            text(
                "select p.id from budget_periods p"
                " join unnest(cast(:budgets as integer[]), cast(:starts as timestamptz[])) w (budget, starts_at)"
                " on p.budget_id = w.budget and p.starts_at = w.starts_at order by p.id"
            ),
            {"budgets": [budget for budget, _, _ in wanted], "starts": [starts_at for _, starts_at, _ in wanted]},
        ).scalars()
    )


def _make(connection: Connection, budget_id: int, starts_at: datetime, ends_at: datetime) -> bool:
    """True when it was not there."""
    made = connection.execute(
        text(
            "insert into budget_periods (budget_id, starts_at, ends_at) values (:budget, :starts_at, :ends_at)"
            " on conflict do nothing returning id"
        ),
        {"budget": budget_id, "starts_at": starts_at, "ends_at": ends_at},
    ).one_or_none()
    return made is not None
