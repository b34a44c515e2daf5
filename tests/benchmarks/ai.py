"""How many answers a second twenty workers get from a provider that takes a second, what they weigh, and what the gateway itself costs."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from tests.faults.plant import Crew, Plant, await_beats
from tests.models import Act, ModelServer
from tests.system import wait_for

WORKERS, JOBS = 20, 300
AT_ONCE = 2  # workers that start together: each loads for seconds
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
    try:
        plant.start_postgres()
        plant.start_redis()
        with tempfile.TemporaryDirectory() as folder, ModelServer() as server, _settled(plant, Path(folder), server.url):
            yield server
    finally:
        forget()
        plant.close()


@contextmanager
def _settled(plant: Plant, folder: Path, provider_url: str) -> Iterator[None]:
    """This process, and whatever it starts, on that stage."""
    (folder / "benchmark.txt").write_text(PROMPT)
    environment = {
        "DATABASE_URL": plant.database_url, "REDIS_URL": plant.redis_url, "GEMINI_API_KEY": "a-key", "GEMINI_ENDPOINT": provider_url,
        "PROMPTS": str(folder),
    }  # fmt: skip
    with patch.dict(os.environ, environment), patch.object(templates, "FOLDER", folder), patch.object(plants, "COMMAND", COMMAND):
        forget()
        settings.cache_clear()
        upgrade()
        with transaction() as connection:
            rule = {"models": ["gemini/gemini-2.5-flash-lite"], "cache_s": 0}  # one without a limit in models.toml
            models.change(connection, "primary", rule, "benchmark")
            for period, _cap in budgets.DEFAULTS:
                budgets.set_budget(connection, scope="all", period=period, cap_nano=10**14, actor="benchmark")
        yield
    settings.cache_clear()


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
    crew = Crew(1, AT_ONCE)
    try:
        for _ in range(WORKERS // AT_ONCE - 1):
            await_beats([crew.hire("default") for _ in range(AT_ONCE)])
        _do(WORKERS)
        before_s = _cpu_s(crew)
        took_s = _do(JOBS)
        cpu_ms = (_cpu_s(crew) - before_s) * 1_000 / JOBS
        _order(WORKERS * 2)
        wait_for(lambda: scalar("select count(*) from jobs where state = 'running'") >= WORKERS // 2, "all hands at work")
        weight = _weight(crew)
        _await_end()
    finally:
        crew.dismiss()
    answered = scalar("select count(*) from jobs where kind = 'benchmark.ask' and result ->> 'outcome' = 'answered'")
    with transaction() as connection:
        differences = len(periods.differences(connection))
    beside: dict[str, float | str] = {
        "workers": float(WORKERS), "provider s": PROVIDER_S, "at most": WORKERS / PROVIDER_S,
        "unanswered": float(JOBS + 3 * WORKERS - answered), "budget differences": float(differences), "CPU ms a job": cpu_ms, **weight,
    }  # fmt: skip
    return Figure("ai_concurrent_per_s", JOBS / took_s, "/s", "≥", 15, beside)


def _do(jobs: int) -> float:
    began = time.perf_counter()
    _order(jobs)
    _await_end()
    return time.perf_counter() - began


def _order(jobs: int) -> None:
    first = int(scalar("select coalesce(max(id), 0) from jobs"))
    with transaction() as connection:
        for number in range(jobs):
            enqueue(connection, "benchmark.ask", {"number": first + number + 1_000_000}, queue="default")


def _await_end() -> None:
    unfinished = "select count(*) from jobs where kind = 'benchmark.ask' and state not in ('done', 'dead')"
    wait_for(lambda: scalar(unfinished) == 0, "the end of all jobs", 300)


def _cpu_s(crew: Crew) -> float:
    """What workers and their jobs took of the processor: it hardly depends on who else uses the machine."""
    return sum(sum(psutil.Process(worker.pid).cpu_times()[:4]) for worker in crew.of("default"))


def _weight(crew: Crew) -> dict[str, float | str]:
    """Memory of all workers and the jobs they run, what they share counted once (PSS)."""
    mib: list[float] = []
    for worker in crew.of("default"):
        for process in (psutil.Process(worker.pid), *psutil.Process(worker.pid).children()):
            with suppress(psutil.Error):  # a job that ends meanwhile weighs nothing
                mib.append(process.memory_full_info().pss / 2**20)
    return {"MiB of all workers": sum(mib), "MiB a worker": sum(mib) / WORKERS, "processes": float(len(mib))}
