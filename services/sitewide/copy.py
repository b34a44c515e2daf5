"""A copy of the edition in Redis, for as long as Postgres is away. Postgres has the truth; nobody misses the copy while it answers."""

import json
import logging
from datetime import datetime
from functools import lru_cache

from redis import Redis
from redis.exceptions import RedisError

from services.settings import settings
from services.sitewide.editions import Edition, as_json, from_json

KEY = "binnacle:factoids"
KEPT_S = 30 * 86_400
LIMIT_S = 0.5
_LOG = logging.getLogger(__name__)


def write(edition: Edition) -> bool:
    """Whether it could be written: without Redis there is no copy, and that is said once in the log."""
    url = settings().redis_url
    if url is None:
        return False
    told = {
        "id": edition.id,
        "fingerprint": edition.fingerprint,
        "factoids": json.loads(as_json(edition.factoids)),
        "made_at": edition.made_at.isoformat(),
        "revalidated_at": edition.revalidated_at.isoformat(),
        "checked_at": edition.checked_at.isoformat(),
    }
    try:
        _redis(url.get_secret_value()).set(KEY, json.dumps(told), ex=KEPT_S)
    except RedisError as error:
        _LOG.warning("no copy of the factoids could be kept in Redis: %s", error)
        return False
    return True


def read() -> Edition | None:
    """The copy; None where there is none, or Redis is away too."""
    url = settings().redis_url
    if url is None:
        return None
    try:
        told = _redis(url.get_secret_value()).get(KEY)
    except RedisError as error:
        _LOG.warning("the copy of the factoids cannot be read: %s", error)
        return None
    if not isinstance(told, bytes):
        return None
    kept = json.loads(told)
    at = {name: datetime.fromisoformat(kept[name]) for name in ("made_at", "revalidated_at", "checked_at")}
    return Edition(kept["id"], kept["fingerprint"], from_json(kept["factoids"]), **at)


@lru_cache(maxsize=2)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S)
