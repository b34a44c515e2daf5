"""Telemetry at full strength: calls told twice, prices of our own, payloads, retention, keys that rotate."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
alter table telemetry_counts
    add column ignored bigint not null default 0,
    add column adjusted bigint not null default 0;
create table telemetry_minutes (
    minute timestamptz not null,
    source text not null,
    n      bigint not null,
    lag_ms bigint not null,
    primary key (minute, source)
) with (fillfactor = 70);
alter table telemetry_rejected
    add column environment text,
    add column complete boolean not null default false;
create index on telemetry_rejected (source, reason);
create table telemetry_sources (
    source       text not null,
    door         text not null,
    last_seen_at timestamptz not null,
    primary key (source, door)
) with (fillfactor = 50);

alter table operations
    add column finish_reason text,
    add column service_tier  text,
    add column adjusted      boolean not null default false;
-- How a call was told, for a few days: what else may tell the same call. 'a': this span is that operation;
-- 'c': the first call told inside that span; 'r': the call that got this response.
create table operation_tellings (
    kind         "char" not null,
    key          uuid not null,
    operation_id uuid not null,
    day          date not null,
    failed       boolean not null,
    told_by      text not null,
    started_at   timestamptz,
    ended_at     timestamptz,
    noted_at     timestamptz not null default now()
);
create index on operation_tellings (key);
create index on operation_tellings using brin (noted_at);
create table operation_payloads (
    day        date not null,
    id         uuid not null,
    prompt     text,
    completion text,
    stored_at  timestamptz not null default now(),
    primary key (day, id)
);
create index on operation_payloads using brin (stored_at);
alter table rollup_state add column raw_from date;

create table price_overrides (
    id             integer generated always as identity primary key,
    provider       text,
    model          text not null,
    units          jsonb not null,
    effective_from timestamptz not null,
    effective_to   timestamptz check (effective_to > effective_from),
    source         text not null,
    created_by     text not null,
    created_at     timestamptz not null default now(),
    ended_at       timestamptz
);
create table repricings (
    id         integer generated always as identity primary key,
    first_day  date not null,
    last_day   date not null,
    provider   text,
    model      text,
    created_by text not null,
    created_at timestamptz not null default now(),
    state      text not null default 'waiting' check (state in ('waiting', 'applied', 'reversing', 'reversed')),
    operations bigint not null default 0,
    before_nano bigint not null default 0,
    after_nano  bigint not null default 0
);
create table repricing_days (
    repricing_id integer not null references repricings on delete cascade,
    day          date not null,
    reversed     boolean not null default false,
    primary key (repricing_id, day)
);
create table repricing_changes (
    repricing_id  integer not null references repricings on delete cascade,
    day           date not null,
    id            uuid not null,
    before_nano   bigint,
    before_version integer,
    after_nano    bigint,
    after_version integer,
    primary key (repricing_id, day, id)
);

alter table api_keys
    add column rate_per_minute integer check (rate_per_minute > 0),
    add column previous_hash   bytea,
    add column previous_until  timestamptz;
create table api_key_uses (
    key_id integer not null references api_keys on delete cascade,
    minute timestamptz not null,
    n      integer not null,
    primary key (key_id, minute)
) with (fillfactor = 50);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        "drop table api_key_uses, repricing_changes, repricing_days, repricings, price_overrides, operation_payloads, operation_tellings,"
        " telemetry_sources, telemetry_minutes;"
        "alter table api_keys drop column rate_per_minute, drop column previous_hash, drop column previous_until;"
        "alter table rollup_state drop column raw_from;"
        "alter table operations drop column finish_reason, drop column service_tier, drop column adjusted;"
        "alter table telemetry_rejected drop column environment, drop column complete;"
        "alter table telemetry_counts drop column ignored, drop column adjusted"
    )
