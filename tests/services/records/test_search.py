"""Searching: every word somewhere, whatever its case and accents; in pages; and fast, by an index any Postgres has."""

import time

import pytest
from sqlalchemy import text

from services.db import transaction
from services.errors import BadInput, NotFound
from services.records.search import PAGE_ROWS, Found, count, search
from tests.services.records.conftest import as_csv, bring
from tests.services.records.test_communities import HEADER, PLACES, place

pytestmark = pytest.mark.usefixtures("database")


def asked(query: str, page: int = 1) -> Found:
    with transaction() as connection:
        return search(connection, "communities", query, page)


@pytest.fixture
def places(database: None) -> None:
    more = [
        place("1380600000", "City of Manila", "City", "1,846,513"),
        place("0500515024", "Manila", "Bgy", "1,065"),
        place("1381200000", "City of Parañaque", "City", "689,992", old_names="Palanyag 100%"),
        *(place(f"03014{n:05}", f"Barangay {n}", "Bgy") for n in range(1, 121)),
    ]
    bring(as_csv(HEADER, *PLACES, *more), "psgc")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("manila", ["City of Manila", "Manila"]),
        ("PARANAQUE", ["City of Parañaque"]),
        ("parañaque city", ["City of Parañaque"]),
        ("palanyag", ["City of Parañaque"]),
        ("0%", ["City of Parañaque"]),
        ("m_nila", []),
        ("\\", []),
        ("adams norte", ["Adams", "Adams"]),
        ("1380600000", ["City of Manila"]),
        ("barangay 119", ["Barangay 119"]),
        ("manila manila", ["City of Manila", "Manila"]),
        ("nowhere", []),
    ],
)
def test_it_finds_what_people_mean(places: None, query: str, names: list[str]) -> None:
    found = asked(query)
    assert [record.name for record in found.records] == names
    assert found.total == len(names)


def test_pages_hold_everything_once(places: None) -> None:
    seen = [record.id for page in range(1, 4) for record in asked("barangay", page).records]
    assert (len(seen), len(set(seen)), asked("barangay").pages, asked("barangay").total) == (120, 120, 3, 120)
    assert len(asked("barangay").records) == PAGE_ROWS
    assert asked("barangay", 4).records == []
    assert asked("nothing").pages == 1


@pytest.mark.parametrize(
    ("query", "page", "told"),
    [("x" * 201, 1, "200 characters"), ("\0", 1, "NUL"), ("a b c d e f g h i", 1, "8 words"), ("", 0, "pages from 1")],
)
def test_it_says_what_cannot_be_searched(query: str, page: int, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        asked(query, page)


def test_there_are_no_records_of_another_kind() -> None:
    with transaction() as connection:
        for ask in (search, count):
            with pytest.raises(NotFound):
                ask(connection, "places; drop table projects", "")


def test_it_is_fast_at_forty_five_thousand(database: None) -> None:
    bring(as_csv(HEADER, PLACES[0]), "psgc")
    with transaction() as connection:
        connection.execute(
            text(
                "insert into communities (source, psgc_id, name, find, content_hash, raw, import_id, position, population)"
                " select 'many', 'm' || n, 'San ' || md5(n::text), 'san ' || md5(cast(n as text)) || chr(10) || 'm' || n, '', '{}', 1, n, n"
                " from generate_series(1, 45000) n".replace("n::text", "cast(n as text)")
            )
        )
        connection.execute(text("analyze communities"))
        for query in ("", "san", "san ab1", "c4ca4238"):
            took = []
            for _ in range(3):
                began = time.monotonic()
                search(connection, "communities", query)
                took.append(time.monotonic() - began)
            assert min(took) < 0.4, f"{query!r} took {min(took):.3f} s"
        explained = connection.execute(
            text("explain select id from communities r where r.grams @> record_grams('c4ca4238') and r.find like '%c4ca4238%'")
        )
        assert "communities_found" in str(explained.all())
