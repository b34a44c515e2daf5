"""What the Telemetry page reads: is it arriving, how far behind is it, who sends it, what was refused. One query each."""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, text

from services.telemetry.importers.load import DOOR as FILES
from services.telemetry.inbox import COUNTS
from services.telemetry.series import OTHER

MINUTES = 60
DAYS = 7
SILENT_AFTER_HOURS = 24
MOST_GROUPS = 200
SAMPLE_KEPT = 1_000

# What still waits has arrived all the same: without it the rate would fall to zero whenever the workers do.
RATE = """
with minutes as (
    select generate_series(date_trunc('minute', now()) - make_interval(mins => :minutes - 1), now(), interval '1 minute') as minute
), arrived as (
    select minute, source, n from telemetry_minutes where minute >= (select min(minute) from minutes)
    union all
    select date_trunc('minute', received_at), source, row_count from telemetry_inbox where received_at >= (select min(minute) from minutes)
)
select minute, source, coalesce(sum(n), 0)::bigint as n
from minutes cross join (select distinct source from arrived) sources left join arrived using (minute, source)
group by minute, source order by minute, source
"""
SOURCES = f"""
with counted as (
    select source, door, {", ".join(f"sum({name})::bigint as {name}" for name in COUNTS)},
        {", ".join(f"coalesce(sum({name}) filter (where day = current_date), 0)::bigint as {name}_today" for name in COUNTS)}
    from telemetry_counts where day > current_date - :days group by source, door
), seen as (
    select source, door, max(last_seen_at) as last_seen_at
    from (table telemetry_sources union all select source, door, max(received_at) from telemetry_inbox group by source, door) s
    group by source, door
)
select source, door, last_seen_at,
    case when door <> :files then last_seen_at < now() - make_interval(hours => :hours) end as silent,
    {", ".join(f"coalesce({name}, 0) as {name}, coalesce({name}_today, 0) as {name}_today" for name in COUNTS)}
from seen full join counted using (source, door) order by last_seen_at desc nulls last, source, door
"""  # noqa: S608 - the names are a constant
REJECTED = """
with groups as (
    select source, field, reason, count(*) as n, max(received_at) as last_at, max(id) as last_id,
        count(*) filter (where complete and door <> :files) as replayable, sum(count(*)) over ()::bigint as all_n,
        sum(count(*) filter (where complete and door <> :files)) over ()::bigint as all_replayable, max(max(id)) over () as all_last_id
    from telemetry_rejected group by source, field, reason order by n desc, last_id desc limit :most
)
select g.source, g.field, g.reason, n, last_at, left(raw, :kept) as sample, replayable, last_id, all_n, all_replayable, all_last_id
from groups g join telemetry_rejected r on r.id = last_id order by n desc, last_id desc
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was received and is not yet counted: records, and how many seconds the oldest has waited (None: nothing waits)."""

    rows: int
    oldest_s: float | None


def anything(connection: Connection) -> bool:
    """Whether anything ever came: usable, waiting or refused."""
    tables = ("telemetry_sources", "telemetry_inbox", "telemetry_counts", "telemetry_rejected")
    return bool(connection.execute(text("select " + " or ".join(f"exists (select from {table})" for table in tables))).scalar_one())  # noqa: S608


def rate(connection: Connection) -> pd.DataFrame:
    """Records that arrived: minute (UTC), source, n, for each of the last 60 minutes, the current one included; empty when none did."""
    frame = pd.DataFrame(connection.execute(text(RATE), {"minutes": MINUTES}).all(), columns=["minute", "source", "n"])
    return frame.assign(minute=pd.to_datetime(frame["minute"], utc=True))


def lag_ms(connection: Connection) -> int | None:
    """The longest that anything of the last five minutes took from its arrival to the numbers; None when nothing was counted."""
    longest: int | None = connection.execute(
        text("select max(lag_ms) from telemetry_minutes where minute >= date_trunc('minute', now()) - interval '4 minutes'")
    ).scalar_one()
    return longest


def backlog(connection: Connection) -> Backlog:
    """What waits in the inbox."""
    row = connection.execute(
        text(
            "select coalesce(sum(row_count), 0)::bigint as n, extract(epoch from clock_timestamp() - min(received_at))::float as oldest_s"
            " from telemetry_inbox"
        )
    ).one()
    return Backlog(row.n, row.oldest_s)


def today(connection: Connection) -> dict[str, int]:
    """What became of records today (UTC), over all sources: one number a name of inbox.COUNTS."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in COUNTS)
    return dict(connection.execute(text(f"select {sums} from telemetry_counts where day = current_date")).mappings().one())  # noqa: S608


def sources(connection: Connection) -> pd.DataFrame:
    """One row a source and door, last seen first: source, door, last_seen_at, silent, then each of inbox.COUNTS over seven days (UTC),
    today included, and as NAME_today.

    `last_seen_at` is when a usable record last came, None where none ever did; `silent` says that this is more than 24 hours ago, None
    where that means nothing: files are read when somebody has one.
    """
    found = connection.execute(text(SOURCES), {"days": DAYS, "hours": SILENT_AFTER_HOURS, "files": FILES})
    frame = pd.DataFrame(found.all(), columns=list(found.keys()))
    return frame.assign(last_seen_at=pd.to_datetime(frame["last_seen_at"], utc=True), silent=frame["silent"].astype("boolean"))


def collected(connection: Connection) -> dict[str, int]:
    """Source → operations of the last seven days of the reporting zone, today included, that are counted under "(other)" names because
    it has told more names than SERIES_LIMIT_PER_SOURCE; the most first.
    """
    found = connection.execute(
        text(
            "select s.source, sum(r.n)::bigint as n from rollup_day r join series s on s.id = r.series_id"
            " where (s.environment, s.module, s.operation, s.provider, s.model) = (:other, :other, :other, :other, :other)"
            " and r.day > (now() at time zone (select zone from rollup_state))::date - :days"
            " group by s.source order by n desc, s.source"
        ),
        {"other": OTHER, "days": DAYS},
    )
    return {row.source: row.n for row in found}


def rejected(connection: Connection) -> pd.DataFrame:
    """Refused records that are kept, the 200 largest groups: source, field, reason, n, last_at, sample, replayable, last_id.

    `sample` is the JSON of the last one, cut to 1,000 characters; `replayable` is how many of n can be sent through the door again;
    `last_id` is the newest of n. In each row `all_n`, `all_replayable` and `all_last_id` are the same of all groups, however many.
    """
    found = connection.execute(text(REJECTED), {"files": FILES, "most": MOST_GROUPS, "kept": SAMPLE_KEPT})
    frame = pd.DataFrame(found.all(), columns=list(found.keys()))
    return frame.assign(last_at=pd.to_datetime(frame["last_at"], utc=True))
