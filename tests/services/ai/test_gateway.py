"""One question through the whole gateway: answered, kept, recorded once, counted against the budgets to the unit."""

from pathlib import Path

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from services.ai import budgets, cache, gateway, models, periods, templates, turns
from services.ai.gateway import embed, generate
from services.ai.outcomes import Refused
from services.ai.providers import gemini as gemini_provider
from services.ai.providers.spoken import Failure
from services.db import transaction
from services.errors import BadInput, BinnacleError, NotFound
from services.settings import settings
from services.telemetry.forget_user import forget
from services.telemetry.move import move_once
from tests.models import ANSWER, INPUT, OUTPUT, Act, ModelServer
from tests.services.ai.conftest import Rules, request

# gemini-3.5-flash-lite costs 0.30 and 2.50 USD per million tokens
COST = INPUT * 300 + OUTPUT * 2_500


class Needs(BaseModel):
    """What a structured answer has."""

    needs: list[str]
    urgent: bool


def entries() -> list[dict[str, object]]:
    with transaction() as connection:
        return [dict(row) for row in connection.execute(text("select * from ai_ledger order by id")).mappings()]


def operations() -> list[dict[str, object]]:
    """What of our calls became operations."""
    while move_once().rows:
        pass
    with transaction() as connection:
        found = connection.execute(text("select o.*, s.* from operations o join series s on s.id = o.series_id order by o.started_at"))
        return [dict(row) for row in found.mappings()]


def spent() -> list[tuple[int, int, int]]:
    with transaction() as connection:
        assert periods.differences(connection) == []
        found = connection.execute(text("select reserved_nano, spent_nano, unknown_nano from budget_periods order by id"))
        return [tuple(row) for row in found]


def test_an_answer_is_settled_recorded_and_counted_to_the_unit(gemini: ModelServer, rules: Rules) -> None:
    rules()
    seen: list[str] = []
    told = generate(request(user="u1", session="s1", on_text=seen.append))
    assert (told.text, told.outcome, told.model, told.provider, told.cached) == (
        ANSWER,
        "answered",
        "gemini-3.5-flash-lite",
        "gemini",
        False,
    )
    assert told.cost_nano == COST
    assert "".join(seen) == ANSWER
    assert len(seen) == 4
    asked = gemini.calls[0].asked
    assert asked["systemInstruction"]["parts"][0]["text"] == "You word facts."
    assert asked["contents"] == [{"role": "user", "parts": [{"text": "Word this: 12 councils"}]}]
    [entry] = entries()
    assert (entry["id"], entry["state"], entry["cost_nano"], entry["outcome"]) == (told.ledger_ids[0], "settled", COST, "answered")
    assert (entry["input_tokens"], entry["output_tokens"], entry["template"]) == (INPUT, OUTPUT, "facts@1")
    assert spent() == [(0, COST, 0)] * 2
    [operation] = operations()
    assert (operation["source"], operation["module"], operation["operation"]) == ("binnacle", "communities", "needs")
    assert (operation["provider"], operation["model"], operation["error_type"]) == ("gcp.gemini", "gemini-3.5-flash-lite", None)
    assert (operation["input_tokens"], operation["output_tokens"], operation["cost_nano"]) == (INPUT, OUTPUT, COST)
    assert (operation["user_key"], operation["session_key"]) == ("u1", "s1")
    assert 0 < operation["ttft_us"] <= operation["latency_us"]  # type: ignore[operator]


def test_the_same_question_is_answered_from_before_and_costs_nothing(gemini: ModelServer, rules: Rules) -> None:
    rules(cache_s=60)
    first, second = generate(request()), generate(request(user="another", module="projects"))
    assert (second.text, second.outcome, second.cached, second.cost_nano, second.ledger_ids) == (first.text, "cached", True, 0, ())
    assert len(gemini.calls) == 1
    assert [(found["cached"], found["cost_nano"]) for found in operations()] == [(False, COST), (True, 0)]
    assert len(entries()) == 1


@pytest.mark.parametrize("change", ["value", "version", "edit", "model", "temperature", "expiry"])
def test_another_question_is_asked(gemini: ModelServer, rules: Rules, prompts: Path, change: str) -> None:
    rules(cache_s=60)
    generate(request())
    values = {"fact": "13 councils"} if change == "value" else {"fact": "12 councils"}
    if change == "version":
        (prompts / "facts.txt").write_text(templates.load("facts").user.join(["version: 2\n--- system\nYou word facts.\n--- user\n", ""]))
    elif change == "edit":
        (prompts / "facts.txt").write_text("version: 1\n--- user\nWord this: {{ fact }}\n\n")
    elif change == "expiry":
        with transaction() as connection:
            connection.execute(text("update ai_cache set expires_at = now() - interval '1 second'"))
    elif change in ("model", "temperature"):
        rules(cache_s=60, **({"models": ["gemini/gemini-3.1-flash-lite"]} if change == "model" else {"temperature": 1}))
    assert generate(request(values=values)).outcome == "answered"
    assert len(gemini.calls) == 2


def test_a_kept_answer_that_does_not_fit_its_schema_any_more_is_asked_again(gemini: ModelServer, rules: Rules) -> None:
    rules(cache_s=60)
    gemini.always = Act(text='{"needs": ["water"], "urgent": true}')
    generate(request(schema=Needs))
    with transaction() as connection:
        connection.execute(text("update ai_cache set text = '{}'"))
    assert generate(request(schema=Needs)).outcome == "answered"


def test_json_is_parsed_fenced_or_not(gemini: ModelServer, rules: Rules) -> None:
    rules()
    gemini.acts.append(Act(text='```json\n{"needs": ["water"], "urgent": true}\n```'))
    told = generate(request(schema=Needs))
    assert told.as_a(Needs) == Needs(needs=["water"], urgent=True)
    asked = gemini.calls[0].asked
    assert asked["generationConfig"]["responseMimeType"] == "application/json"
    assert '"urgent"' in asked["systemInstruction"]["parts"][0]["text"]
    with pytest.raises(BinnacleError, match="is no Needs"):
        generate(request()).as_a(Needs)


def test_an_answer_of_another_shape_is_asked_for_again_twice_at_most_each_reserved_and_recorded(gemini: ModelServer, rules: Rules) -> None:
    rules()
    gemini.acts.extend([Act(text='{"needs": "water"}'), Act(text="no json"), Act(text='{"needs": [], "urgent": false}')])
    told = generate(request(schema=Needs))
    assert told.parsed == Needs(needs=[], urgent=False)
    assert told.cost_nano == 3 * COST
    assert [entry["outcome"] for entry in entries()] == ["invalid_output", "invalid_output", "answered"]
    again = gemini.calls[1].asked["contents"]
    assert [turn["role"] for turn in again] == ["user", "model", "user"]
    assert "needs: Input should be a valid array" in again[2]["parts"][0]["text"]
    assert [found["error_type"] for found in operations()] == ["invalid_output", "invalid_output", None]
    assert spent() == [(0, 3 * COST, 0)] * 2


def test_without_a_provider_the_fallback_renders_the_facts(rules: Rules) -> None:
    rules(models=["gemini/gemini-3.5-flash-lite", "ollama/llama3.1:8b"])
    told = generate(request(fallback=lambda: "12 councils."))
    assert (told.text, told.provider, told.outcome, told.cost_nano, told.ledger_ids) == ("12 councils.", "template", "template", 0, ())
    [operation] = operations()
    assert (operation["provider"], operation["cost_nano"], operation["finish_reason"]) == ("template", 0, "template")
    shaped = generate(request(schema=Needs, fallback=lambda: '{"needs": [], "urgent": true}'))
    assert shaped.parsed == Needs(needs=[], urgent=True)
    assert generate(request(schema=Needs, fallback=lambda: "words")).parsed is None
    with pytest.raises(Refused) as refused:
        generate(request())
    assert refused.value.outcome == "not_set_up"


def test_a_conversation_goes_along_as_far_as_its_tokens_reach(gemini: ModelServer, rules: Rules) -> None:
    rules(cache_s=60, context_tokens=1_000)
    for fact in ("one", "two", "three"):
        generate(request(values={"fact": fact}, conversation="c1", user="u1"))
    assert [len(call.asked["contents"]) for call in gemini.calls] == [1, 3, 5]
    assert [turn["role"] for turn in gemini.calls[2].asked["contents"]] == ["user", "model", "user", "model", "user"]
    rules(context_tokens=300)  # two turns of about 90 tokens, each a ceiling, are one exchange
    generate(request(values={"fact": "four"}, conversation="c1"))
    last = [turn["parts"][0]["text"] for turn in gemini.calls[3].asked["contents"]]
    assert last == ["Word this: three", ANSWER, "Word this: four"]
    with transaction() as connection:
        assert turns.forget_user(connection, "u1") == 6
        assert turns.forget_old(connection) == 0
    generate(request(values={"fact": "five"}, conversation="another"))
    assert len(gemini.calls[4].asked["contents"]) == 1


def test_texts_become_vectors_in_calls_of_a_hundred(gemini: ModelServer, rules: Rules) -> None:
    rules("embedding", models=["gemini/gemini-embedding-001"], max_output_tokens=0)
    told = embed([f"text {number}" for number in range(150)], module="knowledge", operation="embed")
    assert len(told.vectors) == 150
    assert told.vectors[149] == [0.25, -0.5, 49.0]
    assert [len(call.asked["requests"]) for call in gemini.calls] == [100, 50]
    assert told.cost_nano == 2 * INPUT * 150  # 0.15 USD per million tokens
    assert spent()[0] == (0, 2 * INPUT * 150, 0)
    assert {found["operation"] for found in operations()} == {"embed"}


def test_vectors_that_do_not_come_are_asked_for_again_and_then_refused(gemini: ModelServer, rules: Rules) -> None:
    rules("embedding", models=["gemini/gemini-embedding-001"], max_output_tokens=0)
    gemini.acts.extend([Act(block="none"), Act(status=503)])
    assert len(embed(["text"], module="knowledge", operation="embed").vectors) == 1
    assert [entry["outcome"] for entry in entries()] == ["unreadable", "overloaded", "answered"]
    gemini.always = Act(status=400, error={"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})
    with pytest.raises(Refused, match="Gemini answered"):
        embed(["text"], module="knowledge", operation="embed")
    with pytest.raises(BadInput, match="empty"):
        embed(["text", " "], module="knowledge", operation="embed")


def test_vectors_come_from_ollama_too_and_from_nowhere_without_a_provider(rules: Rules, ollamas: list[ModelServer]) -> None:
    rules("embedding", models=["ollama/llama3.1"], max_output_tokens=0)
    with transaction() as connection:
        connection.execute(text("select 1"))
    for server in ollamas:
        server.models = ["llama3.1:latest"]
    told = embed(["a", "b"], module="knowledge", operation="embed")
    assert (told.provider, told.cost_nano, len(told.vectors)) == ("ollama", 0, 2)
    rules("embedding", models=["gemini/gemini-embedding-001"], max_output_tokens=0)
    with pytest.raises(Refused, match="set up"):
        embed(["a"], module="knowledge", operation="embed")


def test_a_wrong_prompt_says_what_is_wrong(rules: Rules, prompts: Path) -> None:
    rules()
    (prompts / "bad.txt").write_text("words")
    for asked, error, said in (
        (request(template="none"), NotFound, "no prompt"),
        (request(template="../facts"), NotFound, "no prompt"),
        (request(template="bad"), BadInput, "begin with its version"),
        (request(values={}), BadInput, "cannot be filled"),
    ):
        with pytest.raises(error, match=said):
            generate(asked)


def test_an_administrator_changes_the_models_of_a_task(database: None) -> None:
    with transaction() as connection:
        models.change(connection, "fast", {"models": ["ollama/phi4"], "timeout_s": 9}, "ada")
        assert models.rule(connection, "fast").models == ["ollama/phi4"]
        rule, by = models.listing(connection)["fast"]
        assert (rule.timeout_s, by) == (9, "ada")
        assert models.listing(connection)["code"][1] is None
        models.change(connection, "fast", {}, "ada")
        assert models.rule(connection, "fast").models[0].startswith("gemini/")
        audited = connection.execute(text("select subject from audit where action = 'ai.models'")).scalars().all()
        assert audited == ["task fast", "task fast"]
        wrong: list[dict[str, object]] = [{"models": []}, {"models": ["openai/x"]}, {"timeout_s": 0}, {"colour": "red"}]
        for told in wrong:
            with pytest.raises(BadInput):
                models.change(connection, "fast", told, "ada")
        with pytest.raises(BadInput, match="there is no 'tea'"):
            models.change(connection, "tea", {}, "ada")  # type: ignore[arg-type]


def test_a_forgotten_user_leaves_no_words_and_no_key_but_all_the_money(gemini: ModelServer, rules: Rules) -> None:
    rules()
    for user in ("u1", "u2"):
        generate(request(user=user, session=f"s-{user}", conversation=f"c-{user}"))
    with transaction() as connection:
        budgets.set_budget(connection, scope="user", name="u1", period="day", cap_nano=10**9, actor="ada")
    assert forget("u1", actor="ada")["turns"] == 2
    keys = [(entry["user_key"], entry["session_key"]) for entry in entries()]
    assert str(keys[0][0]).startswith("deleted-")
    assert keys[0][1] != "s-u1"
    assert keys[1] == ("u2", "s-u2")
    with transaction() as connection:
        assert connection.execute(text("select count(*) from ai_turns where user_key = 'u2'")).scalar_one() == 2
        assert "u1" not in [state.name for state in budgets.states(connection)]
    assert spent()[0] == (0, 2 * COST, 0)


def test_what_calls_need_is_loaded_before_a_worker_forks(gemini: ModelServer, prompts: Path) -> None:
    (prompts / "bad.txt").write_text("words")
    (prompts / "broken.txt").write_text("version: 1\n--- user\n{{ fact")
    templates._compiled.cache_clear()
    gateway.preload()
    assert templates._compiled.cache_info().currsize >= 2
    assert gemini_provider._library.cache_info().currsize == 1


def test_without_a_key_nothing_is_loaded(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    gemini_provider._library.cache_clear()
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    settings.cache_clear()
    gateway.preload()
    assert gemini_provider._library.cache_info().currsize == 0
    with pytest.raises(Failure) as failed:
        gemini_provider.load()
    assert failed.value.outcome == "not_set_up"


def test_what_is_too_old_is_dropped(gemini: ModelServer, rules: Rules) -> None:
    rules(cache_s=60)
    generate(request())
    with transaction() as connection:
        assert cache.forget_old(connection) == 0
        connection.execute(text("update ai_cache set expires_at = now() - interval '1 s'"))
        assert cache.forget_old(connection) == 1
