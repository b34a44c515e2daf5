"""The public files through the ready-made maps, against an independent computation on the files."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from services.db import transaction
from services.records import get, peers
from services.records.search import count, search
from tests.services.records.conftest import bring, found

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.unmeasured]
Shared = Callable[[str], Path]
YEARS = (2014, 2015, 2016, 2017, 2019, 2020, 2021)
FORMS = {2019: "%d.%m.%y", 2021: "%Y-%m-%d"}
NUMBER = re.compile(r"-?£?-?[\d,]+(?:\.\d+)?m?")


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a file, £ signs as they were."""
    with io.StringIO(path.read_text(encoding="utf-8").replace("Ł", "£"), newline="") as file:
        return list(csv.DictReader(file))


def frame(statement: str) -> pd.DataFrame:
    with transaction() as connection:
        rows = connection.execute(text(statement))
        return pd.DataFrame(rows.all(), columns=list(rows.keys()))


def test_it_imports_the_places_of_the_philippines_exactly(shared: Shared) -> None:
    path = shared("psgc/psgc_2025-08-07.csv")
    done = bring(path.read_bytes(), "psgc", path.name)
    file = pd.read_csv(path, dtype=str, keep_default_na=False)
    told = frame("select * from communities").set_index("psgc_id")
    assert (done.state, done.read, done.new, done.rejected) == ("done", len(file), len(file), 0)
    assert len(told) == len(file) == 43_769

    file = file.set_index("psgc_id")
    population = pd.to_numeric(file["population"].str.replace(r"[ ,]", "", regex=True), errors="coerce")
    assert int(told["population"].sum()) == int(population.sum())
    assert told["population"].isna().sum() == population.isna().sum() == 24
    assert not (told["population"] == 0).any()
    assert Counter(told["geographic_level"].dropna()) == Counter(level for level in file["geographic_level"] if level)
    classes = file["income_classification"].str.rstrip("*").replace({"-": "", "": None})
    assert Counter(told["income_class"].dropna()) == Counter(value for value in classes.dropna() if value)
    assert told.loc["1380200000", "name"] == "City of Las Piñas"

    dashes = sum(file[name].str.strip().eq("-").sum() for name in ("population", "income_classification", "settlement_type"))
    assert done.unknown == len(found(done.id)) == dashes
    provinces = file[file["geographic_level"] == "Prov"]["name"].str.strip()
    inside = told[told.index.str[:5].isin(provinces.index.str[:5]) & (told["geographic_level"] != "Prov")]
    assert (inside["province"] == provinces.set_axis(provinces.index.str[:5]).reindex(inside.index.str[:5]).to_numpy()).all()
    assert told.loc["1380601001", ["region", "municipality"]].tolist() == ["National Capital Region (NCR)", "City of Manila"]
    assert told.loc["1380601001", "attributes"]["submunicipality"] == "Tondo I/II"

    again = bring(path.read_bytes(), "psgc", path.name)
    assert (again.new, again.changed, again.unchanged, again.unknown) == (0, 0, len(file), done.unknown)
    with transaction() as connection:
        assert count(connection, "communities", "PARANAQUE city of") == 17
        assert search(connection, "communities", "manila").records[0].name in {"Manila", "City of Manila"}
        assert [record.name for record in search(connection, "communities", "Manila").records[:2]] == ["City of Manila", "Manila"]
        caloocan = search(connection, "communities", "1380100000").records[0]
        assert sum(1 for _ in peers(connection, caloocan)) == (file["geographic_level"] == "City").sum() - 1


def money_of(cells: list[str]) -> int:
    """The sum in pence of what is an amount in millions of pounds."""
    return sum(round(float(re.sub("[£,m]", "", cell)) * 100_000_000) for cell in cells if NUMBER.fullmatch(cell.strip()))


@pytest.mark.parametrize("year", YEARS)
def test_it_imports_each_year_of_the_major_projects_exactly(shared: Shared, year: int) -> None:
    path = shared(f"uk-gmpp/df_{year}.csv")
    done = bring(path.read_bytes(), f"uk-gmpp-{year}", path.name)
    rows = [row for row in rows_of(path) if row["project_name"].strip() and not row["project_name"].startswith("Unnamed")]
    empty = len(rows_of(path)) - len(rows)
    assert (done.state, done.read, done.new, done.rejected) == ("done", len(rows) + empty, len(rows), empty)

    told = frame("select * from projects")
    assert set(told["name"]) == {" ".join(row["project_name"].replace("\xa0", " ").split()) for row in rows}
    heads = [name for name in rows[0] if re.search(r"budget \(£|baseline £m|baseline \(£m|forecast \(£|forecast £m", name.lower())]
    forecast = next(name for name in heads if "forecast" in name.lower())
    budget = next(name for name in heads if "forecast" not in name.lower() and "whole life" not in name.lower())
    assert told["budget_minor"].sum() == money_of([row[budget] for row in rows])
    assert told["forecast_minor"].sum() == money_of([row[forecast] for row in rows])
    rating = next(name for name in rows[0] if re.match(r"(MPA|IPA) (RAG|Del)|colour_rating", name))
    colours = Counter(row[rating].replace(" ", "").title() for row in rows if re.match(r"(Amber|Green|Red)", row[rating]))
    assert Counter(told["rating"].dropna()) == colours

    end = next(name for name in rows[0] if "end date" in name.lower() or name == "end_date")
    days = []
    for row in rows:
        try:
            days.append(datetime.strptime(row[end].strip(), FORMS.get(year, "%d/%m/%Y")).date())  # noqa: DTZ007
        except ValueError:
            continue
    assert sorted(told["end_current"].dropna()) == sorted(days)
    assert "Ł" not in "".join(told["narrative"].dropna())
    assert not any(re.search(r"[\x80-\x9c\x9e\x9f]", narrative) for narrative in told["narrative"].dropna())


def test_a_project_keeps_its_years_and_nobody_guesses(shared: Shared) -> None:
    imported = {year: bring(shared(f"uk-gmpp/df_{year}.csv").read_bytes(), f"uk-gmpp-{year}") for year in YEARS}
    assert sum(done.read for done in imported.values()) == 1_119
    assert sum(done.rejected for done in imported.values()) == 4
    told = frame("select p.id, p.name, count(*) as years from projects p join project_years y on y.project_id = p.id group by 1, 2")
    assert told["years"].sum() == 1_115
    assert told["years"].max() == 7
    reasons = [
        finding.reason for done in imported.values() for finding in found(done.id) if finding.what == "doubtful" and finding.field == "name"
    ]
    assert any("'Crossrail'" in reason for reason in reasons)

    with transaction() as connection:
        (crick,) = [record for record in search(connection, "projects", "francis crick").records if record.name.startswith("The Francis")]
        whole = get(connection, "projects", crick.id)
    assert [year.year for year in whole.years] == [2014, 2015, 2016, 2017]
    assert whole.end_planned == whole.years[0].end
    assert (whole.end_current, whole.budget_minor) == (whole.years[-1].end, whole.years[-1].budget_minor)


def test_the_order_of_the_years_does_not_matter(shared: Shared) -> None:
    def hashes(years: tuple[int, ...]) -> dict[str, str]:
        for year in years:
            bring(shared(f"uk-gmpp/df_{year}.csv").read_bytes(), f"uk-gmpp-{year}")
        told = frame("select name, department, content_hash from projects")
        return {f"{row.name}/{row.department}": row.content_hash for row in told.itertuples(index=False, name="Row")}

    forwards = hashes((2014, 2015, 2016))
    with transaction() as connection:
        connection.execute(text("delete from projects"))
    assert hashes((2016, 2014, 2015)) == forwards


def test_it_imports_the_it_dashboard_exactly(shared: Shared) -> None:
    path = shared("us-it-dashboard/us_it_dashboard_projects.csv")
    done = bring(path.read_bytes(), "us-it-dashboard", path.name)
    file = pd.read_csv(path, dtype=str, keep_default_na=False)
    told = frame("select * from projects").set_index("source_id").loc[file["Project ID"]]
    assert (done.read, done.new, done.rejected, done.unknown) == (2_467, 2_467, 0, 0)
    for name, column in (("budget_minor", "Planned Cost ($ M)"), ("forecast_minor", "Projected/Actual Cost ($ M)")):
        cents = (pd.to_numeric(file[column]) * 100_000_000).round()
        assert told[name].isna().sum() == cents.isna().sum() == 17
        assert told[name].sum() == cents.sum()
    variance = pd.to_numeric(file["Cost Variance (%)"])
    assert [float(value) for value in told["variance_percent"].dropna()] == [-value for value in variance.dropna()]
    with transaction() as connection:
        overspent = next(record for record in peers(connection, get(connection, "projects", 1)) if (record.variance_percent or 0) > 5)
    assert (overspent.forecast_minor or 0) > (overspent.budget_minor or 0)
    starts, ends = (pd.to_datetime(file[name]).dt.date for name in ("Start Date", "Planned Project Completion Date (B2)"))
    wrong = sum(
        start > end
        for start, end in zip(starts, ends, strict=True)
        if isinstance(start, type(end)) and not pd.isna(end) and not pd.isna(start)
    )
    assert sum(finding.field == "end_planned" for finding in found(done.id)) == wrong > 0
