"""Servers, a prompt, rules with short times, and a request to vary."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.ai import breaker, hop, models, templates
from services.ai.providers import gemini as gemini_provider
from services.ai.request import Request, Task
from services.db import transaction
from services.settings import settings
from tests.faults.report import Fault
from tests.models import ModelServer

PROMPT = "version: 1\n--- system\nYou word facts.\n--- user\nWord this: {{ fact }}\n"
Rules = Callable[..., None]


@pytest.fixture(autouse=True)
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the prompt "facts"."""
    (tmp_path / "facts.txt").write_text(PROMPT)
    monkeypatch.setattr(templates, "FOLDER", tmp_path)
    monkeypatch.setattr(hop, "FIRST_S", 0.02)
    monkeypatch.setattr(breaker, "COOL_S", 0.4)
    return tmp_path


@pytest.fixture
def fault(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Fault:
    """The row that a test fills."""
    return Fault(request.node.name.removeprefix("test_"), record_property)


@pytest.fixture
def gemini(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """Gemini, with a key."""
    with ModelServer() as server:
        monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-tests")
        monkeypatch.setenv("GEMINI_ENDPOINT", server.url)
        settings.cache_clear()
        gemini_provider._library.cache_clear()
        yield server
    settings.cache_clear()
    gemini_provider._library.cache_clear()


@pytest.fixture
def ollamas(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModelServer]]:
    """Two hosts with the same model."""
    with ModelServer() as first, ModelServer() as second:
        monkeypatch.setenv("OLLAMA_HOSTS", f"{first.url},{second.url}/")
        settings.cache_clear()
        yield [first, second]
    settings.cache_clear()


@pytest.fixture
def rules(database: None) -> Rules:
    """Change a task's rule, as an administrator does."""

    def change(task: Task = "primary", **told: object) -> None:
        short: dict[str, object] = {
            "models": ["gemini/gemini-3.5-flash-lite"],
            "timeout_s": 5,
            "first_token_s": 3,
            "idle_s": 1,
            "cache_s": 0,
        }
        with transaction() as connection:
            models.change(connection, task, short | told, "ada")

    return change


def request(**told: object) -> Request:
    """A request that asks for words."""
    asked: dict[str, object] = {
        "task": "primary", "template": "facts", "values": {"fact": "12 councils"}, "module": "communities", "operation": "needs",
    }  # fmt: skip
    return Request(**(asked | told))  # type: ignore[arg-type]
