"""Accounts, server-side sign-ins, one-time links, API keys, audit."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create table accounts (
    id            integer generated always as identity primary key,
    name          text not null unique check (name = lower(name) and name <> ''),
    password_hash text,
    role          text not null check (role in ('viewer', 'analyst', 'operator', 'admin')),
    created_at    timestamptz not null default now(),
    disabled_at   timestamptz
);
create table sign_ins (
    token_hash   bytea primary key,
    account_id   integer not null references accounts on delete cascade,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index on sign_ins (account_id);
create table sign_in_links (
    token_hash bytea primary key,
    account_id integer not null references accounts on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at    timestamptz
);
create table sign_in_failures (
    at      timestamptz not null default now(),
    subject text not null
);
create index on sign_in_failures (subject, at);
create table api_keys (
    id           integer generated always as identity primary key,
    name         text not null unique,
    prefix       text not null unique,
    secret_hash  bytea not null,
    scopes       text[] not null check (scopes <@ array['telemetry', 'metrics', 'jobs', 'ask', 'admin'] and scopes <> '{}'),
    source       text,
    environment  text,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);
create table audit (
    id      bigint generated always as identity primary key,
    at      timestamptz not null default now(),
    actor   text not null,
    action  text not null,
    subject text not null,
    detail  jsonb not null default '{}'
);
create table console_state (
    key   text primary key,
    value jsonb not null
);
"""


def upgrade() -> None:
    op.execute("create extension if not exists vector")
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table console_state, audit, api_keys, sign_in_failures, sign_in_links, sign_ins, accounts")
