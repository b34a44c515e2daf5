"""Where a record's values came from: the file, the row and the column of each, and the row as it was."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from services.records.reading import Record


@dataclass(frozen=True, slots=True)
class Origin:
    """One row of one file. `columns` is field → heading; `year` is set where the row is a yearly report."""

    year: int | None
    import_id: int
    file_name: str
    map_name: str
    position: int
    columns: dict[str, str]
    raw: dict[str, str]
    imported_at: datetime


def origins(connection: Connection, record: Record) -> list[Origin]:
    """The row that the record is now told by, then its yearly reports, the newest first."""
    parts = [f"select cast(null as smallint) as year, import_id, position, raw, imported_at from {record.kind} where id = :id"]  # noqa: S608 - a word of ours
    if record.kind == "projects":
        parts.append("select year, import_id, position, raw, imported_at from project_years where project_id = :id")
    rows = connection.execute(
        text(
            "select r.year, r.import_id, i.file_name, i.map_name, r.position, i.columns, r.raw, r.imported_at"  # noqa: S608 - the same
            f" from ({' union all '.join(parts)}) r join record_imports i on i.id = r.import_id order by r.year desc nulls first"
        ),
        {"id": record.id},
    )
    return [Origin(*row) for row in rows]
