"""The Cost page: the month, budgets and who may change them, what changed, suggestions, who spends most."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from console.ui import formats
from services.ai import budgets
from services.clock import utc_now
from services.costs import findings
from services.db import transaction
from services.telemetry import inbox
from tests.pages.jobs import session
from tests.pages.test_pages import charts, opened, words
from tests.traffic import arrive, move_all, operation

pytestmark = pytest.mark.usefixtures("database")
ONE = Decimal("0.00045")  # 1,000 tokens in and 100 out of gpt-5-mini


@pytest.fixture
def traffic(database: None) -> int:
    """Ten calls a day for sixty days, and today four of another model and module."""
    now = utc_now()
    days = [operation(f"{day}-{n}", now - timedelta(days=day), session_id=f"s{day}-{n}") for day in range(60) for n in range(10)]
    dear = [operation(f"dear-{n}", now, module="lab", model="gpt-5", output_tokens=10_000, user_id="ann") for n in range(4)]
    return arrive(days + dear)


def page(role: str = "viewer", **address: str) -> AppTest:
    app = opened("cost", session(role), **address)
    assert not app.exception
    return app


def tile(app: AppTest, label: str) -> str:
    (found,) = [metric for metric in app.metric if metric.label == label]
    return str(found.value)


def figure(app: AppTest, alt: str) -> dict[str, object]:
    (at,) = [place for place, chart in enumerate(app.get("plotly_chart")) if alt in chart.proto.alt]
    return charts(app)[at]


def test_it_shows_the_month_and_its_end(traffic: int) -> None:
    app = page(range="7d")
    today = 10 * ONE + 4 * (1_000 * Decimal("1.25e-6") + 10_000 * Decimal("10e-6"))
    assert tile(app, "Today") == f"${today:.4f}"
    assert tile(app, "Month's end").startswith("$")
    assert tile(app, "Cost per session") == formats.money((60 * ONE + today) / 70)
    assert tile(page("analyst", range="7d", model="gpt-5"), "Cost per session") == "unknown"
    assert tile(app, "Saved by caches") == "$0.00"
    expected = next(metric for metric in app.metric if metric.label == "Month's end")
    assert " to " in expected.delta


def test_it_splits_by_any_dimension_as_bars_or_areas(traffic: int) -> None:
    bars = page(range="30d", split="provider")
    assert figure(bars, "cost of each provider")["data"][0]["type"] == "bar"  # type: ignore[index]
    areas = page("analyst", range="30d", split="module", shape="treemap")
    tree = figure(areas, "Treemap")["data"][0]  # type: ignore[index]
    assert (tree["type"], tree["ids"]) == ("treemap", ["lab", "chat"])


def test_it_says_what_changed_and_who_made_it(traffic: int) -> None:
    app = page(range="7d", against="a week earlier")
    added = 4 * (1_000 * 1.25e-6 + 10_000 * 10e-6)
    assert f"Cost went from \\$0.0315 to **\\${0.0315 + added:.4f}**" in words(app)
    assert "mostly by Model mix" in words(app)
    assert figure(app, "Waterfall: cost from")["data"][0]["type"] == "waterfall"  # type: ignore[index]
    assert "gpt-5" in str(figure(app, "change in cost of each model"))


def test_it_holds_any_two_ranges_beside_each_other(traffic: int) -> None:
    now = utc_now().date()
    first, last = (str(now - timedelta(days=days)) for days in (20, 18))
    app = page(range="7d", against="other days", before_from=first, before_to=last)
    assert "Cost went from \\$0.0135" in words(app)
    assert "the ranges differ in length" in words(app)


def test_budgets_tell_what_they_hold_back_from_what_they_cannot(traffic: int) -> None:
    with transaction() as connection:
        budgets.set_budget(connection, scope="module", name="lab", period="day", cap_nano=10**8, actor="bob")
        budgets.set_budget(connection, scope="all", period="day", cap_nano=10**8, actor="bob")
        connection.execute(text("update budget_periods set spent_nano = 90000000"))
        connection.execute(text("insert into budget_crossings select id, 80 from budget_periods"))
    app = page()
    said = words(app)
    progress = [element.proto.text for element in app.get("progress")]
    assert "**Module lab, a day**" in said
    assert "Our own calls, which it holds back: \\$0.0900, 90%" in progress
    assert any("All operations, which it cannot stop" in told and told.endswith("405%") for told in progress)
    assert "Crossed 80 %" in said
    assert "it is passed already" in said
    assert "Budgets are changed by the role operator or above." in said
    assert not [button for button in app.button if button.label == "Set budget"]


def test_a_budget_whose_back_tests_saw_no_spending_has_no_known_error(database: None) -> None:
    with transaction() as connection:
        budgets.applying(connection, module="m", provider="p", model="x", user=None)
        inbox.accept(
            connection, "operations", [operation("own", utc_now() - timedelta(days=21), cost_usd="2")], source="binnacle", door="gateway",
            own=True,
        )  # fmt: skip
    move_all()
    said = words(page())
    assert "inf%" not in said
    assert "how good that is nobody can tell: nothing was spent in any of 12 back-tests" in said


def test_an_operator_sets_and_ends_budgets_and_it_is_audited(traffic: int) -> None:
    app = page("operator")
    app.text_input(key="budget_thresholds-0").set_value("90, x")
    app.number_input(key="budget_cap-0").set_value(3.5)
    set_budget(app)
    assert "whole percentages with commas between them" in words(app)
    app.text_input(key="budget_thresholds-0").set_value("90 %")
    set_budget(app)
    assert "The budget is set" in words(app)
    with transaction() as connection:
        (day,) = [one for one in budgets.states(connection) if one.period == "day"]
        assert (day.cap_nano, day.thresholds, day.hard_stop) == (3_500_000_000, (90,), True)
    (choice,) = [box for box in app.selectbox if box.label == "End a budget"]
    choice.set_value(day.id).run()
    next(button for button in app.button if button.label == "End it").click().run()
    assert "The budget is ended" in words(app)
    with transaction() as connection:
        assert [one.period for one in budgets.states(connection)] == ["month"]
        acts = connection.execute(text("select action from audit where actor = 'operator' order by id")).scalars().all()
    assert acts[-2:] == ["budget.set", "budget.end"]


def set_budget(app: AppTest) -> None:
    next(button for button in app.button if button.label == "Set budget").click().run()
    assert not app.exception


def test_it_shows_what_would_save_money_and_who_spends_most(traffic: int) -> None:
    before = words(page("analyst"))
    assert "Nobody has looked yet" in before
    assert "No user that cost anything" in before
    now = utc_now()
    told = {"module": "forms", "user_id": "bob", "input_tokens": 50_000}
    again = [operation(f"t{n}", now - timedelta(hours=n + 1), error_type="timeout", **told) for n in range(12)]
    arrive(again + [operation(f"r{n}", now - timedelta(hours=n + 1) + timedelta(seconds=40), **told) for n in range(12)])
    findings.find()
    app = page("operator")
    assert "Retries billed twice" in words(app)
    assert "12 failed calls were billed" in words(app)
    assert tile(app, "Saves a month") == "$0.1524"
    frames = [frame.value for frame in app.dataframe]
    assert ["ann", "bob"] in [frame["key"].tolist() for frame in frames if "key" in frame]


def test_the_largest_suggestions_are_told_in_full_and_no_other_is_left_out(traffic: int) -> None:
    now = utc_now()
    for n in range(6):
        told = {"module": f"m{n}", "user_id": f"user {n}", "input_tokens": 50_000 * (n + 1)}
        again = [operation(f"t{n}-{k}", now - timedelta(hours=k + 1), error_type="timeout", **told) for k in range(12)]
        arrive(again + [operation(f"r{n}-{k}", now - timedelta(hours=k + 1) + timedelta(seconds=40), **told) for k in range(12)])
    findings.find()
    app = page()
    full = [element.value for element in app.markdown if "Retries billed twice" in element.value]
    (smaller,) = [frame.value for frame in app.dataframe if "Saves a month" in frame.value]
    assert [place.rsplit("· ")[1].split(",")[0] for place in full] == ["m5", "m4", "m3", "m2"]
    assert [place.split(",")[0] for place in smaller["Where"]] == ["m1", "m0"]
    assert smaller["Saves a month"].tolist() == pytest.approx([0.3024, 0.1524])
    assert smaller["Evidence"].str.startswith("12 failed calls were billed").all()
    assert "2 smaller ones" in [one.label for one in app.expander]


def test_nothing_to_save_is_said(traffic: int) -> None:
    findings.find()
    assert "Nothing that would save a cent a month" in words(page())
