"""The Ask page: examples, answers, going on, earlier conversations; and what only admins see of it."""

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services.accounts import accounts, sign_ins
from services.ask import chat
from services.ask.asker import Asker
from services.db import transaction
from tests.pages.test_pages import charts, opened, words
from tests.pages.test_telemetry import press, session
from tests.services.ask import world

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def known(database: None) -> None:
    world.fill()


def said(app: AppTest) -> list[str]:
    """What each bubble says first."""
    return [message.markdown[0].value for message in app.chat_message]


def ask(app: AppTest, question: str) -> AppTest:
    return app.chat_input[0].set_value(question).run()


def test_it_begins_with_examples_that_work(known: None) -> None:
    app = opened("ask", session("viewer"))
    assert not app.exception
    assert app.title[0].value == "Ask"
    assert "without AI" in words(app)
    press(app, "How many barangays by region?")
    assert not app.exception
    assert said(app)[0] == "How many barangays by region?"
    assert said(app)[1].startswith("Communities by region\\: Region I \\(Ilocos Region\\)\\: 48")
    (chart,) = charts(app)
    assert chart["data"][0]["customdata"] == ["Region III (Central Luzon)", "Region I (Ilocos Region)"]  # type: ignore[index]
    assert "Read as\\:" in words(app) or "Read as:" in words(app)


def test_it_goes_on_and_comes_back(known: None) -> None:
    viewer = session("viewer")
    app = ask(opened("ask", viewer), "meetings by status")
    press(app, "And by kind?")
    assert [bubble for bubble in said(app) if "by kind" in bubble.lower()]
    conversation_id = str(app.query_params["conversation"])
    again = opened("ask", viewer, conversation=conversation_id)
    assert said(again) == said(app)
    assert said(opened("ask", viewer, conversation="none")) == []
    press(again, "New conversation")
    assert said(again) == []


def test_it_shows_nobody_the_conversation_of_another(known: None) -> None:
    theirs = chat.ask("meetings by status", Asker("somebody", "viewer")).conversation_id
    app = opened("ask", session("viewer"), conversation=theirs)
    assert said(app) == []
    ask(app, "and by kind?")
    assert "no such conversation of yours" in words(app)


def test_conversations_go_with_the_account_to_another_name(known: None) -> None:
    viewer = session("viewer")
    app = ask(opened("ask", viewer), "meetings by status")
    with transaction() as connection:
        accounts.rename(connection, accounts.by_name(connection, "viewer"), "vera")
        connection.execute(text("delete from account_names"))  # were the name free, the conversations would still not be
        stranger = sign_ins.begin(connection, accounts.create(connection, "viewer", "viewer"))
    again = opened("ask", viewer, conversation=str(app.query_params["conversation"]))
    assert said(again) == said(app)
    assert any("meetings by status" in button.label for button in again.button)
    theirs = opened("ask", stranger, conversation=str(app.query_params["conversation"]))
    assert said(theirs) == []
    assert not any("meetings by status" in button.label for button in theirs.button)


def test_what_is_asked_is_shown_as_text(known: None) -> None:
    app = ask(opened("ask", session("viewer")), "[barangays](https://example.com) <b>by</b> **region** $x$")
    assert not app.exception
    assert said(app)[0].startswith("\\[barangays\\]\\(https\\:")
    assert all("](http" not in bubble for bubble in said(app))


def test_a_question_back_offers_its_choices(known: None) -> None:
    app = ask(opened("ask", session("viewer")), "how many barangays in Burgos")
    choices = [button.label for button in app.button if "Ilocos" in button.label]
    assert len(choices) == 2
    press(app, choices[0])
    assert said(app)[-1].startswith("12 communities")


def test_only_admins_see_what_was_not_answered_and_teach(known: None) -> None:
    app = ask(opened("ask", session("viewer")), "how many hamlets by region")
    assert "I do not know" in said(app)[1]
    assert not app.segmented_control
    app = opened("ask", session("admin"))
    app.segmented_control(key="part").set_value("Unanswered").run()
    assert app.dataframe[0].value["Words that mean nothing"].tolist() == ["hamlets"]
    app.text_input[0].set_value("hamlets")
    app.text_input[1].set_value("barangays")
    press(app, "Teach")
    assert "now means" in words(app)
    assert "none changed" in words(app)
    app.text_input[0].set_value("region")
    app.text_input[1].set_value("cities")
    press(app, "Teach")
    assert "means something already" in words(app)
    with transaction() as connection:
        assert connection.execute(text("select phrase, means, created_by from ask_synonyms")).all() == [("hamlets", "barangays", "admin")]
