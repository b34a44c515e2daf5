"""The status: how parts add up, and that one that hangs or breaks cannot hide."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import ProgrammingError

from services import health
from services.errors import Unavailable
from services.health.monitor import Monitor, Watched, summary
from services.health.probes import LABELS, Probe

NAMES = ("gemini_api", "cache", "database", "dispatcher", "workers", "rollups", "telemetry")


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@pytest.fixture
def watch() -> Iterator[Callable[[Callable[[], str]], Watched]]:
    """Starts watching and stops after the test."""
    watched: list[Watched] = []

    def begin(ask: Callable[[], str]) -> Watched:
        watched.append(Watched("part", ask, every_s=0.05, limit_s=0.2))
        watched[-1].wait(1)
        return watched[-1]

    yield begin
    for part in watched:
        part.stop()


@pytest.mark.parametrize(
    ("down", "word"),
    [
        (set(), "healthy"),
        ({"gemini_api"}, "degraded"),
        ({"rollups"}, "degraded"),
        ({"gemini_api", "cache"}, "degraded"),
        ({"gemini_api", "cache", "database"}, "down"),
        (set(NAMES), "down"),
    ],
)
def test_it_adds_up_the_parts(down: set[str], word: str) -> None:
    now = datetime.now(UTC)
    told = summary(tuple(Probe(name, name not in down, 1.0, now, "detail") for name in NAMES))
    assert told.status == word
    assert told.services == {name: "down" if name in down else "up" for name in ("gemini_api", "cache", "database")}
    assert set(told.reasons) == {f"{LABELS[name]}: detail" for name in down}


def test_it_keeps_since_when_a_part_is_up_or_down(watch: Callable[[Callable[[], str]], Watched]) -> None:
    fails = threading.Event()

    def ask() -> str:
        if fails.is_set():
            raise Unavailable("gone")
        return "fine"

    part = watch(ask)
    first = part.probe()
    assert (first.up, first.detail) == (True, "fine")
    assert first.latency_ms is not None
    time.sleep(0.2)
    assert part.probe().since == first.since
    assert not part.probe().saw, "it may have been up for longer"
    fails.set()
    assert within(1, lambda: not part.probe().up)
    assert part.probe().detail == "gone"
    assert part.probe().since > first.since
    time.sleep(0.2)
    assert part.probe().saw


def test_it_counts_a_part_that_hangs_as_down_and_answers_meanwhile(watch: Callable[[Callable[[], str]], Watched]) -> None:
    hang, release = threading.Event(), threading.Event()

    def ask() -> str:
        if hang.is_set():
            release.wait(5)
        return "fine"

    part = watch(ask)
    assert part.probe().up
    hang.set()
    assert within(2, lambda: not part.probe().up)
    began = time.monotonic()
    assert part.probe().detail == "no answer within 0.2 s"
    assert time.monotonic() - began < 0.05
    hang.clear()
    release.set()
    assert within(2, lambda: part.probe().up)


def test_it_counts_an_answer_that_took_too_long_as_down(watch: Callable[[Callable[[], str]], Watched]) -> None:
    def ask() -> str:
        time.sleep(0.4)
        return "fine"

    part = watch(ask)
    assert not part.probe().up
    assert part.probe().detail == "answered only after 0.4 s"


def test_it_survives_a_schema_that_is_not_there_yet(watch: Callable[[Callable[[], str]], Watched]) -> None:
    missing = threading.Event()
    missing.set()

    def ask() -> str:
        if missing.is_set():
            raise ProgrammingError("select", {}, ValueError("no such table"))
        return "fine"

    part = watch(ask)
    assert part.probe().detail == "the database refused the question (ProgrammingError)"
    missing.clear()
    assert within(1, lambda: part.probe().up)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_it_does_not_leave_an_old_answer_standing_when_a_probe_breaks(watch: Callable[[Callable[[], str]], Watched]) -> None:
    broken = threading.Event()

    def ask() -> str:
        words = {False: "fine"}
        return words[broken.is_set()]

    part = watch(ask)
    assert part.probe().up
    broken.set()
    assert within(1, lambda: not part.probe().up)
    assert "the probe itself broke" in part.probe().detail


@pytest.mark.usefixtures("database")
def test_it_watches_the_real_parts_and_answers_from_memory() -> None:
    watching = Monitor()
    try:
        now = watching.status()
        assert watching.settled()
        began = time.monotonic()
        for _ in range(100):
            watching.status()
        each_s = (time.monotonic() - began) / 100
    finally:
        watching.stop()
    assert {probe.name for probe in now.probes} == set(NAMES)
    assert (now.services["database"], now.services["cache"], now.status) == ("up", "up", "degraded")
    assert each_s < 0.001


@pytest.mark.usefixtures("stack")
def test_it_is_one_monitor_a_process() -> None:
    health.start()
    assert health.status().services["database"] == "up"
    assert health.settled()
