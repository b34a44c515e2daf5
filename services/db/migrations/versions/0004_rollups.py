"""Rollups: quarter-hour and day cells with mergeable histograms, errors, distinct keys, session days."""

from alembic import op

revision = "0004"
down_revision = "0003"

# A token sum is NULL while no operation told it: unknown is not zero. `priced` and `told_tokens` count who did.
COLUMNS = """
    n                  bigint not null,
    errors             bigint not null,
    cached             bigint not null,
    priced             bigint not null,
    told_tokens        bigint not null,
    input_tokens       bigint,
    output_tokens      bigint,
    cache_read_tokens  bigint,
    cache_write_tokens bigint,
    reasoning_tokens   bigint,
    cost_nano          bigint,
    latency_n          bigint not null,
    latency_us         bigint,
    latency_hist       vector(668),
    ttft_n             bigint not null,
    ttft_us            bigint,
    ttft_hist          vector(668)
"""
# 2.7 kB histograms must stay in the row, uncompressed, or merging ninety days costs three times as much.
TUNING = """
    alter table {table} set (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
    alter table {table} alter column latency_hist set storage main;
    alter table {table} alter column ttft_hist set storage main;
"""
TABLES = f"""
create table rollup_15m (
    bucket    timestamptz not null,
    series_id integer not null,
    {COLUMNS},
    primary key (bucket, series_id)
) with (fillfactor = 70);
create table rollup_day (
    day       date not null,
    series_id integer not null,
    {COLUMNS},
    primary key (day, series_id)
) with (fillfactor = 70);
{TUNING.format(table="rollup_15m")}
{TUNING.format(table="rollup_day")}
create table rollup_error (
    day        date not null,
    series_id  integer not null,
    error_type text not null,
    n          bigint not null,
    primary key (day, series_id, error_type)
);
create table rollup_distinct_key (
    day       date not null,
    series_id integer not null,
    kind      text not null check (kind in ('user', 'session', 'session_user')),
    key_hash  bigint not null,
    primary key (kind, day, series_id, key_hash)  -- a question is about one kind and a range of days
);
create table rollup_distinct (
    day       date not null,
    series_id integer not null,
    kind      text not null,
    n         bigint not null,
    bits      bit(16384) not null,
    primary key (kind, day, series_id)
);
create table rollup_session_day (
    day         date not null,
    series_id   integer not null,
    topic       text not null,
    n           bigint not null,
    duration_n  bigint not null,
    duration_us bigint not null,
    messages_n  bigint not null,
    messages    bigint not null,
    rated       bigint not null,
    rating      numeric not null,
    primary key (day, series_id, topic)
);
create table rollup_state (
    singleton boolean primary key default true check (singleton),
    version   bigint not null default 0,
    zone      text not null,
    moved_at  timestamptz
);
-- What each session adds to its day: once under topic '' and once under each of its topics.
create view session_contributions as
select s.source, s.session_key, (c.started_at at time zone st.zone)::date as day, s.series_id, t.topic, s.user_key,
       case when c.ended_at >= c.started_at then (extract(epoch from c.ended_at - c.started_at) * 1000000)::bigint end as duration_us,
       s.told_messages as messages, s.rating
from sessions s
cross join rollup_state st
cross join lateral (
    select coalesce(s.told_started_at, s.first_operation_at) as started_at, coalesce(s.told_ended_at, s.last_operation_at) as ended_at
) c
cross join lateral unnest(array[''] || coalesce(nullif(s.topics, '{{}}'), array['(no topic)'])) t (topic);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop view session_contributions")
    op.execute("drop table rollup_state, rollup_session_day, rollup_distinct, rollup_distinct_key, rollup_error, rollup_day, rollup_15m")
