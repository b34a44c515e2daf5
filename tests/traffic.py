"""Small known traffic for tests: operations by the dozen, and the raw truth to compare answers with."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from services.db import transaction
from services.telemetry import inbox
from services.telemetry.move import move_once
from services.telemetry.records import Noun

MODELS = (("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"), ("gcp.gemini", "gemini-2.5-flash"), ("ollama", "llama3-local"))


def operation(key: str, started_at: datetime, **told: object) -> dict[str, object]:
    """One operation record; `told` overrides."""
    return {
        "id": key,
        "started_at": started_at.isoformat(),
        "module": "chat",
        "operation": "answer",
        "provider": "openai",
        "model": "gpt-5-mini",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "latency_ms": 1_200.0,
    } | told


def many(count: int, start: datetime, span: timedelta, seed: int = 7) -> list[dict[str, object]]:
    """Varied operations spread over a span, the same for the same seed."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        provider, model = chance.choice(MODELS)
        made.append(
            operation(
                f"op-{seed}-{number}",
                start + chance.random() * span,
                module=chance.choice(["chat", "tutor", "factoids"]),
                provider=provider,
                model=model,
                input_tokens=chance.choice([None, chance.randint(1, 9_000)]),
                output_tokens=chance.randint(0, 2_000),
                latency_ms=chance.choice([None, chance.lognormvariate(7, 1.2)]),
                ttft_ms=chance.choice([None, chance.lognormvariate(5, 0.5)]),
                cached=chance.random() < 0.1,
                error_type=chance.choice([None, None, None, None, "timeout", "rate_limit"]),
                user_id=chance.choice([None, f"user-{chance.randint(1, 40)}"]),
                session_id=chance.choice([None, f"session-{chance.randint(1, 60)}"]),
            )
        )
    return made


def send(records: Sequence[object], *, noun: Noun = "operations", source: str = "app", door: str = "/api/operations") -> inbox.Receipt:
    """Through the door, without moving."""
    with transaction() as connection:
        return inbox.accept(connection, noun, records, source=source, door=door)


def move_all() -> int:
    """Move until the inbox is empty; how many operations and sessions were new."""
    new = 0
    while (moved := move_once()).rows:
        new += moved.new
    return new


def arrive(records: Sequence[object], *, noun: Noun = "operations", source: str = "app") -> int:
    """Send and move."""
    send(records, noun=noun, source=source)
    return move_all()


def instants(records: Iterable[dict[str, object]]) -> list[datetime]:
    """The start of each record."""
    return [datetime.fromisoformat(str(record["started_at"])).astimezone(UTC) for record in records]
