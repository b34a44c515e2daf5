"""Sessions a day: what each session contributes, added as it appears and corrected as more of it is told."""

from datetime import date

import pandas as pd
from sqlalchemy import Connection, text

from services.db.copy import copy_rows
from services.rollups import distinct

TOUCHED = """
create temp table if not exists touched_sessions (
    source text, session_key text, series_id integer, user_key text, subject text, cohort text,
    told_started_at timestamptz, told_ended_at timestamptz, told_messages integer, rating numeric(4, 3), topics text[],
    first_operation_at timestamptz, last_operation_at timestamptz, operations integer, feedback_rated integer, feedback_rating numeric
) on commit delete rows
"""
BEFORE = """
create temp table if not exists session_changes (
    day date, hour smallint, series_id integer, topic text, subject text, cohort text, n integer, user_key text, duration_us bigint,
    messages bigint, rating numeric, with_topic integer, endless integer, backwards integer, overnight integer
) on commit delete rows
"""
CHANGED = """
insert into session_changes
select day, hour, series_id, topic, subject, cohort, {sign}, user_key, duration_us, messages, rating, with_topic, endless, backwards,
       overnight
from session_contributions c
"""
OF_TOUCHED = "join (select distinct source, session_key from touched_sessions) t using (source, session_key)"
# A record overwrites what it tells and leaves the rest; operations only widen and count.
UPSERT = """
insert into sessions as s (source, session_key, series_id, user_key, subject, cohort, told_started_at, told_ended_at, told_messages,
                           rating, topics, first_operation_at, last_operation_at, operations, feedback_rated, feedback_rating)
select * from touched_sessions order by source, session_key
on conflict (source, session_key) do update set
    series_id = case when excluded.told_started_at is not null then excluded.series_id else s.series_id end,
    user_key = coalesce(excluded.user_key, s.user_key),
    subject = coalesce(excluded.subject, s.subject),
    cohort = coalesce(excluded.cohort, s.cohort),
    told_started_at = coalesce(excluded.told_started_at, s.told_started_at),
    told_ended_at = coalesce(excluded.told_ended_at, s.told_ended_at),
    told_messages = coalesce(excluded.told_messages, s.told_messages),
    rating = coalesce(excluded.rating, s.rating),
    topics = coalesce(excluded.topics, s.topics),
    first_operation_at = least(s.first_operation_at, excluded.first_operation_at),
    last_operation_at = greatest(s.last_operation_at, excluded.last_operation_at),
    operations = s.operations + excluded.operations,
    feedback_rated = s.feedback_rated + excluded.feedback_rated,
    feedback_rating = s.feedback_rating + excluded.feedback_rating
"""
MERGE = """
insert into rollup_session_day as r (day, series_id, topic, subject, cohort, n, duration_n, duration_us, messages_n, messages, rated,
                                     rating, with_topic, endless, backwards, overnight)
select day, series_id, topic, subject, cohort, sum(n),
       coalesce(sum(n) filter (where duration_us is not null), 0), coalesce(sum(n * duration_us), 0),
       coalesce(sum(n) filter (where messages is not null), 0), coalesce(sum(n * messages), 0),
       coalesce(sum(n) filter (where rating is not null), 0), coalesce(sum(n * rating), 0),
       sum(n * with_topic), sum(n * endless), sum(n * backwards), sum(n * overnight)
from session_changes group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
on conflict (day, series_id, topic, subject, cohort) do update set
    n = r.n + excluded.n, duration_n = r.duration_n + excluded.duration_n, duration_us = r.duration_us + excluded.duration_us,
    messages_n = r.messages_n + excluded.messages_n, messages = r.messages + excluded.messages,
    rated = r.rated + excluded.rated, rating = r.rating + excluded.rating, with_topic = r.with_topic + excluded.with_topic,
    endless = r.endless + excluded.endless, backwards = r.backwards + excluded.backwards, overnight = r.overnight + excluded.overnight
"""
MERGE_HOURS = """
insert into rollup_session_hour as r (day, hour, series_id, n)
select day, hour, series_id, sum(n) from session_changes where topic = '' group by 1, 2, 3 having sum(n) <> 0 order by 1, 2, 3
on conflict (day, hour, series_id) do update set n = r.n + excluded.n
"""
EMPTIED = """
delete from rollup_session_day r using session_changes c
where r.n = 0 and (r.day, r.series_id, r.topic, r.subject, r.cohort) = (c.day, c.series_id, c.topic, c.subject, c.cohort)
"""
EMPTIED_HOURS = """
delete from rollup_session_hour r using session_changes c where r.n = 0 and (r.day, r.hour, r.series_id) = (c.day, c.hour, c.series_id)
"""
USERS = """
select day, series_id, user_key, sum(n) as balance from session_changes
where topic = '' and user_key is not null group by 1, 2, 3 having sum(n) <> 0
"""
COLUMNS = ("source", "session_key", "series_id", "user_key", "subject", "cohort", "told_started_at", "told_ended_at", "told_messages",
           "rating", "topics", "first_operation_at", "last_operation_at", "operations", "feedback_rated", "feedback_rating")  # fmt: skip
UNTOLD = {"operations": 0, "feedback_rated": 0, "feedback_rating": 0}


def merge(connection: Connection, touched: pd.DataFrame) -> None:
    """Upsert sessions (columns COLUMNS, one row per source and session_key) and move their days by the difference."""
    if touched.empty:
        return
    for statement in (TOUCHED, BEFORE):
        connection.execute(text(statement))
    copy_rows(connection, "touched_sessions", touched[list(COLUMNS)].assign(topics=touched["topics"].map(_array, na_action="ignore")))
    connection.execute(text(f"{CHANGED.format(sign=-1)}{OF_TOUCHED}"))
    connection.execute(text(UPSERT))
    connection.execute(text(f"{CHANGED.format(sign=1)}{OF_TOUCHED}"))
    _settle(connection)
    connection.execute(text("truncate touched_sessions"))


def note(connection: Connection, sessions: pd.DataFrame, sign: int) -> None:
    """Remember what sessions (columns source, session_key) add to their days, to take out (-1) before a change and put in (1) after it.

    Whose they are is left aside: `distinct.rename` takes care of that. `settle_notes` moves the days.
    """
    for statement in (TOUCHED, BEFORE):
        connection.execute(text(statement))
    if sessions.empty:
        return
    copy_rows(connection, "touched_sessions", sessions[["source", "session_key"]].reindex(columns=list(COLUMNS)))
    connection.execute(text(f"{CHANGED.format(sign=sign)}{OF_TOUCHED}"))
    connection.execute(text("truncate touched_sessions"))


def settle_notes(connection: Connection) -> None:
    """Move the days by what `note` remembered."""
    connection.execute(text("update session_changes set user_key = null"))
    _settle(connection)


def _settle(connection: Connection) -> None:
    for statement in (MERGE, MERGE_HOURS, EMPTIED, EMPTIED_HOURS):
        connection.execute(text(statement))
    _merge_users(connection)
    connection.execute(text("truncate session_changes"))


def told_before(connection: Connection, records: pd.DataFrame) -> pd.Series:
    """Whether a record of the session (columns source, session_key) was stored earlier."""
    known = connection.execute(
        text(
            "select s.source, s.session_key from sessions s"
            " join (select distinct * from unnest(cast(:sources as text[]), cast(:keys as text[])) t (source, session_key)) t"
            " using (source, session_key) where s.told_started_at is not null"
        ),
        {"sources": records["source"].tolist(), "keys": records["session_key"].tolist()},
    ).all()
    told = {(row.source, row.session_key) for row in known}
    return pd.Series(
        [pair in told for pair in zip(records["source"], records["session_key"], strict=True)], index=records.index, dtype=bool
    )


def add_day(connection: Connection, day: date) -> None:
    """Count all sessions of one day, which must be empty in the rollups."""
    connection.execute(text(BEFORE))
    connection.execute(text(f"{CHANGED.format(sign=1)}where day = :day"), {"day": day})
    _settle(connection)


def from_records(records: pd.DataFrame) -> pd.DataFrame:
    """Session records in order of arrival (inbox columns plus source and series_id) as touched sessions; the latest word counts."""
    told = records.rename(columns={"started_at": "told_started_at", "ended_at": "told_ended_at", "messages": "told_messages"})
    latest = told.groupby(["source", "session_key"], sort=False, as_index=False).last()
    nothing = pd.Series(pd.NaT, index=latest.index, dtype="datetime64[us, UTC]")
    return latest.assign(first_operation_at=nothing, last_operation_at=nothing, **UNTOLD)


def from_operations(operations: pd.DataFrame) -> pd.DataFrame:
    """What operations tell of their sessions: who, first start, last end, how many. `series_id` is the session's own series."""
    ended_at = operations["started_at"] + pd.to_timedelta(operations["latency_us"].fillna(0).astype("int64"), unit="us")
    seen = operations.assign(ended_at=ended_at).groupby(["source", "session_key"], sort=False, as_index=False)
    touched = seen.agg(
        series_id=("series_id", "first"),
        user_key=("user_key", "first"),
        first_operation_at=("started_at", "min"),
        last_operation_at=("ended_at", "max"),
        operations=("started_at", "size"),
    )
    return touched.reindex(columns=list(COLUMNS)).assign(feedback_rated=0, feedback_rating=0)


def from_feedback(ratings: pd.DataFrame) -> pd.DataFrame:
    """What people said of stored sessions: columns source, session_key, series_id, feedback_rated, feedback_rating (a sum)."""
    return ratings.reindex(columns=list(COLUMNS)).assign(operations=0)


def _merge_users(connection: Connection) -> None:
    """Keep the day's distinct users right; where a session left a day, that day is counted again."""
    changes = pd.DataFrame(connection.execute(text(USERS)).all(), columns=["day", "series_id", "key", "balance"])
    left = changes[changes["balance"] < 0][["day", "series_id"]].drop_duplicates()
    for day, series_id in left.itertuples(index=False):
        where = {"day": day, "series_id": series_id}
        for table in ("rollup_distinct_key", "rollup_distinct"):
            connection.execute(text(f"delete from {table} where (day, series_id, kind) = (:day, :series_id, 'session_user')"), where)  # noqa: S608
        again = connection.execute(
            text(
                "select day, series_id, user_key, 1 from session_contributions"
                " where (day, series_id, topic) = (:day, :series_id, '') and user_key is not null"
            ),
            where,
        ).all()
        changes = pd.concat([changes, pd.DataFrame(again, columns=changes.columns)])
    arrived = changes[changes["balance"] > 0]
    distinct.add_keys(connection, arrived[["day", "series_id", "key"]].assign(kind="session_user"))


def _array(topics: list[str]) -> str:
    """A Postgres array literal."""
    escaped = (topic.replace("\\", "\\\\").replace('"', '\\"') for topic in topics)
    return "{" + ",".join(f'"{topic}"' for topic in escaped) + "}"
