"""Councils' published amounts, asked in words, against the public file as pandas reads it."""

import pandas as pd
import pytest

from services.ask import chat
from services.ask.asker import Asker
from services.ask.chat import Reply
from tests.services.ask import world

pytestmark = pytest.mark.usefixtures("filled")


def ask(message: str) -> Reply:
    return chat.ask(message, Asker("vera", "viewer"))


def amounts(field: str = "Education services") -> pd.DataFrame:
    """GBP thousands of one field, as published."""
    rows = world.council_rows()
    rows = rows[rows["field"] == field]
    return rows.assign(value=pd.to_numeric(rows["value_gbp_thousands"]))


def told(message: str) -> dict[str, float]:
    reply = ask(message)
    assert reply.source == "template", (message, reply.answer)
    assert reply.data
    return {str(row[0]): float(row[-1]) for row in reply.data["rows"]}


def test_the_total_and_the_average_of_a_field_by_type() -> None:
    year = amounts()[lambda rows: rows["financial_year"] == "2015-16"].groupby("council_type")["value"]
    assert told("council spending on Education services by council type in 2015-16") == pytest.approx(year.sum().to_dict())
    assert told("average council spending on Education services by council type in 2015-16") == pytest.approx(year.mean().to_dict())


def test_the_councils_with_the_most_are_those_of_the_file() -> None:
    year = amounts()[lambda rows: rows["financial_year"] == "2015-16"]
    best = year.nlargest(3, "value")["value"].tolist()
    found = told("top 3 councils by council spending on Education services in 2015-16")
    assert list(found.values()) == pytest.approx(best)


def test_a_field_over_the_years() -> None:
    rows = amounts("Highways and transport services").groupby("financial_year")["value"].sum()
    assert told("council spending on Highways and transport services by financial year") == pytest.approx(rows.to_dict())


def test_the_unit_is_the_published_one() -> None:
    year = amounts()[lambda rows: rows["financial_year"] == "2014-15"]["value"].sum()
    assert f"£{year:,.1f} thousand" in ask("council spending on Education services in 2014-15").answer


@pytest.mark.parametrize("message", ["council spending in 2015-16", "council spending on Education services", "council spending by region"])
def test_several_fields_or_years_are_not_added_up(message: str) -> None:
    reply = ask(message)
    assert reply.source == "clarification"
    assert "Name one, or group by it" in reply.answer


def test_communities_keep_their_own_regions() -> None:
    assert ask("how many councils in Region I").source != "template"
    assert ask("how many barangays in the South West").source != "template"
