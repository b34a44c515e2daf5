"""The Records page and the page of one record, in every state; and what which role may do there."""

from pathlib import Path

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from console.ui import record, records
from services.db import transaction
from services.records import imports, maps
from services.records.search import search
from services.settings import ROOT
from tests.pages.test_pages import charts, opened, words
from tests.pages.test_telemetry import press, session
from tests.services.records.conftest import as_csv, bring
from tests.services.records.test_communities import HEADER, PLACES, place
from tests.services.records.test_load import HEADER as PROJECT_HEADER
from tests.services.records.test_load import ROW, changed, plan

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def known(database: None) -> None:
    """A hundred and more places, and a project of two years with something withheld."""
    many = [place(f"03014{n:05}", f"Barangay {n}", "Bgy") for n in range(1, 121)]
    bring(as_csv(HEADER, *PLACES, *many), "psgc", "places.csv")
    row = changed(title="Bridge *one*", budget="Exempt under Section 43", words="# A *story*\n" * 900)
    bring(as_csv(PROJECT_HEADER, row), plan(year=2020), "2020.csv")
    bring(as_csv(PROJECT_HEADER, changed(title="Bridge *one*", forecast="N/A", words="# A *story*\n" * 900)), plan(year=2021), "2021.csv")


def record_id(kind: str, query: str) -> str:
    with transaction() as connection:
        return str(search(connection, kind, query).records[0].id)


def facts(app: AppTest) -> dict[str, tuple[str, str, str]]:
    frame = app.dataframe[0].value
    return {row[0]: (row[1], row[2], row[3] if len(row) > 3 else "") for row in frame.itertuples(index=False)}


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_it_says_what_to_do_where_there_is_nothing(role: str) -> None:
    app = opened("records", session(role))
    assert not app.exception
    assert app.title[0].value == "Records"
    assert "There are no communities yet." in words(app)
    assert "Nothing has been imported yet." in words(app)
    assert ("Import" in {button.label for button in app.button}) == (role == "operator")


def test_it_lists_places_in_pages(known: None) -> None:
    app = opened("records", session("viewer"))
    assert not app.exception
    assert "124 communities, page 1 of 3." in words(app)
    frame = app.dataframe[0].value
    assert len(frame) == 50
    assert frame.iloc[3].tolist() == ["Adams", "Barangay", "Adams, Ilocos Norte, Region I", "unknown", "—", "0102801001"]


def test_its_address_says_what_is_shown(known: None) -> None:
    app = opened("records", session("viewer"), kind="communities", q="ADAMS norte")
    assert app.dataframe[0].value["Code"].tolist() == ["0102801000", "0102801001"]
    app = opened("records", session("analyst"), kind="projects")
    row = app.dataframe[0].value.iloc[0]
    assert row[["Name", "Rating", "Budget", "Forecast", "Years"]].tolist() == [
        "Bridge *one*",
        "Amber/Red",
        "£10.00m",
        "unknown",
        "2020, 2021",
    ]
    app = opened("health", session("operator"))
    app.query_params["page"] = "3"
    assert "page 3 of 3" in words(app.switch_page(str(Path("..") / "pages" / "records.py")).run())


def test_it_says_that_nothing_matches(known: None) -> None:
    assert "No communities have all of these words." in words(opened("records", session("viewer"), q="nowhere"))


def test_it_words_a_search_that_cannot_be(known: None) -> None:
    app = opened("records", session("viewer"), q="a b c d e f g h i j")
    assert "at most 8 words" in words(app)
    assert not app.exception


def test_it_shows_imports_and_their_reports(known: None) -> None:
    bring(b"nothing,of,use\n1,2,3\n", "psgc", "broken_*file*.csv")
    app = opened("records", session("viewer"))
    table = app.dataframe[1].value
    assert table["State"].tolist()[0] == "▲ broken"
    assert table.set_index("File").loc["places.csv", ["Rows", "New", "Rejected", "Fields unknown"]].tolist() == [124, 124, 0, 1]
    assert "broken\\_\\*file\\*.csv" in words(app)
    chosen = app.selectbox(key="records_report")
    assert [chosen.options[0].split(" · ")[1], chosen.options[-1].split(" · ")[1]] == ["2021.csv", "places.csv"]
    report = app.dataframe[2].value
    assert report[["What", "Field", "Reason"]].to_numpy().tolist() == [["unknown", "forecast_minor", "N/A"]]


def test_a_long_report_is_cut_on_the_page() -> None:
    bring(as_csv(PROJECT_HEADER, *(changed(title=f"P{n}", colour="Mauve") for n in range(201))), plan())
    app = opened("records", session("viewer"))
    assert len(app.dataframe[-1].value) == 200
    assert "These are the first 200" in words(app)


def test_an_import_under_way_shows_how_far_it_is() -> None:
    app = opened("records", session("operator"))
    with transaction() as connection:
        import_id = imports.begin(connection, maps.load("psgc"), "psgc", "p.csv", 100, "olga")
        connection.execute(text("update record_imports set state = 'running', consumed = 50, read = 7 where id = :id"), {"id": import_id})
    app.run()
    (bar,) = app.get("progress")
    assert (bar.proto.value, "7 rows" in bar.proto.text) == (50, True)


def test_a_form_without_a_file_says_so() -> None:
    app = opened("records", session("operator"))
    next(button for button in app.button if button.label == "Import").click().run()
    assert "Choose a file first." in words(app)


def test_an_operator_brings_a_file_in() -> None:
    app = opened("records", session("operator"))
    app.selectbox(key="records_map").set_value("psgc")
    app.file_uploader[0].upload("places.csv", as_csv(HEADER, *PLACES), "text/csv")
    app = press(app, "Import")
    assert not app.exception
    assert "Import 1 of places.csv has begun." in words(app)
    assert "waiting for a worker" in app.get("progress")[0].proto.text
    with transaction() as connection:
        assert connection.execute(text("select kind, args, created_by from jobs")).one() == ("records.import", {"id": 1}, "operator")
        assert connection.execute(text("select actor, action, subject from audit where action = 'records.import'")).one() == (
            "operator",
            "records.import",
            "places.csv",
        )


def test_who_lost_the_role_meanwhile_brings_nothing_in() -> None:
    app = opened("records", session("operator"))
    app.file_uploader[0].upload("places.csv", as_csv(HEADER, *PLACES), "text/csv")
    with transaction() as connection:
        connection.execute(text("update accounts set role = 'viewer'"))
    press(app, "Import")
    with transaction() as connection:
        assert connection.execute(text("select count(*) from record_imports")).scalar_one() == 0


def test_one_place_shows_its_facts_and_where_from(known: None) -> None:
    app = opened("record", session("viewer"), kind="communities", id=record_id("communities", "0102801001"))
    assert not app.exception
    told = facts(app)
    assert told["Population"] == ("unknown", "population", "'-' stands there")
    assert told["Province"] == ("Ilocos Norte", "the digits of its code", "")
    assert (told["Income class"][0], told["Status"][0], told["Urban or rural"][0], told["Level"][0]) == (
        "—",
        "poblacion",
        "rural",
        "Barangay",
    )
    assert "places.csv, row 4" in words(app)
    assert charts(app) == []
    assert {"Column", "Cell"} == set(app.dataframe[-1].value.columns)


def test_one_project_shows_its_years(known: None) -> None:
    app = opened("record", session("viewer"), kind="projects", id=record_id("projects", "bridge"))
    assert not app.exception
    assert app.header[0].value == "Bridge \\*one\\*"
    told = facts(app)
    assert told["Budget"] == ("£10.00m", "Budget (£m)", "")
    assert told["Forecast"] == ("unknown", "Forecast (£m)", "N/A")
    assert told["Start, planned"][1] == "the first yearly report that tells it"
    assert told["Variance"][0] == "+10.0% of forecast over budget"
    (chart,) = charts(app)
    assert [trace["name"] for trace in chart["data"]] == ["Budget of the year", "Forecast of the year"]  # type: ignore[attr-defined]
    years = app.dataframe[1].value
    assert years[["Year", "Budget", "From"]].to_numpy().tolist() == [
        ["2021", "£10.00m", "2021.csv, row 1"],
        ["2020", "unknown", "2020.csv, row 1"],
    ]
    assert app.text[0].value.startswith("# A *story*")
    assert "The first 10,000 of 10,799 characters." in words(app)
    assert "version" in words(app)


def test_a_project_without_years_or_texts_is_short(database: None) -> None:
    bring(as_csv(PROJECT_HEADER, (*ROW[:-1], "")), plan())
    app = opened("record", session("viewer"), kind="projects", id=record_id("projects", "bridge"))
    assert not app.exception
    assert (charts(app), list(app.text)) == ([], [])
    assert facts(app)["Status"] == ("unknown", "not told by this source", "")


def test_two_megabytes_of_narrative_do_not_break_the_page() -> None:
    bring(as_csv(PROJECT_HEADER, changed(words="Very long. " * 190_000)), plan())
    app = opened("record", session("viewer"), kind="projects", id=record_id("projects", "bridge"))
    assert not app.exception
    assert 9_990 <= len(app.text[0].value) <= 10_000


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ({}, "Choose a record on the Records page."),
        ({"kind": "communities", "id": "x"}, "its id is a whole number"),
        ({"kind": "communities", "id": "99"}, "no record 99 among the communities"),
        ({"kind": "places", "id": "1"}, "no records of the kind 'places'"),
    ],
)
def test_an_address_without_a_record_says_so(address: dict[str, str], told: str) -> None:
    app = opened("record", session("viewer"), **address)
    assert told in words(app)
    assert not app.exception


def test_the_pages_are_where_the_console_links_to() -> None:
    for link in (record.LIST, records.PAGE):
        assert (ROOT / "console" / Path(link)).resolve().is_file()
