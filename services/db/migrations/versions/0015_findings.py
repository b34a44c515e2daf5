"""What background jobs find in the data: suggestions that would save money, who spends most, incidents."""

from alembic import op

revision = "0015"
down_revision = "0012"

TABLES = """
-- The present findings: each run of the job replaces them all.
create table cost_suggestions (
    id         bigint generated always as identity primary key,
    kind       text not null,
    module     text not null,
    operation  text not null,
    provider   text not null,
    model      text not null,
    saves_nano bigint not null check (saves_nano > 0),  -- in thirty days
    evidence   jsonb not null,
    found_at   timestamptz not null default now()
);
create table cost_spenders (
    days       smallint not null,
    kind       text not null check (kind in ('user', 'session')),
    place      smallint not null,
    source     text not null,
    key        text not null,
    operations bigint not null,
    unpriced   bigint not null,
    cost_nano  bigint not null,
    found_at   timestamptz not null default now(),
    primary key (days, kind, place)
);
create table incidents (
    kind       text not null check (kind in ('errors', 'silence')),
    module     text not null,
    started_at timestamptz not null,
    ended_at   timestamptz not null,
    seen       bigint not null,      -- errors, or operations in the silence
    expected   numeric not null,     -- the usual number of them in the same hours
    operations bigint not null,
    detail     jsonb not null,
    primary key (kind, module, started_at)
);
create index on incidents (ended_at);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table incidents, cost_spenders, cost_suggestions")
