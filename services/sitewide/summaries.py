"""One summary of each field and year, built by sets in Postgres, and only where the figures changed.

A batch is one transaction: the pending marks it took, the summaries it wrote and the lines of the change log stand or fall together.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from services.db import transaction
from services.sitewide.imports import as_json

BATCH_FIGURES = 250_000  # sorted at once, so that however many there are, memory stays what it is
TOP, MIDDLE = 10, 30
SAMPLE = 2 * TOP + MIDDLE
Progress = Callable[[int, int, str], None]

# `place` orders the known figures, smallest first, equal ones by the council's code; `n` is how many are known.
TOLD = """
with wanted as (select * from unnest(cast(:fields as integer[]), cast(:years as smallint[])) as w(field_id, year)),
told as materialized (
    select f.field_id, f.year, f.value, c.code, c.name, coalesce(c.type, 'unknown') as type, coalesce(c.nation, 'unknown') as nation,
           ((c.type is not null)::integer + (c.nation is not null)::integer + (c.region is not null)::integer) / 3.0 as classified,
           concat_ws(chr(31), c.code, c.name, coalesce(c.type, ''), coalesce(c.nation, ''), coalesce(c.region, ''),
                     coalesce(trim_scale(f.value)::text, '')) as line,
           row_number() over (partition by f.field_id, f.year order by f.value, c.code collate "C") as place,
           count(f.value) over (partition by f.field_id, f.year) as n
    from wanted w join council_figures f using (field_id, year) join councils c on c.id = f.council_id
)
"""
# Of the middle each kind of council (type and nation) gives as many seats as every other, spread evenly over its range; those that are
# left over go to the kinds with most councils. So thirty stand for what there is, however many there are.
BUILD = f"""{TOLD}
, known as (
    select *, jsonb_build_object('code', code, 'name', name, 'type', type, 'nation', nation, 'value', trim_scale(value)) as council
    from told where value is not null)
, spread as (
    select *, row_number() over kind as rank, count(*) over kind as size,
           dense_rank() over (partition by field_id, year order by type, nation) as kind_no
    from known where place > :top and place <= n - :top
    window kind as (partition by field_id, year, type, nation order by place
                    rows between unbounded preceding and unbounded following)
), seated as (
    select *, row_number() over (partition by field_id, year order by seat, size desc, kind_no, place) as turn
    from (
        select *, ((rank - 1) * seats / size) as seat, ((rank - 1) * seats / size) is distinct from ((rank - 2) * seats / size)
                  or rank = 1 as first
        from (select *, least(size, greatest(1, ceil(1.0 * :middle / max(kind_no) over (partition by field_id, year))))::bigint as seats
              from spread) with_seats
    ) placed where first
), sampled as (
    select field_id, year, council, place from known where place <= :top or place > n - :top
    union all select field_id, year, council, place from seated where turn <= :middle
), samples as (
    select field_id, year, jsonb_agg(council order by place desc) as sample
    from sampled group by 1, 2
), typed as (
    select field_id, year, jsonb_object_agg(type, jsonb_build_object('n', n, 'mean', mean)) as by_type
    from (select field_id, year, type, count(*) as n, round(avg(value), 6) as mean from known group by 1, 2, 3) t group by 1, 2
), nations as (
    select field_id, year, jsonb_object_agg(nation, jsonb_build_object('n', n, 'mean', mean)) as by_nation
    from (select field_id, year, nation, count(*) as n, round(avg(value), 6) as mean from known group by 1, 2, 3) t group by 1, 2
), ends as (
    select field_id, year,
           jsonb_agg(council order by place) filter (where place <= 5) as bottom,
           jsonb_agg(council order by place desc) filter (where place > n - 5) as top
    from known group by 1, 2
), numbers as (
    select field_id, year, count(value) as n, sum(value) as total, round(avg(value), 6) as mean, min(value) as min, max(value) as max,
           avg(value) filter (where value is not null and place in ((n + 1) / 2, (n + 2) / 2)) as median, avg(classified) as classified,
           encode(sha256(convert_to(string_agg(line, chr(10) order by code collate "C"), 'UTF8')), 'hex') as lines_hash
    from told group by 1, 2
), expected as (
    select f.id as field_id, y.year, count(*) as expected from wanted w join council_fields f on f.id = w.field_id
    join council_years y on y.source = f.source and y.year = w.year group by 1, 2
), built as (
    select field_id, year, n, expected, total, mean, round(median, 6) as median, min, max, coalesce(top, '[]') as top,
           coalesce(bottom, '[]') as bottom, coalesce(by_type, '{{}}') as by_type, coalesce(by_nation, '{{}}') as by_nation,
           coalesce(sample, '[]') as sample, round(n::numeric / expected, 4) as completeness,
           round(0.7 * n / expected + 0.3 * classified, 4) as quality,
           encode(sha256(convert_to(lines_hash || chr(10) || expected, 'UTF8')), 'hex') as source_hash
    from numbers join expected using (field_id, year) left join ends using (field_id, year) left join typed using (field_id, year)
    left join nations using (field_id, year) left join samples using (field_id, year)
), before as (
    select field_id, year, source_hash from summaries join wanted using (field_id, year)
), kept as (
    insert into summaries as s (field_id, year, n, expected, total, mean, median, min, max, top, bottom, by_type, by_nation, sample,
                                completeness, quality, source_hash)
    select * from built
    on conflict (field_id, year) do update set n = excluded.n, expected = excluded.expected, total = excluded.total, mean = excluded.mean,
        median = excluded.median, min = excluded.min, max = excluded.max, top = excluded.top, bottom = excluded.bottom,
        by_type = excluded.by_type, by_nation = excluded.by_nation, sample = excluded.sample, completeness = excluded.completeness,
        quality = excluded.quality, source_hash = excluded.source_hash, built_at = clock_timestamp()
    where s.source_hash <> excluded.source_hash
    returning field_id, year, source_hash
)
select kept.field_id, kept.year, before.source_hash as old_hash, kept.source_hash as new_hash
from kept left join before using (field_id, year)
"""  # noqa: S608 - words of ours
TAKE = """
with due as (
    select p.field_id, p.year, coalesce(s.n, 1) as weight from (select distinct field_id, year from summary_pending) p
    left join summaries s using (field_id, year) order by 1, 2 limit :most
), gone as (
    delete from summary_pending p using due where (p.field_id, p.year) = (due.field_id, due.year)
    returning p.field_id, p.year, p.what, p.n, p.examples, p.actor
)
select field_id, year, what, sum(n) as n, (array_agg(examples))[1] as examples, string_agg(distinct actor, ', ') as actor
from gone group by 1, 2, 3
"""
LOG = """
insert into summary_changes (field_id, year, what, n, examples, old_hash, new_hash, actor)
select field_id, year, what, n, examples, old_hash, new_hash, :actor || coalesce(nullif(' (' || caused_by || ')', ' ()'), '')
from jsonb_to_recordset(cast(:rows as jsonb))
    as t(field_id integer, year smallint, what text, n integer, examples jsonb, old_hash text, new_hash text, caused_by text)
"""
MARK_ALL = """
insert into summary_pending (field_id, year, what, n, actor)
select field_id, year, 'value update', 0, :actor from (select distinct field_id, year from council_figures) all_of_them
"""


@dataclass(frozen=True, slots=True)
class Built:
    """How many fields of a year were looked at, and how many of those had another hash than before."""

    looked: int
    changed: int


def pending(connection: Connection) -> int:
    """How many fields of a year wait to be summarised."""
    return int(connection.execute(text("select count(*) from (select distinct field_id, year from summary_pending) p")).scalar_one())


def mark_all(connection: Connection, actor: str) -> None:
    """Have everything summarised again."""
    connection.execute(text(MARK_ALL), {"actor": actor})


def build(
    actor: str, *, most: int | None = None, progress: Progress = lambda _done, _total, _note: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Built:  # fmt: skip
    """Summarise what waits, at most `most` fields of a year, in batches; one whose hash is as before stays as it was."""
    with transaction() as connection:
        waiting = pending(connection)
        per_batch = _fields_at_once(connection)
    total = waiting if most is None else min(most, waiting)
    looked = changed = 0
    while looked < total and not stopping():
        progress(looked, total, "Summarising")
        with transaction() as connection:
            done = _batch(connection, min(per_batch, total - looked), actor)
        if not done.looked:
            break
        looked, changed = looked + done.looked, changed + done.changed
    return Built(looked, changed)


def _batch(connection: Connection, most: int, actor: str) -> Built:
    # One at a time: two would take marks of the same field and year apart. Who waits finds nothing left to do.
    connection.execute(text("select pg_advisory_xact_lock(hashtext('sitewide'))"))
    marks = connection.execute(text(TAKE), {"most": most}).all()
    of = sorted({(mark.field_id, mark.year) for mark in marks})
    if not of:
        return Built(0, 0)
    connection.execute(text("set local work_mem = '64MB'"))
    made = connection.execute(
        text(BUILD), {"fields": [field for field, _ in of], "years": [year for _, year in of], "top": TOP, "middle": MIDDLE}
    ).all()
    hashes = {(row.field_id, row.year): (row.old_hash, row.new_hash) for row in made}
    lines = [
        {
            "field_id": mark.field_id,
            "year": mark.year,
            "what": mark.what if mark.n else "format",
            "n": int(mark.n),
            "examples": mark.examples,
        }
        | {"old_hash": hashes[mark.field_id, mark.year][0], "new_hash": hashes[mark.field_id, mark.year][1]}
        | {"caused_by": "" if mark.actor == actor else mark.actor}
        for mark in marks
        if (mark.field_id, mark.year) in hashes
    ]
    connection.execute(text(LOG), {"rows": as_json(lines), "actor": actor})
    return Built(len(of), len(made))


def _fields_at_once(connection: Connection) -> int:
    """So many fields of a year hold as many figures as are sorted at once."""
    councils = connection.execute(text("select count(*) from councils")).scalar_one()
    return max(1, BATCH_FIGURES // max(1, int(councils)))
