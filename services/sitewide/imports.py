"""Imports of council files: what each was, and what became of its rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, text

from services.errors import BadInput, NotFound
from services.records.findings import kept
from services.sitewide.rows import Finding

LARGEST_FILE = 1024 * 1024 * 1024
MOST_FINDINGS = 2_000  # kept of one import; all are counted
COUNTS = ("read", "new", "changed", "unchanged", "skipped", "rejected", "unknown")


@dataclass(frozen=True, slots=True)
class Import:
    """One file. Its `read` rows became `new`, `changed`, `unchanged` or `rejected`, or the map leaves them out: `skipped`.

    `unknown` counts cells without a usable value. `state` is running, done or broken; of a broken file nothing is kept, `fault` says why.
    """

    id: int
    source: str
    map_name: str
    file_name: str
    bytes: int
    actor: str
    state: str
    fault: str | None
    read: int
    new: int
    changed: int
    unchanged: int
    skipped: int
    rejected: int
    unknown: int
    created_at: datetime
    finished_at: datetime | None


NAMES = tuple(field.name for field in fields(Import))


def begin(connection: Connection, source: str, map_name: str, file_name: str, size: int, actor: str) -> int:
    """A new import; its id. Raises BadInput for a file that is too large."""
    if size > LARGEST_FILE:
        raise BadInput(f"{file_name} has {size:,} bytes; the most is {LARGEST_FILE:,}. Import it in parts.")
    return int(
        connection.execute(
            text(
                "insert into council_imports (source, map_name, file_name, bytes, actor)"
                " values (:source, :map_name, :file_name, :bytes, :actor) returning id"
            ),
            {"source": source, "map_name": map_name, "file_name": file_name[:200], "bytes": size, "actor": actor},
        ).scalar_one()
    )


def note(connection: Connection, import_id: int, found: Sequence[Finding]) -> None:
    """Count them all, and keep the first two thousand."""
    if not found:
        return
    count(connection, import_id, rejected=sum(one.what == "rejected" for one in found), unknown=sum(one.what == "unknown" for one in found))
    had = connection.execute(text("select count(*) from council_findings where import_id = :id"), {"id": import_id}).scalar_one()
    rows = [
        {"position": one.position, "what": one.what, "field": one.field, "reason": kept(one.reason), "raw": kept(one.raw)}
        for one in found[: max(0, MOST_FINDINGS - had)]
    ]
    connection.execute(
        text(
            "insert into council_findings (import_id, position, what, field, reason, raw)"
            " select :id, t.position, t.what, t.field, t.reason, t.raw from jsonb_to_recordset(cast(:rows as jsonb))"
            " as t(position bigint, what text, field text, reason text, raw text)"
        ),
        {"id": import_id, "rows": as_json(rows)},
    )


def count(connection: Connection, import_id: int, **more: int) -> None:
    """Add to its counts."""
    changes = ", ".join(f"{name} = {name} + :{name}" for name in COUNTS if name in more)
    connection.execute(text(f"update council_imports set {changes} where id = :id"), {"id": import_id} | more)  # noqa: S608 - words of ours


def end(connection: Connection, import_id: int, fault: str | None = None) -> None:
    """It is over, well or with a fault."""
    connection.execute(
        text("update council_imports set state = :state, fault = :fault, finished_at = now() where id = :id"),
        {"id": import_id, "state": "done" if fault is None else "broken", "fault": None if fault is None else kept(fault)},
    )


def get(connection: Connection, import_id: int) -> Import:
    """The import of that id; raises NotFound."""
    row = connection.execute(text(f"select {', '.join(NAMES)} from council_imports where id = :id"), {"id": import_id}).one_or_none()  # noqa: S608 - columns are words of ours
    if row is None:
        raise NotFound(f"There is no import {import_id} of council figures.")
    return Import(**row._mapping)  # noqa: SLF001 - the public way to name columns of a row


def listing(connection: Connection, most: int = 20) -> list[Import]:
    """The latest first."""
    rows = connection.execute(text(f"select {', '.join(NAMES)} from council_imports order by id desc limit :most"), {"most": most})  # noqa: S608 - the same
    return [Import(**row._mapping) for row in rows]  # noqa: SLF001 - the same


def findings(connection: Connection, import_id: int, most: int = 10) -> list[Finding]:
    """The first of what could not be used."""
    rows = connection.execute(
        text("select position, what, field, reason, raw from council_findings where import_id = :id order by id limit :most"),
        {"id": import_id, "most": most},
    )
    return [Finding(*row) for row in rows]


def as_json(value: object) -> str:
    """Plain JSON for jsonb columns."""
    return json.dumps(value, ensure_ascii=False)
