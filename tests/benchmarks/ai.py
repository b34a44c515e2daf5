"""How many answers a second twenty workers get from a provider that takes a second, what they weigh, and what the gateway itself costs."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import psutil

from services.ai import budgets, models, periods, templates
from services.ai.gateway import generate
from services.ai.providers import gemini
from services.ai.providers.spoken import Prompt, Turn
from services.db import forget, transaction
from services.db.migrate import upgrade
from services.jobs import enqueue
from services.settings import settings
from tests.benchmarks.figure import Figure, percentile
from tests.faults import plant as plants
from tests.faults.oracle import scalar
from tests.faults.plant import Crew, Plant
from tests.models import Act, ModelServer
from tests.system import wait_for

WORKERS, JOBS = 20, 300
PROVIDER_S = 1.0
CALLS = 200
PROMPT = "version: 1\n--- system\nYou word facts.\n--- user\nWord this: {{ number }}\n"
COMMAND = (sys.executable, "-m", "tests.benchmarks.ai_entry")


def measure(_size: int) -> Iterator[Figure]:
    """ai_gateway_ms, ai_concurrent_per_s."""
    with _stage() as server:
        yield _own_cost()
        server.always = Act(delay_s=PROVIDER_S)
        yield _together()


@contextmanager
def _stage() -> Iterator[ModelServer]:
    """Stores of their own, a provider, and a prompt; limits and budgets that hold nothing back."""
    plant = Plant()
    plant.start_postgres()
    plant.start_redis()
    with tempfile.TemporaryDirectory() as folder, ModelServer() as server:
        Path(folder, "benchmark.txt").write_text(PROMPT)
        environment = {
            "DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url, "GEMINI_API_KEY": "a-key", "GEMINI_ENDPOINT": server.url,
            "PROMPTS": folder,
        }  # fmt: skip
        with patch.dict(os.environ, environment), patch.object(templates, "FOLDER", Path(folder)), patch.object(plants, "COMMAND", COMMAND):
            forget()
            settings.cache_clear()
            upgrade()
            with transaction() as connection:
                rule = {"models": ["gemini/gemini-2.5-flash-lite"], "cache_s": 0}  # one without a limit in models.toml
                models.change(connection, "primary", rule, "benchmark")
                for period, _cap in budgets.DEFAULTS:
                    budgets.set_budget(connection, scope="all", period=period, cap_nano=10**14, actor="benchmark")
            yield server
            forget()
    settings.cache_clear()
    plant.close()


def _own_cost() -> Figure:
    """The same question to a provider that takes no time, through the gateway and straight."""
    from tests.benchmarks.ai_jobs import question  # it loads Gemini's library, with the key of this stage

    straight_prompt = Prompt("You word facts.", (Turn("user", "Word this: 1"),), None, 0.0, 2_048)
    through, straight = [], []
    for number in range(CALLS):
        through.append(_ms(lambda number=number: generate(question(number))))  # type: ignore[misc]
        straight.append(_ms(lambda: list(gemini.ask("gemini-2.5-flash-lite", straight_prompt, stream=True, timeout_s=5))))
    with transaction() as connection:
        models.change(connection, "primary", {"models": ["gemini/gemini-2.5-flash-lite"], "cache_s": 60}, "benchmark")
    generate(question(0))
    again = [_ms(lambda: generate(question(0))) for _ in range(CALLS)]
    with transaction() as connection:
        models.change(connection, "primary", {"models": ["gemini/gemini-2.5-flash-lite"], "cache_s": 0}, "benchmark")
    beside: dict[str, float | str] = {
        "p50 through": percentile(through, 0.5), "p50 straight": percentile(straight, 0.5), "p95 through": percentile(through, 0.95),
        "p50 from the cache": percentile(again, 0.5),
    }  # fmt: skip
    return Figure("ai_gateway_ms", percentile(through, 0.5) - percentile(straight, 0.5), "ms", "≤", 25, beside)


def _ms(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1_000


def _together() -> Figure:
    """Jobs from the commit of all of them to the end of the last, by workers that are up and warm."""
    crew = Crew(1, WORKERS)
    try:
        _do(WORKERS)
        took_s = _do(JOBS)
        weight = _weight()
    finally:
        crew.dismiss()
    answered = scalar("select count(*) from jobs where kind = 'benchmark.ask' and result ->> 'outcome' = 'answered'")
    with transaction() as connection:
        differences = len(periods.differences(connection))
    beside: dict[str, float | str] = {
        "workers": float(WORKERS), "provider s": PROVIDER_S, "at most": WORKERS / PROVIDER_S,
        "unanswered": float(JOBS + WORKERS - answered), "budget differences": float(differences), **weight,
    }  # fmt: skip
    return Figure("ai_concurrent_per_s", JOBS / took_s, "/s", "≥", 15, beside)


def _do(jobs: int) -> float:
    began = time.perf_counter()
    first = int(scalar("select coalesce(max(id), 0) from jobs"))
    with transaction() as connection:
        for number in range(jobs):
            enqueue(connection, "benchmark.ask", {"number": first + number + 1_000_000}, queue="default")
    unfinished = "select count(*) from jobs where kind = 'benchmark.ask' and state not in ('done', 'dead')"
    wait_for(lambda: scalar(unfinished) == 0, "the end of all jobs", 300)
    return time.perf_counter() - began


def _weight() -> dict[str, float | str]:
    """Memory of all workers, what they share counted once (PSS)."""
    pss = [
        process.memory_full_info().pss / 2**20
        for process in psutil.Process().children(recursive=True)
        if "work" in process.cmdline() and "tests.benchmarks.ai_entry" in process.cmdline()
    ]
    return {"MiB of all workers": sum(pss), "MiB of one": sum(pss) / max(1, len(pss)), "processes": float(len(pss))}
