"""What each page asks the catalogue, timed at two sizes side by side, and beside the same answers by raw SQL on the same database."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pandas as pd
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services import changed, metrics
from services.accounts import accounts, sign_ins
from services.costs import findings, outlook, savings
from services.db import engine, forget, transaction
from services.errors import TooMuch
from services.health import attention, incidents, verification
from services.metrics import distribution as spread
from services.metrics.catalogue import MEASURES
from services.metrics.freshness import zone_of
from services.metrics.kept import KEPT
from services.metrics.ranges import resolve
from services.settings import ROOT, settings
from services.telemetry import inbox
from tests.benchmarks.figure import Figure, percentile
from tests.benchmarks.volume import records
from tests.system import Console, wait_for

SMALL = 100_000
PAGES = ("home", "health", "cost", "performance", "sessions", "explore")
TURNS = 8  # of each size, by turns, because a machine's speed drifts more in the minutes of a fill than the numbers differ
ROUNDS = 10  # of all pages in one turn
# Everything that a page of numbers reads; what one of them reads by another counts once, as the outer.
READS: tuple[tuple[ModuleType, str], ...] = (
    (metrics, "query"), (metrics, "trust"), (metrics, "values"), (changed, "cost"), (changed, "latency"), (changed, "movers"),
    (outlook, "look"), (savings, "saved"), (spread, "distribution"), (findings, "listing"), (findings, "top_spenders"),
    (incidents, "latest"), (verification, "last"), (verification, "differing"), (attention, "look"),
)  # fmt: skip
Question = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """One call of a page, to be made again."""

    ask: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Question

    def again(self) -> None:
        """Once more."""
        self.ask(*self.arguments, **self.named)


RAW = {
    "operations": "count(*)",
    "errors": "count(o.error_type)",
    "error_rate": "avg((o.error_type is not null)::integer)",
    "cached_share": "avg(o.cached::integer)",
    "cost": "sum(o.cost_nano)",
    "cost_per_operation": "sum(o.cost_nano) / nullif(count(o.cost_nano), 0)",
    "priced_share": "count(o.cost_nano)::float / count(*)",
    "unpriced": "count(*) - count(o.cost_nano)",
    "latency_avg": "avg(o.latency_us)",
    "ttft_avg": "avg(o.ttft_us)",
    "throughput": "count(*)",
    "users": "count(distinct o.user_key)",
    "sessions": "count(distinct o.session_key)",
}
RAW |= {name: f"sum(o.{name})" for name in MEASURES if name.endswith("_tokens") and name != "total_tokens"}
RAW |= {
    name: f"percentile_disc(0.{name[-2:]}) within group (order by o.{name.split('_')[0]}_us)" for name in MEASURES if name[-4:-2] == "_p"
}


def measure(size: int) -> Iterator[Figure]:
    """page_data_p95_ms, page_data_growth, page_data_vs_raw."""
    with Console.running() as few, Console.running() as many:
        with _connected(few):
            _fill(SMALL)
        with _connected(many):
            _fill(size)
            questions = _questions()
        small, large = _by_turns(questions, few, many)
        beside: dict[str, float | str] = {f"p95 at {SMALL:,}": small["all"], "operations": float(size)}
        yield Figure("page_data_p95_ms", large["all"], "ms", "≤", 50, beside | {page: large[page] for page in PAGES})
        growth: dict[str, float | str] = {page: large[page] / small[page] for page in PAGES}
        yield Figure("page_data_growth", large["all"] / small["all"], "×", "≤", 1.2, growth)
        asked = [read for page in PAGES for read in questions[page] if read.ask is metrics.query]
        with _connected(many):
            ours_ms, raw_ms = _side_by_side([{"measures": read.arguments[0]} | read.named for read in asked])
        yield Figure("page_data_vs_raw", raw_ms / ours_ms, "×", "≥", 100, {"ours_ms": ours_ms, "raw_sql_ms": raw_ms})


@contextmanager
def _connected(console: Console) -> Iterator[None]:
    """This process on the console's database."""
    with patch.dict(os.environ, console.environment):
        settings.cache_clear()
        yield
        forget()
        settings.cache_clear()


def _fill(count: int) -> None:
    """So many more over the whole ninety days, through the door; the console's own worker moves them."""
    for batch in records(0, count, count):
        while not _accepted(batch):
            time.sleep(1)
    wait_for(lambda: metrics.trust(pd.Timestamp.now().date(), pd.Timestamp.now().date()).complete, "the move of everything", 1_800)
    # What autovacuum does in its own time, done before the clock runs: a fill by the million is not what is measured.
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (analyze)"))


def _accepted(batch: list[dict[str, object]]) -> bool:
    """False while as much waits for the worker as may."""
    try:
        with transaction() as connection:
            inbox.accept(connection, "operations", batch, source="bench", door="import")
    except TooMuch:
        return False
    return True


def _questions() -> Mapping[str, list[Read]]:
    """What each page reads, recorded from the page itself as a signed-in person opens it."""
    with transaction() as connection:
        session = sign_ins.begin(connection, accounts.create(connection, "bench", "viewer"))
    asked: dict[str, list[Read]] = {page: [] for page in PAGES}
    for page in PAGES:
        app = AppTest.from_file(str(ROOT / "console" / "app.py"), default_timeout=60)
        app.user = {"session": session}
        app.run()
        with _noting(asked[page]):
            app.switch_page(str(Path("..") / "pages" / f"{page}.py")).run()
        assert asked[page], f"the page {page} asked nothing"
    return asked


@contextmanager
def _noting(into: list[Read]) -> Iterator[None]:
    """Each read of READS by whoever, kept with what it was asked."""
    inside: list[str] = []

    def noting(ask: Callable[..., Any]) -> Callable[..., Any]:
        def note(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on as they are
            if not inside:
                into.append(Read(ask, arguments, named))
            inside.append(ask.__name__)
            try:
                return ask(*arguments, **named)
            finally:
                inside.pop()

        return note

    with ExitStack() as patches:
        for module, name in READS:
            patches.enter_context(patch.object(module, name, noting(getattr(module, name))))
        yield


def _by_turns(questions: Mapping[str, list[Read]], *consoles: Console) -> list[dict[str, float]]:
    """p95 of the time that all reads of a page take on each console, nothing kept from before; "all" over all pages."""
    taken = [{page: list[float]() for page in PAGES} for _ in consoles]
    for _ in range(TURNS):
        for console, times in zip(consoles, taken, strict=True):
            with _connected(console):
                _round(questions)  # connects
                for _ in range(ROUNDS):
                    for page, ms in _round(questions).items():
                        times[page].append(ms)
    return [
        {page: percentile(times[page], 0.95) for page in PAGES} | {"all": percentile([ms for page in PAGES for ms in times[page]], 0.95)}
        for times in taken
    ]


def _round(questions: Mapping[str, list[Read]]) -> dict[str, float]:
    """Milliseconds that all reads of each page take once, nothing kept from before."""
    taken: dict[str, float] = {}
    for page in PAGES:
        KEPT.forget()
        began = time.perf_counter()
        with metrics.one_look():  # as console/app.py runs every page
            for read in questions[page]:
                read.again()
        taken[page] = (time.perf_counter() - began) * 1_000
    return taken


def _side_by_side(questions: Sequence[Question]) -> tuple[float, float]:
    """Milliseconds ours and raw SQL take for the questions that raw operations can answer; their counts and costs must agree."""
    ours = raw = 0.0
    for question in questions:
        if not all(name in RAW for name in question["measures"]):
            continue
        KEPT.forget()
        began = time.perf_counter()
        answer = metrics.query(**(question | {"compare": False}))
        ours += (time.perf_counter() - began) * 1_000
        with transaction() as connection:
            period, _ = resolve(question["start"], question["end"], question.get("interval"), zone_of(connection), pd.Timestamp.now("UTC"))
            statement, values = _raw(question, period.zone.key)
            began = time.perf_counter()
            rows = pd.DataFrame(connection.execute(text(statement), values | {"start": period.start, "end": period.end}).mappings().all())
            raw += (time.perf_counter() - began) * 1_000
        for name in {"operations", "errors"} & set(question["measures"]):
            assert int(answer.frame[name].sum()) == int(rows[name].sum()), f"{name} differs: {question}"
        if "cost" in question["measures"]:
            assert round(float(answer.frame["cost"].dropna().sum()) * 1e9) == int(rows["cost"].dropna().sum()), f"cost differs: {question}"
    return ours, raw


def _raw(question: Question, zone: str) -> tuple[str, dict[str, object]]:
    """The question as somebody would ask the operations themselves."""
    keys = ["(o.started_at at time zone :zone)::date as bucket"] if question.get("interval") else []
    keys += [f"o.{name}" if name == "error_type" else f"s.{name}" for name in question.get("by", ())]
    picked = ", ".join(keys + [f"{RAW[name]} as {name}" for name in question["measures"]])
    grouping = f" group by {', '.join(str(place + 1) for place in range(len(keys)))}" if keys else ""
    failed = " and o.error_type is not null" if "error_type" in question.get("by", ()) else ""
    where = f"o.started_at >= :start and o.started_at < :end{failed}"
    return f"select {picked} from operations o join series s on s.id = o.series_id where {where}{grouping}", {"zone": zone}
