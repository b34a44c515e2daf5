"""The page of summaries and factoids: in every state, and from each factoid to the councils behind it."""

import json

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from services import schedules
from services.ai import gateway
from services.db import transaction
from services.sitewide import generation, serving, summaries
from services.sitewide.generation import Asked
from services.sitewide.names import slug, year_of
from services.sitewide.serving import Reader
from tests.pages.test_pages import opened, words
from tests.pages.test_telemetry import session
from tests.services.sitewide.files import bring, small

pytestmark = pytest.mark.usefixtures("database")
TYPES = ("Unitary", "Shire county", "London borough")
ROWS = tuple(
    f"E{n},Council {n},{TYPES[n % 3]},England,SE,{year}-{year % 100 + 1},{field},{n * n * factor + year % 7}"
    for field, factor in (("Roads *A*", 1), ("Parks", 3), ("Schools", 11))
    for year in (2014, 2015)
    for n in range(1, 25)
)


@pytest.fixture(autouse=True)
def reader(database: None, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """What this process serves, from the start."""
    fresh = Reader()
    monkeypatch.setattr(serving, "READER", fresh)
    return fresh


@pytest.fixture
def published(reader: Reader) -> None:
    """Figures, summaries, one slot that was run by the clock, one decision."""
    bring(small(*ROWS))
    summaries.build("ada")
    with transaction() as connection:
        schedules.ensure_builtin(connection)
        job_id = schedules.run_now(connection, "sitewide-factoids", actor="ada")
    generation.generate(Asked(job_id, "sitewide.factoids", "ada", lambda _connection, _run: None), gateway.generate)


def shown(app: AppTest, name: str) -> AppTest:
    (chosen,) = [one for one in app.segmented_control if one.key == "view"]
    return chosen.set_value(name).run()


def tiles(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.parametrize("view", ["Summaries", "Slots", "Changes", "Completeness"])
def test_it_says_what_to_do_where_there_is_nothing(view: str) -> None:
    app = shown(opened("factoids", session("viewer")), view)
    assert not app.exception
    assert app.title[0].value == "Summaries & factoids"
    assert "Curated" in words(app)
    assert "financial year" in words(app)
    assert "sitewide import" in words(app)


def test_it_shows_factoids_with_their_sources(published: None) -> None:
    app = opened("factoids", session("viewer"))
    assert not app.exception
    assert "Fresh" in words(app)
    assert "no model is set up" in words(app)
    sources = [button for button in app.button if str(button.key).startswith("source-")]
    assert len(sources) >= 1  # how many depends on the slot: an edition of few fields has turns that show fewer
    assert {button.label.rpartition(", ")[2] for button in sources} <= {"2014-15", "2015-16"}


@pytest.mark.parametrize("asked", ["schools", "Schools"])
def test_a_link_opens_its_field(published: None, asked: str) -> None:
    app = opened("factoids", session("viewer"), view="Summaries", field=asked)
    assert next(box for box in app.selectbox if box.key == "field").value == "schools"


def test_a_link_to_a_field_that_is_not_there_says_so(published: None) -> None:
    assert "There is no field Zoos; another one is shown" in words(opened("factoids", session("viewer"), view="Summaries", field="Zoos"))


def test_a_source_opens_its_summary_and_the_councils_behind_it(published: None) -> None:
    app = opened("factoids", session("viewer"))
    app = shown(app, "Slots")
    source = next(button for button in app.button if str(button.key).startswith("source-"))
    field, _, label = source.label.rpartition(", ")
    app = source.click().run()
    assert not app.exception
    assert {select.label: select.value for select in app.selectbox} == {
        "Field": slug(field), "Financial year": year_of(label),
    }  # fmt: skip
    assert tiles(app)["Councils of 24"] == "24"
    behind = app.dataframe[4].value
    assert len(behind) == 24
    assert behind.iloc[0]["Council"] == "Council 24"
    assert behind["Figure, GBP"].is_monotonic_decreasing
    assert "SHA-256" in words(app)


def test_slots_tell_decisions_hashes_and_calls(published: None, reader: Reader) -> None:
    for _ in range(30):
        reader.read()
    reader.count()
    app = shown(opened("factoids", session("viewer")), "Slots")
    assert tiles(app)["Reads"] == "30"
    assert (tiles(app)["AI calls made"], tiles(app)["AI calls avoided"], tiles(app)["Avoided"]) == ("0", "30", "100.0%")
    decided = app.dataframe[-1].value
    assert decided[["Slot", "Decision", "AI calls", "Outcome"]].to_numpy().tolist() == [["by hand", "✓ generated", 0, "template"]]
    assert len(decided["Hash"].iloc[0]) == 12
    assert "Next:" in words(app)


def test_the_calendar_has_a_row_a_day_and_a_column_a_slot(published: None) -> None:
    with transaction() as connection:
        connection.execute(
            text(
                "insert into schedule_decisions (schedule_id, slot_at, local_label, decision, actor, job_id)"
                " select id, at, to_char(at, 'YYYY-MM-DD HH24:MI UTC'), word, 'schedule', job from schedules, (values"
                " (timestamptz '2026-03-02T06:00Z', 'run', (select max(job_id) from factoid_runs)),"
                " (timestamptz '2026-03-02T10:30Z', 'missed', null)) as told (at, word, job) where name = 'sitewide-factoids'"
            )
        )
    app = shown(opened("factoids", session("viewer")), "Slots")
    (calendar,) = [frame.value for frame in app.dataframe if "Day" in frame.value.columns]
    assert calendar.to_numpy().tolist() == [["2026-03-02", "✓ generated", "▲ missed"]]


def test_failed_slots_are_seen_at_once(published: None) -> None:
    with transaction() as connection:
        connection.execute(
            text(
                "insert into factoid_runs (job_id, kind, at, decision, outcome, reason, actor, findings)"
                " values (99, 'sitewide.factoids', now(), 'failed', 'overloaded', 'It is full.', 'schedule', cast(:findings as jsonb))"
            ),
            {"findings": json.dumps([{"key": "k", "token": "7", "reason": "No."}])},
        )
    app = shown(opened("factoids", session("viewer")), "Slots")
    assert "1 slot failed or was rejected" in words(app)
    assert app.dataframe[-1].value.to_numpy().tolist()[0][1:] == ["7", "k", "No."]


def test_changes_and_completeness(published: None) -> None:
    bring(small(ROWS[0].replace("Roads *A*,", "Roads *A*,99")))
    summaries.build("bob")
    app = shown(opened("factoids", session("viewer")), "Changes")
    assert not app.exception
    log = app.dataframe[-1].value
    assert log.iloc[0][["Field", "Financial year", "Change", "Councils", "Such as", "By"]].tolist() == [
        "Roads *A*", "2014-15", "value update", 1, "E1", "bob (ada)",
    ]  # fmt: skip
    assert log.iloc[-1]["Hash before"] == "none: it is new"
    app = shown(app, "Completeness")
    assert app.dataframe[-1].value[["Field", "Least complete", "Figures missing"]].to_numpy().tolist() == [
        ["Parks", 1.0, 0], ["Roads *A*", 1.0, 0], ["Schools", 1.0, 0],
    ]  # fmt: skip


def test_a_stale_edition_says_so(published: None) -> None:
    with transaction() as connection:
        connection.execute(text("update factoid_editions set revalidated_at = now() - interval '11 hours'"))
    app = opened("factoids", session("viewer"))
    assert "Stale" in words(app)
    assert "11 h 00 min ago" in words(app)
