"""Jobs: Postgres owns their truth, RQ only wakes."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
create table jobs (
    id                  bigint generated always as identity primary key,
    kind                text not null,
    args                jsonb not null default '{}',
    queue               text not null,
    priority            smallint not null default 100,
    state               text not null default 'queued' check (state in ('queued', 'retry', 'running', 'done', 'cancelled', 'dead')),
    dedupe_key          text,
    attempt             smallint not null default 0,
    max_attempts        smallint not null default 3 check (max_attempts > 0),
    run_at              timestamptz not null default now(),
    lease_token         uuid,
    lease_until         timestamptz,
    dispatch_seq        integer not null default 0,
    dispatched_at       timestamptz,
    cancel_requested_at timestamptz,
    progress            jsonb,
    result              jsonb,
    error_class         text,
    error               text,
    cause_type          text,
    cause_id            text,
    created_by          text not null default 'system',
    created_at          timestamptz not null default now(),
    finished_at         timestamptz
) with (fillfactor = 70);
create unique index jobs_one_live_per_key on jobs (dedupe_key) where state in ('queued', 'retry', 'running');
create index jobs_due on jobs (queue, priority, run_at, id) where state in ('queued', 'retry');
create index jobs_handed_over on jobs (queue, dispatched_at) where state in ('queued', 'retry') and dispatched_at is not null;
create index jobs_running on jobs (lease_until) where state = 'running';
create index jobs_finished on jobs (finished_at) where state in ('done', 'cancelled', 'dead');
create table job_attempts (
    job_id     bigint not null references jobs on delete cascade,
    attempt    smallint not null,
    worker     text not null,
    started_at timestamptz not null default now(),
    ended_at   timestamptz,
    outcome    text check (outcome in ('done', 'failed', 'cancelled', 'lost', 'released')),
    error      text,
    traceback  text,
    primary key (job_id, attempt)
);
create table processes (
    id         uuid primary key default gen_random_uuid(),
    kind       text not null,
    host       text not null,
    pid        integer not null,
    queue      text,
    version    text not null,
    started_at timestamptz not null default now(),
    beat_at    timestamptz not null default now()
);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table processes, job_attempts, jobs")
