"""Jobs in full: limits and pauses, tags, what the reconciler did, minutes for the charts, schedules and their decisions."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = """
alter table jobs
    add column tags        text[] not null default '{}',
    add column result_ref  text,
    add column lost        smallint not null default 0,  -- attempts in a row that ended with their process
    add column fingerprint text,                         -- of the last error: dead letters are grouped by it
    add column claimed_at  timestamptz,
    add column discarded_at timestamptz;
create index jobs_due_by_kind on jobs (queue, kind, priority, run_at, id) where state in ('queued', 'retry') and dispatched_at is null;
create index jobs_by_queue on jobs (queue, id desc);
create index jobs_by_state on jobs (state, id desc);
create index jobs_by_kind on jobs (kind, id desc);
create index jobs_by_actor on jobs (created_by, id desc);
create index jobs_by_tag on jobs using gin (tags);
create index jobs_by_args on jobs using gin (args jsonb_path_ops);
create index jobs_by_fingerprint on jobs (fingerprint, id desc) where fingerprint is not null;
alter table job_attempts
    add column error_class text,
    add column pid         integer,
    add column lease_token uuid;
alter table processes
    add column job_id   bigint,
    add column quiet_at timestamptz;
-- How much of a queue or kind may run at once, and whether it may at all. No row: no limit.
create table job_limits (
    scope     text not null check (scope in ('queue', 'kind')),
    name      text not null,
    cap       integer check (cap > 0),
    paused_at timestamptz,
    paused_by text,
    primary key (scope, name)
);
-- What the reconciler did, for people to see.
create table job_rescues (
    id     bigint generated always as identity primary key,
    at     timestamptz not null default clock_timestamp(),
    action text not null check (action in ('rescued', 'buried', 'sent again', 'redis lost', 'process forgotten', 'cancelled')),
    job_id bigint,
    queue  text,
    n      bigint not null default 1,
    detail text
);
create index job_rescues_at on job_rescues using brin (at);
create table job_minutes (
    minute  timestamptz not null,
    queue   text not null,
    kind    text not null,
    outcome text not null,  -- as in job_attempts
    n       bigint not null,
    wait_ms bigint not null,  -- sums: due → running, running → ended
    run_ms  bigint not null,
    primary key (minute, queue, kind, outcome)
) with (fillfactor = 70);

create table schedules (
    id         integer generated always as identity primary key,
    name       text not null unique,
    kind       text not null,
    args       jsonb not null default '{}',
    queue      text not null,
    zone       text not null,
    slots      time[],             -- local times of the day; or
    every_s    integer check (every_s >= 60),
    weekdays   smallint[] not null default '{1,2,3,4,5,6,7}',  -- ISO: 1 is Monday
    catch_up_s integer not null default 3600 check (catch_up_s >= 0),
    paused_at  timestamptz,
    paused_by  text,
    created_at timestamptz not null default now(),
    decided_until timestamptz not null default now(),
    check ((slots is null) <> (every_s is null))
);
create table schedule_decisions (
    schedule_id integer not null references schedules on delete cascade,
    slot_at     timestamptz not null,
    local_label text not null,
    decision    text not null check (decision in ('run', 'run now', 'coalesced', 'missed', 'overlap skipped', 'paused')),
    job_id      bigint,
    actor       text not null,
    reason      text,
    decided_at  timestamptz not null default clock_timestamp(),
    primary key (schedule_id, slot_at)
);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        "drop table schedule_decisions, schedules, job_minutes, job_rescues, job_limits;"
        "alter table processes drop column job_id, drop column quiet_at;"
        "alter table job_attempts drop column error_class, drop column pid, drop column lease_token;"
        "drop index jobs_due_by_kind, jobs_by_queue, jobs_by_state, jobs_by_kind, jobs_by_actor, jobs_by_tag, jobs_by_args;"
        "drop index jobs_by_fingerprint;"
        "alter table jobs drop column tags, drop column result_ref, drop column lost, drop column fingerprint, drop column claimed_at,"
        " drop column discarded_at"
    )
