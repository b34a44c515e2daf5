"""What people said of sessions and operations: stored once, counted where it belongs, found a place when its subject appears later."""

import pandas as pd
from sqlalchemy import Connection, text

from services.db.copy import copy_rows
from services.rollups import feedback_days, session_days
from services.telemetry import series
from services.telemetry.inbox import UNKNOWN

COLUMNS = ("id", "source", "told_at", "received_at", "session_key", "operation_id", "thumbs", "rating", "comment", "user_key",
           "series_id", "known")  # fmt: skip
WITHIN = "30 days"  # how long before the feedback its operation may lie: the days are told so that few partitions are opened
SESSIONS = """
select t.place, s.series_id from unnest(cast(:sources as text[]), cast(:keys as text[])) with ordinality t (source, session_key, place)
join sessions s using (source, session_key)
"""
OPERATIONS = f"""
select t.place, o.series_id, o.session_key
from unnest(cast(:ids as uuid[]), cast(:told as timestamptz[])) with ordinality t (id, told_at, place)
join lateral (
    select series_id, session_key from operations
    where id = t.id and day between (t.told_at - interval '{WITHIN}')::date and t.told_at::date + 1 limit 1
) o on true
"""  # noqa: S608 - a constant
WAITING = """
select f.id, f.source, f.told_at, f.session_key, f.operation_id, f.rating from feedback f
join unnest(cast(:sources as text[]), cast(:keys as text[])) t (source, session_key) using (source, session_key)
where not f.known and f.operation_id is null
"""
WAITING_FOR_OPERATIONS = """
select id, source, told_at, session_key, operation_id, rating from feedback where not known and operation_id is not null
and received_at > now() - interval '2 days'
"""


def store(connection: Connection, told: pd.DataFrame) -> pd.Series:
    """Keep and count feedback (inbox columns plus source and received_at); True for each that was new."""
    told = told.assign(id=[key.hex() for key in told["id"]], operation_id=[key.hex() if key else None for key in told["operation_id"]])
    known = connection.execute(text("select encode(uuid_send(id), 'hex') from feedback where id = any(cast(:ids as uuid[]))"),
                               {"ids": told["id"].tolist()}).scalars()  # fmt: skip
    is_new = ~told["id"].isin(list(known)) & ~told.duplicated("id")
    new = told[is_new].copy()
    if len(new):
        new = _placed(connection, new)
        copy_rows(connection, "feedback", new[list(COLUMNS)])
        feedback_days.add(connection, new["id"].tolist())
        _rate_sessions(connection, new)
    return is_new


def link_sessions(connection: Connection, sessions: pd.DataFrame) -> None:
    """Feedback that was earlier than its session (columns source, session_key) finds it."""
    if not connection.execute(text("select exists (select from feedback where not known and operation_id is null)")).scalar():
        return
    unique = sessions[["source", "session_key"]].drop_duplicates()
    _link(connection, WAITING, {"sources": unique["source"].tolist(), "keys": unique["session_key"].tolist()})


def link_operations(connection: Connection) -> None:
    """Feedback of the last two days that was earlier than its operation finds it; under the writers' lock."""
    _link(connection, WAITING_FOR_OPERATIONS, {})


def _link(connection: Connection, waiting: str, asked: dict[str, object]) -> None:
    found = connection.execute(text(waiting), asked)
    rows = pd.DataFrame(found.all(), columns=list(found.keys()))
    if rows.empty:
        return
    rows = rows.assign(
        id=[key.hex for key in rows["id"]], operation_id=[key.hex if key else None for key in rows["operation_id"]],
        told_at=pd.to_datetime(rows["told_at"], utc=True), environment=UNKNOWN,
    )  # fmt: skip
    rows = _found(connection, rows)
    placed = rows[rows["known"]]
    if placed.empty:
        return
    ids = placed["id"].tolist()
    feedback_days.take_out(connection, ids)
    connection.execute(
        text("update feedback set series_id = :series_id, session_key = :session_key, known = true where id = cast(:id as uuid)"),
        [
            {"id": row.id, "series_id": int(row.series_id), "session_key": None if pd.isna(row.session_key) else row.session_key}
            for row in placed.itertuples()
        ],
    )
    feedback_days.add(connection, ids)
    _rate_sessions(connection, placed)


def _placed(connection: Connection, told: pd.DataFrame) -> pd.DataFrame:
    """With the series it counts in; what it is about may be unknown."""
    found = _found(connection, told)
    lost = found[~found["known"]]
    if len(lost):
        nowhere = lost.assign(module=UNKNOWN)
        of_sessions = lost["operation_id"].isna()
        named = pd.concat(
            [series.of_sessions(nowhere[of_sessions]), nowhere[~of_sessions].assign(operation=UNKNOWN, provider=UNKNOWN, model=UNKNOWN)]
        )
        found.loc[named.index, "series_id"] = series.resolve(connection, named)
    return found.astype({"series_id": "int64"})


def _found(connection: Connection, told: pd.DataFrame) -> pd.DataFrame:
    """With `series_id` and `known`, and the session of an operation that has one."""
    told = told.assign(series_id=pd.array([pd.NA] * len(told), dtype="Int64"), session_key=told["session_key"].astype(object))
    of_session = told[told["operation_id"].isna()]
    of_operation = told[told["operation_id"].notna()]
    for place, series_id in connection.execute(
        text(SESSIONS), {"sources": of_session["source"].tolist(), "keys": of_session["session_key"].tolist()}
    ):
        told.loc[of_session.index[place - 1], "series_id"] = series_id
    for place, series_id, session_key in connection.execute(
        text(OPERATIONS), {"ids": of_operation["operation_id"].tolist(), "told": [at.to_pydatetime() for at in of_operation["told_at"]]}
    ):
        told.loc[of_operation.index[place - 1], ["series_id", "session_key"]] = [series_id, session_key]
    return told.assign(known=told["series_id"].notna())


def _rate_sessions(connection: Connection, told: pd.DataFrame) -> None:
    """Ratings of whole sessions count in the sessions, too."""
    rated = told[told["known"].astype(bool) & told["operation_id"].isna() & told["rating"].notna()]
    if rated.empty:
        return
    ratings = rated.assign(rating=rated["rating"].astype(float).round(3)).groupby(["source", "session_key"], as_index=False)
    sums = ratings.agg(series_id=("series_id", "first"), feedback_rated=("rating", "size"), feedback_rating=("rating", "sum"))
    session_days.merge(connection, session_days.from_feedback(sums.assign(feedback_rating=sums["feedback_rating"].round(3))))
