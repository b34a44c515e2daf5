"""Planted waste is found, each kind by its name and with its dollars; traffic without waste has no suggestion."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from services.clock import utc_now
from services.costs import findings
from services.costs.suggestion import KINDS, Suggestion
from services.db import transaction
from services.pricing import overrides
from services.settings import settings
from services.telemetry.forget_user import forget
from tests.traffic import arrive, operation

DAYS = 30
MINI_IN, MINI_OUT, MINI_READ = 0.25e-6, 2e-6, 0.025e-6  # gpt-5-mini, USD a token
Records = list[dict[str, object]]
pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def kept_words(monkeypatch: pytest.MonkeyPatch, database: None) -> Iterator[None]:
    """The console keeps what was said."""
    monkeypatch.setenv("STORE_PAYLOADS", "true")
    settings.cache_clear()
    yield
    settings.cache_clear()


def clean(seed: int = 1, count: int = 1_500) -> Records:
    """People talk with one model a task, each time about something else; some calls fail and some are tried again, unbilled."""
    chance, start = random.Random(seed), utc_now() - timedelta(days=DAYS)
    made = []
    for n in range(count):
        module, model = chance.choice([("chat", "gpt-5-mini"), ("tutor", "claude-haiku-4-5")])
        at = start + timedelta(days=DAYS) * chance.random()
        tokens, who = chance.randint(300, 6_000), f"u{chance.randint(1, 60)}"
        told: dict[str, object] = {
            "module": module, "provider": "openai" if module == "chat" else "anthropic", "model": model, "input_tokens": tokens,
            "output_tokens": chance.randint(50, 400), "user_id": who, "session_id": f"{who}-{n // 5}", "prompt": f"question {n}",
            "cache_read_tokens": tokens // 3 if chance.random() < 0.7 else 0, "cached": chance.random() < 0.15, "ttft_ms": 300,
        }  # fmt: skip
        if chance.random() < 0.03:
            told |= {"error_type": "rate_limit", "output_tokens": None, "input_tokens": None, "cached": False, "cache_read_tokens": None}
        made.append(operation(f"clean-{n}", at, **told))
    return made


def spread(count: int, first_day: float = DAYS - 1.1, last_day: float = 0.0) -> list[datetime]:
    """Moments of the days that are looked at, today among them: just after midnight they begin a day later than at its end."""
    now = utc_now() - timedelta(minutes=20)
    return [now - timedelta(days=first_day - (first_day - last_day) * n / count) for n in range(count)]


def people(made: Records) -> Records:
    return [one | {"user_id": f"p{n}", "session_id": f"ps{n}"} for n, one in enumerate(made)]


def repeated() -> Records:
    return people(
        [operation(f"r{n}", at, module="faq", prompt="What are the opening hours?") for n, at in enumerate(spread(200, DAYS - 0.1))]
    )


def dear() -> Records:
    cheap = [operation(f"d{n}", at, module="sum", model="gpt-5-mini", input_tokens=900 + n) for n, at in enumerate(spread(100))]
    return people(cheap + [operation(f"e{n}", at, module="sum", model="gpt-5", input_tokens=900 + n) for n, at in enumerate(spread(100))])


def unattended() -> Records:
    nights = [utc_now().replace(minute=1) - timedelta(days=day, hours=3) for day in range(1, 11)]
    return [operation(f"n{n}", nights[n // 40] + timedelta(seconds=n % 40), module="nightly", input_tokens=500 + n) for n in range(400)]


def over() -> Records:
    told = {"module": "books", "provider": "gcp.gemini", "model": "gemini-2.5-pro"}
    return people([operation(f"o{n}", at, input_tokens=210_000 + n, **told) for n, at in enumerate(spread(20))])


def retried() -> Records:
    made: Records = []
    for n, at in enumerate(spread(40)):
        told = {"module": "forms", "input_tokens": 4_000 + n, "user_id": f"f{n}", "session_id": f"fs{n}"}
        made.append(operation(f"t{n}", at, error_type="timeout", **told))
        made.append(operation(f"s{n}", at + timedelta(seconds=70), **told))
    return made


def collapsed() -> Records:
    before = [
        operation(f"k{n}", at, module="agent", input_tokens=8_000 + n, cache_read_tokens=6_000) for n, at in enumerate(spread(400, 30, 8))
    ]
    return people(before + [operation(f"l{n}", at, module="agent", input_tokens=8_000 + n) for n, at in enumerate(spread(150, 6))])


def found() -> dict[str, Suggestion]:
    findings.find()
    return {one.kind: one for one in findings.listing().suggestions}


def test_traffic_without_waste_has_no_suggestion() -> None:
    assert findings.listing() == findings.Found(None, ())
    arrive(clean())
    assert found() == {}
    assert findings.listing().at is not None


def test_every_kind_of_waste_is_found_and_nothing_else() -> None:
    arrive(clean() + repeated() + dear() + unattended() + over() + retried() + collapsed())
    suggestions = found()
    assert set(suggestions) == set(KINDS)
    assert {one.module for one in suggestions.values()} == {"faq", "sum", "nightly", "books", "forms", "agent"}
    assert all(KINDS[kind].words(one.evidence) for kind, one in suggestions.items())
    with transaction() as connection:
        assert connection.execute(text("select count(*) from cost_suggestions")).scalar_one() == len(KINDS)


@pytest.mark.parametrize(
    ("planted", "kind", "saves"),
    [
        (repeated, "repeated_prompts", 199 * (1_000 * MINI_IN + 100 * MINI_OUT)),
        (dear, "cheaper_model", sum((900 + n) * (1.25e-6 - MINI_IN) for n in range(100)) + 100 * 100 * (10e-6 - MINI_OUT)),
        (unattended, "batch", sum((500 + n) * MINI_IN + 100 * MINI_OUT for n in range(400)) / 2 * DAYS / 10.1),
        (over, "price_cliff", sum((210_000 + n) * 2.5e-6 + 100 * 15e-6 - 200_000 * 1.25e-6 - 100 * 10e-6 for n in range(20))),
        (retried, "billed_retries", sum((4_000 + n) * MINI_IN + 100 * MINI_OUT for n in range(40))),
        (collapsed, "cache_collapse", 150 * 6_000 * (MINI_IN - MINI_READ) * DAYS / 7),
    ],
)
def test_it_would_save_what_it_says(planted: object, kind: str, saves: float) -> None:
    arrive(planted())  # type: ignore[operator]
    suggestions = found()
    assert set(suggestions) == {kind}
    assert suggestions[kind].saves_nano / 1e9 == pytest.approx(saves, rel=0.03)


def test_models_that_cost_nothing_need_no_cheaper_one_and_keep_nothing_else_from_being_found() -> None:
    for model in ("house-small", "house-large"):
        with transaction() as connection:
            units, since = {"input": "0", "output": "0"}, utc_now() - timedelta(days=60)
            overrides.add(connection, model=model, units=units, effective_from=since, source="our own machine", actor="ada")
    free = [
        operation(f"{model}-{n}", at, module="house", model=model, input_tokens=900 + n)
        for model in ("house-small", "house-large")
        for n, at in enumerate(spread(100))
    ]
    arrive(people(free) + dear())
    suggestions = found()
    assert set(suggestions) == {"cheaper_model"}
    assert suggestions["cheaper_model"].module == "sum"


def test_who_spends_most_is_counted_over_sources_for_people_and_within_one_for_sessions() -> None:
    now = utc_now() - timedelta(hours=1)
    told = {"user_id": "ann", "session_id": "1"}
    arrive([operation("a", now, **told), operation("b", now - timedelta(days=3), **told)], source="one")
    arrive([operation("c", now, **told), operation("d", now, user_id="bob", session_id="9"), operation("e", now)], source="two")
    arrive([operation("u", now, model="nobody knows", user_id="ann")])
    findings.find()
    one = 1_000 * MINI_IN + 100 * MINI_OUT
    users, day = findings.top_spenders(30, "user"), findings.top_spenders(1, "user")
    assert users[["key", "operations", "unpriced"]].values.tolist() == [["ann", 4, 1], ["bob", 1, 0]]
    assert users["cost_usd"].astype(float).tolist() == pytest.approx([3 * one, one])
    assert day["cost_usd"].astype(float).tolist() == pytest.approx([2 * one, one])
    sessions = findings.top_spenders(30, "session")
    assert sessions[["source", "key", "operations"]].values.tolist() == [["one", "1", 2], ["two", "1", 1], ["two", "9", 1]]


def test_a_forgotten_user_is_in_no_list() -> None:
    now = utc_now() - timedelta(hours=1)
    arrive([operation("a", now, user_id="ann", session_id="1"), operation("b", now, user_id="bob", session_id="2")])
    findings.find()
    forget("ann", actor="admin")
    assert findings.top_spenders(30, "user")["key"].tolist() == ["bob"]
    assert findings.top_spenders(30, "session")["key"].tolist() == ["2"]
    findings.find()
    assert len(findings.top_spenders(30, "user")) == 2
    assert "ann" not in findings.top_spenders(30, "user")["key"].tolist()
