"""`make fuzz`: damaged and invented requests to POST /v1/traces for FUZZ_S seconds; nothing may crash, answer 500 or grow.

Half of the bodies are captured and hand-made requests with bytes changed, cut, doubled or spliced; a quarter are valid messages with values
nobody sends; a quarter are noise. The seed is printed, so that a finding can be had again.
"""

import gzip
import json
import os
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable

import httpx
import psutil

from tests.benchmarks.sender import batch
from tests.console.test_traces import as_otlp_json
from tests.spans import SHARED, call, pair, request_of
from tests.system import Console

PROTOBUF, JSON = "application/x-protobuf", "application/json"
EXPECTED = {200, 400, 413, 429, 503}
GROWTH_MIB = 64
STRANGE: tuple[object, ...] = (
    "", "\x00", "\ud7ff" * 300, "x" * 100_000, -1, 0, 2**62, -(2**63), float("nan"), float("inf"), -0.0, 1e308, True, [], ["stop"] * 200,
    "9" * 19, "1e5", "{", '{"id": {"id": []}}', "[" * 2_000,
)  # fmt: skip
NAMES = (
    "gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.total_tokens", "gen_ai.response.id", "gen_ai.response.finish_reasons", "gen_ai.request.model", "output.value",
    "openinference.span.kind", "ai.operationId", "ai.response.msToFirstChunk", "gen_ai.response.time_to_first_chunk", "service.name",
    "user.id", "error.type", "llm.invocation_parameters", "openai.response.service_tier",
)  # fmt: skip


def damaged(chance: random.Random, seeds: list[bytes]) -> bytes:
    """A request with something wrong in its bytes."""
    body = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 12)):
        at, other = chance.randrange(len(body) + 1), chance.choice(seeds)
        match chance.randrange(5):
            case 0:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del body[at : at + chance.randint(1, 40)]
            case 2:
                body[at:at] = body[at : at + chance.randint(1, 200)]
            case 3:
                body[at:at] = other[: chance.randint(1, 400)]
            case _:
                body[at:at] = chance.choice([b"\xff" * 10, b"\x00" * 9, b"\x0a\xff\xff\xff\xff\x0f", b'{"spans":['])
    return bytes(body)


def invented(chance: random.Random) -> bytes:
    """A valid message of values that nobody sends."""
    spans = [call(chance.randrange(2**40)) for _ in range(chance.randint(1, 5))]
    for span in spans:
        span.attributes.extend(pair(chance.choice(NAMES), chance.choice(STRANGE)) for _ in range(chance.randint(1, 8)))
        span.start_time_unix_nano = chance.choice([0, 1, 2**63, 2**64 - 1, span.start_time_unix_nano])
        span.end_time_unix_nano = chance.choice([0, 1, 2**64 - 1, span.end_time_unix_nano])
        span.trace_id = chance.choice([b"", bytes(16), chance.randbytes(16), chance.randbytes(5)])
    return bytes(request_of(*spans, scope=str(chance.choice(STRANGE))).SerializeToString())


def noise(chance: random.Random) -> bytes:
    """Anything."""
    return chance.choice(
        [chance.randbytes(chance.randrange(3_000)), json.dumps({"resourceSpans": chance.choice(STRANGE)}, default=str).encode()]
    )


def main() -> int:
    """Exit 1 for a finding."""
    seconds, seed = float(os.environ.get("FUZZ_S", "600")), int(os.environ.get("FUZZ_SEED", str(time.time_ns() % 10**6)))
    chance = random.Random(seed)
    captured = [path.read_bytes() for path in sorted(SHARED.joinpath("otlp-captured").glob("*.bin"))]
    seeds = [*captured, batch(1, 1).SerializeToString()[:4_000], as_otlp_json(request_of(call(1), call(2)))]
    pack: dict[str, Callable[[bytes], bytes]] = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
    answers: Counter[int] = Counter()
    with Console.running() as console:
        key = console.command("keys", "create", "--name", "fuzz", "--scope", "telemetry").stdout.strip()
        first = console.programs()["telemetry"]
        until, sent, weights = time.monotonic() + seconds, 0, [0.0]
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
            while time.monotonic() < until:
                body = chance.choice([lambda: damaged(chance, seeds)] * 2 + [lambda: invented(chance), lambda: noise(chance)])()
                encoding = chance.choice(sorted(pack))
                headers = {"content-type": chance.choice([PROTOBUF, PROTOBUF, JSON]), "content-encoding": encoding}
                answer = client.post(f"{console.api_url}/v1/traces", content=pack[encoding](body), headers=headers)
                answers[answer.status_code] += 1
                sent += 1
                if answer.status_code not in EXPECTED:
                    print(f"request {sent} of seed {seed} was answered {answer.status_code}: {answer.text[:200]}", file=sys.stderr)
                    print(console.log("telemetry")[-4_000:], file=sys.stderr)
                    return 1
                if sent % 500 == 0:
                    weights.append(psutil.Process(first.pid).memory_info().rss / 2**20)
        alive = console.programs()["telemetry"].pid == first.pid
        dead = int(console.psql("select count(*) from jobs where state = 'dead'"))
        waiting = int(console.psql("select count(*) from telemetry_inbox"))
    settled = weights[min(3, len(weights) - 1)]
    print(f"seed {seed}: {sent:,} requests in {seconds:.0f} s, answers {dict(sorted(answers.items()))}; the same process: {alive};")
    print(f"memory {settled:.0f} → {weights[-1]:.0f} MiB (highest {max(weights):.0f}); dead jobs {dead}; batches left waiting {waiting}")
    return 0 if alive and not dead and weights[-1] - settled < GROWTH_MIB else 1


if __name__ == "__main__":
    sys.exit(main())
