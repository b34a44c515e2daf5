"""Every way a call can end has its name, in the ledger, the operation, the exception and the budgets alike."""

import time
from dataclasses import dataclass

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from deploy.secret import free_port
from services.ai import budgets, hop, ledger, lost, models
from services.ai.gateway import generate
from services.ai.models import Limit
from services.ai.outcomes import OUTCOMES, Outcome, Refused, Unanswered
from services.ai.providers import gemini as gemini_provider
from services.ai.providers.spoken import Failure, Prompt, Turn
from services.db import transaction
from services.errors import Conflict, NotFound, Unavailable
from services.health import attention
from services.jobs import claim, enqueue
from services.settings import settings
from services.telemetry.inbox import Receipt
from tests.models import ANSWER, INPUT, OUTPUT, Act, ModelServer, gemini_error
from tests.services.ai.conftest import Rules, request
from tests.services.ai.test_gateway import COST, entries, operations, spent
from workers import queues
from workers.dispatch import Dispatcher

TOLD = {"promptTokenCount": INPUT, "candidatesTokenCount": OUTPUT, "totalTokenCount": INPUT + OUTPUT}
HALF = {"promptTokenCount": INPUT}


class Shape(BaseModel):
    """Nothing that any act answers."""

    number: int


@dataclass(frozen=True)
class Case:
    """An act, done to every call; what comes of it; how often it is asked; what is unknown of each."""

    outcome: Outcome
    act: Act
    calls: int
    state: str
    error: type[Exception] | None = Unanswered
    shaped: bool = False


CASES = [
    Case("truncated", Act(finish="MAX_TOKENS"), 1, "settled", None),
    Case("usage_missing", Act(counts={}), 1, "unknown", None),
    Case("usage_wrong", Act(counts=TOLD | {"totalTokenCount": INPUT}), 1, "unknown", None),
    Case("usage_wrong", Act(counts={"promptTokenCount": 0, "candidatesTokenCount": 5, "totalTokenCount": 5}), 1, "unknown", None),
    Case("usage_wrong", Act(counts=TOLD | {"cachedContentTokenCount": INPUT + 1}), 1, "unknown", None),
    Case("usage_wrong", Act(counts={"promptTokenCount": INPUT, "totalTokenCount": INPUT}), 1, "unknown", None),
    Case("timed_out", Act(delay_s=9), 3, "unknown"),
    Case("timed_out", Act(gap_s=9), 3, "unknown"),
    Case("rate_limited", Act(status=429), 3, "failed"),
    Case("rate_limited", Act(status=429, headers={"Retry-After": "90"}), 1, "failed"),
    Case("rate_limited", Act(status=429, error=gemini_error(429, retry_delay="90s")), 1, "failed"),
    Case("overloaded", Act(status=503), 3, "failed"),
    Case("server_error", Act(status=500), 3, "failed"),
    Case("cut", Act(cut=2), 3, "unknown"),
    Case("cut", Act(cut=0), 3, "unknown"),
    Case("cut", Act(finish=None), 3, "settled"),
    Case("cut", Act(cut=0), 3, "unknown", shaped=True),
    Case("empty", Act(text=""), 3, "settled"),
    Case("unreadable", Act(body=b"<html>maintenance</html>"), 3, "unknown", shaped=True),
    Case("unreadable", Act(body=b'[{"candidates": "none"}]'), 3, "unknown"),
    Case("server_error", Act(status=502, error={"error": "of a proxy"}), 3, "failed"),
    Case("overloaded", Act(status=503, body=b"<html>of a proxy</html>"), 3, "failed", shaped=True),
    Case("bad_key", Act(status=400, error=gemini_error(400, "API_KEY_INVALID")), 1, "failed", Refused),
    Case("bad_key", Act(status=403), 1, "failed", Refused),
    Case("refused", Act(status=400), 1, "failed", Refused),
    Case("unknown_model", Act(status=404), 1, "failed", Refused),
    Case("blocked", Act(block="SAFETY", counts=HALF), 1, "settled", Refused),
    Case("blocked", Act(finish="SAFETY"), 1, "settled", Refused),
    Case("invalid_output", Act(text='{"number": "many"}'), 3, "settled", Refused, shaped=True),
    Case("invalid_output", Act(finish="MAX_TOKENS"), 3, "settled", Refused, shaped=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.outcome}-{case.state}-{case.calls}")
def test_each_fault_of_gemini_has_its_name(gemini: ModelServer, rules: Rules, case: Case) -> None:
    rules(timeout_s=1.5, first_token_s=0.5, idle_s=0.4)
    gemini.always = case.act
    asked = request(schema=Shape if case.shaped else None)
    began = time.monotonic()
    if case.error is None:
        told = generate(asked)
        assert (told.outcome, told.text) == (case.outcome, ANSWER)
        assert told.cost_nano == (COST if case.state == "settled" else None)
    else:
        with pytest.raises(case.error) as raised:
            generate(asked)
        assert raised.value.outcome == case.outcome  # type: ignore[attr-defined]
    assert time.monotonic() - began < 1.5 + 5
    assert len(gemini.calls) <= case.calls
    made = entries()
    assert len(made) == len(gemini.calls)
    assert {(entry["outcome"], entry["state"]) for entry in made} == {(case.outcome, case.state)}
    reserved = sum(int(str(entry["reserved_nano"])) for entry in made)
    for held, paid, unknown in spent():
        assert held == 0
        assert unknown == (reserved if case.state == "unknown" else 0)
        assert (paid > 0) == (case.state == "settled")
    told_operations = operations()
    good = case.outcome in ("truncated", "usage_missing", "usage_wrong")
    assert [found["error_type"] for found in told_operations] == [None if good else case.outcome] * len(made)
    for found in told_operations:
        assert (found["cost_nano"] is None) == (case.state == "unknown")


@pytest.mark.parametrize("act", [Act(gap_s=2), Act(drip_s=2)], ids=["streamed", "whole"])
def test_gemini_that_falls_silent_in_its_answer_did_not_answer_in_time(gemini: ModelServer, act: Act) -> None:
    gemini.always = act
    prompt = Prompt("", (Turn("user", "Word this."),), None, 0.0, 64)
    with pytest.raises(Failure) as raised:
        list(gemini_provider.ask("gemini-3.5-flash-lite", prompt, stream=act.gap_s > 0, timeout_s=0.3))
    assert raised.value.outcome == "timed_out"


def test_a_provider_that_is_not_there_was_not_paid(gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    rules(timeout_s=2)
    monkeypatch.setenv("GEMINI_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    settings.cache_clear()
    with pytest.raises(Unanswered) as raised:
        generate(request())
    assert raised.value.outcome == "unreachable"
    assert {(entry["outcome"], entry["state"], entry["cost_nano"]) for entry in entries()} == {("unreachable", "failed", 0)}


def test_an_answer_that_drips_holds_nobody_beyond_the_time_out(gemini: ModelServer, rules: Rules) -> None:
    rules(timeout_s=1)
    gemini.always = Act(drip_s=0.1)
    began = time.monotonic()
    with pytest.raises(Unanswered) as raised:
        generate(request(schema=Shape))
    assert raised.value.outcome == "timed_out"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("act", "outcome", "state"),
    [
        (Act(counts={}), "usage_missing", "settled"),
        (Act(finish="LENGTH"), "truncated", "settled"),
        (Act(finish=None), "cut", "settled"),
        (Act(cut=1), "cut", "settled"),
        (Act(body=b"no json\n"), "unreadable", "settled"),
        (Act(body=b'{"error": "out of memory"}\n'), "server_error", "failed"),
        (Act(status=404), "unknown_model", "failed"),
        (Act(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "overloaded", "failed"),
        (Act(delay_s=9), "timed_out", "settled"),
    ],
)
def test_each_fault_of_ollama_has_its_name_and_costs_nothing(
    ollamas: list[ModelServer], rules: Rules, act: Act, outcome: Outcome, state: str
) -> None:
    rules(models=["ollama/llama3.1:8b"], timeout_s=1.5, first_token_s=0.5)
    for server in ollamas:
        server.always = act
    told = generate(request(fallback=lambda: "facts"))
    assert (told.outcome, told.cost_nano) == (outcome, 0)
    assert {(entry["outcome"], entry["state"]) for entry in entries()} == {(outcome, state)}


def test_a_host_that_stops_answering_in_the_middle_of_a_call(ollamas: list[ModelServer], rules: Rules) -> None:
    rules(models=["ollama/llama3.1:8b"], timeout_s=1.5)
    generate(request())
    for server in ollamas:
        server._server.socket.close()
    with pytest.raises(Unanswered) as raised:
        generate(request())
    assert raised.value.outcome == "unreachable"


def test_a_budget_that_is_gone_stops_the_chain_before_anything_is_asked(gemini: ModelServer, rules: Rules) -> None:
    rules(models=["gemini/gemini-3.5-flash-lite", "gemini/gemini-3.1-flash-lite"])
    with transaction() as connection:
        budgets.set_budget(connection, scope="module", name="communities", period="day", cap_nano=1, actor="ada")
    with pytest.raises(Refused) as raised:
        generate(request())
    assert raised.value.outcome == "budget_gone"
    assert isinstance(raised.value, Conflict)
    assert generate(request(fallback=lambda: "facts")).outcome == "budget_gone"
    assert generate(request(module="projects")).outcome == "answered"
    assert len(gemini.calls) == len(entries()) == 1
    with transaction() as connection:
        refused = {(state.scope, state.period): state.refused for state in budgets.states(connection)}
        assert refused == {("all", "day"): 0, ("all", "month"): 0, ("module", "day"): 2}
    (need,) = [need for need in attention.needs(attention.look()) if need.page == "cost"]
    assert need.words.startswith(
        "0% of the budget for this day of the module communities is used. 2 calls were refused because not enough is left, the last on "
    )
    with transaction() as connection:
        budgets.set_budget(connection, scope="module", name="communities", period="day", cap_nano=budgets.NANO, actor="ada")
    assert [need for need in attention.needs(attention.look()) if need.page == "cost"] == []


def test_an_unpriced_model_is_refused_unless_allowed_and_then_unknown(gemini: ModelServer, rules: Rules) -> None:
    rules(models=["gemini/gemini-of-tomorrow"])
    with pytest.raises(Refused) as raised:
        generate(request())
    assert (raised.value.outcome, entries()) == ("unpriced", [])
    rules(models=["gemini/gemini-of-tomorrow"], allow_unpriced=True)
    told = generate(request())
    assert (told.outcome, told.cost_nano) == ("answered", None)
    assert [(entry["state"], entry["reserved_nano"]) for entry in entries()] == [("unknown", 0)]
    assert operations()[0]["cost_nano"] is None


def test_a_limit_of_ours_holds_for_requests_and_for_tokens(gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    rules()
    monkeypatch.setattr(models, "limit", lambda *_: Limit(requests_a_minute=2))
    generate(request())
    generate(request())
    with pytest.raises(Unanswered) as raised:
        generate(request())
    assert raised.value.outcome == "too_many"
    assert 50 < (raised.value.retry_after_s or 0) <= 61
    monkeypatch.setattr(models, "limit", lambda *_: Limit(tokens_a_minute=2_000))
    with pytest.raises(Unanswered):
        generate(request())  # its ceiling is over 2,000: it waits until nothing else is in the window
    with transaction() as connection:
        connection.execute(text("update ai_ledger set at = at - interval '59.5 seconds'"))
    assert generate(request()).outcome == "answered"  # half a second is waited for here
    assert len(gemini.calls) == 3


def test_a_wait_whose_end_is_known_puts_the_job_back_while_it_has_attempts_left(gemini: ModelServer, rules: Rules) -> None:
    rules()
    gemini.always = Act(status=429, headers={"Retry-After": "70"})
    with transaction() as connection:
        again = enqueue(connection, "housekeeping", queue="default", max_attempts=2)
        last = enqueue(connection, "housekeeping", queue="default", max_attempts=1)
    with pytest.raises(Unanswered) as raised:
        generate(request(job_id=again, fallback=lambda: "facts"))
    assert (raised.value.outcome, raised.value.retry_after_s) == ("rate_limited", 71)
    told = generate(request(job_id=last, fallback=lambda: "facts"))
    assert (told.text, told.outcome) == ("facts", "rate_limited")
    assert len(gemini.calls) == 1  # the second was not even asked: the wait is known to all


def test_the_next_model_answers_where_the_first_does_not(gemini: ModelServer, rules: Rules) -> None:
    rules(models=["gemini/gemini-3.5-flash-lite", "gemini/gemini-3.1-flash-lite"])
    gemini.acts.extend([Act(status=404)])
    told = generate(request())
    assert (told.model, told.outcome, len(told.ledger_ids)) == ("gemini-3.1-flash-lite", "answered", 2)


def test_what_a_stopped_job_asked_is_unknown_and_can_be_resolved(gemini: ModelServer, rules: Rules) -> None:
    rules()

    def stop(_words: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(request(on_text=stop))
    [entry] = entries()
    assert (entry["state"], entry["outcome"]) == ("unknown", "lost")
    with transaction() as connection:
        assert ledger.unknown(connection) == {"calls": 1, "ceiling_nano": entry["reserved_nano"]}
        ledger.resolve(connection, int(str(entry["id"])), 500, "ada")
        with pytest.raises(Conflict, match="it is settled"):
            ledger.resolve(connection, int(str(entry["id"])), 500, "ada")
        with pytest.raises(NotFound):
            ledger.resolve(connection, 99, 500, "ada")
    assert spent() == [(0, 500, 0)] * 2


def test_an_intent_whose_job_died_becomes_unknown_once_and_late_news_correct_it(
    gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules()
    monkeypatch.setattr(ledger, "close", lambda *_: False)
    with transaction() as connection:
        job_id = enqueue(connection, "housekeeping", queue="default")
        assert job_id is not None
        assert claim.claim(connection, job_id, "w1") is not None
    generate(request(job_id=job_id))
    generate(request())
    monkeypatch.undo()
    assert lost.write_off() == 0  # its job runs, and the other's time is not over
    with transaction() as connection:
        connection.execute(text("update jobs set state = 'retry'"))
        connection.execute(text("update ai_ledger set until = now() where job_id is null"))
    assert lost.write_off() == 2
    assert lost.write_off() == 0
    assert [(entry["state"], entry["outcome"]) for entry in entries()] == [("unknown", "lost")] * 2
    reserved = [int(str(entry["reserved_nano"])) for entry in entries()]
    assert spent() == [(0, 0, sum(reserved))] * 2
    with transaction() as connection:
        assert ledger.close(connection, int(str(entries()[0]["id"])), ledger.Ending("answered", 7))
        assert not ledger.close(connection, int(str(entries()[0]["id"])), ledger.Ending("answered", 8))
    assert spent() == [(0, 7, reserved[1])] * 2
    assert {(found["error_type"], found["cost_nano"]) for found in operations()} == {("lost", None)}


def test_the_dispatcher_writes_off_what_died(
    gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rules()
    monkeypatch.setattr(ledger, "close", lambda *_: False)
    generate(request(job_id=4_711))  # a job that is not there any more
    monkeypatch.undo()
    redis = queues.connect()
    Dispatcher(redis)._write_off()
    redis.close()
    assert "1 calls to models have no ending" in caplog.text
    assert entries()[0]["state"] == "unknown"


def test_without_postgres_nothing_is_asked_and_an_ending_is_written_when_it_is_back(
    gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules()
    tries: list[int] = []
    real = ledger.close

    def away(*told: object) -> bool:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("The database does not answer.")
        return real(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "close", away)
    assert generate(request()).outcome == "answered"
    assert len(tries) == 3
    monkeypatch.setattr("services.ai.settlement.INSIST_S", 0.3)
    monkeypatch.setattr(ledger, "close", lambda *_: (_ for _ in ()).throw(Unavailable("away")))
    with pytest.raises(Unavailable):
        generate(request())
    assert [entry["state"] for entry in entries()] == ["settled", "intent"]
    monkeypatch.setattr("services.ai.admission.transaction", lambda: (_ for _ in ()).throw(Unavailable("away")))
    with pytest.raises(Unavailable):
        generate(request())
    assert len(gemini.calls) == 2


def test_an_operation_of_ours_is_stored_however_full_the_inbox_is(
    gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules()

    def full(_connection: object) -> Receipt:
        raise AssertionError

    monkeypatch.setattr("services.telemetry.inbox.refuse_when_full", full)
    generate(request())
    assert len(operations()) == 1


def test_there_is_no_time_for_another_try_when_the_time_is_over(gemini: ModelServer, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    rules(models=["gemini/gemini-3.5-flash-lite", "gemini/gemini-3.1-flash-lite"], timeout_s=0.8)
    monkeypatch.setattr(hop, "_pause_s", lambda *_: 0.3)
    gemini.always = Act(status=500, delay_s=0.3)
    with pytest.raises(Unanswered):
        generate(request())
    assert len(gemini.calls) <= 2
    assert {call.model for call in gemini.calls} == {"gemini-3.5-flash-lite"}


def test_every_outcome_says_what_it_means_and_is_told_here() -> None:
    assert all(meaning.words for meaning in OUTCOMES.values())
    elsewhere = {
        "answered",
        "cached",
        "template",
        "unreachable",
        "too_many",
        "breaker_open",
        "not_set_up",
        "budget_gone",
        "unpriced",
        "lost",
    }
    assert {case.outcome for case in CASES} | elsewhere == set(OUTCOMES)
