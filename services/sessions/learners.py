"""One learner's progress: their sessions week by week, what they have covered so far, how content they were."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, text

from services.errors import BadInput, NotFound
from services.sessions.session import SELECT, STARTED, Session

MOST_SESSIONS = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """`sessions` newest first, the latest MOST_SESSIONS of `total`; `weeks` as `by_week` makes them."""

    user_key: str
    total: int
    sessions: list[Session]
    weeks: pd.DataFrame


def progress(connection: Connection, user_key: str, zone: ZoneInfo) -> Progress:
    """Of one user key, in weeks of the zone. Raises BadInput for no key and NotFound for one without sessions."""
    if not user_key or "\0" in user_key:
        raise BadInput("Name the key of a learner.")
    total = connection.execute(text("select count(*) from sessions where user_key = :key"), {"key": user_key}).scalar_one()
    if not total:
        raise NotFound(f"Nobody has told of a session of '{user_key[:100]}'.")
    found = connection.execute(
        text(f"{SELECT} where s.user_key = :key order by {STARTED} desc limit :most"), {"key": user_key, "most": MOST_SESSIONS}
    )
    sessions = [Session(*row) for row in found]
    return Progress(user_key, total, sessions, by_week(sessions, zone))


def by_week(sessions: list[Session], zone: ZoneInfo) -> pd.DataFrame:
    """A row a week from the first session to the last, empty ones too.

    `week` its Monday, `sessions`, `minutes` (known durations), `messages`, `rating` (mean), `topics` covered so far; unknown is NaN.
    """
    if not sessions:
        return pd.DataFrame(columns=["week", "sessions", "minutes", "messages", "rating", "topics"])
    in_week: dict[date, list[Session]] = {}
    for session in sessions:
        in_week.setdefault(_monday(session.started_at.astimezone(zone).date()), []).append(session)
    covered: set[str] = set()
    rows = []
    week, last = min(in_week), max(in_week)
    while week <= last:
        here = in_week.get(week, [])
        covered |= {topic for session in here for topic in session.topics or []}
        rows.append(
            {
                "week": week,
                "sessions": len(here),
                "minutes": _known([s.duration_s / 60 for s in here if s.duration_s is not None], len(here)),
                "messages": _known([float(s.messages) for s in here if s.messages is not None], len(here)),
                "rating": pd.Series([s.rating for s in here if s.rating is not None], dtype="float64").mean(),
                "topics": len(covered),
            }
        )
        week += timedelta(days=7)
    return pd.DataFrame(rows)


def _known(told: list[float], sessions: int) -> float:
    """The sum; NaN where there were sessions and none told, 0 where there was none."""
    return sum(told) if told or not sessions else float("nan")


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
