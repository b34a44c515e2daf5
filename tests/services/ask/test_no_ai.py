"""Nothing under Ask reaches a model: not by what it imports, not by what it does."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.errors import BadInput
from services.settings import ROOT, settings

ENTRIES = ("services/ask", "console/api/chat.py", "console/ask_actions.py", "console/lexicon_actions.py", "workers/ask.py")
MODELS = ("services.ai", "google.generativeai", "openai", "anthropic", "httpx2", "httpx", "requests", "urllib.request", "http.client")
PROOF = """
import json, sys
import services.ask.cli, services.ask.learning, workers.ask, console.api.chat
before = sorted(name for name in sys.modules if name.startswith(("services.ai", "google.generativeai")))
import services.ai.gateway, services.ai.providers.gemini, services.jobs.truth, socket
def refuse(*_, **__): raise AssertionError("Ask reached for a model")
services.ai.gateway.generate = services.ai.providers.gemini.generate = services.jobs.truth.enqueue = refuse
socket.socket.connect = refuse                       # psycopg2 does not pass here; HTTP clients do
from services.ask import chat
from services.ask.asker import Asker
told = [chat.ask(message, Asker("prover", "admin")).source for message in json.loads(sys.argv[1])]
print(json.dumps({"before": before, "told": told}))
"""
MESSAGES = [
    "what can you do?", "how many barangays by region", "cost by model", "participants by region", "who will win the election",
    "summarise project 7 with AI", "ask the model to write a poem", "and by region?",
]  # fmt: skip


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_files(name: str) -> list[Path]:
    """The file of a module of ours, and of the packages it lies in: importing it runs them all."""
    parts = name.split(".")
    made = [ROOT.joinpath(*parts[: n + 1]) for n in range(len(parts))]
    return [file for place in made for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]


def reachable() -> dict[str, set[str]]:
    """Every file of ours that Ask's imports lead to, however deep, and what it imports; function-level imports count."""
    waiting = [file for entry in ENTRIES for file in ([ROOT / entry] if entry.endswith(".py") else sorted((ROOT / entry).rglob("*.py")))]
    found: dict[str, set[str]] = {}
    while waiting:
        path = waiting.pop()
        place = path.relative_to(ROOT).as_posix()
        if place not in found:
            found[place] = imports(path)
            waiting += [file for name in found[place] for file in module_files(name)]
    return found


def test_no_import_leads_from_ask_to_a_model() -> None:
    found = reachable()
    assert len(found) > 50
    assert {place for place in found if place.startswith("services/ai/")} == set()
    breaches = [
        (place, name) for place, names in found.items() for name in names for bad in MODELS if name == bad or name.startswith(f"{bad}.")
    ]
    assert breaches == []


def test_no_code_of_ask_imports_by_name_or_starts_a_job() -> None:
    for file in sorted((ROOT / "services/ask").rglob("*.py")):
        words = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert not words & {"__import__", "eval", "exec", "compile_command"}, file
        assert not any(name.startswith(("importlib", "services.jobs", "subprocess")) for name in imports(file)), file


@pytest.mark.usefixtures("filled")
def test_no_question_reaches_a_model_while_it_runs() -> None:
    assert settings().chat_use_ai_fallback is False
    done = subprocess.run(
        [sys.executable, "-c", PROOF, json.dumps(MESSAGES)], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["before"] == []
    assert {"faq", "template", "clarification", "fallback"} == set(told["told"])


def test_the_fallback_to_ai_is_off_and_cannot_be_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_USE_AI_FALLBACK", "true")
    settings.cache_clear()
    with pytest.raises(BadInput, match="CHAT_USE_AI_FALLBACK is wrong: Ask answers without AI"):
        settings()
    monkeypatch.setenv("CHAT_USE_AI_FALLBACK", "false")
    settings.cache_clear()
    assert settings().chat_use_ai_fallback is False
    settings.cache_clear()
