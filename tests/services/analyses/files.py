"""Records made of the real files, without a database: what an import makes of them is tested with the imports."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from services.records import Community, Project, ProjectYear
from tests.spans import SHARED

NOW = datetime(2026, 11, 21, tzinfo=UTC)
YEARS = (2014, 2015, 2016, 2017, 2019, 2020, 2021)
Row = dict[str, str]


def community(number: int, **told: object) -> Community:
    """A barangay about which everything is told but its narrative, unless said otherwise."""
    facts: dict[str, object] = {
        "id": number, "source": "psgc", "psgc_id": f"1380100{number % 999 + 1:03}", "name": f"Barangay {number}", "geographic_level": "Bgy",
        "region": "National Capital Region (NCR)", "province": None, "municipality": "City of Caloocan", "city_class": None,
        "income_class": None, "settlement_type": "U", "population": 3_000 + number, "barangay_status": None, "old_names": None,
        "narrative": None, "content_hash": f"hash {number}", "imported_at": NOW,
    }  # fmt: skip
    return Community(**(facts | told))  # type: ignore[arg-type]


def project(number: int, years: Iterable[ProjectYear] = (), **told: object) -> Project:
    """A project of which nothing is told but its name, unless said otherwise."""
    facts: dict[str, object] = {
        "id": number, "source": "uk-gmpp", "source_id": None, "name": f"Programme {number}", "department": None, "category": None,
        "description": None, "start_planned": None, "start_current": None, "end_planned": None, "end_current": None, "status": None,
        "rating": None, "currency": None, "budget_minor": None, "forecast_minor": None, "variance_percent": None,
        "whole_life_minor": None, "narrative": None, "content_hash": f"hash {number}", "imported_at": NOW,
    }  # fmt: skip
    return Project(**(facts | told), years=tuple(years))  # type: ignore[arg-type]


@cache
def communities() -> tuple[Community, ...]:
    """Every place of the file, with the places it lies in."""
    made, lies_in = [], {"Reg": "", "Prov": "", "City": "", "Mun": ""}
    for number, row in enumerate(_rows(SHARED / "psgc" / "psgc_2025-08-07.csv"), 1):
        level = row["geographic_level"] or None
        if level in {"City", "Mun"}:
            lies_in["City"] = row["name"]
        elif level in lies_in:
            lies_in[level] = row["name"]
            lies_in["City"] = ""
        made.append(
            community(
                number, psgc_id=row["psgc_id"], name=row["name"], geographic_level=level,
                region=lies_in["Reg"] or None, province=lies_in["Prov"] or None,
                municipality=lies_in["City"] or None if level == "Bgy" else None, city_class=row["city_class"] or None,
                income_class=row["income_classification"] or None, settlement_type=row["settlement_type"] or None,
                population=_count(row["population"]), barangay_status=row["barangay_status"] or None, old_names=row["old_names"] or None,
            )
        )  # fmt: skip
    return tuple(made)


@cache
def projects() -> tuple[Project, ...]:
    """Every project of the seven yearly files, one by its name."""
    told: dict[str, list[ProjectYear]] = defaultdict(list)
    aims: dict[str, str] = {}
    for year in YEARS:
        for row in _rows(SHARED / "uk-gmpp" / f"df_{year}.csv"):
            key = re.sub(r"[^a-z0-9]", "", row["project_name"].lower())
            if key and all(one.year != year for one in told[key]):
                told[key].append(_year(year, row))
                aims[key] = _cell(row, "aims")
    return tuple(_project(number, years, aims[key]) for number, (key, years) in enumerate(told.items(), 1))


def _project(number: int, years: list[ProjectYear], aims: str) -> Project:
    first, last = years[0], years[-1]
    return project(
        number, years, name=last.name, department=last.department, description=aims or None, start_planned=first.start,
        start_current=last.start, end_planned=first.end, end_current=last.end, rating=last.rating, currency="GBP",
        budget_minor=last.budget_minor, forecast_minor=last.forecast_minor, variance_percent=last.variance_percent,
        whole_life_minor=last.whole_life_minor, narrative=last.narrative,
    )  # fmt: skip


def _year(year: int, row: Row) -> ProjectYear:
    budget = _money(_cell(row, r"^\d{4}/\d+ (?:budget|total baseline)|^financial year baseline"))
    forecast = _money(_cell(row, r"^\d{4}/\d+ (?:forecast|total forecast)|^financial year forecast"))
    narrative = _cell(row, "narrative on schedule|schedule_comment") or None
    return ProjectYear(
        year=year, name=row["project_name"], department=_cell(row, "^department$") or None, start=_day(_cell(row, "start.date")),
        end=_day(_cell(row, "end.date")), status=None, rating=_cell(row, "rag rating|delivery confidence|colour_rating") or None,
        budget_minor=budget, forecast_minor=forecast,
        variance_percent=None if not budget or forecast is None else Decimal(forecast - budget) * 100 / budget,
        whole_life_minor=_money(_cell(row, "^(?!.*narrative).*whole life cost")), narrative=narrative,
        imported_at=NOW,
    )  # fmt: skip


def _rows(path: Path) -> list[Row]:
    csv.field_size_limit(10_000_000)
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: value or "" for name, value in row.items() if name is not None} for row in csv.DictReader(file)]


def _cell(row: Row, pattern: str) -> str:
    return next((value.strip() for name, value in row.items() if re.search(pattern, name, re.IGNORECASE | re.DOTALL)), "")


def _money(text: str) -> int | None:
    """Millions of pounds, in pence."""
    match = re.fullmatch(r"(-?)Ł?(-?[\d,]+(?:\.\d+)?)m?", text)
    return None if match is None else round(float(match[1] + match[2].replace(",", "")) * 1e8)


def _day(text: str) -> date | None:
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d.%m.%y"):
        try:
            return datetime.strptime(text[:10], form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def _count(text: str) -> int | None:
    digits = text.replace(",", "").strip()
    return int(digits) if digits.isdigit() else None
