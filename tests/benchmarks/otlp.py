"""How many spans a second are accepted, moved and rolled up on a running console, how soon they show, and what that weighs."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from services.settings import ROOT
from tests.benchmarks.figure import Figure, percentile
from tests.system import Console

SENDERS = 2
MOST_SPANS = 500_000
LOOK_S = 0.1
RATE = 10_000  # spans a second: at the rate that is promised they are to show as soon as is promised
Ack = tuple[float, int]  # epoch seconds, spans


def measure(size: int) -> Iterator[Figure]:
    """otlp_spans_per_s, freshness_p99_s."""
    spans = min(size, MOST_SPANS) // (SENDERS * 200) * SENDERS * 200
    with Console.running() as console:
        key = console.command("keys", "create", "--name", "bench", "--scope", "telemetry").stdout.strip()
        _send(console, key, 4_000, 90, 0)  # what starts late (the first move, the first partitions) has started
        before = _visible(console)
        weights: dict[str, list[float]] = {}
        began, acked, seen = _send(console, key, spans, 1, 0, weights)
        ages = _ages(acked, [(at, count - before) for at, count in seen])
        beside: dict[str, float | str] = {
            "spans": float(spans),
            "lost": 0.0,
            "accepted_per_s": spans / (acked[-1][0] - began),
            "shown after s, p99": percentile(ages, 0.99),
        }
        yield Figure("otlp_spans_per_s", spans / (seen[-1][0] - began), "/s", "≥", RATE, beside)
        steady_from = _visible(console)
        began, acked, seen = _send(console, key, spans, 11, RATE // SENDERS, weights)
        ages = _ages(acked, [(at, count - steady_from) for at, count in seen])
        at_rate: dict[str, float | str] = {"p50": percentile(ages, 0.5), "accepted_per_s": spans / (acked[-1][0] - began)}
        yield Figure("freshness_p99_s", percentile(ages, 0.99), "s", "≤", 5, at_rate)
        stored = int(console.psql("select count(*) from operations"))
        lost = before + 2 * spans - stored
        assert (lost, _visible(console)) == (0, before + 2 * spans), f"{lost} spans were lost or counted twice"
        largest = {name: max(values) for name, values in weights.items()}
        grown: dict[str, float | str] = {name: f"{values[0]:.0f} → {values[-1]:.0f}" for name, values in weights.items()}
        yield Figure("otlp_memory_mib", sum(largest.values()), "MiB", "≤", 1_228, grown)


def _send(
    console: Console, key: str, spans: int, seed: int, rate: int, weights: dict[str, list[float]] | None = None
) -> tuple[float, list[Ack], list[Ack]]:
    """When it began, the acknowledgements, and how many operations were visible when, until all were; `rate` spans a second a sender."""
    command = [sys.executable, "-m", "tests.benchmarks.sender", console.api_url, key, str(spans // SENDERS)]
    senders = [
        subprocess.Popen([*command, str(seed + n), str(rate)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(SENDERS)
    ]
    for sender in senders:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
    began, already = time.time(), _visible(console)
    acked: list[Ack] = []
    readers = [threading.Thread(target=_read, args=(sender, acked)) for sender in senders]
    for reader in readers:
        reader.start()
    seen: list[Ack] = []
    while not seen or seen[-1][1] < already + spans:
        assert time.time() - began < 600, "the spans did not become visible"
        seen.append((time.time(), _visible(console)))
        if weights is not None and len(seen) % 20 == 1:
            for name, process in console.programs().items():
                weights.setdefault(name, []).append(process.memory_info().rss / 2**20)
        time.sleep(LOOK_S)
    for reader in readers:
        reader.join()
    return began, sorted(acked), seen


def _read(sender: "subprocess.Popen[str]", acked: list[Ack]) -> None:
    assert sender.stdin is not None
    assert sender.stdout is not None
    sender.stdin.write("go\n")
    sender.stdin.flush()
    for line in sender.stdout:
        at, spans = line.split()
        acked.append((float(at), int(spans)))
    assert sender.wait() == 0


def _visible(console: Console) -> int:
    """What a page would count."""
    return int(console.psql("select coalesce(sum(n), 0)::bigint from rollup_day"))


def _ages(acked: Sequence[Ack], seen: Sequence[Ack]) -> list[float]:
    """Seconds from each acknowledgement until that many were visible."""
    ages, total, look = [], 0, 0
    for at, spans in acked:
        total += spans
        while seen[look][1] < total:
            look += 1
        ages.append(max(0.0, seen[look][0] - at))
    return ages
