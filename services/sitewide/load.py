"""One public finance file into councils and figures: all of it or nothing, and only what is new or another is written.

Rows are staged by COPY and compared with what is there set by set. Each field and year that a difference touches is marked as pending, in
the same transaction; whoever summarises next sees nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Row, text

from services.accounts import audit
from services.db import transaction
from services.db.copy import copy_rows
from services.errors import BadInput
from services.records.encodings import detect
from services.sitewide import imports
from services.sitewide.imports import Import
from services.sitewide.maps import Map
from services.sitewide.rows import Columns, Finding, Told
from services.telemetry.importers.rows import chunks, read
from services.telemetry.importers.texts import blocks

Progress = Callable[[int, int], None]  # rows read, bytes of the file consumed
COLUMNS = ("position", "code", "name", "type", "nation", "region", "year", "slug", "published", "value")
STAGE = """
create temporary table told (
    position bigint, code text, name text, type text, nation text, region text, year smallint, slug text, published text, value numeric
) on commit drop
"""
# A figure told twice: the first stands. The same once more says nothing; another is refused, for nobody knows which of them holds.
TWICE = """
with ranked as (
    select position, code, slug, year, value, published,
           first_value(position) over same as first, first_value(value) over same as kept, first_value(published) over same as name
    from told window same as (partition by slug, year, code order by position)
), gone as (
    delete from told using ranked where told.position = ranked.position and ranked.position <> ranked.first
)
select position, first, code, published, name, value, value is distinct from kept or published <> name as other
from ranked where position <> first order by position
"""
TELLINGS = """
insert into council_tellings as kept (code, source, year, name, type, nation, region)
select code, :source, max(year), (array_agg(name order by year desc, position desc))[1],
       (array_agg(type order by year desc, position desc) filter (where type is not null))[1],
       (array_agg(nation order by year desc, position desc) filter (where nation is not null))[1],
       (array_agg(region order by year desc, position desc) filter (where region is not null))[1]
from told group by code
on conflict (code, source) do update set year = excluded.year, name = excluded.name, type = coalesce(excluded.type, kept.type),
    nation = coalesce(excluded.nation, kept.nation), region = coalesce(excluded.region, kept.region)
where excluded.year >= kept.year
"""
COUNCILS = """
with best as (
    select code, (array_agg(name order by year desc, source))[1] as name,
           (array_agg(type order by year desc, source) filter (where type is not null))[1] as type,
           (array_agg(nation order by year desc, source) filter (where nation is not null))[1] as nation,
           (array_agg(region order by year desc, source) filter (where region is not null))[1] as region
    from council_tellings where code in (select distinct code from told) group by code
), kept as (
    insert into councils as c (code, name, type, nation, region) select code, name, type, nation, region from best order by code
    on conflict (code) do update set name = excluded.name, type = excluded.type, nation = excluded.nation, region = excluded.region
    where (c.name, c.type, c.nation, c.region) is distinct from (excluded.name, excluded.type, excluded.nation, excluded.region)
    returning id, code, xmax = 0 as new
), touched as (
    select f.field_id, f.year, kept.code from kept join council_figures f on f.council_id = kept.id where not kept.new
), marked as (
    insert into summary_pending (field_id, year, what, n, examples, actor)
    select field_id, year, 'council update', count(*), to_jsonb((array_agg(code order by code))[1:5]), :actor from touched group by 1, 2
)
select count(*) filter (where new), count(*) filter (where not new) from kept
"""
FIELDS = """
with newest as (
    select distinct on (slug) slug, published from told order by slug, year desc, position
), kept as (
    insert into council_fields as f (slug, source, name, unit)
    select slug, :source, published, coalesce(cast(:units as jsonb)->>slug, :unit) from newest order by slug
    on conflict (slug) do update set name = excluded.name
    where f.name <> excluded.name and not exists (
        select from council_field_names n where n.field_id = f.id and n.year > (select max(year) from told where told.slug = f.slug))
    returning 1
)
select count(*) from kept
"""
FIELD_NAMES = """
insert into council_field_names (field_id, year, published)
select distinct f.id, t.year, t.published from told t join council_fields f using (slug) on conflict do nothing
"""
OTHERS = "select min(f.source) from told t join council_fields f using (slug) where f.source <> :source"
# A council new to a source's year changes how complete every field of that year is.
YEARS = """
with kept as (
    insert into council_years (source, year, council_id)
    select distinct :source, t.year, c.id from told t join councils c using (code) on conflict do nothing returning year, council_id
), fresh as (
    select year, count(*) as n, to_jsonb((array_agg(code order by code))[1:5]) as examples
    from kept join councils c on c.id = kept.council_id group by year
)
insert into summary_pending (field_id, year, what, n, examples, actor)
select s.field_id, s.year, 'new council', fresh.n, fresh.examples, :actor
from fresh join summaries s using (year) join council_fields f on f.id = s.field_id and f.source = :source
where not exists (select from summary_pending p where p.field_id = s.field_id and p.year = s.year and p.what = 'new council')
"""
FIGURES = """
with kept as (
    insert into council_figures as f (field_id, year, council_id, value)
    select d.id, t.year, c.id, t.value from told t join council_fields d using (slug) join councils c using (code)
    on conflict (field_id, year, council_id) do update set value = excluded.value where f.value is distinct from excluded.value
    returning field_id, year, council_id, xmax = 0 as new
), marked as (
    insert into summary_pending (field_id, year, what, n, examples, actor)
    select k.field_id, k.year,
           case when s.field_id is null then 'new field' when k.new then 'new council' else 'value update' end, count(*),
           to_jsonb((array_agg(c.code order by c.code))[1:5]), :actor
    from kept k join councils c on c.id = k.council_id left join summaries s using (field_id, year) group by 1, 2, 3
)
select count(*) filter (where new), count(*) filter (where not new) from kept
"""


def import_file(plan: Map, map_name: str, file_name: str, size: int, file: BufferedReader, progress: Progress, actor: str) -> Import:
    """Keep a file; what became of it. One that breaks on its way is kept not at all and ends as `broken` with the fault."""
    with transaction() as connection:
        import_id = imports.begin(connection, plan.source, map_name, file_name, size, actor)
    try:
        with transaction() as connection:
            # Two files at a time would wait for each other's rows in different orders.
            connection.execute(text("select pg_advisory_xact_lock(hashtext('sitewide'))"))
            connection.execute(text(STAGE))
            staged = _stage(connection, import_id, plan, file, progress)
            _apply(connection, import_id, plan, staged, actor)
            audit.record(connection, actor, "sitewide.import", file_name, {"import": import_id, "map": map_name, "bytes": size})
    except BadInput as error:
        with transaction() as connection:
            imports.end(connection, import_id, fault=f"{error}.")
    with transaction() as connection:
        return imports.get(connection, import_id)


def _stage(connection: Connection, import_id: int, plan: Map, file: BufferedReader, progress: Progress) -> int:
    """Every usable row into `told`; how many rows the file has. Raises BadInput."""
    consumed = 0

    def tell(number: int) -> None:
        nonlocal consumed
        consumed = number

    header, rows = read(blocks(file, detect(file, plan), tell), plan)
    columns = Columns(plan, header or [])
    position = 0
    for chunk in chunks(rows):
        made = [columns.read(row, position + 1 + index) for index, row in enumerate(chunk)]
        position += len(chunk)
        _copy(connection, [told for told, _ in made if told is not None])
        findings = [finding for _, found in made for finding in found]
        imports.note(connection, import_id, findings)
        imports.count(connection, import_id, skipped=sum(told is None and not found for told, found in made))
        progress(position, consumed)
    return position


def _copy(connection: Connection, told: list[Told]) -> None:
    columns = {name: [getattr(one, name) for one in told] for name in COLUMNS if name != "value"}
    columns["value"] = [None if one.value is None else format(one.value, "f") for one in told]
    copy_rows(connection, "told", pa.table({name: columns[name] for name in COLUMNS}))


def _apply(connection: Connection, import_id: int, plan: Map, read_rows: int, actor: str) -> None:
    values = {"source": plan.source, "actor": actor, "unit": plan.unit, "units": imports.as_json(plan.units)}
    twice = connection.execute(text(TWICE)).all()
    imports.note(connection, import_id, list(_refused(twice)))
    connection.execute(text("analyze told"))
    connection.execute(text(TELLINGS), values)
    new, changed = connection.execute(text(COUNCILS), values).one()
    rows = connection.execute(text("select count(*) from told")).scalar_one()
    if plan.kind == "figures":
        other = connection.execute(text(OTHERS), values).scalar_one()
        if other is not None:
            raise BadInput(f"a field of this file is one of the source '{other}' already: name it otherwise in the map's aliases")
        connection.execute(text(FIELDS), values)
        connection.execute(text(FIELD_NAMES))
        new, changed = connection.execute(text(FIGURES), values).one()
        connection.execute(text(YEARS), values)
    imports.count(connection, import_id, read=read_rows, new=new, changed=changed, unchanged=rows - new - changed)
    imports.end(connection, import_id)


def _refused(twice: Sequence[Row[Any]]) -> Iterator[Finding]:
    """A figure that is told once more in other words or with another value."""
    for row in twice:
        if row.other:
            said = row._mapping  # noqa: SLF001 - the public way to name columns of a row
            reason = f"row {said['first']} tells the same field of the council and year, as '{said['name']}'"
            yield Finding(said["position"], "rejected", "field", reason, f"{said['code']}, {said['published']}, {said['value']}")
