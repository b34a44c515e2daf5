"""Instants and days. The clock for decisions is Postgres now(); this one words and cuts time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
KEPT_15M = timedelta(days=35)  # how long cells of a quarter hour are kept
FINE_REACH = timedelta(days=34)  # how far back they answer: the oldest kept ones may be incomplete


def utc_now() -> datetime:
    """The current instant, aware, UTC."""
    return datetime.now(UTC)


def minute_after(moment: datetime) -> datetime:
    """The next full minute: an end of "until now" that all who ask within a minute share, and that leaves nothing out."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The instant a local day begins, in UTC; where midnight is skipped, the first instant after it."""
    local = datetime.combine(day, time.min, tzinfo=zone)
    instant = local.astimezone(UTC)
    return instant if instant.astimezone(zone).date() == day else first_instant(day, zone)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """First quarter hour whose local date is `day`: zones change their clocks on quarter hours."""
    instant = datetime.combine(day, time.min, tzinfo=UTC) - timedelta(hours=15)
    while instant.astimezone(zone).date() < day:
        instant += QUARTER
    return instant


def today(zone: ZoneInfo) -> date:
    """The current local date."""
    return utc_now().astimezone(zone).date()
