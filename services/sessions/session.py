"""One session as it is stored: when it was, whose, about what, and what is odd about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

STARTED = "coalesce(s.told_started_at, s.first_operation_at)"
ENDED = "coalesce(s.told_ended_at, s.last_operation_at)"
RATING = "coalesce(s.rating, round(s.feedback_rating / nullif(s.feedback_rated, 0), 4))"
SELECT = f"""
select s.source, s.session_key as key, {STARTED} as started_at, {ENDED} as ended_at, s.user_key, s.subject, s.cohort,
       s.told_messages as messages, {RATING}::float as rating, s.topics, s.operations, s.first_operation_at, s.last_operation_at,
       x.environment, x.module
from sessions s join series x on x.id = s.series_id
"""  # noqa: S608 - constants
ODD = {
    "without end": f"{ENDED} is null",
    "ends before it starts": f"{ENDED} < {STARTED}",
    "without topics": "coalesce(s.topics, '{}') = '{}'",
    "rated 2 or less": f"{RATING} <= 2",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A row of SELECT; None is what nobody told. `ended_at` may lie before `started_at` where records contradict each other; see `odd`."""

    source: str
    key: str
    started_at: datetime
    ended_at: datetime | None
    user_key: str | None
    subject: str | None
    cohort: str | None
    messages: int | None
    rating: float | None
    topics: list[str] | None
    operations: int
    first_operation_at: datetime | None
    last_operation_at: datetime | None
    environment: str
    module: str

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None without an end or with one before the start."""
        if self.ended_at is None or self.ended_at < self.started_at:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    def odd(self, zone: ZoneInfo) -> list[str]:
        """What a reader should know before trusting it, in words."""
        told = []
        if self.ended_at is None:
            told.append("without end")
        elif self.ended_at < self.started_at:
            told.append("ends before it starts")
        elif (self.ended_at - timedelta(microseconds=1)).astimezone(zone).date() > self.started_at.astimezone(zone).date():
            told.append("over midnight")
        if not self.topics:
            told.append("without topics")
        return told
