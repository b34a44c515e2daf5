"""The Telemetry page: what flows, what was refused, and what which role may do about it."""

import re

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services.accounts import accounts, keys, sign_ins
from services.clock import utc_now
from services.db import forget, transaction
from services.errors import Conflict, Unauthenticated
from services.settings import settings
from services.telemetry import overview
from tests.pages.test_pages import charts, opened, words
from tests.traffic import arrive, operation, send

pytestmark = pytest.mark.usefixtures("database")
COLOURED = ("tutor", "colour", "unknown field")
SECRET = re.compile(r"bnk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


def session(role: str) -> str:
    """The session of somebody who has that role, and its name."""
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, role, role))


@pytest.fixture
def traffic(database: None) -> None:
    """Good records of two sources, some told twice, one source silent; three refused that may be sent again, one that may not."""
    arrive([operation(f"a{n}", utc_now()) for n in range(20)], source="tutor")
    arrive([operation(f"a{n}", utc_now()) for n in range(4)], source="tutor")
    arrive([operation("b", utc_now())], source="grader")
    send([operation(f"c{n}", utc_now(), colour="red") for n in range(3)], source="tutor")
    send([operation("d", utc_now(), module="m" * 30_000)], source="tutor")
    run("update telemetry_sources set last_seen_at = now() - interval '2 days' where source = 'grader'")


@pytest.fixture
def key(database: None) -> str:
    """A key named tutor, made before."""
    with transaction() as connection:
        return keys.create(connection, "tutor", ["telemetry"], environment="staging", rate_per_minute=600)


def run(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def press(app: AppTest, label: str) -> AppTest:
    (button,) = [button for button in app.button if button.label == label]
    return button.click().run()


def chosen(app: AppTest, key: str, value: object) -> AppTest:
    """With that chosen in the box of that key."""
    app.selectbox(key=key).set_value(value).run()
    assert not app.exception
    return app


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def secrets(app: AppTest) -> list[str]:
    return [code.value for code in app.code if SECRET.fullmatch(code.value)]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_it_says_what_to_do_where_nothing_has_come(role: str) -> None:
    app = opened("telemetry", session(role))
    assert not app.exception
    assert app.title[0].value == "Telemetry"
    assert "Nothing has arrived yet." in words(app)
    assert "/v1/traces" in words(app)
    assert charts(app) == []


def test_it_shows_what_flows(traffic: None) -> None:
    send([operation("waits", utc_now())], source="tutor")
    app = opened("telemetry", session("viewer"))
    assert not app.exception
    told = tiles(app)
    assert told["Waiting"] == "1"
    assert told["Rejected today"] == "4"
    assert told["Told twice today"] == "4"
    assert told["Ignored today"] == "0"
    assert told["Rate a minute"]
    assert told["Lag"] != "unknown"
    (chart,) = charts(app)
    assert {trace["name"] for trace in chart["data"]} == {"tutor", "grader"}  # type: ignore[attr-defined]
    assert app.get("plotly_chart")[0].proto.alt
    assert "1 received and not yet counted" in words(app)


def test_it_calls_a_lag_that_nobody_knows_unknown() -> None:
    send([operation("waits", utc_now())])
    assert tiles(opened("telemetry", session("viewer")))["Lag"] == "unknown"


def test_it_names_the_sources_and_who_fell_silent(traffic: None) -> None:
    send([{"id": "bad"}], source="useless")
    found = opened("telemetry", session("viewer")).dataframe[0].value.set_index("Source")
    assert found["State"].to_dict() == {"tutor": "● arriving", "grader": "▲ silent", "useless": "▲ nothing usable"}
    assert found.loc["tutor", ["Accepted today", "Told twice", "Rejected"]].tolist() == [24, 4, 4]


def test_it_shows_why_records_were_refused(traffic: None) -> None:
    found = opened("telemetry", session("viewer")).dataframe[1].value
    assert found[["Field", "Reason", "Records", "Can be sent again"]].to_numpy().tolist()[0] == ["colour", "unknown field", 3, 3]
    assert '"red"' in found["Sample"][0]


def test_it_says_that_nothing_was_refused() -> None:
    arrive([operation("a", utc_now())])
    assert "No refused records are kept." in words(opened("telemetry", session("operator")))


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_only_look_sees_no_keys_and_no_buttons(role: str, traffic: None, key: str) -> None:
    app = opened("telemetry", session(role))
    assert "Keys are for operators." in words(app)
    assert len(app.dataframe) == 2
    assert labels(app) == set()
    assert not app.text_input


def test_an_operator_sends_records_again(traffic: None) -> None:
    run("update telemetry_rejected set raw = replace(raw, ', \"colour\": \"red\"', '') where raw not like '%c2%'")
    app = press(chosen(opened("telemetry", session("operator")), "telemetry_group", COLOURED), "Send again")
    assert not app.exception
    assert "3 sent again, 2 accepted." in words(app)
    assert tiles(app)["Waiting"] == "2"
    assert scalar("select actor || ' ' || (detail ->> 'field') from audit where action = 'rejected.replay'") == "operator colour"


def test_an_operator_discards_one_reason_or_everything(traffic: None) -> None:
    app = press(chosen(opened("telemetry", session("operator")), "telemetry_group", COLOURED), "Discard them")
    assert "3 discarded." in words(app)
    assert scalar("select field from telemetry_rejected") == "module"
    assert "Send again" not in labels(app)
    (left,) = [group for group in app.selectbox(key="telemetry_group").options if "module" in group]
    assert next(button for button in chosen(app, "telemetry_group", left).button if button.label == "Send again").disabled
    app = chosen(app, "telemetry_group", ("", "", ""))
    assert "1 discarded." in words(press(app, "Discard them"))
    assert scalar("select count(*) from telemetry_rejected") == 0


def test_what_is_discarded_is_what_was_counted(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_GROUPS", 2)
    send([operation("a", utc_now()) | {f"field {n}": 1} for n in range(5)], source="tutor")
    app = opened("telemetry", session("operator"))
    app.selectbox(key="telemetry_group").set_value(("", "", "")).run()
    assert "**5 records** are deleted for good" in words(app)
    send([operation("late", utc_now(), colour="red")], source="tutor")
    assert "5 discarded." in words(press(app, "Discard them"))
    assert scalar("select field from telemetry_rejected") == "colour"


def test_it_words_a_failure_to_send_again(traffic: None, monkeypatch: pytest.MonkeyPatch) -> None:
    app = chosen(opened("telemetry", session("operator")), "telemetry_group", COLOURED)
    run("insert into telemetry_inbox (noun, source, door, row_count, payload) values ('operations', 'a', 'b', 2000000, '')")
    app = press(app, "Send again")
    assert "wait for the workers already" in words(app)
    assert not app.exception


def test_who_lost_the_role_meanwhile_starts_nothing(traffic: None) -> None:
    app = chosen(opened("telemetry", session("operator")), "telemetry_group", COLOURED)
    run("update accounts set role = 'viewer'")
    assert labels(press(app, "Discard them")) == set()
    assert scalar("select count(*) from telemetry_rejected") == 4


def test_an_operator_makes_a_key_and_sees_it_once() -> None:
    app = opened("telemetry", session("operator"))
    app.text_input[0].set_value(" my-app ")
    app = press(app, "Make the key")
    (shown,) = secrets(app)
    with transaction() as connection:
        made = keys.verify(connection, shown, "telemetry")
    assert (made.name, made.scopes, made.source, made.environment, made.rate_per_minute) == ("my-app", ("telemetry",), "my-app", None, None)
    assert app.dataframe[-1].value["Name"].tolist() == ["my-app"]
    assert secrets(app.run()) == [shown], "it stays until it is left"
    app.switch_page("../pages/prices.py").run()
    assert secrets(app.switch_page("../pages/telemetry.py").run()) == []


def test_a_key_can_have_scopes_source_environment_and_a_limit() -> None:
    app = opened("telemetry", session("operator"))
    for place, value in zip(app.text_input, ("a", "app", "staging"), strict=True):
        place.set_value(value)
    app.button_group[0].set_value(["metrics", "ask"])
    app.number_input[0].set_value(70)
    row = press(app, "Make the key").dataframe[-1].value.iloc[0]
    assert row[["Scopes", "Source", "Environment", "Limit", "Last used"]].tolist() == ["ask, metrics", "app", "staging", "70 /min", "never"]


@pytest.mark.parametrize(("name", "problem"), [("tutor", "already a key named 'tutor'"), ("", "1 to 100 printable characters")])
def test_it_says_beside_the_form_what_is_wrong_with_it(name: str, problem: str, key: str) -> None:
    app = opened("telemetry", session("operator"))
    app.text_input[0].set_value(name)
    app = press(app, "Make the key")
    assert problem in words(app)
    assert secrets(app) == []
    assert len(app.dataframe[-1].value) == 1


@pytest.mark.parametrize(("role", "made"), [("operator", 0), ("admin", 1)])
def test_only_an_admin_makes_a_key_for_everything(role: str, made: int) -> None:
    app = opened("telemetry", session(role))
    app.text_input[0].set_value("root")
    app.button_group[0].set_value(["admin"])
    app = press(app, "Make the key")
    assert len(secrets(app)) == made
    assert scalar("select count(*) from api_keys") == made
    assert ("This needs the role admin" in words(app)) == (role == "operator")


def test_an_operator_rotates_a_key(key: str) -> None:
    app = press(chosen(opened("telemetry", session("operator")), "rotate_name", "tutor"), "Make a new secret")
    (shown,) = secrets(app)
    with transaction() as connection:
        assert keys.verify(connection, shown, "telemetry").name == keys.verify(connection, key, "telemetry").name
    assert "old secret until" in app.dataframe[-1].value["State"][0]


def test_an_operator_does_not_get_at_an_admins_key() -> None:
    with transaction() as connection:
        root = keys.create(connection, "root", ["admin"])
    app = press(chosen(opened("telemetry", session("operator")), "rotate_name", "root"), "Make a new secret")
    assert "This needs the role admin" in words(app)
    assert secrets(app) == []
    with transaction() as connection:
        assert keys.verify(connection, root, "admin").previous_until is None


def test_an_operator_revokes_a_key_once_sure(key: str) -> None:
    app = press(chosen(opened("telemetry", session("operator")), "revoke_name", "tutor"), "Revoke the key")
    assert "Tick the box first." in words(app)
    with transaction() as connection:
        assert keys.verify(connection, key, "telemetry")
    app.checkbox[0].check()
    app = press(app, "Revoke the key")
    assert "The key 'tutor' is revoked." in words(app)
    assert app.dataframe[-1].value["State"][0].startswith("▲ revoked")
    with transaction() as connection, pytest.raises(Unauthenticated):
        keys.verify(connection, key, "telemetry")
    with transaction() as connection, pytest.raises(Conflict):
        keys.rotate(connection, "tutor")


def _patient() -> None:
    run("alter role current_user reset lock_timeout")
    forget()


def test_its_live_part_words_a_database_that_does_not_answer(traffic: None, request: pytest.FixtureRequest) -> None:
    viewer = session("viewer")
    run("alter role current_user set lock_timeout = 200")
    forget()
    request.addfinalizer(_patient)
    with transaction() as holder:
        holder.execute(text("lock table telemetry_minutes in access exclusive mode"))
        app = opened("telemetry", viewer)
        assert "The database does not answer." in words(app)
        assert not app.exception
        assert len(app.dataframe) == 2


def test_a_source_of_endless_names_is_called_out(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIES_LIMIT_PER_SOURCE", "2")
    settings.cache_clear()
    arrive([operation(f"o{n}", utc_now(), model=f"m{n}") for n in range(7)], source="[x](javascript:1)*")
    arrive([operation("o", utc_now())], source="tame")
    (warning,) = opened("telemetry", session("viewer")).warning
    assert "5 operations of the last 7 days are counted under the name (other)" in warning.value
    assert r"\[x\](javascript\:1)\*" in warning.value, "the name is not markup"
    run("update rollup_day set day = day - 6")
    assert len(opened("telemetry", session("analyst")).warning) == 1
    run("update rollup_day set day = day - 1")  # the sender was mended a week ago
    app = opened("telemetry", session("operator"))
    assert not app.exception
    assert not app.warning
    assert "than are kept apart" not in words(opened("home", session("admin")))
    settings.cache_clear()
