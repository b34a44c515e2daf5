"""The Prices page: what is in use, prices of our own, re-pricing that shows before it writes, the bill; each for who may."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services.accounts import accounts, sign_ins
from services.clock import utc_now
from services.db import transaction
from services.pricing import reprice
from services.settings import ROOT
from tests.pages.shown import wrong
from tests.traffic import arrive, operation

pytestmark = pytest.mark.usefixtures("database")


def session(role: str) -> str:
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, f"the-{role}", role))


def opened(role: str = "operator") -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "prices.py"), default_timeout=60)
    app.user = {"session": session(role)}
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.info, app.warning, app.error, app.success, app.caption, app.markdown)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


def fill(app: AppTest, **told: str) -> AppTest:
    for key, value in told.items():
        app.text_input(key=key).set_value(value)
    return app


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


@pytest.fixture
def traffic(database: None) -> None:
    now = utc_now()
    calls = [operation(f"mini {n}", now - timedelta(hours=n), input_tokens=1_000_000, output_tokens=0) for n in range(4)]
    arrive([*calls, operation("mine", now, provider="ollama", model="home-made")])


def test_it_says_what_there_is_where_there_is_nothing() -> None:
    said = words(opened("viewer"))
    assert "no price is in use" in said
    assert "There are no prices of our own" in said


def test_it_shows_the_prices_in_use_and_what_has_none(traffic: None) -> None:
    rows = opened("viewer").dataframe[0].value.set_index("Model")
    assert rows.loc["gpt-5-mini", ["Input", "Output", "Cache read", "Per request"]].tolist() == ["$0.25", "$2", "$0.025", "free"]
    assert rows.loc["gpt-5-mini", "Source"].startswith("genai-prices")
    assert rows.loc["home-made", "Source"] == "no price of ours"
    assert rows.loc["home-made"].isna()["Input"]


def test_a_price_that_changes_with_the_size_of_a_call_is_short_and_exact(database: None) -> None:
    arrive([operation("long", utc_now(), provider="anthropic", model="claude-sonnet-4-5")])
    row = opened("viewer").dataframe[0].value.iloc[0]
    assert row[["Input", "Output"]].tolist() == ["$3, > 200k: $6", "$15, > 200k: $22.5"]


def test_a_viewer_may_look_and_preview_and_nothing_more(traffic: None) -> None:
    app = opened("viewer")
    assert {button.label for button in app.button} == {"Preview", "Compare"}
    press(fill(app, reprice_model="gpt-5-mini", try_input="1", try_output="1", try_source="offer"), "Preview")
    assert "Nothing is written yet" in words(app)
    assert "Apply" not in {button.label for button in app.button}


def test_an_operator_adds_and_ends_a_price() -> None:
    app = opened()
    fill(app, own_model="gpt-5*", own_input="1.25", own_output="dear", own_source="contract 2026")
    press(app, "Add the price")
    assert "Holds from: choose the first day" in wrong(app)
    app.date_input(key="own_from").set_value(datetime(2026, 1, 1, tzinfo=UTC).date())
    press(app, "Add the price")
    assert "output: 'dear' is not a price" in wrong(app)
    press(fill(app, own_output="10"), "Add the price")
    assert "The price holds for what arrives from now on" in words(app)
    shown = app.dataframe[0].value.iloc[0]
    assert shown[["Model", "Provider", "Input", "Cache read", "State", "By"]].tolist() == [
        "gpt-5*", "any", "$1.25", "as input", "● in force", "the-operator",
    ]  # fmt: skip
    app.selectbox(key="end_id").set_value(1).run()
    app.checkbox[0].check()
    press(app, "End the price")
    assert "Price 1 is withdrawn" in words(app)
    assert app.dataframe[0].value.iloc[0][["Until", "State"]].tolist() == ["withdrawn", "▲ over"]


def test_it_shows_the_difference_before_it_writes_and_can_take_it_back(traffic: None) -> None:
    app = press(fill(opened(), reprice_model="gpt-5-mini", try_input="1", try_output="1", try_source="offer"), "Preview")
    tiles = {metric.label: metric.value for metric in app.metric}
    assert tiles == {
        "Operations": "4", "Changed": "4", "Newly priced": "0", "No longer priced": "0",
        "Before": "$1.00", "After": "$4.00", "Difference": "$3.00",
    }  # fmt: skip
    assert scalar("select count(*) from price_overrides") == 0
    press(app, "Apply")
    assert "A worker re-prices now" in words(app)
    assert scalar("select string_agg(kind, ',') from jobs") == "pricing.reprice"
    assert not app.metric
    reprice.apply(1, lambda *_: None, lambda: False)
    app.run()
    shown = app.dataframe[-1].value.iloc[0]
    assert shown[["State", "Changed", "Difference", "By"]].tolist() == ["● applied", "4", "$3.00", "the-operator"]
    app.selectbox(key="reverse_id").set_value(1).run()
    press(app, "Take it back")
    assert "is being taken back" in words(app)
    assert scalar("select state from repricings") == "reversing"


def test_it_says_what_is_wrong_with_a_question(traffic: None) -> None:
    app = press(fill(opened(), try_input="1", try_output="1", try_source="offer"), "Preview")
    assert "model: give 1 to 200 characters" in wrong(app)
    app.date_input(key="reprice_from").set_value(utc_now().date() + timedelta(days=9))
    press(fill(app, reprice_model="gpt-5-mini"), "Preview")
    assert "must lie before the end" in words(app)


def test_it_names_days_whose_calls_are_gone(traffic: None) -> None:
    with transaction() as connection:
        connection.execute(text("update rollup_state set raw_from = current_date + 1"))
    assert "no longer have all their calls" in words(press(opened(), "Preview"))


def test_somebody_who_lost_the_role_since_is_refused(traffic: None) -> None:
    app = press(fill(opened(), reprice_model="gpt-5-mini", try_input="1", try_output="1", try_source="offer"), "Preview")
    with transaction() as connection:
        connection.execute(text("update accounts set role = 'viewer'"))
    app.run()
    assert "Apply" not in {button.label for button in app.button}
    assert scalar("select count(*) from repricings") == 0


def test_it_compares_a_bill(traffic: None) -> None:
    app = press(opened("viewer"), "Compare")
    assert "Choose a file first" in words(app)
    days = sorted({(utc_now() - timedelta(hours=n)).date() for n in range(4)})
    calls = {day: sum((utc_now() - timedelta(hours=n)).date() == day for n in range(4)) for day in days}
    lines = [f"{day},gpt-5-mini,{calls[day]}000000,{calls[day] * 0.25}" for day in days]
    content = "\n".join(["when,model,in,cost", *lines, f"{days[-1]},dall-e-3,0,2.00"]).encode()
    app.file_uploader(key="bill").set_value(("bill.csv", content, "text/csv"))
    press(app, "Compare")
    assert "No column tells the day" in words(app)
    press(fill(app, bill_columns="day=when, input_tokens=in"), "Compare")
    assert {metric.label: metric.value for metric in app.metric} == {
        "Their cost": "$3.00",
        "Our cost": "$1.00",
        "Lines that agree": f"{len(days)} of {len(days) + 1}",
    }
    assert app.dataframe[-1].value["Why"].tolist() == ["not in our telemetry", *["agrees"] * len(days)]
