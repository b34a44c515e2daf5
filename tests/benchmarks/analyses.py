"""All seven analyses of hundreds of real records, by workers in the background, worded by a provider of which some calls go wrong."""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from sqlalchemy import text

from services import metrics
from services.ai import budgets, models, periods
from services.analyses import catalogue, results
from services.clock import utc_now
from services.db import forget, transaction
from services.db.migrate import upgrade
from services.records import Kind
from services.settings import settings
from tests.benchmarks.figure import Figure, percentile
from tests.faults import plant as plants
from tests.faults.oracle import scalar
from tests.faults.plant import Crew, Plant
from tests.models import Act, ModelServer
from tests.services.records.conftest import SHARED_DATA, bring
from tests.system import wait_for
from tests.traffic import move_all

RECORDS: dict[Kind, int] = {"communities": 500, "projects": 100}
WORKERS = 2
YEARS = (2014, 2015, 2016, 2017, 2019, 2020, 2021)
FILES = (("psgc/psgc_2025-08-07.csv", "psgc"), *((f"uk-gmpp/df_{year}.csv", f"uk-gmpp-{year}") for year in YEARS))
WORDS = '{"summary": "What was computed stands below, and nothing here goes beyond it.", "points": []}'
COUNTS = {"promptTokenCount": 2_400, "candidatesTokenCount": 300, "totalTokenCount": 2_700}
WELL = Act(WORDS, counts=COUNTS)
ILL = (
    Act(status=500),
    Act(WORDS, cut=1),
    Act('{"summary": ', counts=COUNTS),
    Act('{"summary": "Some 987,654 agree.", "points": []}', counts=COUNTS),
)
ILL_EVERY = 25
ENDED = "('done', 'dead', 'cancelled')"


def measure(_size: int) -> Iterator[Figure]:
    """analyses_lost, analyses_per_s and one analysis_…_ms for each kind."""
    with _stage():
        for name, plan in FILES:
            bring((SHARED_DATA / name).read_bytes(), plan, name)
        ordered = _order()
        crew = Crew(1, WORKERS)
        try:
            began = time.perf_counter()
            wait_for(lambda: scalar(f"select count(*) from jobs where state in {ENDED}") >= ordered, "the end of all analyses", 3_000)
            took_s = time.perf_counter() - began
        finally:
            crew.dismiss()
        move_all()
        yield _lost(ordered)
        yield Figure("analyses_per_s", ordered / took_s, "/s", "≥", 1, {"jobs": float(ordered), "workers": float(WORKERS)})
        yield from (_one(kind) for kind in catalogue.ANALYSES)


@contextmanager
def _stage() -> Iterator[None]:
    """Stores of their own, and a provider whose calls go wrong now and then; no limit and no budget holds anything back."""
    plant = Plant()
    try:
        plant.start_postgres()
        plant.start_redis()
        with ModelServer() as server:
            server.always = WELL
            server.acts.extend(ILL[number // ILL_EVERY % len(ILL)] if number % ILL_EVERY == 0 else WELL for number in range(1, 20_000))
            environment = {"DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url, "GEMINI_API_KEY": "a-key"}
            command = (sys.executable, "-m", "workers")
            with patch.dict(os.environ, environment | {"GEMINI_ENDPOINT": server.url}), patch.object(plants, "COMMAND", command):
                forget()
                settings.cache_clear()
                upgrade()
                with transaction() as connection:
                    models.change(connection, "analysis", {"models": ["gemini/gemini-2.5-flash-lite"]}, "benchmark")
                    for period, _cap in budgets.DEFAULTS:
                        budgets.set_budget(connection, scope="all", period=period, cap_nano=10**14, actor="benchmark")
                yield
            settings.cache_clear()
    finally:
        forget()
        plant.close()


def _order() -> int:
    """Every analysis in its every variant of so many records from all over the tables; the number of jobs."""
    ordered = 0
    for analysis in catalogue.ANALYSES.values():
        with transaction() as connection:
            chosen = connection.execute(
                text(
                    "select id from (select id, row_number() over (order by id) as n, count(*) over () as all_of"
                    f" from {analysis.noun}) as told where (n - 1) % greatest(all_of / :most, 1) = 0 order by id limit :most"
                ),
                {"most": RECORDS[analysis.noun]},
            ).scalars()
            for record_id in chosen.all():
                for variant in analysis.variants:
                    ordered += results.start(connection, analysis.kind, record_id, variant, "benchmark") is not None
    return ordered


def _lost(ordered: int) -> Figure:
    """Orders without a result, beside what the calls came to: the same in ledger, budget and metrics."""
    with transaction() as connection:
        kept = connection.execute(text("select count(distinct (kind, record_id, variant)) from analyses")).scalar_one()
        sources = connection.execute(text("select source, count(*) from analyses group by 1 order by 1")).all()
        ledger = connection.execute(text("select module, sum(cost_nano), count(*) from ai_ledger group by 1")).all()
        differences = len(periods.differences(connection))
    now = utc_now()
    told = metrics.query(["cost", "operations"], by=["module"], start=now - timedelta(days=1), end=now + timedelta(minutes=1)).frame
    costs = {row.module: Decimal(row.cost) for row in told.itertuples()}
    apart = sum(abs(costs.get(module, Decimal(0)) - Decimal(nano or 0).scaleb(-9)) for module, nano, _ in ledger)
    beside: dict[str, float | str] = {f"worded by {source}": float(count) for source, count in sources}
    beside |= {f"USD of {module}": f"{cost:.4f}" for module, cost in sorted(costs.items())}
    beside |= {
        "calls": float(sum(count for *_, count in ledger)),
        "USD apart from the ledger": f"{apart}",
        "budget differences": float(differences),
    }
    return Figure("analyses_lost", float(ordered - kept), "results", "≤", 0, beside)


def _one(kind: str) -> Figure:
    """How long a job of that kind runs, beside how its jobs ended and what its words cost."""
    with transaction() as connection:
        times_ms = [
            float(told)
            for told in connection.execute(
                text(
                    "select extract(epoch from a.ended_at - a.started_at) * 1000 from job_attempts a join jobs j on j.id = a.job_id"
                    " where j.kind = :kind and a.outcome = 'done'"
                ),
                {"kind": kind},
            ).scalars()
        ]
        states = connection.execute(text("select state, count(*) from jobs where kind = :kind group by 1"), {"kind": kind}).all()
        costs = connection.execute(text("select cost_nano from analyses where kind = :kind"), {"kind": kind}).scalars().all()
    beside: dict[str, float | str] = {str(state): float(count) for state, count in states}
    beside |= {"p50 ms": percentile(times_ms, 0.5), "USD a job": f"{statistics.mean(nano or 0 for nano in costs) / 1e9:.6f}"}
    return Figure(f"analysis_{kind}_p95_ms", percentile(times_ms, 0.95), "ms", "≤", 5_000, beside)
