"""What people said is kept only where the console is set to keep it, and then without what a rule names."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.db import transaction
from services.settings import settings
from services.telemetry import inbox, otlp, payloads
from services.telemetry.move import move_once
from tests.spans import request_of, span
from tests.traffic import arrive, operation

pytestmark = pytest.mark.usefixtures("database")
SAID: dict[str, object] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": "I am ada@example.org",
    "gen_ai.output.messages": "Hello \x00Ada",
}


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A console that keeps texts."""
    monkeypatch.setenv("STORE_PAYLOADS", "yes")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def kept() -> list[tuple[str | None, str | None]]:
    with transaction() as connection:
        found = connection.execute(text("select prompt, completion from operation_payloads order by prompt")).all()
    return [(row.prompt, row.completion) for row in found]


def trace(number: int) -> None:
    read = otlp.read(request_of(span(number, "chat", SAID)))
    with transaction() as connection:
        inbox.accept(connection, "operations", read.records, source="app", door="/v1/traces")
    assert move_once().new == 1


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    trace(1)
    arrive([operation("a", utc_now(), prompt="I am ada@example.org", completion="Hello")])
    assert kept() == []
    with transaction() as connection:
        assert b"ada@" not in bytes(str(connection.execute(text("select json_agg(t)::text from telemetry_inbox t")).scalar()), "utf-8")


@pytest.mark.usefixtures("keeping")
def test_what_is_kept_is_redacted_and_goes_with_time() -> None:
    trace(1)
    arrive([operation("a", utc_now(), prompt="Call +63 917 555 0134", completion="sk-abcdefghijklmnop1234")])
    assert kept() == [("Call [phone]", "[key]"), ("I am [email]", "Hello Ada")]
    with transaction() as connection:
        connection.execute(text("update operation_payloads set stored_at = now() - :age"), {"age": timedelta(days=15)})
        assert payloads.forget_old(connection) == 2
    assert kept() == []


@pytest.mark.usefixtures("keeping")
def test_a_refused_call_keeps_nothing_that_was_said() -> None:
    read = otlp.read(request_of(span(1, "chat", SAID | {"gen_ai.usage.input_tokens": "many"})))
    with transaction() as connection:
        assert inbox.accept(connection, "operations", read.records, source="app", door="/v1/traces").accepted == 0
        raw = connection.execute(text("select raw from telemetry_rejected")).scalar_one()
    assert "ada@" not in raw
