"""Records: communities and projects with their yearly history, and what became of each import."""

from alembic import op

revision = "0008"
down_revision = "0007"

SCOPES = "alter table api_keys drop constraint api_keys_scopes_check, add check (scopes <@ array[{scopes}] and scopes <> '{{}}');"
TABLES = """
-- Every run of three characters, as numbers. Indexed, they serve `like '%part%'` on any Postgres: pg_trgm is not everywhere, the embedded
-- one lacks it. Stored, because computing them row by row costs seconds where a word is in most rows and the index is of no use.
create function record_grams(told text) returns integer[] immutable strict parallel safe language sql as
$$ select array(select distinct hashtext(substr(told, n, 3)) from generate_series(1, length(told) - 2) n) $$;

create table record_imports (
    id          bigint generated always as identity primary key,
    kind        text not null check (kind in ('communities', 'projects')),
    source      text not null,
    map_name    text not null,
    file_name   text not null,
    bytes       bigint not null,
    actor       text not null,
    state       text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'broken')),
    fault       text,                               -- where the file broke; the rows before it are kept
    columns     jsonb not null default '{}',        -- field → the heading it was read from
    consumed    bigint not null default 0,
    read        bigint not null default 0,
    new         bigint not null default 0,
    changed     bigint not null default 0,
    unchanged   bigint not null default 0,
    rejected    bigint not null default 0,
    unknown     bigint not null default 0,
    doubtful    bigint not null default 0,
    created_at  timestamptz not null default now(),
    finished_at timestamptz
);
-- An uploaded file, for as long as a job needs it.
create table record_files (
    import_id bigint primary key references record_imports on delete cascade,
    map       jsonb not null,
    content   bytea not null
);
alter table record_files alter column content set storage external;
-- rejected: the row is not in. unknown: it is, without this field. doubtful: it is, as told, and somebody should look.
create table record_findings (
    id        bigint generated always as identity primary key,
    import_id bigint not null references record_imports on delete cascade,
    position  bigint not null,
    what      text not null check (what in ('rejected', 'unknown', 'doubtful')),
    field     text not null,
    reason    text not null,
    raw       text not null
);
create index on record_findings (import_id, id);

create table communities (
    id               bigint generated always as identity primary key,
    source           text not null,
    psgc_id          text not null,
    name             text not null,
    geographic_level text,
    region           text,
    province         text,
    municipality     text,
    city_class       text,
    income_class     text,
    settlement_type  text,
    population       bigint check (population >= 0),
    barangay_status  text,
    old_names        text,
    attributes       jsonb not null default '{}',
    narrative        text,
    unknown          jsonb not null default '{}',   -- field → why nobody knows
    find             text not null,                 -- folded words to search in
    grams            integer[] not null generated always as (record_grams(find)) stored,
    content_hash     text not null,
    raw              jsonb not null,
    import_id        bigint not null references record_imports,
    position         bigint not null,
    imported_at      timestamptz not null default now(),
    unique (source, psgc_id)
);
create index communities_in_order on communities (psgc_id, id);
create index communities_by_level on communities (geographic_level, id);
create index communities_found on communities using gin (grams);

create table projects (
    id               bigint generated always as identity primary key,
    source           text not null,
    identity         text not null,                 -- the source's id, else name and department, folded
    source_id        text,
    name             text not null,
    department       text,
    category         text,
    description      text,
    start_planned    date,
    start_current    date,
    end_planned      date,
    end_current      date,
    status           text,
    rating           text,
    currency         text,
    budget_minor     bigint,
    forecast_minor   bigint,
    variance_percent numeric,
    whole_life_minor bigint,
    narrative        text,
    attributes       jsonb not null default '{}',
    unknown          jsonb not null default '{}',
    find             text not null,
    grams            integer[] not null generated always as (record_grams(find)) stored,
    content_hash     text not null,
    raw              jsonb not null,
    import_id        bigint not null references record_imports,
    position         bigint not null,
    imported_at      timestamptz not null default now(),
    unique (source, identity)
);
create index projects_in_order on projects (name, id);
create index projects_found on projects using gin (grams);

create table project_years (
    project_id       bigint not null references projects on delete cascade,
    year             smallint not null check (year between 1900 and 2200),
    facts            jsonb not null,                -- as in projects, as told that year
    unknown          jsonb not null default '{}',
    raw              jsonb not null,
    import_id        bigint not null references record_imports,
    position         bigint not null,
    imported_at      timestamptz not null default now(),
    primary key (project_id, year)
);
"""


def upgrade() -> None:
    op.execute(SCOPES.format(scopes="'telemetry', 'metrics', 'jobs', 'records', 'ask', 'admin'"))
    op.execute(TABLES)


def downgrade() -> None:
    # A key that could read nothing but records can do nothing any more; it stays, revoked, as its name is never given again.
    op.execute(
        "update api_keys set revoked_at = coalesce(revoked_at, now()), scopes = '{metrics}' where scopes = '{records}';"
        "update api_keys set scopes = array_remove(scopes, 'records')"
    )
    op.execute(SCOPES.format(scopes="'telemetry', 'metrics', 'jobs', 'ask', 'admin'"))
    op.execute(
        "drop table project_years, projects, communities, record_findings, record_files, record_imports;drop function record_grams(text)"
    )
