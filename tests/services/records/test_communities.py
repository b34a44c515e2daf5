"""Places by their codes."""

import pytest

from services.db import transaction
from services.errors import NotFound
from services.records import Community, content_hash, get, maps, peers
from services.records.imports import Import
from services.records.maps import Map
from services.records.search import search
from tests.services.records.conftest import as_csv, bring, found

pytestmark = pytest.mark.usefixtures("database")
HEADER = ("psgc_id", "name", "correspondence_code", "geographic_level", "old_names", "city_class", "income_classification",
          "settlement_type", "population", "", "barangay_status")  # fmt: skip


def place(code: str, name: str, level: str, population: str = "", **more: str) -> tuple[str, ...]:
    told = {"psgc_id": code, "name": name, "geographic_level": level, "population": population} | more
    return tuple(told.get(column, "") for column in HEADER)


PLACES = (
    place("0100000000", "Region I", "Reg", " 5,301,139 "),
    place("0102800000", "Ilocos Norte", "Prov", "609,588"),
    place("0102801000", "Adams", "Mun", "2,189", income_classification="5th"),
    place("0102801001", "Adams", "Bgy", " -", barangay_status="Pob.", settlement_type="R"),
)


def places(*rows: tuple[str, ...]) -> Import:
    return bring(as_csv(HEADER, *rows), "psgc")


def by_code(code: str) -> Community:
    with transaction() as connection:
        (found_one,) = search(connection, "communities", code).records
        return get(connection, "communities", found_one.id)


def test_a_place_lies_where_its_code_says() -> None:
    assert places(*PLACES).new == 4
    adams = by_code("0102801001")
    assert (adams.region, adams.province, adams.municipality) == ("Region I", "Ilocos Norte", "Adams")
    assert (adams.population, adams.unknown["population"]) == (None, "'-' stands there")
    assert (by_code("0102801000").municipality, by_code("0102801000").income_class) == (None, "5th")


def test_what_it_lies_in_may_have_come_in_another_file() -> None:
    places(*PLACES[:2])
    places(*PLACES[2:])
    assert by_code("0102801001").province == "Ilocos Norte"


def test_a_code_without_its_zeros_and_one_told_twice_are_rejected() -> None:
    done = places(place("102800000", "Ilocos Norte", "Prov"), PLACES[1], PLACES[1], place("", "Nowhere", "Bgy"))
    assert (done.new, done.rejected) == (1, 3)
    assert [finding.reason.split(":")[0] for finding in found(done.id)] == [
        "'102800000' is not a code of ten digits",
        "row 2 of this file tells the same record",
        "the id is missing",
    ]


def test_other_sources_tell_the_places_themselves() -> None:
    plan = Map.model_validate(
        {"kind": "communities", "source": "mine", "id": "id", "columns": {"name": "n", "province": "p", "narrative": "t"}}
    )
    assert bring(as_csv(("id", "n", "p", "t"), ("x/1", "Here", "There", "Much.")), plan).new == 1
    assert (by_code("x/1").province, by_code("x/1").narrative, by_code("x/1").attributes) == ("There", "Much.", {})


def test_a_whole_that_is_told_of_what_postgres_cannot_keep_is_rejected() -> None:
    assert places(place("0102800000\0", "A", "Prov")).rejected == 1
    assert places(place("0102800000", "A\0", "Prov")).rejected == 1


def test_peers_are_of_the_same_level_and_not_itself() -> None:
    places(*PLACES, place("0102802000", "Bacarra", "Mun"))
    with transaction() as connection:
        assert [peer.name for peer in peers(connection, by_code("0102801000"))] == ["Bacarra"]
        assert list(peers(connection, by_code("0100000000"))) == []


def test_what_there_is_not_is_not_found() -> None:
    with transaction() as connection:
        for ask in (get, content_hash):
            with pytest.raises(NotFound, match="no record 7 among the communities"):
                ask(connection, "communities", 7)
            with pytest.raises(NotFound, match="no records of the kind 'places'"):
                ask(connection, "places", 7)


def test_the_shipped_map_knows_the_unnamed_column() -> None:
    places(("0102800000", "Ilocos Norte", "", "Prov", "", "", "", "", "1", " (excluding LAOAG) ", ""))
    assert maps.load("psgc").attributes["note"] == ""
    assert by_code("0102800000").attributes == {"note": "(excluding LAOAG)"}
