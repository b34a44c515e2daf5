"""A provider that misbehaves at random, under many workers: bounded calls, a breaker that opens and probes, and nobody held."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from services.ai import breaker, budgets, models
from services.ai.gateway import generate
from services.ai.models import Limit
from services.ai.outcomes import Refused, Unanswered
from services.ai.providers import gemini as gemini_provider
from services.db import transaction
from tests.faults.report import Fault, scale
from tests.models import GOOD, Act, ModelServer, gemini_error
from tests.services.ai.conftest import Rules, request
from tests.services.ai.test_gateway import entries, spent
from tests.services.ai.test_outcomes import Shape

WORKERS, QUESTIONS = 16, scale(96, 2_000)
TIMEOUT_S = 2.0
UNSHAPED = range(1, 3 * WORKERS, 3)  # questions for words, not JSON
FAULTS = (
    Act(status=429, headers={"Retry-After": "0.1"}), Act(status=429, error=gemini_error(429, retry_delay="0.2s")), Act(status=500),
    Act(status=503), Act(delay_s=9), Act(gap_s=9), Act(drip_s=0.2), Act(cut=1), Act(cut=0), Act(text='{"number": "x"}'), Act(text=""),
    Act(counts={}), Act(counts={"promptTokenCount": 5, "totalTokenCount": 1}), Act(block="SAFETY"), Act(body=b"<html>"), Act(finish=None),
    Act(status=400, error=gemini_error(400, "API_KEY_INVALID")), Act(status=404), Act(finish="MAX_TOKENS"),
)  # fmt: skip


@dataclass
class Ended:
    """How one question ended, and when."""

    outcome: str
    took_s: float
    calls: int


def ask(number: int) -> Ended:
    asked = request(schema=Shape if number % 3 == 0 else None, values={"fact": str(number)}, fallback=None)
    began = time.monotonic()
    try:
        told = generate(asked)
    except (Unanswered, Refused) as error:
        return Ended(error.outcome, time.monotonic() - began, 0)
    return Ended(told.outcome, time.monotonic() - began, len(told.ledger_ids))


def most_calls_a_question() -> int:
    with transaction() as connection:
        found = connection.execute(
            text("select coalesce(max(n), 0) from (select count(*) n from ai_ledger group by request_hash, model) q")
        )
        return int(found.scalar_one())


@pytest.mark.unmeasured
def test_chaos_holds_nobody_and_loses_no_unit(gemini: ModelServer, rules: Rules, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.done = f"{QUESTIONS} questions by {WORKERS} workers to a provider of which half the calls go wrong in {len(FAULTS)} ways"
    rules(timeout_s=TIMEOUT_S, first_token_s=0.5, idle_s=0.4)
    monkeypatch.setattr(models, "limit", lambda *_: Limit())  # neither limit nor budget may be what holds it back
    with transaction() as connection:
        for period, _cap in budgets.DEFAULTS:
            budgets.set_budget(connection, scope="all", period=period, cap_nano=10**14, actor="ada")
    monkeypatch.setattr(breaker, "COOL_S", 0.05)
    monkeypatch.setattr(breaker, "LONGEST_S", 0.05)
    chance = random.Random(7)
    gemini.acts.extend(chance.choice(FAULTS) if chance.random() < 0.5 else GOOD for _ in range(QUESTIONS * 3))
    gemini_provider.load()
    with ThreadPoolExecutor(WORKERS) as pool:
        ended = list(pool.map(ask, range(QUESTIONS)))
    made = entries()
    outcomes = {one.outcome for one in ended}
    fault.finds("questions", len(ended), "=", QUESTIONS)
    fault.finds("answered", sum(one.calls > 0 for one in ended), "≥", QUESTIONS / 10)
    fault.finds("longest wait, s", max(one.took_s for one in ended), "≤", TIMEOUT_S + 5)
    fault.finds("calls a hop", most_calls_a_question(), "≤", 3)
    fault.finds("calls without an entry", len(gemini.calls) - len(made), "≤", 0)
    fault.finds("entries left open", sum(entry["state"] == "intent" for entry in made), "=", 0)
    fault.finds("kinds of outcome", len(outcomes), "≥", 4)
    fault.finds("periods with something reserved", sum(reserved > 0 for reserved, _, _ in spent()), "=", 0)
    fault.holds()


def test_the_breaker_opens_after_five_failures_and_one_probe_closes_it(
    gemini: ModelServer, rules: Rules, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.done = "a provider that only fails, asked by one worker, then, when the pause is over, by sixteen at once"
    monkeypatch.setattr(breaker, "COOL_S", 1.0)
    rules(timeout_s=4)
    gemini_provider.load()
    gemini.always = Act(status=503)
    until_open = [ask(number).outcome for number in UNSHAPED[:4]]
    asked = len(gemini.calls)
    fault.finds("calls until it opened", asked, "≤", 5)
    fault.finds("questions refused at once", until_open.count("breaker_open"), "≥", 1)
    gemini.always = Act(status=503, delay_s=0.5)
    time.sleep(1.1)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(ask, UNSHAPED))
    probes = len(gemini.calls) - asked
    fault.finds("probes of sixteen, failing", probes, "=", 1)
    gemini.always, gemini.most_at_once = Act(delay_s=0.5), 0
    time.sleep(2.1)  # twice as long after a probe that failed
    with ThreadPoolExecutor(WORKERS) as pool:
        second = list(pool.map(ask, UNSHAPED))
    fault.finds("probes of sixteen, going well", len(gemini.calls) - asked - probes, "=", 1)
    fault.finds("answers by it", sum(one.outcome == "answered" for one in second), "=", 1)
    with ThreadPoolExecutor(WORKERS) as pool:
        third = list(pool.map(ask, UNSHAPED))
    fault.finds("answers after it", sum(one.outcome == "answered" for one in third), "=", WORKERS)
    fault.holds()


def test_a_probe_whose_worker_died_is_made_again(gemini: ModelServer, rules: Rules) -> None:
    rules(timeout_s=4)
    place = breaker.Place("gemini", "", "gemini-3.5-flash-lite")
    with transaction() as connection:
        for _ in range(5):
            breaker.note(connection, place, "server_error")
        connection.execute(text("update ai_health set open_until = now() - interval '1 s', probe_until = now() + interval '0.3 s'"))
    assert ask(1).outcome == "breaker_open"
    time.sleep(0.35)
    assert ask(2).outcome == "answered"
    with transaction() as connection:
        row = connection.execute(text("select failures, opened, open_until, probe_until from ai_health")).one()
    assert tuple(row) == (0, 0, None, None)


def test_late_failures_do_not_keep_an_open_breaker_open_longer(database: None) -> None:
    place = breaker.Place("gemini", "", "m")
    with transaction() as connection:
        for _ in range(5):
            breaker.note(connection, place, "timed_out")
        until = connection.execute(text("select open_until from ai_health")).scalar_one()
    with transaction() as connection:
        breaker.note(connection, place, "timed_out")
        row = connection.execute(text("select open_until, opened, failures from ai_health")).one()
        assert (row.open_until, row.opened, row.failures) == (until, 1, 6)
        breaker.note(connection, place, "rate_limited", 9)
        assert connection.execute(text("select open_until, wait_until > now() + interval '8 s' from ai_health")).one() == (None, True)
