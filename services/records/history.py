"""Projects that are reported year by year: each report is kept, and the project is what they say together."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from services.records import keeping
from services.records.keeping import Kept, as_json
from services.records.mapping import Draft
from services.records.maps import Map

Identified = tuple[str, Draft]


@dataclass(frozen=True, slots=True)
class Report:
    """One project in one year, in plain JSON as it is stored."""

    facts: dict[str, Any]
    unknown: dict[str, str]
    raw: dict[str, str]
    import_id: int
    position: int


def keep(connection: Connection, import_id: int, plan: Map, told: Sequence[Identified]) -> Kept:
    """Keep a chunk of projects, with their year where the map has one."""
    if plan.year is not None:
        return _keep_year(connection, import_id, plan, plan.year, told)
    rows = [
        keeping.row_of(
            "projects",
            draft.facts | {"source_id": draft.code, "currency": plan.currency},
            keeping.beside(draft, import_id, plan.source) | {"identity": identity},
        )
        for identity, draft in told
    ]
    return keeping.tally(rows, keeping.upsert(connection, "projects", rows))


def _keep_year(connection: Connection, import_id: int, plan: Map, year: int, told: Sequence[Identified]) -> Kept:
    before = _reports(connection, plan.source, [identity for identity, _ in told])
    rows = []
    reports: dict[str, Report] = {}
    for identity, draft in told:
        facts = draft.facts | {"source_id": draft.code, "currency": plan.currency, "attributes": draft.attributes}
        reports[identity] = Report(json.loads(as_json(facts)), draft.unknown, draft.raw, import_id, draft.position)
        rows.append(_project(plan.source, identity, before[identity] | {year: reports[identity]}))
    written = keeping.upsert(connection, "projects", rows)
    changed = [
        {"project_id": project_id, "year": year, "facts": report.facts, "unknown": report.unknown, "raw": report.raw}
        | {"import_id": import_id, "position": report.position}
        for identity, (project_id, _) in written.items()
        for report in (reports[identity],)
    ]
    names = "project_id, year, facts, unknown, raw, import_id, position"
    connection.execute(
        text(
            f"insert into project_years ({names}) select {names}"  # noqa: S608 - words of ours
            " from jsonb_populate_recordset(cast(null as project_years), cast(:rows as jsonb))"
            " on conflict (project_id, year) do update set facts = excluded.facts, unknown = excluded.unknown, raw = excluded.raw,"
            " import_id = excluded.import_id, position = excluded.position, imported_at = now()"
        ),
        {"rows": as_json(changed)},
    )
    return keeping.tally(rows, written)


def _reports(connection: Connection, source: str, identities: list[str]) -> dict[str, dict[int, Report]]:
    """What earlier imports told of these projects, by year."""
    found: dict[str, dict[int, Report]] = defaultdict(dict)
    rows = connection.execute(
        text(
            "select p.identity, y.year, y.facts, y.unknown, y.raw, y.import_id, y.position from projects p"
            " join project_years y on y.project_id = p.id where p.source = :source and p.identity = any(:identities)"
        ),
        {"source": source, "identities": identities},
    )
    for row in rows:
        found[row.identity][row.year] = Report(row.facts, row.unknown, row.raw, row.import_id, row.position)
    return found


def _project(source: str, identity: str, reports: dict[int, Report]) -> dict[str, Any]:
    """The newest report, with the dates of the first that tells them as the planned ones."""
    years = sorted(reports)
    newest = reports[years[-1]]
    facts = {name: value for name, value in newest.facts.items() if name != "attributes"}
    for name in ("start", "end"):
        told = (reports[year].facts.get(f"{name}_current") for year in years)
        facts[f"{name}_planned"] = next((day for day in told if day is not None), None)
    beside = {
        "identity": identity,
        "attributes": newest.facts.get("attributes", {}),
        "unknown": newest.unknown,
        "raw": newest.raw,
        "import_id": newest.import_id,
        "position": newest.position,
        "source": source,
    }
    return keeping.row_of("projects", facts, beside, [[year, reports[year].facts, reports[year].unknown] for year in years])
