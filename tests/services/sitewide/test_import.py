"""Council files into tables: what is kept, what is refused and why, and what of it marks which field and year."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from services.db import transaction
from services.errors import BadInput, NotFound
from services.sitewide import changes, imports, maps, reading, summaries
from services.sitewide.amounts import amount
from services.sitewide.names import slug, title, year_label, year_of
from services.sitewide.reading import Summary
from tests.services.sitewide.files import bring, small

pytestmark = pytest.mark.usefixtures("database")
ROWS = tuple(f"E{n},Council {n},Unitary,England,SE,2015-16,Roads,{n}.5" for n in range(1, 13))


def summary(field: str = "roads", year: int = 2015) -> Summary:
    summaries.build("ada")
    with transaction() as connection:
        return reading.get(connection, field, year)


def test_a_figure_is_kept_exactly_in_whole_units() -> None:
    bring(small(*ROWS))
    one = summary()
    assert (one.n, one.total, one.mean, one.unit) == (12, Decimal(84_000), Decimal(7_000), "GBP")
    assert one.top[0].value == Decimal(12_500)
    with transaction() as connection:
        assert reading.councils(connection, "roads", 2015)[-1] == reading.Council("E1", "Council 1", "Unitary", "England", Decimal(1_500))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Nowhere,Unitary,England,SE,2015-16,Roads,1", "the council's code is missing"),
        ("E1,,Unitary,England,SE,2015-16,Roads,1", "the council's name is missing"),
        ("E1,A,Unitary,England,SE,2015-17,Roads,1", "'2015-17' is not a financial year such as 2015-16"),
        ("E1,A,Unitary,England,SE,2015-16,,1", "the field's name is missing"),
        ("E1,A,Unitary,England,SE,2015-16,(+/-),1", "'(+/-)' has no letter or digit to be known by"),
        ("E1,A,Unitary,England", "line 2 has 4 fields where the header has 8"),
    ],
)
def test_a_row_without_use_is_refused_with_its_reason(row: str, reason: str) -> None:
    outcome = bring(small(row))
    assert (outcome.state, outcome.read, outcome.new, outcome.rejected) == ("done", 1, 0, 1)
    with transaction() as connection:
        assert imports.findings(connection, outcome.id)[0].reason == reason


@pytest.mark.parametrize("cell", ["", "n/a", "1.2.3", "twelve", "1e400"])
def test_an_unknown_figure_is_unknown_and_never_zero(cell: str) -> None:
    outcome = bring(small(*ROWS, f"E99,Silent,Unitary,England,SE,2015-16,Roads,{cell}"))
    assert (outcome.new, outcome.unknown, outcome.rejected) == (13, 1, 0)
    one = summary()
    assert (one.n, one.expected, one.min) == (12, 13, Decimal(1_500))
    assert (one.completeness, one.quality) == (Decimal("0.9231"), Decimal("0.9462"))
    with transaction() as connection:
        assert reading.councils(connection, "roads", 2015)[-1].value is None
        assert reading.completeness(connection)[0].missing == 1


def test_a_figure_told_twice_stands_once() -> None:
    outcome = bring(small(*ROWS, ROWS[0], "E1,Council 1,Unitary,England,SE,2015-16,Roads,7"))
    assert (outcome.new, outcome.rejected) == (12, 1)
    with transaction() as connection:
        assert imports.findings(connection, outcome.id)[0].reason.startswith("row 1 tells the same field of the council and year")
    assert summary().bottom[0].value == Decimal(1_500)


def test_a_broken_file_is_kept_not_at_all() -> None:
    outcome = bring(small(*ROWS) + b'"E1,never closed')
    assert outcome.state == "broken"
    assert outcome.fault is not None
    with transaction() as connection:
        assert connection.execute(text("select count(*) from council_figures")).scalar_one() == 0
    missing = bring(b"a,b\n1,2\n")
    assert missing.fault is not None
    assert "column ecode, council" in missing.fault


def test_two_sources_cannot_tell_one_field() -> None:
    bring(small(*ROWS))
    header = b"lgf_code,council,nation,financial_year,quarter,kind,field,value_gbp_thousands\n"
    outcome = bring(header + b"E1,A,England,2015-16,Q4,,Roads,1\nE1,A,England,2015-16,Q1,,Roads,1\n", "borrowing-investments")
    assert outcome.state == "broken"
    assert "one of the source 'revenue-outturn' already" in (outcome.fault or "")


def test_the_register_fills_gaps_in_any_order() -> None:
    register = b"ecode,nice-name,local-authority-type-name,nation,region\nE1,Registered,County,England,South West\n"
    figures = small("E1,Told,,England,,2015-16,Roads,1", "E1,Told before,Unitary,England,SE,2014-15,Roads,1")

    def known() -> tuple[object, ...]:
        with transaction() as connection:
            return tuple(connection.execute(text("select name, type, nation, region from councils where code = 'E1'")).one())

    bring(figures)
    bring(register, "uk-la-codes")
    first = known()
    with transaction() as connection:
        connection.execute(text("truncate councils, council_tellings, council_figures, council_years restart identity cascade"))
    bring(register, "uk-la-codes")
    bring(figures)
    assert known() == first == ("Told", "Unitary", "England", "South East")


def test_what_changed_is_told_with_its_hashes() -> None:
    bring(small(*ROWS, *(row.replace("Roads", "Parks") for row in ROWS)))
    before = summary()
    bring(small(*ROWS[1:], "E1,Council 1,Unitary,England,SE,2015-16,Roads,9", "E50,New,Unitary,England,SE,2015-16,Roads,3"), actor="bob")
    assert summaries.build("worker") == summaries.Built(2, 2)  # a council more is expected of parks too
    with transaction() as connection:
        log = changes.listing(connection)
    roads = {one.what: one for one in log if one.slug == "roads"}
    assert {what: (one.n, one.examples) for what, one in roads.items()} == {
        "new field": (12, ["E1", "E10", "E11", "E12", "E2"]), "value update": (1, ["E1"]), "new council": (1, ["E50"]),
    }  # fmt: skip
    assert roads["value update"].old_hash == before.source_hash == roads["new field"].new_hash
    assert (roads["new field"].old_hash, roads["value update"].actor) == (None, "worker (bob)")
    parks = next(one for one in log if one.slug == "parks")
    assert (parks.what, parks.n) == ("new council", 1)


def test_a_council_that_changes_its_type_touches_its_years() -> None:
    bring(small(*ROWS))
    summary()
    bring(small(ROWS[0].replace("Unitary", "Shire county")))
    one = summary()
    assert {name: group.n for name, group in one.by_type.items()} == {"Shire county": 1, "Unitary": 11}
    with transaction() as connection:
        assert changes.listing(connection, 1)[0].what == "council update"


def test_what_is_put_back_before_anybody_looked_changes_nothing() -> None:
    bring(small(*ROWS))
    before = summary()
    bring(small(ROWS[0].replace("1.5", "2.5")))
    bring(small(ROWS[0]))
    assert summaries.build("ada") == summaries.Built(1, 0)
    assert summary() == before


def test_a_limit_leaves_the_rest_waiting() -> None:
    bring(small(*ROWS, *(row.replace("Roads", "Parks") for row in ROWS)))
    assert summaries.build("ada", most=1) == summaries.Built(1, 1)
    with transaction() as connection:
        assert summaries.pending(connection) == 1
        with pytest.raises(NotFound, match="There is no summary of the field 'roads' in 2015-16"):
            reading.get(connection, "roads", 2015)


def test_a_map_says_what_is_wrong_with_it() -> None:
    with pytest.raises(BadInput, match="There is no map 'none'"):
        maps.load("none")
    with pytest.raises(ValueError, match="a map of figures lacks value"):
        maps.Map.model_validate({"kind": "figures", "source": "s", "columns": dict.fromkeys(("code", "name", "year", "field"), "x")})


def test_names_come_to_one_slug() -> None:
    spellings = (
        "NET CURRENT EXPENDITURE (TOTAL OF LINES 699 TO 748)",
        "Net current expenditure",
        "NET CURRENT EXPENDITURE(TOTAL OF LINES 699to748)",
    )
    assert {slug(name) for name in spellings} == {"net-current-expenditure"}
    assert {title(name) for name in spellings[:2]} == {"Net current expenditure"}
    assert slug("Reserves (1 April 2012)") == slug("Reserves (1 April 2014)") != slug("Reserves (31 March 2013)")


@given(st.integers(1900, 2098))
def test_years_come_back(year: int) -> None:
    assert year_of(year_label(year)) == year


@given(st.decimals(-(10**15), 10**15, places=3))
def test_an_amount_is_said_within_half_of_its_last_digit(value: Decimal) -> None:
    said = amount(value, "GBP")
    number, _, word = said.replace("-", "").removeprefix("£").partition(" ")
    scale = {"": 1, "million": 10**6, "billion": 10**9}[word]
    places = len(number.partition(".")[2])
    assert abs(Decimal(number.replace(",", "")) * scale - abs(value)) <= Decimal(scale) / 10**places / 2
    assert said.startswith("-") == (value < 0)
