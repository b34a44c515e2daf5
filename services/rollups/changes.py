"""Operations that were counted and are now otherwise: what they added to the rollups is taken out, what they are now is added.

In the caller's transaction, under the writers' lock, after the stored rows themselves were changed.
"""

from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection

from services.clock import utc_now
from services.rollups import cells, distinct


def replace(connection: Connection, before: pd.DataFrame, after: pd.DataFrame, zone: ZoneInfo) -> None:
    """Move the rollups from `before` to `after`: rows as `services.telemetry.operations.stored` gives them, either may be empty."""
    now = pd.Timestamp(utc_now())
    if len(before):
        cells.take_out(connection, before, zone, now)
    if len(after):
        cells.merge(connection, after, zone, now)
    left = _left(before, after)
    if len(left):
        distinct.recount(connection, left.assign(day=cells.local_days(left["started_at"], zone))[["day", "series_id"]], zone)
    if len(after):
        distinct.merge(connection, after.assign(day=cells.local_days(after["started_at"], zone)))


def _left(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Rows that no longer name the user or session that they named, or not in the same series."""
    same = ["id", "series_id", "user_key", "session_key"]
    named = before[before["user_key"].notna() | before["session_key"].notna()]
    if after.empty or named.empty:
        return named
    kept = pd.MultiIndex.from_frame(after[same].fillna(""))
    return named[~pd.MultiIndex.from_frame(named[same].fillna("")).isin(kept)]
