"""The same project under other names and offices: what its source tells is followed, what it does not is told and not guessed."""

from typing import Any

import pytest
from sqlalchemy import text

from services.db import transaction
from services.records import get
from services.records.imports import Import
from services.records.maps import Map
from services.records.names import keys, likeness
from services.records.search import search
from tests.services.records.conftest import as_csv, bring, found

pytestmark = pytest.mark.usefixtures("database")
HEADER = ("Title", "Office", "Budget", "Ends")


def plan(year: int | None = None, **more: Any) -> Map:  # noqa: ANN401 - parts of a map
    columns = {"name": "Title", "department": "Office", "budget": "Budget", "end_current": "Ends"}
    told = {"kind": "projects", "source": "mine", "currency": "GBP", "year": year, "columns": columns, "successors": {"BIS": "BEIS"}}
    return Map.model_validate(told | more)


def told(year: int | None, *rows: tuple[str, str, str], **more: Any) -> Import:  # noqa: ANN401 - parts of a map
    return bring(
        as_csv(HEADER, *((name, office, budget, f"20{30 - (year or 2014) % 10}-01-01") for name, office, budget in rows)),
        plan(year, **more),
    )


def known() -> dict[str, list[int]]:
    """Name → years of every project."""
    with transaction() as connection:
        records = search(connection, "projects").records
        return {record.name: [year.year for year in get(connection, "projects", record.id).years] for record in records}


def doubts(done: Import) -> list[str]:
    return [finding.reason for finding in found(done.id) if finding.what == "doubtful"]


def test_case_spaces_marks_and_renamed_offices_make_no_other_project() -> None:
    told(2014, ("The  Smart-Meter & Grid Programme", "BIS", "1"))
    assert doubts(told(2015, ("Smart Meter and Grid programme", "BEIS", "2"))) == []
    assert known() == {"Smart Meter and Grid programme": [2014, 2015]}


def test_the_newest_year_tells_the_project_whatever_came_last() -> None:
    for year, budget in ((2015, "2"), (2014, "1"), (2016, "")):
        told(year, ("Bridge", "DfT", budget))
    with transaction() as connection:
        project = get(connection, "projects", search(connection, "projects").records[0].id)
    years = project.years
    assert [(year.year, year.budget_minor) for year in years] == [(2014, 100), (2015, 200), (2016, None)]
    assert (project.budget_minor, project.end_planned, project.end_current) == (None, years[0].end, years[-1].end)


def test_a_year_told_again_is_corrected() -> None:
    told(2014, ("Bridge", "DfT", "1"))
    assert told(2014, ("Bridge", "DfT", "1")).unchanged == 1
    assert told(2014, ("Bridge", "DfT", "3")).changed == 1
    assert known() == {"Bridge": [2014]}


def test_a_name_that_says_what_it_was_before_goes_on() -> None:
    told(2014, ("Urenco Future Options", "BIS", "1"))
    assert doubts(told(2015, ("Project Eagle (formerly Urenco Future Options)", "BIS", "1"))) == []
    told(2016, ("Project Eagle", "BIS", "1"))
    assert known() == {"Project Eagle": [2014, 2015, 2016]}


def test_it_knows_a_name_from_before_that_comes_later() -> None:
    told(2015, ("Project Eagle (formerly Urenco Future Options)", "BIS", "1"))
    told(2014, ("Urenco Future Options", "BIS", "1"))
    assert known() == {"Project Eagle (formerly Urenco Future Options)": [2014, 2015]}


def test_who_writes_the_map_may_say_that_a_project_was_renamed() -> None:
    told(2014, ("Old", "DfT", "1"))
    told(2015, ("New", "DfT", "1"), formerly={"New": "Old"})
    assert known() == {"New": [2014, 2015]}


def test_a_project_under_its_own_name_is_never_lost_to_one_that_was_called_so() -> None:
    told(2014, ("Old", "DfT", "1"))
    told(2015, ("New (formerly Old)", "DfT", "1"), ("Old", "DfT", "2"))
    assert known() == {"New (formerly Old)": [2015], "Old": [2014, 2015]}


def test_a_former_name_of_two_projects_is_no_answer() -> None:
    told(2013, ("B (formerly Old)", "DfT", "1"), ("C (formerly Old)", "DfT", "1"))
    done = told(2015, ("New (formerly Old)", "DfT", "1"))
    assert "may be 'B (formerly Old)' of DfT and 'C (formerly Old)' of DfT" in doubts(done)[0]
    assert len(known()) == 3


@pytest.mark.parametrize(("name", "office"), [("Bridge", "HMT"), ("Bridge Programme", "DfT"), ("Bridge (BR)", "DfT"), ("Bridge", "")])
def test_what_may_be_the_same_is_told_and_kept_apart(name: str, office: str) -> None:
    told(2014, ("Bridge", "DfT", "1"))
    done = told(2015, (name, office, "1"))
    assert (done.new, done.doubtful) == (1, 1)
    assert doubts(done)[0].startswith("may be the same project as 'Bridge' of DfT")
    with transaction() as connection:
        assert connection.execute(text("select count(*) from projects")).scalar_one() == 2


def test_two_rows_of_one_file_are_two_projects_or_one_told_twice() -> None:
    done = told(2014, ("Bridge", "DfT", "1"), ("Bridge Programme", "DfT", "1"), ("BRIDGE", "DfT", "2"))
    assert (done.new, done.rejected, doubts(done)) == (2, 1, [])
    assert found(done.id)[0].reason == "row 1 of this file tells the same record"


def test_the_ids_of_a_source_decide_alone() -> None:
    header, body = ("Id", *HEADER), [("7", "Bridge", "DfT", "1", ""), ("8", "Bridge", "DfT", "1", ""), ("7", "Other", "DfT", "1", "")]
    done = bring(as_csv(header, *body, ("", "None", "DfT", "1", "")), plan(id="Id"))
    assert (done.new, done.rejected, done.doubtful) == (2, 2, 0)
    assert [finding.reason for finding in found(done.id)] == ["row 1 of this file tells the same record", "the id is missing"]
    assert bring(as_csv(header, ("7", "Renamed", "HMT", "1", "")), plan(id="Id")).changed == 1


def test_an_id_that_is_an_essay_is_no_id() -> None:
    assert bring(as_csv(("Id", *HEADER), ("7" * 400, "Bridge", "DfT", "1", "")), plan(id="Id")).rejected == 1


def test_names_without_letters_are_names() -> None:
    assert keys("???", None, {}) == ["??? | "]
    assert told(2014, ("???", "", "1"), ("!!!", "", "1")).new == 2
    assert likeness("The HS2 Programme (Phase 1)") == "hs2"
