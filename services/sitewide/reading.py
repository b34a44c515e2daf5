"""Summaries as they are read: one, all of them, the councils behind one, and how complete each field is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, text

from services.errors import NotFound
from services.sitewide.names import title, year_label

COLUMNS = (
    "s.field_id, f.slug, f.name, f.unit, f.source, s.year, s.n, s.expected, s.total, s.mean, s.median, s.min, s.max, s.top, s.bottom,"
    " s.by_type, s.by_nation, s.sample, s.completeness, s.quality, s.source_hash, s.built_at"
)
FROM = "from summaries s join council_fields f on f.id = s.field_id"


@dataclass(frozen=True, slots=True)
class Council:
    """A council and its figure, in whole units of the field; `value` is None where the source tells none."""

    code: str
    name: str
    type: str
    nation: str
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Group:
    """`n` councils of one type or nation, and their mean."""

    n: int
    mean: Decimal


@dataclass(frozen=True, slots=True)
class Summary:
    """A field in a financial year, which begins in `year`: of `n` councils with a known figure, of `expected` that report that year.

    `top` and `bottom` are at most five each, `sample` at most fifty. Figures are in whole units; `mean` and `median` to six places.
    """

    slug: str
    name: str
    unit: str
    source: str
    year: int
    n: int
    expected: int
    total: Decimal | None
    mean: Decimal | None
    median: Decimal | None
    min: Decimal | None
    max: Decimal | None
    top: tuple[Council, ...]
    bottom: tuple[Council, ...]
    by_type: Mapping[str, Group]
    by_nation: Mapping[str, Group]
    sample: tuple[Council, ...]
    completeness: Decimal
    quality: Decimal
    source_hash: str
    built_at: datetime

    @property
    def label(self) -> str:
        """The financial year as published."""
        return year_label(self.year)

    @property
    def title(self) -> str:
        """The field's name as sentences say it."""
        return title(self.name)


@dataclass(frozen=True, slots=True)
class Completeness:
    """How complete a field is over its years: the least and the latest share of councils whose figure is known, and its mean quality."""

    slug: str
    name: str
    source: str
    years: int
    first: int
    last: int
    least: Decimal
    latest: Decimal
    quality: Decimal
    missing: int


def get(connection: Connection, slug: str, year: int) -> Summary:
    """One summary; raises NotFound."""
    row = connection.execute(
        text(f"select {COLUMNS} {FROM} where f.slug = :slug and s.year = :year"),
        {"slug": slug, "year": year},
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no summary of the field '{slug[:120]}' in {year_label(year) if 1000 <= year < 10_000 else year}.")
    return _summary(row)


def everything(connection: Connection) -> list[Summary]:
    """All summaries, by field and year."""
    return [_summary(row) for row in connection.execute(text(f'select {COLUMNS} {FROM} order by f.slug collate "C", s.year'))]


def data_hash(connection: Connection) -> str | None:
    """SHA-256 of what all summaries were made from; None where there is none. It changes when any figure does."""
    hashes = connection.execute(text(f'select f.slug, s.year, s.source_hash {FROM} order by f.slug collate "C", s.year')).all()
    return sha256("\n".join(f"{slug} {year} {told}" for slug, year, told in hashes).encode()).hexdigest() if hashes else None


def councils(connection: Connection, slug: str, year: int) -> list[Council]:
    """Every council behind a summary, the largest figure first, unknown ones last."""
    rows = connection.execute(
        text(
            "select c.code, c.name, coalesce(c.type, 'unknown') as type, coalesce(c.nation, 'unknown') as nation,"
            " trim_scale(g.value) as value"
            " from council_figures g join council_fields f on f.id = g.field_id join councils c on c.id = g.council_id"
            ' where f.slug = :slug and g.year = :year order by g.value desc nulls last, c.code collate "C" desc'
        ),
        {"slug": slug, "year": year},
    )
    return [Council(*row) for row in rows]


def completeness(connection: Connection) -> list[Completeness]:
    """Each field, the least complete first."""
    rows = connection.execute(
        text(
            f"""
            select f.slug, f.name, f.source, count(*) as years, min(s.year) as first, max(s.year) as last, min(s.completeness) as least,
                   (array_agg(s.completeness order by s.year desc))[1] as latest, round(avg(s.quality), 4) as quality,
                   sum(s.expected - s.n) as missing {FROM} group by 1, 2, 3 order by least, f.slug
            """
        )
    )
    return [Completeness(*row) for row in rows]


def fields(connection: Connection) -> dict[str, tuple[str, list[int]]]:
    """Of each field's slug its name and the years that are summarised, newest first."""
    rows = connection.execute(
        text(f"select f.slug, f.name, array_agg(s.year order by s.year desc) as years {FROM} group by 1, 2 order by f.name")
    )
    return {row.slug: (row.name, row.years) for row in rows}


def published_names(connection: Connection, slug: str) -> list[tuple[int, str]]:
    """What a field was called in each year, newest first."""
    rows = connection.execute(
        text(
            "select n.year, n.published from council_field_names n join council_fields f on f.id = n.field_id where f.slug = :slug"
            " order by n.year desc, n.published"
        ),
        {"slug": slug},
    )
    return [(row.year, row.published) for row in rows]


def _summary(row: Row[Any]) -> Summary:
    told = dict(row._mapping)  # noqa: SLF001 - the public way to name columns of a row
    del told["field_id"]
    for name in ("top", "bottom", "sample"):
        told[name] = tuple(
            Council(one["code"], one["name"], one["type"], one["nation"], Decimal(str(one["value"]))) for one in told[name]
        )  # fmt: skip
    for name in ("by_type", "by_nation"):
        told[name] = {key: Group(one["n"], Decimal(str(one["mean"]))) for key, one in sorted(told[name].items())}
    return Summary(**told)
