"""Records in the database, as an import would leave them."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from services.records import Community, Project, communities, projects

TABLES = {"communities": (communities.FACTS, ("attributes", "unknown")), "projects": (projects.FACTS, ("attributes", "unknown"))}


def store(connection: Connection, records: Iterable[Community | Project]) -> None:
    """Write them with the ids they have."""
    made = connection.execute(
        text(
            "insert into record_imports (kind, source, map_name, file_name, bytes, actor)"
            " values ('projects', 'x', 'x', 'x', 1, 'tests') returning id"
        )
    ).scalar_one()
    for record in records:
        facts, nested = TABLES[record.kind]
        told: dict[str, Any] = {name: getattr(record, name) for name in facts} | {
            name: json.dumps(getattr(record, name)) for name in nested
        }
        told |= {"id": record.id, "source": record.source, "content_hash": record.content_hash, "find": "", "raw": "{}", "position": 1}
        told |= {"import_id": made} | ({"identity": str(record.id)} if isinstance(record, Project) else {})
        columns = ", ".join(told)
        values = ", ".join(f"cast(:{name} as jsonb)" if name in {*nested, "raw"} else f":{name}" for name in told)
        connection.execute(text(f"insert into {record.kind} ({columns}) overriding system value values ({values})"), told)
        if isinstance(record, Project):
            _store_years(connection, record, made)


def _store_years(connection: Connection, record: Project, made: int) -> None:
    for year in record.years:
        facts = {name: getattr(year, name) for name in projects.YEARLY}
        facts |= {"start_current": year.start and year.start.isoformat(), "end_current": year.end and year.end.isoformat()}
        connection.execute(
            text(
                "insert into project_years (project_id, year, facts, raw, import_id, position)"
                " values (:id, :year, cast(:facts as jsonb), '{}', :made, 1)"
            ),
            {"id": record.id, "year": year.year, "facts": json.dumps(facts), "made": made},
        )
