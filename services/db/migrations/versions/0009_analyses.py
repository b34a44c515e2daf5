"""Analyses: every version of what was found about a record, in whose words, and the vectors of narratives."""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
create table analyses (
    id             bigint generated always as identity primary key,
    kind           text not null,
    record_id      bigint not null,            -- of the kind's noun
    variant        text not null default '',
    content_hash   text not null,              -- of the record as it was
    schema_version smallint not null,
    facts          jsonb not null,
    wording        text not null,
    source         text not null check (source in ('model', 'template', 'replaced')),
    outcome        text not null,              -- of the call to the model, as in ai_ledger
    findings       jsonb not null default '[]',
    model          text not null,
    provider       text not null,
    cost_nano      bigint,
    job_id         bigint not null unique,
    made_at        timestamptz not null default clock_timestamp()
);
create index analyses_newest on analyses (kind, record_id, variant, id desc);
create index analyses_replaced on analyses (made_at) where source = 'replaced';
create table narrative_vectors (
    text_hash bytea not null,
    model     text not null,
    vector    real[] not null,
    made_at   timestamptz not null default now(),
    primary key (text_hash, model)
);
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("drop table narrative_vectors, analyses")
