"""Telemetry: the inbox, what was refused, the series, the operations, the sessions."""

from alembic import op

revision = "0003"
down_revision = "0002"

# `operations` is narrow and insert-only; its partitions are made by the move as days appear.
TABLES = """
create table telemetry_imports (
    id          bigint generated always as identity primary key,
    file_name   text not null,
    source      text not null,
    noun        text not null check (noun in ('operations', 'sessions')),
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    accepted    bigint not null default 0,
    rejected    bigint not null default 0,
    moved       bigint not null default 0,
    duplicates  bigint not null default 0
);
create table telemetry_inbox (
    id          bigint generated always as identity primary key,
    received_at timestamptz not null default clock_timestamp(),
    noun        text not null check (noun in ('operations', 'sessions')),
    source      text not null,
    door        text not null,
    import_id   bigint references telemetry_imports,
    row_count   integer not null check (row_count > 0),
    payload     bytea not null
);
alter table telemetry_inbox alter column payload set storage external;
create table telemetry_rejected (
    id          bigint generated always as identity primary key,
    received_at timestamptz not null default now(),
    noun        text not null,
    source      text not null,
    door        text not null,
    import_id   bigint references telemetry_imports,
    position    bigint not null,
    field       text not null,
    reason      text not null,
    raw         text not null
);
create index on telemetry_rejected (received_at);
create table telemetry_counts (
    day        date not null,
    source     text not null,
    door       text not null,
    accepted   bigint not null default 0,
    rejected   bigint not null default 0,
    duplicates bigint not null default 0,
    late       bigint not null default 0,
    primary key (day, source, door)
) with (fillfactor = 70);

create table series (
    id                integer generated always as identity primary key,
    environment       text not null,
    source            text not null,
    module            text not null,
    operation         text not null,
    provider          text not null,
    model             text not null,
    created_at        timestamptz not null default now(),
    last_operation_at timestamptz,
    last_error_type   text,
    unique (environment, source, module, operation, provider, model)
) with (fillfactor = 70);
create table price_versions (
    id         integer generated always as identity primary key,
    provider   text not null,
    model      text not null,
    source     text not null,
    units      jsonb not null,
    created_at timestamptz not null default now(),
    unique (provider, model, source, units)
);
create table operations (
    day                date not null,
    id                 uuid not null,
    started_at         timestamptz not null,
    series_id          integer not null,
    latency_us         bigint,
    ttft_us            bigint,
    input_tokens       bigint,
    output_tokens      bigint,
    cache_read_tokens  bigint,
    cache_write_tokens bigint,
    reasoning_tokens   bigint,
    cost_nano          bigint,
    price_version      integer,
    cached             boolean not null,
    error_type         text,
    user_key           text,
    session_key        text,
    primary key (day, id)
) partition by range (day);
create index on operations (started_at);

create table sessions (
    source             text not null,
    session_key        text not null,
    series_id          integer not null,
    user_key           text,
    subject            text,
    cohort             text,
    told_started_at    timestamptz,
    told_ended_at      timestamptz,
    told_messages      integer,
    rating             numeric(4, 3),
    topics             text[],
    first_operation_at timestamptz,
    last_operation_at  timestamptz,
    operations         integer not null default 0,
    primary key (source, session_key)
) with (fillfactor = 80);
create index sessions_started on sessions ((coalesce(told_started_at, first_operation_at)));
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        "drop table sessions, operations, price_versions, series, telemetry_counts, telemetry_rejected, telemetry_inbox, telemetry_imports"
    )
