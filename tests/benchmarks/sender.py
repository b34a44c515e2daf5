"""`python -m tests.benchmarks.sender ENDPOINT KEY SPANS SEED RATE`: post spans as an exporter does, so many a second, 0 as fast as they
are acknowledged.

Prints one line a batch: the time of its acknowledgement (epoch seconds) and how many spans it had.
"""

import sys
import time

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.volume import MODELS, MODULES
from tests.spans import request_of, span

BATCH = 200
HEADERS = {"content-type": "application/x-protobuf"}


def batch(seed: int, number: int) -> ExportTraceServiceRequest:
    """A batch like those of an application under OpenLLMetry, of one module; every call is part of a request and has an answer's id."""
    now = time.time()
    spans = []
    for n in range(BATCH):
        key = (seed << 40) + number * BATCH + n
        provider, model = MODELS[(number + n) % len(MODELS)]
        spans.append(
            span(
                key,
                f"chat {model}",
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": provider,
                    "gen_ai.request.model": model,
                    "gen_ai.response.model": model,
                    "gen_ai.response.id": f"chatcmpl-{key:028d}",
                    "gen_ai.response.finish_reasons": ["stop"],
                    "gen_ai.usage.input_tokens": 900 + n,
                    "gen_ai.usage.output_tokens": 40 + n,
                    "gen_ai.usage.cache_read.input_tokens": 300,
                    "gen_ai.request.temperature": 0.2,
                    "gen_ai.input.messages": "what a person said " * 10,
                    "gen_ai.output.messages": "what a model said " * 10,
                    "user.id": f"u{key % 5_000}",
                    "session.id": f"s{key // 20}",
                    "server.address": "api.example.com",
                },
                parent=key + (1 << 39),
                started_at=now - 2,
                took_ms=300 + 7 * n,
            )
        )
    return request_of(*spans, resource={"service.name": MODULES[number % len(MODULES)], "service.instance.id": f"p{seed}"})


def main(endpoint: str, key: str, spans: int, seed: int, rate: int) -> int:
    """Prepare everything first: what is measured is the receiver."""
    prepared = [batch(seed, number).SerializeToString() for number in range(spans // BATCH)]
    print("ready", flush=True)
    sys.stdin.readline()
    with httpx.Client(headers=HEADERS | {"authorization": f"Bearer {key}"}, timeout=60) as client:
        began = time.monotonic()
        for number, body in enumerate(prepared):
            if rate:
                time.sleep(max(0.0, began + number * BATCH / rate - time.monotonic()))
            while (answer := client.post(f"{endpoint}/v1/traces", content=body)).status_code in (429, 503):
                time.sleep(int(answer.headers["retry-after"]))
            assert (answer.status_code, answer.content) == (200, b""), answer.content
            print(time.time(), BATCH, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
