"""Ask: its subjects that had no tables, conversations, statistics, synonyms."""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLES = """
create table needs_assessments (
    id           bigint generated always as identity primary key,
    code         text not null unique,
    title        text not null,
    community    text,
    province     text,
    region       text,
    sector       text,
    priority     text,
    status       text,
    households   bigint check (households >= 0),
    cost_minor   bigint check (cost_minor >= 0),  -- centavos
    assessed_on  date,
    validated_on date
);
create table meetings (
    id        bigint generated always as identity primary key,
    code      text not null unique,
    title     text not null,
    kind      text,
    status    text,
    region    text,
    partner   text,
    attendees bigint check (attendees >= 0),
    held_on   date
);
create table partners (
    id       bigint generated always as identity primary key,
    code     text not null unique,
    name     text not null,
    kind     text,
    status   text,
    region   text,
    since_on date
);
create table activities (
    id           bigint generated always as identity primary key,
    code         text not null unique,
    title        text not null,
    kind         text,
    status       text,
    region       text,
    partner      text,
    participants bigint check (participants >= 0),
    starts_on    date,
    ends_on      date
);
create table policies (
    id          bigint generated always as identity primary key,
    code        text not null unique,
    title       text not null,
    sector      text,
    kind        text,
    status      text,
    region      text,
    proposed_on date,
    approved_on date
);
create table staff (
    id        bigint generated always as identity primary key,
    code      text not null unique,
    name      text not null,
    position  text,
    unit      text,
    status    text,
    joined_on date
);
create table staff_tasks (
    id         bigint generated always as identity primary key,
    code       text not null unique,
    title      text not null,
    assignee   text,
    unit       text,
    status     text,
    priority   text,
    created_on date,
    due_on     date,
    done_on    date
);
-- Raised whenever something that questions can name may have changed: vocabularies are kept by it.
create table ask_vocabulary (
    one      boolean primary key default true check (one),
    version  bigint not null default 1
);
insert into ask_vocabulary default values;

create table ask_conversations (
    id         uuid primary key,
    actor      text not null,
    started_at timestamptz not null default now(),
    frame      jsonb                        -- what was asked last, for "and by region?"
);
create index on ask_conversations (actor, started_at desc);
create table ask_turns (
    id              bigint generated always as identity primary key,
    conversation_id uuid not null references ask_conversations on delete cascade,
    actor           text not null,
    asked_at        timestamptz not null default now(),
    message         text not null,
    source          text not null check (source in ('faq', 'template', 'clarification', 'fallback')),
    reply           jsonb not null,
    blocked         text[] not null default '{}',   -- the words that kept it from being answered
    response_ms     real not null,
    rating          smallint check (rating in (0, 1))
);
create index on ask_turns (conversation_id, id);
create index on ask_turns (actor, asked_at);
create index ask_turns_unanswered on ask_turns (asked_at) where source = 'fallback';
create index on ask_turns (asked_at);
create table ask_synonyms (
    id         bigint generated always as identity primary key,
    phrase     text not null unique,
    means      text not null,               -- a phrase that was known already
    created_by text not null,
    created_at timestamptz not null default now()
);
create table ask_statistics (
    name        text primary key,
    value       jsonb not null,
    computed_at timestamptz not null default clock_timestamp()
);
-- Counting 43,000 places reads this index alone, not the places with their texts.
create index communities_asked on communities
    (geographic_level, region, province, municipality, income_class, settlement_type, city_class, barangay_status, population);
create index jobs_by_creation on jobs using brin (created_at);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute(
        "drop index jobs_by_creation, communities_asked;"
        "drop table ask_statistics, ask_synonyms, ask_turns, ask_conversations, ask_vocabulary, staff_tasks, staff, policies, activities,"
        " partners, meetings, needs_assessments"
    )
