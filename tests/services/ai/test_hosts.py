"""Any number of Ollama hosts: the least busy that has the model, and none that is down."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from services.ai import breaker, hosts
from services.ai.gateway import generate
from services.ai.outcomes import Refused, Unanswered
from services.db import transaction
from services.errors import BadInput
from services.settings import settings
from tests.models import ANSWER, Act, ModelServer
from tests.services.ai.conftest import Rules, request
from tests.services.ai.test_gateway import entries, operations
from tests.services.ai.test_outcomes import Shape

MODEL = "ollama/llama3.1:8b"


def test_words_stream_and_json_comes_whole_in_the_schema(ollamas: list[ModelServer], rules: Rules) -> None:
    rules(models=[MODEL])
    seen: list[str] = []
    told = generate(request(on_text=seen.append))
    assert (told.text, told.provider, told.cost_nano, len(seen)) == (ANSWER, "ollama", 0, 4)
    for server in ollamas:
        server.always = Act(text='{"number": 3}')
    assert generate(request(schema=Shape)).parsed == Shape(number=3)
    asked = [call.asked for server in ollamas for call in server.calls]
    assert sorted(call["stream"] for call in asked) == [False, True]
    shaped = next(call for call in asked if not call["stream"])
    assert shaped["format"] == Shape.model_json_schema()
    assert [message["role"] for message in shaped["messages"]] == ["system", "user"]
    assert {found["provider"] for found in operations()} == {"ollama"}


def test_calls_go_to_the_host_with_the_fewest_in_flight(ollamas: list[ModelServer], rules: Rules) -> None:
    rules(models=[MODEL])
    for server in ollamas:
        server.always = Act(delay_s=0.8)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: generate(request(values={"fact": number})), range(8)))
    assert {one.outcome for one in told} == {"answered"}
    assert [server.most_at_once for server in ollamas] == [4, 4]


def test_only_a_host_that_has_the_model_is_asked_and_one_that_has_it_in_memory_first(ollamas: list[ModelServer], rules: Rules) -> None:
    rules(models=["ollama/phi4"])
    ollamas[0].models = ["llama3.1:8b", "phi4:latest"]
    ollamas[1].models = ["phi4:latest", "llama3.1:8b"]
    assert generate(request()).outcome == "answered"
    assert [len(server.calls) for server in ollamas] == [0, 1]
    rules(models=["ollama/qwen3"])
    with pytest.raises(Refused) as raised:
        generate(request())
    assert raised.value.outcome == "unknown_model"


def test_a_host_that_fails_is_left_for_the_other_then_alone_and_then_probed(
    ollamas: list[ModelServer], rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(models=[MODEL])
    bad, good = ollamas if ollamas[0].url < ollamas[1].url else ollamas[::-1]
    bad.always = Act(status=500)
    for number in range(8):
        assert generate(request(values={"fact": number})).outcome == "answered"
    assert len(bad.calls) == 5
    assert len(good.calls) == 8
    assert {entry["host"] for entry in entries() if entry["outcome"] == "server_error"} == {bad.url}
    monkeypatch.setattr(breaker, "MOST_FAILURES", 1)
    good.always = Act(status=503)
    time.sleep(0.45)
    with pytest.raises(Unanswered):
        generate(request())
    with pytest.raises(Unanswered) as raised:
        generate(request())
    assert raised.value.outcome in ("breaker_open", "overloaded")


def test_a_host_that_is_down_is_not_asked_until_it_is_back(
    ollamas: list[ModelServer], rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(models=[MODEL])
    monkeypatch.setenv("OLLAMA_HOSTS", f"http://127.0.0.1:9,{ollamas[0].url}")
    settings.cache_clear()
    assert generate(request()).outcome == "answered"
    monkeypatch.setenv("OLLAMA_HOSTS", "http://127.0.0.1:9")
    settings.cache_clear()
    with pytest.raises(Unanswered) as raised:
        generate(request())
    assert raised.value.outcome == "unreachable"
    assert raised.value.retry_after_s == hosts.STALE_S + 1
    with transaction() as connection:
        connection.execute(text("update ai_hosts set host = 'moved' where up"))
        up = connection.execute(text("select up from ai_hosts where host <> 'moved'")).scalars().all()
    assert up == [False]


def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOSTS", "gpu1:11434")
    settings.cache_clear()
    with pytest.raises(BadInput, match="OLLAMA_HOSTS"):
        settings()
    settings.cache_clear()


def test_nobody_waits_long_for_a_host_that_somebody_died_asking(
    ollamas: list[ModelServer], rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(models=[MODEL])
    monkeypatch.setattr(hosts, "ANSWER_S", 0.2)
    with transaction() as connection:
        connection.execute(text("insert into ai_hosts (host, checked_at) values (:host, now())"), {"host": ollamas[0].url})
    began = time.monotonic()
    assert generate(request()).outcome == "answered"
    assert time.monotonic() - began < 2
    assert len(ollamas[1].calls) == 1
