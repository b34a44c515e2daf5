"""Operations by the million: seeded, in order of time over ninety days, with the shape of an organisation's traffic."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

BATCH = 10_000
DAYS = 90
MODULES = ("communities", "project_central", "tutor", "chat", "factoids")
MODELS = (
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("ollama", "llama3.2:3b"),
)


def records(first: int, last: int, of: int) -> Iterator[list[dict[str, object]]]:
    """Batches of operation records number `first` to `last` out of `of` spread evenly over the ninety days that end now."""
    end = datetime.now(UTC).replace(microsecond=0)
    for start in range(first, last, BATCH):
        size = min(BATCH, last - start)
        chance = np.random.default_rng([17, start])
        module = chance.choice(len(MODULES), size, p=[0.2, 0.15, 0.25, 0.3, 0.1])
        model = chance.choice(len(MODELS), size, p=[0.3, 0.15, 0.2, 0.3, 0.05])
        input_tokens, output_tokens = chance.integers(50, 8_000, size), chance.integers(5, 1_500, size)
        latency, user = chance.lognormal(7, 0.9, size).round(1), chance.zipf(1.3, size) % 5_000
        failed = chance.random(size) < 0.02
        yield [
            {
                "id": f"v{of}-{start + n}",
                "started_at": (end - timedelta(days=DAYS) * (1 - (start + n) / of)).isoformat(),
                "module": MODULES[module[n]],
                "operation": "answer",
                "provider": MODELS[model[n]][0],
                "model": MODELS[model[n]][1],
                "input_tokens": int(input_tokens[n]),
                "output_tokens": int(output_tokens[n]),
                "latency_ms": float(latency[n]),
                "user_id": f"u{user[n]}",
                "session_id": f"s{of}-{(start + n) // 6}",
                "error_type": "timeout" if failed[n] else None,
            }
            for n in range(size)
        ]
