"""Models: the ledger of every call, budgets and their periods, answers kept, health of providers, turns of conversations."""

from alembic import op

revision = "0007"
down_revision = "0006"

TABLES = """
-- What may be spent in a day or month of the reporting zone. One that is over keeps its row: what it counted stays explained.
create table budgets (
    id         integer generated always as identity primary key,
    scope      text not null check (scope in ('all', 'module', 'model', 'user')),
    name       text not null,  -- '' for all
    period     text not null check (period in ('day', 'month')),
    cap_nano   bigint not null check (cap_nano >= 0),
    hard_stop  boolean not null default true,
    thresholds smallint[] not null default '{50,80,100}',
    created_at timestamptz not null default now(),
    ended_at   timestamptz,
    check ((scope = 'all') = (name = ''))
);
create unique index budgets_one on budgets (scope, name, period) where ended_at is null;
create table budget_periods (
    id            bigint generated always as identity primary key,
    budget_id     integer not null references budgets,
    starts_at     timestamptz not null,
    ends_at       timestamptz not null,
    reserved_nano bigint not null default 0 check (reserved_nano >= 0),  -- intents
    spent_nano    bigint not null default 0 check (spent_nano >= 0),     -- settled
    unknown_nano  bigint not null default 0 check (unknown_nano >= 0),   -- perhaps billed: kept at its ceiling
    unique (budget_id, starts_at)
) with (fillfactor = 70);
create table budget_crossings (
    period_id bigint not null references budget_periods,
    percent   smallint not null,
    at        timestamptz not null default clock_timestamp(),
    primary key (period_id, percent)
);
create table ai_ledger (
    id             bigint generated always as identity primary key,
    at             timestamptz not null default clock_timestamp(),
    until          timestamptz not null,  -- nobody is still waiting for the answer then
    ended_at       timestamptz,
    state          text not null default 'intent' check (state in ('intent', 'settled', 'failed', 'unknown')),
    outcome        text,
    task           text not null,
    template       text not null,  -- name@version
    module         text not null,
    operation      text not null,
    provider       text not null,
    host           text not null default '',
    model          text not null,
    user_key       text,
    session_key    text,
    job_id         bigint,
    request_hash   bytea not null,
    periods        bigint[] not null,
    reserved_nano  bigint not null check (reserved_nano >= 0),
    cost_nano      bigint check (cost_nano >= 0),
    ceiling_tokens bigint not null,
    input_tokens   bigint,
    output_tokens  bigint,
    latency_us     bigint,
    ttft_us        bigint,
    check ((cost_nano is not null) = (state in ('settled', 'failed')))
);
create index ai_ledger_open on ai_ledger (provider, model, host) where state = 'intent';
create index ai_ledger_unknown on ai_ledger (id) where state = 'unknown';
create index ai_ledger_rate on ai_ledger (provider, model, at);
create index ai_ledger_at on ai_ledger using brin (at);
create index ai_ledger_job on ai_ledger (job_id);
-- No row: healthy. `open_until`: too many failures in a row. `wait_until`: the provider asked for it. `probe_until`: somebody tries.
create table ai_health (
    provider    text not null,
    host        text not null,
    model       text not null,
    failures    integer not null default 0,
    opened      integer not null default 0,
    last        text,
    failed_at   timestamptz,
    open_until  timestamptz,
    wait_until  timestamptz,
    probe_until timestamptz,
    primary key (provider, host, model)
);
create table ai_hosts (
    host       text primary key,
    models     text[] not null default '{}',
    loaded     text[] not null default '{}',
    checked_at timestamptz not null,
    up         boolean  -- null while it is asked for the first time
);
create table ai_cache (
    key        bytea primary key,
    text       text not null,
    provider   text not null,
    model      text not null,
    template   text not null,
    ledger_id  bigint not null,
    stored_at  timestamptz not null default now(),
    expires_at timestamptz not null
);
create index ai_cache_expires on ai_cache (expires_at);
-- What an administrator changed of services/ai/models.toml.
create table ai_overrides (
    task       text primary key,
    settings   jsonb not null,
    changed_by text not null,
    changed_at timestamptz not null default now()
);
create table ai_turns (
    id           bigint generated always as identity primary key,
    conversation text not null,
    user_key     text,
    role         text not null check (role in ('user', 'model')),
    text         text not null,
    tokens       integer not null,
    at           timestamptz not null default clock_timestamp()
);
create index ai_turns_of on ai_turns (conversation, id desc);
create index ai_turns_user on ai_turns (user_key) where user_key is not null;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table ai_turns, ai_overrides, ai_cache, ai_hosts, ai_health, ai_ledger, budget_crossings, budget_periods, budgets")
