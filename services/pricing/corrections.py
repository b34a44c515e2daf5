"""Costs that change after they were counted: the stored rows and every cell they are in, in the caller's transaction.

Under the writers' lock. Only what a cost touches moves: `cost_nano` and `priced` of the cells; a cell is found by its key, so it is right
even where other operations of that cell are no longer stored.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, text

from services.clock import KEPT_15M
from services.db.copy import copy_rows

COLUMNS = ("day", "id", "started_at", "series_id", "before_nano", "before_version", "after_nano", "after_version")
SHAPE = """
create temp table if not exists new_costs (
    day date, id uuid, started_at timestamptz, series_id integer,
    before_nano bigint, before_version integer, after_nano bigint, after_version integer
) on commit delete rows
"""
CELLS = {
    "rollup_day": ("day", "(started_at at time zone :zone)::date"),
    "rollup_15m": ("bucket", "date_bin('15 minutes', started_at, timestamptz '2000-01-01 00:00:00+00')"),
}
# What was withdrawn, filled in or priced again since keeps what it has now; so does what can no longer be corrected.
UNDO = """
insert into new_costs
select o.day, o.id, o.started_at, o.series_id, c.after_nano, c.after_version, c.before_nano, c.before_version
from repricing_changes c join operations o on o.day = c.day and o.id = c.id
where c.repricing_id = :repricing and c.day = :day and o.day = :day
  and o.started_at >= coalesce(:since, timestamptz '-infinity')
  and o.cost_nano is not distinct from c.after_nano and o.price_version is not distinct from c.after_version
"""


def begin(connection: Connection) -> None:
    """Make room for the changes of one day."""
    connection.execute(text(SHAPE))
    connection.execute(text("truncate new_costs"))


def note(connection: Connection, changes: pd.DataFrame) -> None:
    """Add changes (COLUMNS)."""
    copy_rows(connection, "new_costs", changes[list(COLUMNS)])


def note_undo(connection: Connection, repricing: int, day: date, since: datetime | None) -> None:
    """Add the way back of what a re-pricing changed on a partition day, for calls from `since` on."""
    connection.execute(text(UNDO), {"repricing": repricing, "day": day, "since": since})


def keep(connection: Connection, repricing: int) -> None:
    """Remember the changes, so that they can be taken back."""
    columns = "day, id, before_nano, before_version, after_nano, after_version"
    connection.execute(
        text(f"insert into repricing_changes (repricing_id, {columns}) select :repricing, {columns} from new_costs"),  # noqa: S608 - a constant
        {"repricing": repricing},
    )


def carry_out(connection: Connection, day: date, zone: ZoneInfo) -> tuple[int, int, int]:
    """Write the changes of a partition day to its operations and to the cells; how many, nano-USD before and after (known ones)."""
    connection.execute(text("analyze new_costs"))
    connection.execute(
        text(
            "update operations o set cost_nano = m.after_nano, price_version = m.after_version"
            " from new_costs m where o.day = :day and m.day = :day and o.id = m.id"
        ),
        {"day": day},
    )
    for table, (key, bucket) in CELLS.items():
        _move_cells(connection, table, key, bucket, zone)
    changed, before, after = connection.execute(
        text("select count(*), coalesce(sum(before_nano), 0)::bigint, coalesce(sum(after_nano), 0)::bigint from new_costs")
    ).one()
    return int(changed), int(before), int(after)


def _move_cells(connection: Connection, table: str, key: str, bucket: str, zone: ZoneInfo) -> None:
    """A sum over nothing that is known is unknown, so a cell's cost is NULL exactly where `priced` is 0."""
    kept = "where started_at >= now() - :kept" if table == "rollup_15m" else ""
    connection.execute(
        text(
            f"""
            update {table} c set
                priced = c.priced + d.priced,
                cost_nano = case when c.priced + d.priced = 0 then null else coalesce(c.cost_nano, 0) + d.cost_nano end
            from (
                select {bucket} as {key}, series_id, count(after_nano) - count(before_nano) as priced,
                       (coalesce(sum(after_nano), 0) - coalesce(sum(before_nano), 0))::bigint as cost_nano
                from new_costs {kept} group by 1, 2
            ) d
            where c.{key} = d.{key} and c.series_id = d.series_id
            """  # noqa: S608 - constants
        ),
        {"zone": zone.key} if table == "rollup_day" else {"kept": KEPT_15M},
    )
