"""The status, kept fresh in the background so that asking for it costs nothing and never waits for a part that hangs."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy.exc import SQLAlchemyError

from services.clock import utc_now
from services.errors import BinnacleError
from services.health import probes
from services.health.probes import LIMIT_S, Probe
from services.settings import settings

EVERY_S = 5.0
EVERY_REMOTE_S = 60.0
SERVICES = ("gemini_api", "cache", "database")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """`status` is healthy, degraded or down; `services` says up or down of the three parts; `reasons` words what is wrong."""

    status: str
    timestamp: datetime
    services: Mapping[str, str]
    reasons: tuple[str, ...]
    probes: tuple[Probe, ...]


class Watched:
    """One part, asked again and again by a thread of its own: a part that hangs holds up no other."""

    def __init__(self, name: str, ask: Callable[[], str], every_s: float, limit_s: float = LIMIT_S) -> None:
        self.name = name
        self._ask = ask
        self._every_s = every_s
        self._limit_s = limit_s
        self._answered = threading.Event()
        self._stopped = threading.Event()
        self._asked_at: float | None = None
        self._probe = Probe(name, False, None, utc_now(), "has not answered yet")
        self._thread = threading.Thread(target=self._keep_asking, name=f"health {name}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Return when the first answer is there or `seconds` have passed."""
        self._answered.wait(seconds)

    @property
    def answered(self) -> bool:
        """Whether there was a first answer."""
        return self._answered.is_set()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self._thread.join(self._limit_s)

    def probe(self) -> Probe:
        """What is known now; a question that hangs longer than the limit counts as down, and so does a probe that broke."""
        known, asked_at = self._probe, self._asked_at
        if not known.up:
            return known
        if not self._thread.is_alive():
            return Probe(known.name, False, None, known.since, "the probe itself broke; the log tells why", known.saw)
        hanging_s = 0.0 if asked_at is None else time.monotonic() - asked_at
        if hanging_s > self._limit_s:
            return Probe(
                known.name, False, None, utc_now() - timedelta(seconds=hanging_s), f"no answer within {self._limit_s:g} s", saw=True
            )
        return known

    def _keep_asking(self) -> None:
        while not self._stopped.is_set():
            self._ask_once()
            self._stopped.wait(self._every_s)

    def _ask_once(self) -> None:
        began = self._asked_at = time.monotonic()
        try:
            up, detail = True, self._ask()
        except BinnacleError as error:
            up, detail = False, str(error)
        except SQLAlchemyError as error:  # a schema that is still being migrated, a pool that ran dry
            up, detail = False, f"the database refused the question ({type(error).__name__})"
        took_s = time.monotonic() - began
        if up and took_s > self._limit_s:
            up, detail = False, f"answered only after {took_s:.1f} s"
        first, changed = not self._answered.is_set(), up != self._probe.up
        if changed or first:
            _LOG.log(logging.INFO if up else logging.WARNING, "%s is %s: %s", self.name, "up" if up else "down", detail)
        since = utc_now() if changed or first else self._probe.since
        self._probe = Probe(self.name, up, round(took_s * 1000, 1), since, detail, saw=not first and (changed or self._probe.saw))
        self._asked_at = None
        self._answered.set()


class Monitor:
    """All parts, as this process sees them."""

    def __init__(self) -> None:
        self._patience_until = time.monotonic() + LIMIT_S
        remote_s = EVERY_REMOTE_S if settings().gemini_api_key is not None else EVERY_S
        self._parts = (
            Watched("gemini_api", probes.gemini_api, remote_s),
            Watched("cache", probes.cache, EVERY_S),
            Watched("database", probes.database, EVERY_S),
            Watched("dispatcher", probes.dispatcher, EVERY_S),
            Watched("workers", probes.workers, EVERY_S),
            Watched("rollups", probes.rollups, EVERY_S),
            Watched("telemetry", probes.telemetry, EVERY_S),
        )

    def status(self) -> Status:
        """The status from memory; only in the first two seconds of a process may it wait for first answers."""
        for part in self._parts:
            part.wait(max(self._patience_until - time.monotonic(), 0))
        return summary(tuple(part.probe() for part in self._parts))

    def settled(self) -> bool:
        """Whether `status` answers at once."""
        return time.monotonic() > self._patience_until or all(part.answered for part in self._parts)

    def stop(self) -> None:
        """Ask no more."""
        for part in self._parts:
            part.stop()


def summary(found: tuple[Probe, ...]) -> Status:
    """Healthy when everything is up, down when all three services are, degraded in between."""
    up = {probe.name: probe.up for probe in found}
    if all(up.values()):
        word = "healthy"
    elif any(up[name] for name in SERVICES):
        word = "degraded"
    else:
        word = "down"
    reasons = tuple(f"{probe.label}: {probe.detail}" for probe in found if not probe.up)
    return Status(word, utc_now(), {name: "up" if up[name] else "down" for name in SERVICES}, reasons, found)


def start() -> None:
    """Begin to watch, so that the first to ask need not wait."""
    _monitor()


def settled() -> bool:
    """Whether `status` answers at once, without waiting for first answers."""
    return _monitor().settled()


def status() -> Status:
    """The present status of everything; answers from memory."""
    return _monitor().status()


@lru_cache(maxsize=1)
def _monitor() -> Monitor:
    return Monitor()
