"""Every process of a running console is killed in turn while telemetry arrives; each comes back and every total is exact."""

import csv
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from services.settings import ROOT
from tests.faults.report import scale
from tests.system import Console, wait_for

START = datetime(2026, 10, 1, tzinfo=UTC)
ROWS = scale(20_000, 60_000)
BATCH = 40
PROGRAMS = ("web", "telemetry", "dispatcher", "worker-rollups", "worker-default", "postgres", "valkey", "supervisord")
MAP = """
source: fault-import
noun: operations
format: csv
columns: {started_at: at, model: model, input_tokens: tokens_in, output_tokens: tokens_out, latency_ms: ms}
id: [key]
"""


class Sender(threading.Thread):
    """Posts batches until stopped; what is not acknowledged is sent again, as a sender does. Knows what was acknowledged."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__()
        self.url, self.key = url, key
        self.acknowledged = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            batch = [
                {"id": f"sent-{number}-{n}", "started_at": (START + timedelta(seconds=number * 7 + n)).isoformat(), "model": "gpt-5-mini",
                 "provider": "openai", "input_tokens": 10, "output_tokens": 1}
                for n in range(BATCH)
            ]  # fmt: skip
            if self._send_once(batch):
                self.acknowledged += BATCH
                number += 1
            time.sleep(0.05)

    def _send_once(self, batch: list[dict[str, object]]) -> bool:
        try:
            answer = httpx.post(
                f"{self.url}/api/operations", json={"operations": batch}, headers={"Authorization": f"Bearer {self.key}"}, timeout=10
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


@pytest.fixture(scope="module")
def victim() -> Iterator[Console]:
    """A console of its own: the others are not to suffer."""
    with Console.running() as running:
        yield running


def totals(console: Console, key: str, source: str) -> tuple[int, int]:
    """Operations and input tokens of a source, by the API; (-1, -1) while it does not answer."""
    query = {"measures": "operations,input_tokens", "source": source, "start": "2026-09-01", "end": "2027-01-01"}
    try:
        answer = httpx.get(f"{console.url}/api/metrics/query", params=query, headers={"Authorization": f"Bearer {key}"}, timeout=10)
    except httpx.HTTPError:
        return -1, -1
    if answer.status_code != 200:
        return -1, -1
    row = answer.json()["rows"][0]
    return int(row["operations"]), int(row["input_tokens"] or 0)


def write_csv(path: Path) -> int:
    """ROWS operations in a file; the sum of their input tokens."""
    total = 0
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "at", "model", "tokens_in", "tokens_out", "ms"])
        for n in range(ROWS):
            total += n % 97
            writer.writerow([f"k{n}", (START + timedelta(seconds=40 * n)).isoformat(), f"model-{n % 5}", n % 97, n % 13, 100 + n % 900])
    return total


def test_it_loses_and_doubles_nothing(victim: Console, tmp_path: Path) -> None:
    printed = victim.command("keys", "create", "--name", "sender", "--scope", "telemetry", "--scope", "metrics").stdout
    key = re.search(r"bnk_\S+", printed).group()  # type: ignore[union-attr]
    (tmp_path / "map.yaml").write_text(MAP)
    tokens = write_csv(tmp_path / "traffic.csv")
    sender = Sender(victim.api_url, key)
    sender.start()
    try:
        command = [
            sys.executable,
            "-m",
            "services",
            "import",
            str(tmp_path / "traffic.csv"),
            "--map",
            str(tmp_path / "map.yaml"),
            "--no-wait",
        ]
        imports: list[int] = []
        for program in PROGRAMS:
            importing = subprocess.Popen(command, cwd=ROOT, env=environment(victim), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(1.5)
            kill(victim, program)
            imports.append(importing.wait(120))
            wait_for(lambda: totals(victim, key, "sender")[0] >= 0, f"an answer after the end of {program}", 60)
    finally:
        sender.stopping.set()
        sender.join()
    subprocess.run(command, cwd=ROOT, env=environment(victim), check=True, capture_output=True)
    assert [process.name() for process in victim.left_over()].count("valkey-server") == 1, "a killed process manager left one behind"
    assert 0 in imports, "no import got through"
    assert sender.acknowledged > 0
    wait_for(lambda: totals(victim, key, "fault-import") == (ROWS, tokens), "the import, exact", 120)
    # A batch whose acknowledgement was lost was sent again under the same keys, so only whole batches beyond may exist.
    wait_for(lambda: totals(victim, key, "sender") == (sender.acknowledged, 10 * sender.acknowledged), "what was sent, exact", 60)
    verified = victim.command("verify", "2026-09-30", "2026-12-31")
    assert '"differences": 0' in verified.stdout


def environment(console: Console) -> dict[str, str]:
    return dict(os.environ) | console.environment


def kill(console: Console, program: str) -> None:
    """SIGKILL it, and wait until its successor lives."""
    wait_for(lambda: program in console.programs(), f"{program} is there", 60)
    victim: psutil.Process = console.programs()[program]
    victim.kill()
    wait_for(lambda: (new := console.programs().get(program)) is not None and new.pid != victim.pid, f"the return of {program}", 60)
