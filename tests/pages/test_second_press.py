"""A press that comes twice, or for what somebody else took away meanwhile: nothing but what was chosen is ever acted on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from services import schedules
from services.accounts import accounts, keys
from services.clock import utc_now
from services.db import transaction
from services.pricing import overrides
from services.schedules import Plan, Timing
from tests.pages.jobs import at_work, failed, queued, run, scalar, session
from tests.pages.test_pages import opened
from tests.traffic import operation, send

pytestmark = pytest.mark.usefixtures("database")
NAMES = ("a", "b", "c")


@dataclass(frozen=True)
class Form:
    """A form on a page: what to choose in it, what to press, and a query for the names of what was not acted on."""

    page: str
    view: str
    make: Callable[[], None]
    box: str
    words: str  # a part of the chosen option's
    button: str
    untouched: str
    gone: str  # what somebody else does to the chosen one
    tick: bool = False
    act: str | None = None  # chosen in a row of acts before the button shows


def _keys() -> None:
    with transaction() as connection:
        for name in NAMES:
            keys.create(connection, name, ["telemetry"])


def _prices() -> None:
    with transaction() as connection:
        for name in NAMES:
            told = {"units": {"input": "1", "output": "1"}, "effective_from": datetime(2026, 1, 1, tzinfo=UTC), "source": "offer"}
            overrides.add(connection, model=name, actor="olga", **told)  # type: ignore[arg-type]


def _repricings() -> None:
    for name in NAMES:
        run("insert into repricings (first_day, last_day, model, created_by) values ('2026-01-01', '2026-01-02', :model, 'o')", model=name)


def _refused() -> None:
    for name in NAMES:
        send([operation(name, utc_now(), **{f"odd_{name}": 1})], source=name)


def _workers() -> None:
    for name in NAMES:
        at_work(host=name)


def _dead() -> None:
    for name in NAMES:
        failed(ValueError(name * 9), kind=name)


def _views() -> None:
    for name in NAMES:
        run("insert into saved_views (owner_id, name, shared, address) select id, :name, false, 'by=Model' from accounts", name=name)


def _accounts() -> None:
    with transaction() as connection:
        for name in NAMES:
            accounts.create(connection, name, "viewer")


def _budgets() -> None:
    for name in NAMES:
        run(
            "insert into budgets (scope, name, period, cap_nano, hard_stop, thresholds) values ('module', :name, 'day', 1, false, '{50}')",
            name=name,
        )


def _queues() -> None:
    for name in NAMES:
        queued(queue=name)


def _schedules() -> None:
    with transaction() as connection:
        for name in NAMES:
            schedules.create(connection, name, Plan("housekeeping", Timing("UTC", (), 90)), actor="olga")


def _synonyms() -> None:
    for name in NAMES:
        run("insert into ask_synonyms (phrase, means, created_by) values (:name, 'calls', 'o')", name=name)


FORMS = {
    "a key": Form(
        "telemetry", "", _keys, "revoke_name", "a", "Revoke the key",
        "select string_agg(name, ' ' order by name) from api_keys where revoked_at is null",
        "update api_keys set revoked_at = now() where name = 'a'", tick=True,
    ),
    "a price": Form(
        "prices", "", _prices, "end_id", "a (offer)", "End the price",
        "select string_agg(model, ' ' order by model) from price_overrides where ended_at is null",
        "update price_overrides set ended_at = now() where model = 'a'", tick=True,
    ),
    "a re-pricing": Form(
        "prices", "", _repricings, "reverse_id", "1", "Take it back",
        "select string_agg(model, ' ' order by model) from repricings where state <> 'reversing'",
        "update repricings set state = 'reversing' where model = 'a'",
    ),
    "refused records": Form(
        "telemetry", "", _refused, "telemetry_group", "a · odd_a", "Discard them",
        "select string_agg(source, ' ' order by source) from telemetry_rejected",
        "delete from telemetry_rejected where source = 'a'",
    ),
    "records to send": Form(
        "telemetry", "", _refused, "telemetry_group", "a · odd_a", "Send again",
        "select string_agg(name, ' ' order by name) from unnest(array['a', 'b', 'c']) name"
        " where not exists (select from audit where action = 'rejected.replay' and detail ->> 'source' = name)",
        "delete from telemetry_rejected where source = 'a'",
    ),
    "a worker": Form(
        "jobs", "Workers", _workers, "worker", "a · 7", "Quiet",
        "select string_agg(host, ' ' order by host) from processes where quiet_at is null",
        "delete from processes where host = 'a'",
    ),
    "dead letters": Form(
        "jobs", "Dead letters", _dead, "dead-letter", "a" * 9, "Discard 1 job",
        "select string_agg(kind, ' ' order by kind) from jobs where discarded_at is null",
        "update jobs set discarded_at = now() where kind = 'a'", act="Discard",
    ),
    "a view": Form(
        "explore", "", _views, "change-view", "a", "Delete",
        "select string_agg(name, ' ' order by name) from saved_views",
        "delete from saved_views where name = 'a'",
    ),
    "an account": Form(
        "admin", "People", _accounts, "account-name", "a", "Refuse from now on",
        "select string_agg(name, ' ' order by name) from accounts where disabled_at is null and name <> 'admin'",
        "update accounts set disabled_at = now() where name = 'a'",
    ),
    "a budget": Form(
        "admin", "Budgets", _budgets, "budget_end", "Module a", "End it",
        "select string_agg(name, ' ' order by name) from budgets where ended_at is null and scope = 'module'",
        "update budgets set ended_at = now() where name = 'a'",
    ),
    "a queue": Form(
        "jobs", "", _queues, "limit-queue", "a", "Pause",
        "select string_agg(name, ' ' order by name) from unnest(array['a', 'b', 'c']) name where name not in (select name from job_limits)",
        "delete from jobs where queue = 'a'",
    ),
    "a schedule": Form(
        "jobs", "Schedules", _schedules, "schedule", "a", "Pause",
        "select string_agg(name, ' ' order by name) from schedules where paused_at is null",
        "delete from schedules where name = 'a'",
    ),
    "a word": Form(
        "ask", "", _synonyms, "ask_forget", "a", "Forget it",
        "select string_agg(phrase, ' ' order by phrase) from ask_synonyms",
        "delete from ask_synonyms where phrase = 'a'",
    ),
}  # fmt: skip


def ready(form: Form) -> AppTest:
    """The page with the form filled in for what is named a, as the browser holds it."""
    who = session("admin")
    form.make()
    app = opened(form.page, who, **({"view": form.view} if form.view else {}))
    if form.page == "ask":
        app.button_group(key="part").set_value("Unanswered").run()
    told = next(option for option in app.selectbox(key=form.box).options if form.words in option)
    app.selectbox(key=form.box).set_value(told).run()
    if form.act:
        next(group for group in app.button_group if group.label.startswith("With")).set_value(form.act).run()
    assert not app.exception
    app.selectbox(key=form.box).set_value(told)
    if form.tick:
        app.checkbox[0].check()
    return app


def button(app: AppTest, label: str) -> Button:
    # The last of its label: the same word may stand above for something else.
    return [one for one in app.button if one.label == label][-1]


def presses(app: AppTest, label: str) -> Iterator[AppTest]:
    """The page after each press of three that a browser sends before it hears what came of the first."""
    button(app, label).click()
    held = app._tree.get_widget_states()
    for _ in range(3):
        yield app._run(held)
        assert not app.exception


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_second_press_does_nothing_to_anything_else(form: Form) -> None:
    pressed = presses(ready(form), form.button)
    next(pressed)
    assert scalar(form.untouched) == "b c"
    audited = scalar("select count(*) from audit")
    for _ in pressed:
        assert scalar(form.untouched) == "b c"
        assert scalar("select count(*) from audit") == audited


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_press_for_what_has_gone_meanwhile_does_nothing(form: Form) -> None:
    app = ready(form)
    pressed = button(app, form.button)
    run(form.gone)
    before, audited = scalar(form.untouched), scalar("select count(*) from audit")
    assert not pressed.click().run().exception
    assert scalar(form.untouched) == before
    assert scalar("select count(*) from audit") == audited


def test_a_tick_is_for_one_key_alone() -> None:
    app = ready(FORMS["a key"])
    app.selectbox(key="revoke_name").set_value("b").run()
    button(app, "Revoke the key").click().run()
    assert app.warning[-1].value == "Tick the box first."
    assert scalar(FORMS["a key"].untouched) == "a b c"


@pytest.mark.parametrize(("name", "page", "view"), [("Make the key", "telemetry", ""), ("Make the account", "admin", "People")])
def test_a_second_press_takes_no_secret_away(name: str, page: str, view: str) -> None:
    app = opened(page, session("admin"), **({"view": view} if view else {}))
    app.text_input[0].set_value("tutor")
    shown = [code.value for after in presses(app, name) for code in after.code]
    assert len(shown) == 3
    assert len(set(shown)) == 1
    assert not app.error


def test_a_second_press_neither_hides_a_new_secret_nor_makes_another() -> None:
    _keys()
    app = opened("telemetry", session("admin"))
    app.selectbox(key="rotate_name").set_value("b").run()
    shown = [code.value for after in presses(app, "Make a new secret") for code in after.code]
    assert len(shown) == 3
    assert len(set(shown)) == 1
    assert scalar("select count(*) from audit where action = 'key.rotate'") == 1
    button(app, "Make a new secret").click().run()
    assert "its old secret works until" in app.error[0].value
    assert [code.value for code in app.code] == shown[:1], "what was refused is no act"
