"""The change log: what changed in the data of a field and year, the hash before and after, and who had it summarised."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change of a field and year at one go: `n` councils, the first five by code in `examples`. New fields have no old hash."""

    at: datetime
    slug: str
    field: str
    year: int
    what: str
    n: int
    examples: list[str]
    old_hash: str | None
    new_hash: str
    actor: str


def listing(connection: Connection, most: int = 200, slug: str | None = None) -> list[Change]:
    """The latest first, of one field or of all."""
    rows = connection.execute(
        text(
            "select c.at, f.slug, f.name, c.year, c.what, c.n, c.examples, c.old_hash, c.new_hash, c.actor"
            " from summary_changes c join council_fields f on f.id = c.field_id"
            " where cast(:slug as text) is null or f.slug = :slug order by c.id desc limit :most"
        ),
        {"most": most, "slug": slug},
    )
    return [Change(*row) for row in rows]
