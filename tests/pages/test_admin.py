"""The Admin page: people, models and the audit log, for admins alone."""

import pytest
from streamlit.testing.v1 import AppTest

from console.ui import instants
from services.accounts import accounts, audit, sign_ins
from services.ai import models
from services.db import transaction
from tests.pages.test_pages import opened, words

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def admin(database: None) -> str:
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, "root", "admin"))


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def newest() -> audit.Line:
    with transaction() as connection:
        return audit.listing(connection, limit=1)[0]


def test_an_account_is_made_and_its_link_is_shown_once(admin: str) -> None:
    app = opened("admin", admin, view="People")
    app.text_input[0].set_value("Vera@example.org")
    press(app, "Make the account")
    link = app.code[0].value
    assert "/sign-in/link?token=" in link
    assert set(app.dataframe[0].value["Name"]) >= {"root"}
    assert [line for line in ("account.create", "link.mint") if line == newest().action] == ["link.mint"]
    assert link.partition("token=")[2] not in str(newest())
    assert app.run().code[0].value == link, "it stays until it is left"
    app.switch_page("../pages/prices.py").run()
    assert not app.switch_page("../pages/admin.py").run().code


def test_a_role_changes_and_the_last_admin_stays(admin: str) -> None:
    with transaction() as connection:
        vera, root = accounts.create(connection, "vera", "viewer"), accounts.by_name(connection, "root")
    app = opened("admin", admin, view="People")
    app.selectbox(key="account-name").set_value(vera.id).run()
    app.segmented_control[-1].set_value("operator").run()
    press(app, "Change the role")
    assert "vera has the role operator." in words(app)
    line = newest()
    assert (line.actor, line.before, line.after) == ("root", {"role": "viewer"}, {"role": "operator"})
    app.selectbox(key="account-name").set_value(root.id).run()
    press(app, "Refuse from now on")
    assert "last admin" in words(app)


def test_a_budget_is_set_beside_the_rest(admin: str) -> None:
    app = opened("admin", admin, view="Budgets")
    assert not app.exception
    app.selectbox(key="budget_scope-0").set_value("module")
    app.text_input(key="budget_name-0").set_value("tutor")
    app.number_input(key="budget_cap-0").set_value(7.5)
    press(app, "Set budget")
    assert "**Module tutor, a day** · \\$7.50 · hard stop" in words(app)
    assert newest().action == "budget.set"


def test_models_of_a_task_are_changed_and_given_back(admin: str) -> None:
    app = opened("admin", admin, view="Models")
    app.selectbox(key="task-name").set_value("fast").run()
    app.text_input[0].set_value("ollama/llama3.2:3b")
    press(app, "Change the task")
    with transaction() as connection:
        assert models.rule(connection, "fast").models == ["ollama/llama3.2:3b"]
    app.text_input[0].set_value("nonsense")
    press(app, "Change the task")
    assert "models" in app.error[0].value
    press(app, "Back to models.toml")
    assert newest().action == "ai.models"
    with transaction() as connection:
        assert models.rule(connection, "fast").models[0].startswith("gemini/")


def test_the_log_is_filtered_by_the_address_and_paged(admin: str) -> None:
    with transaction() as connection:
        for n in range(60):
            audit.record(connection, "ada", "key.create" if n % 2 else "budget.set", f"thing {n}", before={"n": n}, after={"n": n + 1})
    app = opened("admin", admin, action="key", actor="ada")
    shown = app.dataframe[0].value
    assert list(shown["Of what"]) == [f"thing {n}" for n in range(59, 9, -2)]
    assert (shown["Before"][0], shown["After"][0]) == ("n 59", "n 60")
    press(app, "Older")
    assert list(app.dataframe[0].value["Of what"]) == [f"thing {n}" for n in range(9, 0, -2)]
    press(app, "Newest")
    assert len(app.dataframe[0].value) == 25


def test_the_log_says_that_it_is_on_an_older_page_and_begins_anew_when_it_is_opened_again(admin: str) -> None:
    with transaction() as connection:
        for n in range(60):
            audit.record(connection, "ada", "key.create", f"thing {n}")
    app = opened("admin", admin)
    assert "Older than" not in words(app)
    press(press(app, "Older"), "Older")
    assert list(app.dataframe[0].value["Of what"]) == [f"thing {n}" for n in range(9, -1, -1)]
    with transaction() as connection:
        above = next(line for line in audit.listing(connection, limit=60) if line.subject == "thing 10")
    assert f"Older than {instants.at(above.at)}" in words(app)
    app.switch_page("../pages/jobs.py").run()
    app.switch_page("../pages/admin.py").run()
    assert list(app.dataframe[0].value["Of what"]) == [f"thing {n}" for n in range(59, 34, -1)]
    assert "Older than" not in words(app)


@pytest.mark.parametrize("view", ["Keys", "Retention and zone"])
def test_its_other_parts_are_there(admin: str, view: str) -> None:
    app = opened("admin", admin, view=view)
    assert not app.exception
    assert not app.error
    assert ("REPORTING_ZONE" in str([frame.value for frame in app.dataframe])) is (view == "Retention and zone")
