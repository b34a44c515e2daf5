"""Money, days and text of records as people read them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from console.ui import amounts, histories
from console.ui.quoted import quoted
from services.records import ProjectYear


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (None, "GBP", "unknown"),
        (0, "GBP", "£0.00"),
        (45_037_000_000, "GBP", "£450.37m"),
        (1_274_300_000_000, "GBP", "£12.74bn"),
        (-1_249_000_000, "USD", "−$12.49m"),
        (12_345, "CHF", "CHF 123.45"),
        (12_345, None, "123.45"),
    ],
)
def test_it_writes_money(minor: int | None, currency: str | None, said: str) -> None:
    assert amounts.amount(minor, currency) == said


def test_it_writes_percentages_days_and_counts() -> None:
    assert [amounts.percent(value) for value in (None, Decimal(-68), Decimal("5.25"))] == ["unknown", "-68.0%", "+5.2%"]
    assert [amounts.day(value) for value in (None, date(2030, 1, 2))] == ["unknown", "2030-01-02"]
    assert [amounts.count(value) for value in (None, 0, 13_484_462)] == ["unknown", "0", "13,484,462"]


def year(number: int, budget: int | None, rating: str | None) -> ProjectYear:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return ProjectYear(number, "Bridge", None, None, None, None, rating, budget, 300, None, None, None, at)


def test_a_history_has_gaps_where_nobody_knows() -> None:
    years = [year(2014, 250, "Amber/Red"), year(2016, None, None)]
    figure = histories.figure(years, "GBP")
    assert list(figure.data[0].y) == [2.5, None]
    assert list(figure.layout.xaxis.ticktext) == ["2014<br>Amber/<br>Red", "2016<br>—"]
    assert histories.alt(years, "GBP").endswith(
        "2014: budget £2.50, forecast £3.00, Amber/Red; 2016: budget unknown, forecast £3.00, no rating."
    )


def test_text_from_outside_is_no_markdown() -> None:
    assert quoted("a *b*\n<b> $1") == r"a \*b\* \<b\> \$1"
