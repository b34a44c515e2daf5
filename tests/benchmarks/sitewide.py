"""Factoids and summaries: reads by a crowd, a week beside generating at every read, and ten times the data. No model is asked for real."""

import json
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast
from unittest.mock import patch
from zoneinfo import ZoneInfo

import psutil
from sqlalchemy import text

from services import jobs
from services.ai import gateway
from services.db import engine, forget, transaction
from services.settings import settings
from services.sitewide import generation, load, maps, reading, summaries, wording
from services.sitewide.candidates import candidates
from services.sitewide.choice import choose
from services.sitewide.generation import Asked
from services.sitewide.serving import FRESH, Reader
from services.sitewide.timetable import slots_between
from services.telemetry.importers.texts import open_file
from tests.benchmarks.figure import Figure, percentile
from tests.models import Act, Json, ModelServer
from tests.services.sitewide.files import BORROWING, REGISTER, REVENUE
from tests.system import Console

START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
UTC = ZoneInfo("UTC")
READERS, ROUNDS = 200, 20
READS_A_MINUTE, WEEK = 4, timedelta(days=7)
COUNCILS, FIELDS, YEARS = 10_000, 100, 10
MANY = """
insert into councils (code, name, type, nation, region)
select 'C' || lpad(n::text, 5, '0'), 'Council ' || n, 'Type ' || n % 6,
       (array['England', 'Scotland', 'Wales', 'Northern Ireland'])[1 + n % 4],
       'Region ' || n % 12 from generate_series(1, {councils}) n;
insert into council_fields (slug, source, name, unit)
select 'field-' || n, 'generated', 'Field ' || n, 'GBP' from generate_series(1, {fields}) n;
insert into council_years (source, year, council_id) select 'generated', y, c.id from generate_series(2010, 2009 + {years}) y, councils c;
insert into council_figures (field_id, year, council_id, value)
select f.id, y, c.id, round((exp(8 + 3 * random()) * (1 + f.id % 7))::numeric, 2)
from council_fields f, generate_series(2010, 2009 + {years}) y, councils c;
insert into summary_pending (field_id, year, what, n, actor)
select f.id, y, 'new field', {councils}, 'bench' from council_fields f, generate_series(2010, 2009 + {years}) y;
"""


class Wording(ModelServer):
    """Repeats the drafts it is asked to word."""

    def begin(self, path: str, model: str, asked: Json) -> Act:
        prompt = asked["contents"][0]["parts"][0]["text"]
        items = [json.loads(line) for line in prompt.partition("</items>")[0].splitlines() if line.startswith("{")]
        self.always = Act(text=json.dumps({"sentences": [{"item": one["item"], "sentence": one["draft"]} for one in items]}))
        return super().begin(path, model, asked)


def measure(size: int) -> Iterator[Figure]:
    """factoid_read_p99_ms, factoid_calls_saved, summaries of the real files and of ten times the data. `size` changes nothing here."""
    with Console.running() as console, Wording() as model, _connected(console, model):
        _pause()
        yield from _real(model)
        yield from _crowd()
        yield _week(model)
        yield from _tenfold(console)


@contextmanager
def _connected(console: Console, model: ModelServer) -> Iterator[None]:
    """This process on the console's database, with a model that costs nothing."""
    told = {"GEMINI_API_KEY": "bench", "GEMINI_ENDPOINT": model.url}
    with patch.dict(os.environ, console.environment | told):
        settings.cache_clear()
        yield
        forget()
        settings.cache_clear()


def _pause() -> None:
    """The console's own slots stand still: simulated ones are measured."""
    with transaction() as connection:
        connection.execute(text("update schedules set paused_at = now(), paused_by = 'bench'"))


def _real(model: ModelServer) -> Iterator[Figure]:
    for path, plan in ((REVENUE, "revenue-outturn"), (BORROWING, "borrowing-investments"), (REGISTER, "uk-la-codes")):
        with open_file(path) as file:
            load.import_file(maps.load(plan), plan, path.name, path.stat().st_size, file, lambda _rows, _bytes: None, "bench")
    began = time.perf_counter()
    built = summaries.build("bench")
    taken_s = time.perf_counter() - began
    yield Figure("summaries_real_s", taken_s, "s", "≤", 60, {"summaries": float(built.changed), "figures": _scalar("council_figures")})
    _slot(START)
    assert len(model.calls) == 1, "the first slot asks once"


def _crowd() -> Iterator[Figure]:
    """All at once, again and again, at the instant the edition expires; then with Redis out of reach."""
    now = [START]
    for name, redis in (("factoid_read_p99_ms", None), ("factoid_read_p99_no_redis", "redis://127.0.0.1:1")):
        with patch.dict(os.environ, {} if redis is None else {"REDIS_URL": redis}):
            settings.cache_clear()
            reader = Reader(now=lambda _connection: now[0])
            now[0] = START + FRESH + timedelta(seconds=1)
            reader.read()
            taken_ms = [ms for _ in range(ROUNDS) for ms in _at_once(reader)]
            with transaction() as connection:
                waiting = connection.execute(text("select count(*) from jobs where kind = 'sitewide.revalidate'")).scalar_one()
            beside: dict[str, float | str] = {"readers": float(READERS), "jobs": float(waiting), "p50": percentile(taken_ms, 0.5)}
            yield Figure(name, percentile(taken_ms, 0.99), "ms", "≤", 10, beside)


def _at_once(reader: Reader) -> list[float]:
    barrier, taken_ms = threading.Barrier(READERS), []

    def read() -> None:
        barrier.wait()
        began = time.perf_counter()
        served = reader.read()
        taken_ms.append((time.perf_counter() - began) * 1_000)
        assert served.factoids, "something is served"

    crowd = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return taken_ms


def _week(model: ModelServer) -> Figure:
    """Four reads a minute; figures change before two slots of each day, which is more than any of these sources publishes."""
    with transaction() as connection:
        connection.execute(text("truncate factoid_runs, factoid_reads, ai_cache"))
    before, clock, reads = len(model.calls), [START], 0
    reader = Reader(now=lambda _connection: clock[0], ticks=lambda: clock[0].timestamp())  # noqa: PLW0108 - the clock is another one each time
    reader._load()
    slots = slots_between(START, START + WEEK, UTC)
    for number, instant in enumerate([*slots, START + WEEK]):
        while clock[0] < instant:
            assert reader.read().factoids, "something is served"
            clock[0] += timedelta(minutes=1) / READS_A_MINUTE
            reads += 1
        if instant not in slots:
            break
        if number % 2 == 0:
            _change()
        _slot(instant)
    calls = len(model.calls) - before
    beside: dict[str, float | str] = {"reads": float(reads), "calls": float(calls), "slots": float(len(slots))}
    return Figure("factoid_calls_saved", 100 * (1 - calls / reads), "%", "≥", 95, beside)


def _change() -> None:
    """The highest figure of the first factoid's field and year goes up."""
    with transaction() as connection:
        connection.execute(
            text(
                "with told as (select f.id, (e.factoids->0->>'year')::integer as year from factoid_editions e join council_fields f"
                " on f.slug = e.factoids->0->>'slug' order by e.id desc limit 1), raised as ("
                " update council_figures g set value = g.value * 1.01 from told where g.field_id = told.id and g.year = told.year"
                " returning g.field_id, g.year) insert into summary_pending (field_id, year, what, n, actor)"
                " select distinct field_id, year, 'value update', 1, 'bench' from raised"
            )
        )


def _slot(now: datetime) -> None:
    summaries.build("bench")
    with transaction() as connection:
        job_id = jobs.enqueue(connection, "sitewide.factoids", queue="simulated")
    asked = Asked(cast(int, job_id), "sitewide.factoids", "bench", lambda _connection, _run: None, now)
    generation.generate(asked, gateway.generate)


def _tenfold(console: Console) -> Iterator[Figure]:
    real = _prompt_characters()
    with transaction() as connection:
        connection.execute(
            text("truncate summaries, summary_changes, summary_pending, council_figures, council_years, council_fields cascade")
        )
        connection.execute(text("truncate councils cascade"))
        connection.execute(text(MANY.format(councils=COUNCILS, fields=FIELDS, years=YEARS)))
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum (analyze) council_figures"))
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    most = _Watch(console)
    began = time.perf_counter()
    built = summaries.build("bench")
    taken_s = time.perf_counter() - began
    most.stop()
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    beside: dict[str, float | str] = {
        "summaries": float(built.changed), "figures": _scalar("council_figures"), "postgres_backend_mb": most.mb,
        "worker_growth_mb": after_mb - before_mb,
    }  # fmt: skip
    yield Figure("summaries_10m_s", taken_s, "s", "≤", 600, beside)
    with transaction() as connection:
        field = connection.execute(text("select min(id) from council_fields")).scalar_one()
        marking = "insert into summary_pending (field_id, year, what, n, actor) values (:field, 2015, 'value update', 1, 'bench')"
        first = "(field_id, year, council_id) = (:field, 2015, (select min(id) from councils))"
        connection.execute(text(f"update council_figures set value = value + 1 where {first}"), {"field": field})
        connection.execute(text(marking), {"field": field})
    began = time.perf_counter()
    one = summaries.build("bench")
    yield Figure("summaries_one_ms", (time.perf_counter() - began) * 1_000, "ms", "≤", 5_000, {"changed": float(one.changed)})
    large = _prompt_characters()
    yield Figure("prompt_growth", large / real, "×", "≤", 1.2, {"characters": float(large), "at the real size": float(real)})


def _prompt_characters() -> int:
    with transaction() as connection:
        return wording.prompt_characters(choose(candidates(reading.everything(connection)), None))


def _scalar(table: str) -> float:
    with transaction() as connection:
        return float(connection.execute(text(f"select count(*) from {table}")).scalar_one())


class _Watch:
    """The most memory of its own that one of Postgres' backends held meanwhile."""

    def __init__(self, console: Console) -> None:
        self.mb = 0.0
        self._pid = int((Path(console.folder) / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for backend in psutil.Process(self._pid).children():
                try:
                    self.mb = max(self.mb, backend.memory_full_info().uss / 2**20)
                except psutil.Error:
                    continue  # it ended meanwhile
