"""How telemetry flows: by minute of arrival and source, how many records and how long until they counted; who was seen when."""

import pandas as pd
from sqlalchemy import Connection, text

KEPT_DAYS = 2


def note(connection: Connection, told: pd.DataFrame) -> None:
    """Add batches that are moved in this transaction (columns source, door, received_at, accepted)."""
    minutes = told.assign(minute=told["received_at"].dt.floor("min")).groupby(["minute", "source"])
    connection.execute(
        text(
            "insert into telemetry_minutes as t (minute, source, n, lag_ms)"
            " values (:minute, :source, :n, extract(epoch from clock_timestamp() - :oldest) * 1000)"
            " on conflict (minute, source) do update set n = t.n + excluded.n, lag_ms = greatest(t.lag_ms, excluded.lag_ms)"
        ),
        [
            {
                "minute": minute.to_pydatetime(),
                "source": source,
                "n": int(rows["accepted"].sum()),
                "oldest": rows["received_at"].min().to_pydatetime(),
            }
            for (minute, source), rows in minutes
        ],
    )
    seen = told.groupby(["source", "door"], as_index=False)["received_at"].max()
    connection.execute(
        text(
            "insert into telemetry_sources as t values (:source, :door, :at)"
            " on conflict (source, door) do update set last_seen_at = greatest(t.last_seen_at, excluded.last_seen_at)"
        ),
        [{"source": row.source, "door": row.door, "at": row.received_at.to_pydatetime()} for row in seen.itertuples()],
    )


def forget_old(connection: Connection) -> int:
    """Drop minutes nobody looks back to; how many rows."""
    return connection.execute(
        text("delete from telemetry_minutes where minute < now() - make_interval(days => :days)"), {"days": KEPT_DAYS}
    ).rowcount
