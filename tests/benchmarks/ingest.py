"""How fast files become rollups on a running console, and how fast its health answers."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from services.settings import ROOT
from tests.benchmarks.figure import Figure, percentile
from tests.benchmarks.volume import records
from tests.system import Console

MOST_ROWS = 300_000
FIELDS = ("started_at", "module", "provider", "model", "input_tokens", "output_tokens", "latency_ms", "user_id", "session_id", "error_type")
MAP = f"""
source: bench
noun: operations
format: csv
id: [id]
columns: {{{", ".join(f"{name}: {name}" for name in FIELDS)}}}
"""


def measure(size: int) -> Iterator[Figure]:
    """import_ops_per_s, health_p99_ms."""
    rows = min(size, MOST_ROWS)
    with tempfile.TemporaryDirectory() as folder, Console.running() as console:
        file, plan = Path(folder) / "operations.csv", Path(folder) / "map.yaml"
        _write(file, rows)
        plan.write_text(MAP)
        took_s = _import(console, file, plan)
        again_s = _import(console, file, plan)
        beside: dict[str, float | str] = {"rows": float(rows), "seconds": took_s, "the same file again, seconds": again_s}
        yield Figure("import_ops_per_s", rows / took_s, "/s", "≥", 20_000, beside)
        yield Figure("health_p99_ms", _health(console), "ms", "≤", 10, {"requests": "500, one after another"})


def _write(file: Path, rows: int) -> None:
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, ("id", *FIELDS), extrasaction="ignore")
        writer.writeheader()
        for batch in records(0, rows, rows):
            writer.writerows(batch)


def _import(console: Console, file: Path, plan: Path, *more: str) -> float:
    """Seconds that the importer takes as its user runs it, start of the process included."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "services", "import", str(file), "--map", str(plan), *more]
    subprocess.run(command, cwd=ROOT, env=dict(os.environ) | console.environment, check=True, capture_output=True)
    return time.perf_counter() - began


def _health(console: Console) -> float:
    taken = []
    with httpx.Client() as client:
        for _ in range(500):
            began = time.perf_counter()
            client.get(f"{console.url}/api/ai/health/").raise_for_status()
            taken.append((time.perf_counter() - began) * 1_000)
    return percentile(taken, 0.99)
