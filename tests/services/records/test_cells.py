"""How people write counts, money, percentages and days; whatever else is there is unknown, with the reason, and never a zero."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records import cells
from services.records.cells import Unknown

SPACES = st.sampled_from(["", " ", "  ", "\t", "\xa0", "\n"])


@given(st.integers(0, 10**12), SPACES, SPACES)
def test_it_reads_any_count_as_it_may_be_spaced(number: int, before: str, after: str) -> None:
    assert cells.count(f"{before}{number:,}{after}") == cells.count(f"{before}{number}{after}") == number


@given(st.integers(-(10**12), 10**12), st.sampled_from([1, 1_000, 1_000_000]), st.sampled_from(["", "£"]), SPACES)
def test_it_reads_any_amount_to_the_penny(pennies: int, scale: int, symbol: str, space: str) -> None:
    told = Decimal(abs(pennies)) / 100 / scale
    sign = "-" if pennies < 0 else ""
    for written in (f"{sign}{symbol}{space}{told:,f}", f"{symbol}{sign}{told:f}", f"{sign}{told:f}{space}", f"{sign}{symbol}{told:E}"):
        assert cells.money(written, "GBP", scale) == pennies, written


@given(st.decimals(-10_000, 10_000, allow_nan=False, places=3), st.booleans())
def test_it_reads_any_percentage(value: Decimal, signed: bool) -> None:
    assert cells.percent(f" {value:,f}% ", signed=signed) == value


@given(st.dates(date(1969, 1, 1), date(2068, 12, 31)))
def test_it_reads_any_day_in_every_style(day: date) -> None:
    for pattern in ("%d/%m/%Y", "%d.%m.%y", "%Y-%m-%d", "%d %B %Y"):
        assert cells.day(f" {day.strftime(pattern)} ", [pattern]) == day
    assert cells.day(day.isoformat(), ["iso"]) == cells.day(f"{day.isoformat()}T10:00:00Z", ["%d/%m/%Y", "iso"]) == day


@given(st.text(max_size=40))
def test_it_reads_or_says_unknown_and_never_anything_else(told: str) -> None:
    for read in (
        cells.words,
        cells.prose,
        cells.count,
        lambda cell: cells.money(cell, "GBP", 1_000_000),
        lambda cell: cells.percent(cell, signed=False),
        lambda cell: cells.day(cell, ["iso", "%d/%m/%Y"]),
        lambda cell: cells.listed(cell, {"a": "A"}),
    ):
        try:
            value = read(told)
        except Unknown:
            continue
        else:
            assert value is not None or not told.replace("\xa0", " ").strip()


@pytest.mark.parametrize(
    ("told", "value"),
    [("  13,484,462 ", 13_484_462), ("703", 703), ("2319.0", 2319), ("", None), ("  ", None), ("0", 0)],
)
def test_it_reads_populations(told: str, value: int | None) -> None:
    assert cells.count(told) == value


@pytest.mark.parametrize("told", [" -", "  -   ", "—", "1,23", "12.5", "-3", "1e3", "N/A", "about 5", "9" * 40, "٣", "1\x00"])
def test_a_count_that_is_none_is_unknown(told: str) -> None:
    with pytest.raises(Unknown):
        cells.count(told)


@pytest.mark.parametrize(
    ("told", "minor"),
    [
        ("450.37", 45_037_000_000),
        ("£1.90m", 190_000_000),
        ("-£12.49m", -1_249_000_000),
        ("£-12.49", -1_249_000_000),
        ("(3.5)", -350_000_000),
        ("£2,013.02", 201_302_000_000),
        ("£1.2bn", 120_000_000_000),
        ("GBP 5", 500_000_000),
        ("6.96E-4", 69_600),
        ("0", 0),
        (" .5 ", 50_000_000),
        ("−1", -100_000_000),
        ("", None),
    ],
)
def test_it_reads_money_in_millions_of_pounds(told: str, minor: int | None) -> None:
    assert cells.money(told, "GBP", 1_000_000) == minor


@pytest.mark.parametrize("told", ["$5", "£1,23", "£5x", "--5", "-£-5", "5 USD", "1e999", "9" * 30, "£", "TBC", "x" * 400])
def test_money_of_another_kind_is_unknown(told: str) -> None:
    with pytest.raises(Unknown):
        cells.money(told, "GBP", 1_000_000)


@pytest.mark.parametrize(
    ("told", "withheld"),
    [
        ("Exempt under Section 43 of the Freedom of Information Act 2000 (Commercial Interests)", True),
        ("Data exempt under Section 43(2)", True),
        ("N/A", True),
        ("TBC", True),
        ("Data Not Provided", True),
        ("-", True),
        ("The project is still at the planning stage and is not yet in a position to provide this information", True),
        ("31/31/2015", False),
        ("1/012/2014", False),
        ("0021-01-01", False),
    ],
)
def test_a_day_that_is_none_keeps_what_was_written(told: str, withheld: bool) -> None:
    with pytest.raises(Unknown, match=r".") as raised:
        cells.day(told, ["%d/%m/%Y", "iso"])
    assert raised.value.withheld == withheld
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("told", "signed", "reason"),
    [("-0.2379", True, "has no % sign"), ("more", False, "is not a percentage"), ("9999999999%", True, "is not a percentage")],
)
def test_a_percentage_that_is_none_says_why(told: str, signed: bool, reason: str) -> None:
    with pytest.raises(Unknown, match=reason):
        cells.percent(told, signed=signed)


def test_it_reads_listed_values_in_any_case_and_spacing() -> None:
    assert cells.listed(" Amber/ red ", {"amber/red": "Amber/Red"}) == "Amber/Red"
    assert cells.listed(" ", {}) is None
    with pytest.raises(Unknown, match="not among the values"):
        cells.listed("Mauve", {"amber": "Amber"})


def test_prose_may_begin_like_a_refusal_and_go_on() -> None:
    long = "Exempt from the rule are those " + "who wait " * 60
    assert cells.prose(long) == long.strip()
    with pytest.raises(Unknown):
        cells.prose("Exempt under Section 43")
    assert cells.prose("a\r\nb\rc\xa0d") == "a\nb\nc d"


def test_a_name_is_no_essay() -> None:
    with pytest.raises(Unknown, match="1,000 characters"):
        cells.words("x" * 1_000)
