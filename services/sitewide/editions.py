"""Editions: the factoids that are served, as they were made; the newest is the one. Each is whole before anybody sees it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

KEPT = 30
COLUMNS = "id, fingerprint, factoids, made_at, revalidated_at, checked_at"


@dataclass(frozen=True, slots=True)
class Factoid:
    """One published sentence. `by` is whose words they are: of the model, of the template, "replaced" (the template's, as a model said
    what is no fact) or "waiting" (the template's until a model can be asked). `sources` are the summaries behind it: (slug, year, hash)."""

    key: str
    kind: str
    text: str
    by: str
    slug: str
    field: str
    year: int
    unit: str
    sources: tuple[tuple[str, int, str], ...]
    codes: tuple[str, ...]
    facts: dict[str, Any]
    facts_hash: str


@dataclass(frozen=True, slots=True)
class Edition:
    """`revalidated_at` is when it was last known to say what the data says; `checked_at` when that was last looked at."""

    id: int
    fingerprint: str
    factoids: tuple[Factoid, ...]
    made_at: datetime
    revalidated_at: datetime
    checked_at: datetime


def latest(connection: Connection) -> Edition | None:
    """The one that is served."""
    row = connection.execute(text(f"select {COLUMNS} from factoid_editions order by id desc limit 1")).one_or_none()  # noqa: S608 - columns are words of ours
    return None if row is None else _edition(row)


def publish(connection: Connection, fingerprint: str, factoids: Sequence[Factoid], now: datetime, job_id: int) -> int:
    """A new edition, in place of the one before; its id. A later attempt of the same job writes over its own."""
    made = connection.execute(
        text(
            "insert into factoid_editions (fingerprint, factoids, made_at, revalidated_at, checked_at, job_id)"
            " values (:fingerprint, cast(:factoids as jsonb), :now, :now, :now, :job) on conflict (job_id) do update set"
            " fingerprint = excluded.fingerprint, factoids = excluded.factoids, made_at = excluded.made_at,"
            " revalidated_at = excluded.revalidated_at, checked_at = excluded.checked_at returning id"
        ),
        {"fingerprint": fingerprint, "factoids": as_json(factoids), "now": now, "job": job_id},
    ).scalar_one()
    connection.execute(
        text("delete from factoid_editions where id not in (select id from factoid_editions order by id desc limit :kept)"), {"kept": KEPT}
    )
    return int(made)


def revalidate(connection: Connection, edition_id: int, now: datetime) -> None:
    """What it says still holds: as good as made now."""
    connection.execute(
        text("update factoid_editions set revalidated_at = :now, checked_at = :now where id = :id"), {"id": edition_id, "now": now}
    )


def looked_at(connection: Connection, edition_id: int, now: datetime) -> None:
    """It was compared with the data, and differs."""
    connection.execute(text("update factoid_editions set checked_at = :now where id = :id"), {"id": edition_id, "now": now})


def as_json(factoids: Sequence[Factoid]) -> str:
    """The factoids as plain JSON."""
    return json.dumps([asdict(one) for one in factoids], ensure_ascii=False)


def from_json(told: Sequence[dict[str, Any]]) -> tuple[Factoid, ...]:
    """And back."""
    return tuple(
        Factoid(
            **one | {"sources": tuple((slug, year, told_hash) for slug, year, told_hash in one["sources"]), "codes": tuple(one["codes"])}
        )
        for one in told
    )


def _edition(row: Row[Any]) -> Edition:
    return Edition(row.id, row.fingerprint, from_json(row.factoids), row.made_at, row.revalidated_at, row.checked_at)
