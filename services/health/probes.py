"""One function a part: it returns a short detail when the part is up and raises Unavailable with the reason when it is not."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from services.ai.providers import gemini as gemini_provider
from services.db import transaction
from services.errors import Unavailable
from services.settings import settings

LIMIT_S = 2.0
BEAT_S = 30  # a process that has not beaten for this long is gone
STALLED_S = 60  # telemetry that waited this long is not being moved
LABELS = {
    "gemini_api": "Gemini API",
    "cache": "Cache (Redis)",
    "database": "Database (Postgres)",
    "dispatcher": "Dispatcher",
    "workers": "Workers",
    "rollups": "Rollups",
    "telemetry": "Telemetry",
}
GEMINI = ("gemini", "gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai", "google")


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of one part: `latency_ms` is None until it answered, `since` is when it went up or down.

    While this process has not seen it do so, `since` is when it first asked, and `saw` is False: it may be so for longer.
    """

    name: str
    up: bool
    latency_ms: float | None
    since: datetime
    detail: str
    saw: bool = False

    @property
    def label(self) -> str:
        """Its name for people."""
        return LABELS.get(self.name, self.name)


def database() -> str:
    """Postgres answers a query."""
    with transaction() as connection:
        connection.execute(text("select 1"))
    return "answers"


def cache() -> str:
    """Redis answers a ping."""
    url = settings().redis_url
    if url is None:
        raise Unavailable("REDIS_URL is not set.")
    try:
        _redis(url.get_secret_value()).ping()
    except RedisError as error:
        raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from error
    return "answers"


def gemini_api() -> str:
    """With a key, Gemini lists a model (no tokens); without one, the last real call to it, of anybody, went well within 24 h."""
    if settings().gemini_api_key is not None:
        return f"lists {gemini_provider.reachable(LIMIT_S)}"
    with transaction() as connection:
        row = connection.execute(
            text(
                "select last_error_type, last_operation_at > now() - interval '24 hours' as recent, last_operation_at from series"
                " where provider = any(:providers) and source <> 'sample' and last_operation_at is not null"
                " order by last_operation_at desc limit 1"
            ),
            {"providers": list(GEMINI)},
        ).one_or_none()
    if row is None:
        raise Unavailable("No key is set and no call to Gemini has been seen.")
    if not row.recent:
        raise Unavailable(f"No key is set and the last call to Gemini was at {row.last_operation_at:%Y-%m-%d %H:%M} UTC.")
    if row.last_error_type is not None:
        raise Unavailable(f"The last call to Gemini failed: {row.last_error_type}.")
    return f"last call at {row.last_operation_at:%Y-%m-%d %H:%M} UTC went well"


def dispatcher() -> str:
    """A dispatcher beat lately."""
    return _beating("dispatcher")


def workers() -> str:
    """A worker beat lately."""
    return _beating("worker")


def rollups() -> str:
    """What arrived is being moved into rollups."""
    with transaction() as connection:
        waiting, age_s = connection.execute(
            text("select count(*), coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0)::integer from telemetry_inbox")
        ).one()
    if age_s > STALLED_S:
        raise Unavailable(f"Telemetry has been waiting for {age_s} s.")
    return f"{waiting} batches waiting" if waiting else "nothing waiting"


def telemetry() -> str:
    """What arrives is let in: the inbox has room."""
    with transaction() as connection:
        waiting, seen = connection.execute(
            text("select (select coalesce(sum(row_count), 0) from telemetry_inbox), (select max(last_seen_at) from telemetry_sources)")
        ).one()
    if waiting >= settings().inbox_limit_rows:
        raise Unavailable(f"{waiting:,} records wait to be counted: what arrives is refused until there are fewer.")
    return "nothing has arrived yet" if seen is None else f"last arrived at {seen:%Y-%m-%d %H:%M} UTC"


def _beating(kind: str) -> str:
    with transaction() as connection:
        alive = connection.execute(
            text("select count(*) from processes where kind = :kind and beat_at > now() - make_interval(secs => :beat)"),
            {"kind": kind, "beat": BEAT_S},
        ).scalar_one()
    if not alive:
        raise Unavailable(f"No {kind} has been heard of for {BEAT_S} s.")
    return f"{alive} running"


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S)
