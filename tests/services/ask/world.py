"""What questions can name in these tests: all places of the geographic code, the invented rows, some traffic; and a small database."""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pandas as pd

from services.ask import lexicon, sample, tables
from services.ask.dates import Calendar
from services.ask.lexicon import Lexicon, Values
from services.ask.subjects import SUBJECTS
from services.clock import utc_now
from services.db import transaction
from services.sitewide import maps, summaries
from tests.services.records.conftest import as_csv, bring
from tests.services.records.test_communities import HEADER, place
from tests.services.records.test_load import HEADER as PROJECT_HEADER
from tests.services.records.test_load import changed, plan
from tests.services.sitewide import files
from tests.traffic import arrive, many

SHARED_DATA = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data")
TODAY = date(2026, 11, 21)
CALENDAR = Calendar(TODAY)
COUNCIL_FIELDS = ("Education services", "Highways and transport services", "Children Social Care")
COUNCIL_COLUMNS = {"field": "field", "financial_year": "financial_year", "council": "council"}
COUNCIL_YEARS = ("2013-14", "2014-15", "2015-16")
LEVELS = {"Reg": 2, "Prov": 5}
METRICS = {
    "module": ("tutor", "chat", "factoids", "communities", "project_central"),
    "model": ("gpt-5-mini", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-flash", "llama3.2:3b"),
    "provider": ("openai", "anthropic", "gcp.gemini", "ollama"),
    "environment": ("production", "staging"),
    "source": ("sample",),
    "topic": ("algebra", "grammar"),
    "subject": ("maths", "english"),
    "cohort": ("2026a", "2026b"),
    "error_type": ("timeout", "rate_limit"),
    "operation": ("answer", "summarise"),
}
OTHERS = {
    ("projects", "department"): ("MOD", "DfT", "Home Office", "Department of Defense", "Department of Education"),
    ("projects", "status"): ("Active", "Completed"),
    ("projects", "source"): ("uk-gmpp", "us-it-dashboard"),
    ("jobs", "kind"): ("rollups.verify", "telemetry.move", "housekeeping"),
    ("jobs", "queue"): ("default", "rollups"),
    ("schedules", "queue"): ("default",),
    ("schedules", "kind"): ("housekeeping", "rollups.verify"),
    ("imports", "source"): ("psgc", "uk-gmpp"),
}


@lru_cache(maxsize=1)
def places() -> dict[str, dict[str, tuple[str, ...]]]:
    """Level → name → the places that hold one of that name, from the public list of 43,769 places."""
    with (SHARED_DATA / "psgc" / "psgc_2025-08-07.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["psgc_id"], row["name"].strip(), row["geographic_level"]) for row in csv.DictReader(file)]
    names = {(level, code[: LEVELS[level]]): name for code, name, level in rows if level in LEVELS}
    found: dict[str, dict[str, dict[str, None]]] = {"Reg": {}, "Prov": {}, "Mun": {}}
    for code, name, level in rows:
        if level in LEVELS:
            found[level][name] = {}
        elif level != "Bgy" and level:
            found["Mun"].setdefault(name, {})[names.get(("Prov", code[:5])) or names["Reg", code[:2]]] = None
    return {level: {name: tuple(within) for name, within in of_level.items()} for level, of_level in found.items()}


@lru_cache(maxsize=1)
def values() -> Values:
    """As the console reads them from a database that holds all of it."""
    rows, known = sample.rows(TODAY), places()
    seen: dict[tuple[str, str], tuple[str, ...]] = dict(OTHERS)
    shared = {"region": tuple(known["Reg"]), "province": tuple(known["Prov"]), "municipality": tuple(known["Mun"])}
    for subject in SUBJECTS.values():
        for dimension in subject.dimensions:
            if dimension.shared:
                seen[subject.name, dimension.name] = shared[dimension.name]
            elif dimension.values is None and subject.metrics:
                seen[subject.name, dimension.name] = METRICS[dimension.name]
            elif dimension.values is None and subject.table in rows:
                told = (str(row[dimension.column]) for row in rows[subject.table])
                seen[subject.name, dimension.name] = tuple(dict.fromkeys(told))
    return Values(seen | council_values(), known["Mun"])


@lru_cache(maxsize=1)
def council_rows() -> pd.DataFrame:
    """Three fields of three years of every tenth council, out of the public file."""
    rows = files.frame(files.REVENUE)
    codes = sorted(rows["ecode"].unique())[::10]
    return rows[rows["ecode"].isin(codes) & rows["field"].isin(COUNCIL_FIELDS) & rows["financial_year"].isin(COUNCIL_YEARS)]


def council_values() -> dict[tuple[str, str], tuple[str, ...]]:
    """What a question can name of all councils of the public file."""
    rows, plan = files.frame(files.REVENUE), maps.load("revenue-outturn")
    regions = tuple(sorted({name for name in plan.values["region"].values() if name}))
    own = {"type": tuple(sorted(filter(None, rows["council_type"].unique()))), "nation": tuple(sorted(rows["nation"].unique()))}
    own |= {"region": regions}
    more = {name: tuple(sorted(rows[column].unique())) for name, column in COUNCIL_COLUMNS.items()}
    return {("councils", name): told for name, told in own.items()} | {
        ("council_figures", name): told for name, told in (own | more).items()
    }


@lru_cache(maxsize=1)
def known() -> Lexicon:
    """All of it, as an admin may name it."""
    return lexicon.build(SUBJECTS, values())


def small_places() -> Iterator[tuple[str, ...]]:
    """Two regions, three provinces, municipalities of one name among them, and barangays with populations, one unknown."""
    yield place("0100000000", "Region I (Ilocos Region)", "Reg", "100")
    yield place("0102800000", "Ilocos Norte", "Prov", "50")
    yield place("0102801000", "Adams", "Mun", "2,189", income_classification="5th")
    yield place("0102802000", "Burgos", "Mun", "10,759", income_classification="4th")
    yield place("0102900000", "Ilocos Sur", "Prov", "50")
    yield place("0102903000", "Burgos", "Mun", "12,224", income_classification="4th")
    yield place("0102934000", "City of Vigan", "City", "53,935", city_class="CC", income_classification="4th")
    yield place("0300000000", "Region III (Central Luzon)", "Reg", "900")
    yield place("0301400000", "Bulacan", "Prov", "900")
    yield place("0301401000", "Angat", "Mun", "65,617", income_classification="1st")
    for n in range(1, 61):
        town = ("0102801", "0102802", "0102903", "0102934", "0301401")[n % 5]
        told = "-" if n == 7 else f"{n * 37 % 900 + 10}"
        yield place(
            f"{town}{n:03}", f"Sitio {n}", "Bgy", told, settlement_type="U" if n % 3 else "R", barangay_status="Pob." if n % 20 == 0 else ""
        )


def fill() -> None:
    """The small database: places, two years of projects, the invented rows, a fortnight of traffic, a job."""
    bring(as_csv(HEADER, *small_places()), "psgc")
    first = [
        changed(title=f"Project {n}", office=("DfT", "MOD")[n % 2], variance=f"{n - 4}%", ends=f"01/02/20{29 + n % 3}") for n in range(9)
    ]
    bring(as_csv(PROJECT_HEADER, *first), plan(year=2020))
    bring(
        as_csv(
            PROJECT_HEADER,
            *[changed(title=f"Project {n}", office=("DfT", "MOD")[n % 2], colour="green" if n % 3 else "amber/red") for n in range(6)],
        ),
        plan(year=2021),
    )
    files.bring(council_rows().to_csv(index=False).encode())
    summaries.build("tests")
    with transaction() as connection:
        for table, rows in sample.rows(utc_now().date()).items():
            tables.write(connection, table, rows, actor="tests")
    now = datetime.now(UTC)
    arrive(many(800, now - timedelta(days=14), timedelta(days=14)))
    sessions = []
    for n in range(1, 60):
        start = now - timedelta(hours=5 * n)
        told = {"id": f"s{n}", "started_at": start.isoformat(), "ended_at": (start + timedelta(hours=1)).isoformat(), "module": "tutor"}
        sessions.append(told | {"user_id": f"u{n % 9}", "rating": 1 + n % 5, "messages": n % 12, "topics": [f"topic {n % 3}"]})
    arrive(sessions, noun="sessions")
