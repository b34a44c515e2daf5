"""The lexicon as the data has it now, kept in memory until something that questions can name has changed."""

from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy import Connection, text

from services import metrics
from services.accounts.accounts import ROLES
from services.ask import lexicon
from services.ask.lexicon import Lexicon, Values
from services.ask.model import Dimension, Subject
from services.ask.subjects import SUBJECTS
from services.db import transaction

MOST_VALUES = 2_000  # of one dimension; there are 1,440 names of municipalities
PLACES = """
select name, geographic_level as level, province, region from communities
where geographic_level in ('Reg', 'Prov', 'City', 'Mun', 'SubMun') order by geographic_level, name
"""
# Kinds of jobs and the like have no version of their own: what is new there is known within the hour.
VERSION = """
select coalesce((select version from ask_vocabulary), 0) || '/' || coalesce((select max(id) from series), 0) || '/'
    || coalesce((select max(finished_at)::text from record_imports), '') || '/'
    || coalesce((select max(finished_at)::text from council_imports), '') || '/' || date_trunc('hour', now())
"""


def version(connection: Connection) -> str:
    """Another one whenever there may be something else to name."""
    return str(connection.execute(text(VERSION)).scalar_one())


def changed(connection: Connection) -> None:
    """Note that there are other values or synonyms now, in the transaction that made them."""
    connection.execute(
        text("insert into ask_vocabulary default values on conflict (one) do update set version = ask_vocabulary.version + 1")
    )


def hidden(role: str) -> frozenset[str]:
    """The subjects that somebody of that role may not ask about."""
    return frozenset(subject.name for subject in SUBJECTS.values() if ROLES.index(role) < ROLES.index(subject.role))


def synonyms(connection: Connection) -> list[tuple[str, str]]:
    """Phrase and what it means, oldest first, as a later one may stand on an earlier."""
    return [(row.phrase, row.means) for row in connection.execute(text("select phrase, means from ask_synonyms order by id"))]


@lru_cache(maxsize=len(ROLES))
def of_version(version: str, role: str) -> Lexicon:
    """What somebody of that role can name. Reads the database in a transaction of its own where it is not known yet."""
    values, told = _values_of(version)
    return lexicon.build(SUBJECTS, values, hidden(role)).with_synonyms(told)


@lru_cache(maxsize=1)
def _values_of(_version: str) -> tuple[Values, tuple[tuple[str, str], ...]]:
    with transaction() as connection:
        return read(connection), tuple(synonyms(connection))


def read(connection: Connection) -> Values:
    """The values of every dimension that the model does not fix."""
    seen: dict[tuple[str, str], tuple[str, ...]] = {}
    shared, within = _places(connection)
    for subject in SUBJECTS.values():
        for dimension in subject.dimensions:
            if dimension.values is None and not (dimension.shared and subject.name == "communities"):
                seen[subject.name, dimension.name] = _values(connection, subject, dimension)
                if dimension.shared:
                    shared[dimension.name] = tuple(dict.fromkeys((*shared[dimension.name], *seen[subject.name, dimension.name])))
    for subject in SUBJECTS.values():
        for dimension in subject.dimensions:
            if dimension.shared:
                seen[subject.name, dimension.name] = shared[dimension.name]
    return Values(seen, within)


def _places(connection: Connection) -> tuple[dict[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """Names of regions, provinces and municipalities, cities among them; and in which provinces, or regions, each of the last lies."""
    names: dict[str, dict[str, None]] = {"region": {}, "province": {}, "municipality": {}}
    within: dict[str, dict[str, None]] = {}
    for row in connection.execute(text(PLACES)):
        kind = {"Reg": "region", "Prov": "province"}.get(row.level, "municipality")
        names[kind][row.name] = None
        if kind == "municipality":
            within.setdefault(row.name, {})[row.province or row.region or ""] = None
    return {kind: tuple(found) for kind, found in names.items()}, {name: tuple(found) for name, found in within.items()}


def _values(connection: Connection, subject: Subject, dimension: Dimension) -> tuple[str, ...]:
    """One value after the other, each found by an index where there is one: jobs are a million rows, and a dozen kinds."""
    if subject.metrics:
        return tuple(metrics.values(dimension.name)[:MOST_VALUES])
    table = dimension.known_in or subject.table
    statement = (
        f"with recursive found as ((select min({dimension.column}) as value from {table})"  # noqa: S608 - names of the model
        f" union all select (select min({dimension.column}) from {table} where {dimension.column} > found.value) from found"
        " where found.value is not null) select value from found where value is not null limit :most"
    )
    return tuple(connection.execute(text(statement), {"most": MOST_VALUES}).scalars())
