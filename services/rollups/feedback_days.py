"""Feedback a day: how many, thumbs up and down, ratings from 1 to 5."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, text

MERGE = """
insert into rollup_feedback_day as r (day, series_id, n, up, down, rated, rating)
select day, series_id, {sign} * count(*), {sign} * sum(up), {sign} * sum(down), {sign} * count(rating), {sign} * coalesce(sum(rating), 0)
from feedback_contributions where {which} group by 1, 2 order by 1, 2
on conflict (day, series_id) do update set
    n = r.n + excluded.n, up = r.up + excluded.up, down = r.down + excluded.down, rated = r.rated + excluded.rated,
    rating = r.rating + excluded.rating
"""
GIVEN = "id = any(cast(:ids as uuid[]))"


def add(connection: Connection, ids: Sequence[str]) -> None:
    """Count stored feedback."""
    connection.execute(text(MERGE.format(sign=1, which=GIVEN)), {"ids": list(ids)})


def take_out(connection: Connection, ids: Sequence[str]) -> None:
    """Count it no more, as it is stored now: before it changes."""
    connection.execute(text(MERGE.format(sign=-1, which=GIVEN)), {"ids": list(ids)})
    connection.execute(text("delete from rollup_feedback_day where n = 0"))


def add_day(connection: Connection, day: date) -> None:
    """Count all feedback of one day, which must be empty in the rollups."""
    connection.execute(text(MERGE.format(sign=1, which="day = :day")), {"day": day})
