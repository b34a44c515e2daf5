"""Councils and their figures by field and year, one summary of each field and year, what changed, and the factoids made of them."""

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = """
create table council_imports (
    id          bigint generated always as identity primary key,
    source      text not null,
    map_name    text not null,
    file_name   text not null,
    bytes       bigint not null,
    actor       text not null,
    state       text not null default 'running' check (state in ('running', 'done', 'broken')),
    fault       text,                               -- why nothing of the file is kept
    read        bigint not null default 0,
    new         bigint not null default 0,
    changed     bigint not null default 0,
    unchanged   bigint not null default 0,
    skipped     bigint not null default 0,          -- rows that the map leaves out
    rejected    bigint not null default 0,
    unknown     bigint not null default 0,
    created_at  timestamptz not null default now(),
    finished_at timestamptz
);
create table council_findings (
    id        bigint generated always as identity primary key,
    import_id bigint not null references council_imports on delete cascade,
    position  bigint not null,
    what      text not null check (what in ('rejected', 'unknown')),
    field     text not null,
    reason    text not null,
    raw       text not null
);
create index on council_findings (import_id, id);

create table councils (
    id     integer generated always as identity primary key,
    code   text not null unique,
    name   text not null,
    type   text,
    nation text,
    region text
);
-- What each source says of a council, from the newest year in which it says it; a register has no year, so it only fills gaps.
create table council_tellings (
    code   text not null,
    source text not null,
    year   smallint not null,
    name   text not null,
    type   text,
    nation text,
    region text,
    primary key (code, source)
);
create table council_fields (
    id     integer generated always as identity primary key,
    slug   text not null unique,
    source text not null,
    name   text not null,                           -- as published in the newest year
    unit   text not null                            -- ISO 4217, or the thing that is counted
);
create table council_field_names (
    field_id  integer not null references council_fields,
    year      smallint not null,
    published text not null,
    primary key (field_id, year, published)
);
-- Which councils a source reports on in a year: what completeness is measured against.
create table council_years (
    source     text not null,
    year       smallint not null,
    council_id integer not null,
    primary key (source, year, council_id)
);
-- Written by one statement of ours, which has both ids from their tables: to check each of ten million again would take minutes.
create table council_figures (
    field_id   integer not null,
    year       smallint not null,                   -- in which the financial year begins
    council_id integer not null,
    value      numeric,                             -- in whole units; null where the cell says that it is not known
    primary key (field_id, year, council_id)
);
create index council_figures_of on council_figures (council_id);

create table summary_pending (
    id       bigint generated always as identity primary key,
    field_id integer not null references council_fields,
    year     smallint not null,
    what     text not null check (what in ('new field', 'new council', 'value update', 'council update')),
    n        integer not null,
    examples jsonb not null default '[]',
    actor    text not null,
    at       timestamptz not null default now()
);
create index on summary_pending (field_id, year);
create table summaries (
    field_id     integer not null references council_fields,
    year         smallint not null,
    n            integer not null,                  -- councils whose figure is known
    expected     integer not null,                  -- councils that the source reports on that year
    total        numeric,
    mean         numeric,
    median       numeric,
    min          numeric,
    max          numeric,
    top          jsonb not null,                    -- five councils each
    bottom       jsonb not null,
    by_type      jsonb not null,
    by_nation    jsonb not null,
    sample       jsonb not null,                    -- at most fifty councils: top, bottom, and a spread of the middle
    completeness numeric not null,
    quality      numeric not null,
    source_hash  text not null,
    built_at     timestamptz not null default clock_timestamp(),
    primary key (field_id, year)
);
create table summary_changes (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default clock_timestamp(),
    field_id integer not null references council_fields,
    year     smallint not null,
    what     text not null,
    n        integer not null,
    examples jsonb not null,
    old_hash text,
    new_hash text not null,
    actor    text not null
);
create index summary_changes_of on summary_changes (field_id, year, id desc);

create table factoid_editions (
    id             bigint generated always as identity primary key,
    fingerprint    text not null,                   -- of everything that decides what is said
    factoids       jsonb not null,
    made_at        timestamptz not null,
    revalidated_at timestamptz not null,
    checked_at     timestamptz not null,
    job_id         bigint not null unique
);
create table factoid_runs (
    id          bigint generated always as identity primary key,
    job_id      bigint not null unique,
    kind        text not null,                      -- of the job
    at          timestamptz not null,
    decision    text not null,
    fingerprint text,
    previous    text,
    edition_id  bigint,
    worded      integer not null default 0,
    replaced    integer not null default 0,
    calls       integer not null default 0,         -- to models; a cached answer is none
    cost_nano   bigint default 0,                   -- null where nobody knows
    prompt_characters integer,
    outcome     text,
    reason      text,
    findings    jsonb not null default '[]',
    actor       text not null
);
create index factoid_runs_at on factoid_runs (at desc);
create index ai_ledger_of_sitewide on ai_ledger (job_id) where module = 'sitewide';
create table factoid_reads (
    day    date not null,
    source text not null,
    n      bigint not null,
    primary key (day, source)
) with (fillfactor = 70);
"""
NOUNS = (
    "factoid_reads, factoid_runs, factoid_editions, summary_changes, summaries, summary_pending, council_figures, council_years,"
    " council_field_names, council_fields, council_tellings, councils, council_findings, council_imports"
)


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(f"drop index ai_ledger_of_sitewide; drop table {NOUNS}")
