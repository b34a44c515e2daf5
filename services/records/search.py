"""Lists of records: the words that are searched, a page at a time."""

import re
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Connection, text

from services.errors import BadInput
from services.records.names import fold
from services.records.reading import COLUMNS, FROM_ROW, Kind, Record, known

PAGE_ROWS = 50
LONGEST_QUERY = 200
MOST_WORDS = 8
MOST_PAGES = 100_000
ORDER: dict[Kind, str] = {"communities": "r.psgc_id, r.id", "projects": "r.name, r.id"}
# Of many places with a name the large one is meant more often, and people leave "City of" out; of projects nothing of the kind is known.
RANK: dict[Kind, str] = {
    "communities": "(r.find like :whole or r.find like :city) desc, r.population desc nulls last",
    "projects": "(r.find like :whole) desc, (r.find like :start) desc",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One page of `total` records; the first page is 1."""

    records: list[Record]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, ceil(self.total / PAGE_ROWS))


def search(connection: Connection, kind: str, query: str = "", page: int = 1) -> Found:
    """Records that have every word of the query somewhere in their name, code or place, whatever its case and accents.

    Whole names come first, then the largest places, or the projects that begin with the query. Raises NotFound for a kind there is
    not and BadInput for a query or page that cannot be.
    """
    noun = known(kind)
    if not 1 <= page <= MOST_PAGES:
        raise BadInput(f"There are pages from 1 to {MOST_PAGES:,}.")
    total = count(connection, noun, query)
    where, values = _having(query)
    start = _literal(fold(query))
    order = f"{RANK[noun]}, {ORDER[noun]}" if start else ORDER[noun]
    # Rows are wide: only those of the page are read whole.
    rows = connection.execute(
        text(
            f"select {COLUMNS[noun]} from (select r.id, row_number() over (order by {order}) as place from {noun} r where {where}"  # noqa: S608 - the same
            f" order by place limit :most offset :skipped) page join {noun} r on r.id = page.id order by page.place"
        ),
        values
        | {"whole": f"{start}\n%", "city": f"city of {start}\n%", "start": f"{start}%"}
        | {"most": PAGE_ROWS, "skipped": (page - 1) * PAGE_ROWS},
    )
    return Found([FROM_ROW[noun](row) for row in rows], total, page)


def count(connection: Connection, kind: str, query: str = "") -> int:
    """How many records `search` would find in all."""
    where, values = _having(query)
    found = connection.execute(text(f"select count(*) from {known(kind)} r where {where}"), values)  # noqa: S608 - words of ours
    return int(found.scalar_one())


def _having(query: str) -> tuple[str, dict[str, Any]]:
    """Each word anywhere; the index on runs of three characters narrows it down, `like` decides. Raises BadInput."""
    if len(query) > LONGEST_QUERY or "\0" in query:
        raise BadInput(f"A search has at most {LONGEST_QUERY} characters, none of them NUL.")
    words = list(dict.fromkeys(fold(query).split()))
    if len(words) > MOST_WORDS:
        raise BadInput(f"A search has at most {MOST_WORDS} words.")
    conditions, values = ["true"], {}
    for number, word in enumerate(words):
        if len(word) >= 3:
            conditions.append(f"r.grams @> record_grams(cast(:word{number} as text))")
            values[f"word{number}"] = word
        conditions.append(f"r.find like :like{number}")
        values[f"like{number}"] = f"%{_literal(word)}%"
    return " and ".join(conditions), values


def _literal(told: str) -> str:
    """Text that stands for itself in a pattern."""
    return re.sub(r"([\\%_])", r"\\\1", told)
