"""What an import could not use as it was written: kept with its reason, and handed out as a CSV report."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

What = Literal["rejected", "unknown", "doubtful"]
COLUMNS = ("row", "what", "field", "reason", "raw")
RAW_KEPT = 20_000
BATCH = 5_000
# What a spreadsheet would run as a formula: the report is opened in one, and its text comes from outside.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Finding:
    """`rejected`: the row is not in. `unknown`: it is, without this field. `doubtful`: it is as told, and somebody should look."""

    position: int
    what: What
    field: str
    reason: str
    raw: str


def kept(told: str) -> str:
    """As much of a raw text as a finding keeps, in characters that Postgres takes."""
    safe = told.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    return safe if len(safe) <= RAW_KEPT else safe[: RAW_KEPT - 1] + "…"


def save(connection: Connection, import_id: int, found: Iterable[Finding]) -> None:
    """Keep them with their import."""
    rows = [{"position": f.position, "what": f.what, "field": f.field, "reason": kept(f.reason), "raw": kept(f.raw)} for f in found]
    if rows:
        connection.execute(
            text(
                "insert into record_findings (import_id, position, what, field, reason, raw)"
                " select :import_id, t.position, t.what, t.field, t.reason, t.raw from jsonb_to_recordset(cast(:rows as jsonb))"
                " as t(position bigint, what text, field text, reason text, raw text)"
            ),
            {"import_id": import_id, "rows": json.dumps(rows)},
        )


def listing(connection: Connection, import_id: int, most: int = BATCH, after: int = 0) -> list[tuple[int, Finding]]:
    """Findings of an import in the order they were made, each with its id, `most` after that id."""
    rows = connection.execute(
        text(
            "select id, position, what, field, reason, raw from record_findings where import_id = :import_id and id > :after"
            " order by id limit :most"
        ),
        {"import_id": import_id, "after": after, "most": most},
    )
    return [(row.id, Finding(row.position, row.what, row.field, row.reason, row.raw)) for row in rows]


def report(connection: Connection, import_id: int) -> Iterator[str]:
    """The findings as CSV, a batch at a time."""
    yield _csv([COLUMNS])
    after = 0
    while found := listing(connection, import_id, after=after):
        after = found[-1][0]
        yield _csv([(str(f.position), f.what, _inert(f.field), _inert(f.reason), _inert(f.raw)) for _, f in found])


def _csv(rows: Iterable[tuple[str, ...]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _inert(told: str) -> str:
    return f"'{told}" if told.startswith(FORMULA) else told
