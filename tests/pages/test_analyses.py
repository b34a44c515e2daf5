"""The Analyses page in every state, and what which role may do about it."""

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from console import analysis_actions
from services.accounts import accounts, sign_ins
from services.ai.outcomes import OUTCOMES, Outcome
from services.analyses import advice, results
from services.db import forget, transaction
from services.errors import NotFound
from services.settings import settings
from tests.orders import End, broken, claimed, communities, ordered, project, run
from tests.pages.test_pages import opened, words

pytestmark = pytest.mark.usefixtures("database")
KIND = "validate-community"


def session(role: str) -> str:
    with transaction() as connection:
        return sign_ins.begin(connection, accounts.create(connection, role, role))


@pytest.fixture
def analyst(database: None) -> str:
    return session("analyst")


@pytest.fixture
def place(database: None) -> int:
    return communities("Adams *City* of $1", "Bacarra")[0]


def page(who: str, record_id: int | str, kind: str = "communities", **address: str) -> AppTest:
    app = opened("analyses", who, kind=kind, id=str(record_id), **address)
    assert not app.exception
    return app


def change(statement: str) -> None:
    with transaction() as connection:
        connection.execute(text(statement))


def scalar(statement: str) -> object:
    with transaction() as connection:
        return connection.execute(text(statement)).scalar_one()


def buttons(app: AppTest) -> dict[str, str]:
    return {str(button.key): button.label for button in app.button if button.key}


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def downloads(app: AppTest) -> list[str]:
    return [element.proto.label for element in app.get("download_button")]


def progress(app: AppTest) -> list[tuple[int, str]]:
    return [(element.proto.value, element.proto.text) for element in app.get("progress")]


def test_it_says_what_to_do_where_there_are_no_records(analyst: str) -> None:
    app = opened("analyses", analyst)
    assert "There are no communities yet." in words(app)


def test_it_lets_one_choose_a_record(analyst: str, place: int) -> None:
    app = opened("analyses", analyst, kind="communities")
    assert "Choose the record" in words(app)
    assert app.dataframe[0].value["Name"].tolist() == ["Adams *City* of $1", "Bacarra"]
    app = press(page(analyst, place), "another")
    assert "Choose the record" in words(app)


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        ("communities", "x", "its id is a whole number"),
        ("communities", "9" * 30, "its id is a whole number"),
        ("communities", "99", "There is no record 99 among the communities."),
        ("councils", "1", "There are no records of the kind 'councils'"),
    ],
)
def test_it_knows_no_other_records(analyst: str, kind: str, told: str, said: str) -> None:
    assert said in words(page(analyst, told, kind))


def test_it_shows_what_is_missing_and_starts_it(analyst: str, place: int) -> None:
    app = page(analyst, place)
    assert app.header[0].value == r"Adams \*City\* of \$1"
    assert words(app).count("○ missing") == 3
    assert "It has not been made yet." in words(app)
    assert downloads(app) == []
    press(app, "start-Validation")
    assert "Validation has begun" in words(app)
    assert "◐ running" in words(app)
    assert progress(app) == [(0, "Waiting for a worker")]
    assert scalar("select actor || ' ' || subject || ' ' || (detail ->> 'kind') from audit where action = 'analysis.start'") == (
        f"analyst communities {place} {KIND}"
    )


def test_it_starts_all_that_is_not_fresh(analyst: str) -> None:
    made = project()
    run("project-risks", made)
    app = page(analyst, made, "projects")
    assert buttons(app)["start_all"] == "Start all that are not fresh (5)"
    press(app, "start_all")
    assert "5 analyses are under way" in words(app)
    assert scalar("select count(*) from jobs where state = 'queued'") == 5
    assert app.button(key="start_all").disabled


def test_it_shows_how_far_it_is_and_cancels(analyst: str, place: int) -> None:
    job = claimed(ordered(KIND, place))
    app = page(analyst, place)
    assert progress(app) == [(0, "Begun")]
    assert "It is being made: it appears here by itself." in words(app)
    change('update jobs set progress = \'{"done": 3, "total": 4, "note": "Keeping the result"}\'')
    app.run()
    assert progress(app) == [(75, "Keeping the result")]
    press(app, f"cancel-Validation-{job.id}")
    assert "Validation is cancelled, or asked to stop." in words(app)
    assert progress(app)[0][1] == "Asked to stop"
    assert f"cancel-Validation-{job.id}" not in buttons(app)
    assert scalar("select count(*) from audit where action = 'job.cancel' and actor = 'analyst'") == 1


def test_a_cancel_that_comes_too_late_says_so(analyst: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = ordered(KIND, place)
    monkeypatch.setattr(analysis_actions, "cancel", lambda _: 0)
    assert "Validation had ended already." in words(press(page(analyst, place), f"cancel-Validation-{job_id}"))


def test_it_shows_a_result_beside_its_facts(analyst: str, place: int) -> None:
    run(KIND, place, end=End("answered", "model", "gemini-x", 1_230_000, says="It says ![x](http://evil.example/x.png) and :red[this]."))
    app = page(analyst, place)
    said = words(app)
    assert "● fresh" in said
    assert "Worded by gemini\\-x (gemini) · cost \\$0.00123 · made" in said
    assert "unless the record changes" in said
    wording = next(element.value for element in app.markdown if "Fields" in element.value or "evil" in element.value)
    assert "![x](http://evil.example" not in wording
    assert r"\!\[x\]\(http\://" in wording
    assert ":red[" not in wording
    facts = app.dataframe[0].value.set_index("Fact")["Value"]
    assert facts["Record name"] == "Adams *City* of $1"
    assert facts["Completeness"].endswith(" %")
    assert downloads(app) == ["Markdown", "HTML"]


def test_it_says_that_the_cost_is_unknown(analyst: str, place: int) -> None:
    run(KIND, place, end=End("usage_missing", "model", "gemini-x", None))
    assert "cost unknown" in words(page(analyst, place))


def test_it_says_what_was_replaced(analyst: str, place: int) -> None:
    run(KIND, place, end=End("answered", "replaced", "gemini-x", 5))
    said = words(page(analyst, place))
    assert "The words of gemini\\-x were replaced by the template" in said
    assert "“37” (No fact has this value.)" in said
    assert "Worded by the template, in place of gemini\\-x" in said


@pytest.mark.parametrize("outcome", sorted(advice.ADVICE))
def test_it_names_why_no_model_worded_it_and_what_to_do(analyst: str, place: int, outcome: Outcome) -> None:
    run(KIND, place, end=End(outcome))
    said = words(page(analyst, place))
    assert OUTCOMES[outcome].words in said
    assert advice.ADVICE[outcome] in said


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update analyses set made_at = now() - interval '25 hours'", "it is too old"),
        ("update communities set content_hash = 'another'", "the record has changed since"),
        ("update analyses set schema_version = 0", "the analysis computes other facts by now"),
    ],
)
def test_it_says_why_it_is_stale(analyst: str, place: int, statement: str, said: str) -> None:
    run(KIND, place)
    change(statement)
    app = page(analyst, place)
    assert "◇ stale" in words(app)
    assert f"Stale: {said}." in words(app)
    assert f"This version is stale: {said}." in words(app)
    assert downloads(app) == ["Markdown", "HTML"]
    assert len(app.dataframe) + len(app.json) == 1
    press(app, "start-Validation")
    assert "A newer version is being made" in words(app)


def test_it_says_why_it_failed_and_tries_again(analyst: str, place: int) -> None:
    broken(ordered(KIND, place), NotFound("There is no [record](x) 1."))
    app = page(analyst, place)
    assert "▲ failed" in words(app)
    assert r"There is no \[record\]\(x\) 1." in words(app)
    assert "it has never come to an end" in words(app)
    assert buttons(app)["start-Validation"] == "Try again"
    press(app, "start-Validation")
    assert "◐ running" in words(app)


def test_what_waits_for_a_model_has_its_facts_already(analyst: str, place: int) -> None:
    run(KIND, place, end=End("rate_limited"), ends=False)
    app = page(analyst, place)
    assert "Attempt 2 of 4 begins at" in progress(app)[0][1]
    assert "**The provider asks to wait.**" in words(app)
    assert app.dataframe[0].value["Fact"][0] == "Record name"


def test_a_fresh_one_can_be_made_again(analyst: str, place: int) -> None:
    run(KIND, place)
    app = press(page(analyst, place), "start-Validation")
    assert "◐ running" in words(app)


def test_it_shows_what_changed_and_every_version(analyst: str, place: int) -> None:
    run(KIND, place)
    app = page(analyst, place)
    app.session_state["analysis_history"] = True
    app.run()
    assert "This is the first version." in words(app)
    run(KIND, place)
    app.run()
    assert "The facts are the same as those of the version before." in words(app)
    change("update communities set name = 'Adams the Second', content_hash = 'another' where id = 1")
    run(KIND, place)
    app.run()
    differs = app.dataframe[-2].value.set_index("Fact")
    assert differs.loc["Record name", ["Before", "Now"]].tolist() == ["Adams *City* of $1", "Adams the Second"]
    assert app.dataframe[-1].value["In the words of"].tolist() == ["the template"] * 3
    change("update analyses set schema_version = 0 where id = 2")
    app.run()
    assert not app.exception


def test_it_shows_the_analysis_that_the_address_names(analyst: str) -> None:
    made = project()
    run("project-report", made, "executive")
    app = page(analyst, made, "projects", show="Report, executive")
    assert downloads(app) == ["Markdown", "HTML"]


def test_a_viewer_looks_and_starts_nothing(place: int) -> None:
    run(KIND, place)
    ordered("classify-needs", place)
    app = page(session("viewer"), place)
    assert "Analysts may start analyses." in words(app)
    assert set(buttons(app)) == {"another"}
    assert downloads(app) == ["Markdown", "HTML"]


@pytest.mark.parametrize("key", ["start-Validation", "start_all"])
def test_somebody_who_lost_the_role_since_is_refused(analyst: str, place: int, key: str) -> None:
    app = page(analyst, place)
    change("update accounts set role = 'viewer'")
    app.button(key=key).click().run()
    assert scalar("select count(*) from jobs") == 0


def test_it_can_be_paused(analyst: str, place: int) -> None:
    ordered(KIND, place)
    app = page(analyst, place)
    app.toggle(key="analyses_paused").set_value(True).run()
    assert not app.exception
    assert "◐ running" in words(app)


def test_it_says_that_the_database_is_away(analyst: str, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(analyst, place)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    settings.cache_clear()
    forget()
    app.run()
    assert not app.exception
    assert "The database does not answer." in words(app)
    monkeypatch.undo()
    settings.cache_clear()
    forget()


@pytest.mark.parametrize(
    ("sources", "said"),
    [([], None), (["template"], "No wording was"), (["replaced"], "1 wording was"), (["replaced"] * 2, "2 wordings were")],
)
def test_the_health_page_counts_what_was_replaced(analyst: str, place: int, sources: list[str], said: str | None) -> None:
    for source in sources:
        run(KIND, place, end=End(source=source))  # type: ignore[arg-type]
    app = opened("health", analyst)
    told = [caption.value for caption in app.caption if "replaced by the template" in caption.value]
    assert (said in told[0]) if said else told == []
    with transaction() as connection:
        assert results.replaced(connection, 24) == (None if said is None else sources.count("replaced"))
