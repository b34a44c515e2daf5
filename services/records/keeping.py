"""Records into their tables: what is new, what changed, what stayed as it was."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from services.records import communities, projects
from services.records.mapping import Draft
from services.records.names import fold
from services.records.reading import Kind

KEY: dict[Kind, str] = {"communities": "psgc_id", "projects": "identity"}
FOUND_BY: dict[Kind, tuple[str, ...]] = {
    "communities": ("name", "old_names", "psgc_id", "municipality", "province", "region"),
    "projects": ("name", "source_id", "department", "category"),
}
BESIDE = ("attributes", "unknown", "find", "content_hash", "raw", "import_id", "position", "source")
COLUMNS: dict[Kind, tuple[str, ...]] = {
    "communities": (*communities.FACTS, *BESIDE),
    "projects": ("identity", *projects.FACTS, *BESIDE),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How many rows became what."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


def row_of(kind: Kind, facts: Mapping[str, Any], beside: Mapping[str, Any], hashed: object = None) -> dict[str, Any]:
    """A row of the table: the facts, their hash, the words it is found by. `hashed` is what else counts as a fact."""
    row = {**dict.fromkeys(COLUMNS[kind]), **facts, **beside}
    known = [row["attributes"], row["unknown"], hashed]
    row["content_hash"] = hashlib.sha256(as_json([{name: row[name] for name in _facts(kind)}, known]).encode()).hexdigest()
    row["find"] = "\n".join(fold(str(row[name])) for name in FOUND_BY[kind] if row[name] is not None)
    return row


def upsert(connection: Connection, kind: Kind, rows: list[dict[str, Any]]) -> dict[str, tuple[int, bool]]:
    """Write rows that are new or whose hash is another; key → (id, whether it is new) of those that were written."""
    names = ", ".join(COLUMNS[kind])
    changes = ", ".join(f"{name} = excluded.{name}" for name in (*COLUMNS[kind], "imported_at") if name not in (KEY[kind], "source"))
    written = connection.execute(
        text(
            f"insert into {kind} as kept ({names})"  # noqa: S608 - table and columns are words of ours
            f" select {names} from jsonb_populate_recordset(cast(null as {kind}), cast(:rows as jsonb))"
            f" on conflict (source, {KEY[kind]}) do update set {changes} where kept.content_hash <> excluded.content_hash"
            f" returning id, {KEY[kind]} as key, xmax = 0 as new"
        ),
        {"rows": as_json(rows)},
    )
    return {row.key: (row.id, row.new) for row in written}


def communities_of(connection: Connection, import_id: int, source: str, drafts: Iterable[Draft]) -> Kept:
    """Keep a chunk of communities."""
    rows = [row_of("communities", draft.facts | {"psgc_id": draft.code}, beside(draft, import_id, source)) for draft in drafts]
    return tally(rows, upsert(connection, "communities", rows))


def beside(draft: Draft, import_id: int, source: str) -> dict[str, Any]:
    """What a row has beside its facts: everything else that was told, and where."""
    return {
        "attributes": draft.attributes,
        "unknown": draft.unknown,
        "raw": draft.raw,
        "import_id": import_id,
        "position": draft.position,
        "source": source,
    }


def tally(rows: list[dict[str, Any]], written: dict[str, tuple[int, bool]]) -> Kept:
    """What became of rows that were handed to `upsert`."""
    new = sum(made for _, made in written.values())
    return Kept(new, len(written) - new, len(rows) - len(written))


def as_json(value: object) -> str:
    """Canonical, so that equal facts have equal hashes; days and decimals as text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _facts(kind: Kind) -> tuple[str, ...]:
    return communities.FACTS if kind == "communities" else projects.FACTS
