"""Sixty-four callers at one budget: whatever they reserve, settle, fail or leave behind, no cap is passed and no unit is lost."""

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import pytest
from sqlalchemy import Connection, text

from services.ai import budgets, ledger, lost, periods
from services.ai.ledger import About, Ending, Entry
from services.ai.outcomes import Outcome
from services.db import forget, transaction
from tests.faults.report import Fault, scale

CALLERS, ROUNDS = 64, scale(20, 1_000)
PROCESSES = scale(2, 8)
CAP, MOST = 1_000_000, 5_000
ENDS: Sequence[Outcome] = ("answered", "answered", "answered", "rate_limited", "timed_out", "lost")
MODULES, USERS = ("communities", "projects", "sitewide"), ("u1", "u2", None)


@dataclass
class Seen:
    """What one caller saw."""

    admitted: int = 0
    refused: int = 0
    over: int = 0
    dearer: int = 0


def about(chance: random.Random) -> About:
    module, model, user = chance.choice(MODULES), chance.choice(("m1", "m2")), chance.choice(USERS)
    return About("primary", "facts@1", module, "needs", "gemini", "", model, user, None, None, b"")


def reserve(connection: Connection, asking: About, nano: int, seen: Seen) -> Entry | None:
    """As admission does; counts every budget that it finds above its cap at that moment, its row locked by this transaction."""
    applying = budgets.applying(connection, module=asking.module, provider=asking.provider, model=asking.model, user=asking.user)
    if not periods.admit(connection, applying, nano):
        seen.refused += 1
        return None
    seen.admitted += 1
    seen.over += connection.execute(
        text(
            "select count(*) from budget_periods p join budgets b on b.id = p.budget_id where p.id = any(:ids) and b.hard_stop"
            " and reserved_nano + spent_nano + unknown_nano > cap_nano"
        ),
        {"ids": applying},
    ).scalar_one()
    return ledger.open_entry(connection, asking, reserved_nano=nano, ceiling_tokens=1, period_ids=applying, wait_s=60)


def caller(seed: int) -> Seen:
    chance, seen = random.Random(seed), Seen()
    for _ in range(ROUNDS):
        nano = chance.randint(1, MOST)
        with transaction() as connection:
            entry = reserve(connection, about(chance), nano, seen)
        if entry is None:
            continue
        outcome = chance.choice(ENDS)
        if outcome == "lost":
            continue  # its worker died: only the intent is left
        cost = {"answered": chance.randint(0, round(nano * 1.2)), "rate_limited": 0}.get(outcome)
        seen.dearer += (cost or 0) > nano
        with transaction() as connection:
            assert ledger.close(connection, entry.id, Ending(outcome, cost))
    return seen


def callers(process: int) -> list[Seen]:
    """Those of one process, each on a connection of its own where there are enough."""
    here = range(process, CALLERS, PROCESSES)
    with ThreadPoolExecutor(len(here)) as pool:
        seen = list(pool.map(caller, here))
    forget()
    return seen


@pytest.mark.unmeasured
def test_no_cap_is_passed_at_admission_and_the_ledger_is_the_budget(database: None, fault: Fault) -> None:
    fault.done = f"{CALLERS} callers × {ROUNDS} rounds on seven budgets: failures, deaths, time-outs and settlements above the reservation"
    with transaction() as connection:
        share = CALLERS * ROUNDS * MOST // 4
        for period in budgets.DEFAULTS:
            budgets.set_budget(connection, scope="all", period=period[0], cap_nano=share, actor="ada")
        for module in MODULES:
            budgets.set_budget(connection, scope="module", name=module, period="day", cap_nano=share // 4, actor="ada")
        budgets.set_budget(connection, scope="user", name="u1", period="month", cap_nano=share // 5, actor="ada")
        budgets.set_budget(connection, scope="model", name="gemini/m1", period="day", cap_nano=CAP, hard_stop=False, actor="ada")
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        seen = [one for some in pool.map(callers, range(PROCESSES)) for one in some]
    with transaction() as connection:
        differences = periods.differences(connection)
        crossings, distinct = connection.execute(text("select count(*), count(distinct (period_id, percent)) from budget_crossings")).one()
        connection.execute(text("update ai_ledger set until = now() where state = 'intent'"))
        open_before = connection.execute(text("select count(*) from ai_ledger where state = 'intent'")).scalar_one()
    written_off = lost.write_off()
    with transaction() as connection:
        after = periods.differences(connection)
        used, entries = connection.execute(
            text(
                "select sum(spent_nano + unknown_nano + reserved_nano), (select sum(coalesce(cost_nano, reserved_nano)) from ai_ledger)"
                " from budget_periods p join budgets b on b.id = p.budget_id and b.scope = 'all' and b.period = 'day'"
            )
        ).one()
        passed = (
            "select spent_nano + unknown_nano > cap_nano from budget_periods p join budgets b on b.id = p.budget_id where not hard_stop"
        )
        soft = connection.execute(text(passed)).scalar_one()
    fault.finds("callers", CALLERS)
    fault.finds("admitted", sum(one.admitted for one in seen), "≥", CALLERS)
    fault.finds("refused", sum(one.refused for one in seen), "≥", 1)
    fault.finds("settled above the reservation", sum(one.dearer for one in seen), "≥", 1)
    fault.finds("caps passed at admission", sum(one.over for one in seen), "=", 0)
    fault.finds("periods that differ from the ledger", len(differences), "=", 0)
    fault.finds("the same, after deaths were written off", len(after), "=", 0)
    fault.finds("nano-USD between ledger and budget", int(used) - int(entries), "=", 0)
    fault.finds("intents left by deaths", open_before, "≥", 1)
    fault.finds("of them not unknown", open_before - written_off, "=", 0)
    fault.finds("crossings recorded twice", crossings - distinct, "=", 0)
    fault.finds("crossings", crossings, "≥", 3)
    fault.finds("a budget without a hard stop goes on", float(soft), "≥" if ROUNDS >= 100 else None, 1)
    fault.holds()
