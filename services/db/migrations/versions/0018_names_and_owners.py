"""Names of accounts are never given to another, and conversations belong to an account instead of to a name."""

from alembic import op

revision = "0018"
down_revision = "0017"

NAMES = """
create table account_names (
    name       text primary key,
    account_id integer references accounts on delete set null,  -- a name without an account is nobody's, and taken all the same
    taken_at   timestamptz not null default now()
);
create index on account_names (account_id);
insert into account_names (name, account_id, taken_at) select name, id, created_at from accounts;
-- Names that the audit tells of and no account has now. Whose they were is not told for sure, so nobody gets them.
insert into account_names (name)
select told.name from (select actor from audit union select before ->> 'name' from audit where action = 'account.rename') told (name)
where told.name ~ '^[a-z0-9]([a-z0-9._@+-]{0,62}[a-z0-9])?$'
on conflict (name) do nothing;
"""

# A key or the command line owns what has no owner and its name, which no account can have. An account gets what was begun under its name
# since it has that name; what is older, or of a name that no account has, stays stored and is nobody's.
OWNERS = """
alter table ask_conversations add column owner_id integer references accounts on delete cascade;
alter table ask_turns add column owner_id integer references accounts on delete cascade;
update ask_conversations c set owner_id = a.id from accounts a
where a.name = c.actor and c.started_at >= coalesce(
    (select max(at) from audit where action = 'account.rename' and subject = a.name), a.created_at);
update ask_turns t set owner_id = c.owner_id from ask_conversations c where c.id = t.conversation_id and c.owner_id is not null;
drop index ask_conversations_actor_started_at_idx, ask_turns_actor_asked_at_idx;
create index ask_conversations_owner on ask_conversations (owner_id, started_at desc) where owner_id is not null;
create index ask_conversations_actor on ask_conversations (actor, started_at desc) where owner_id is null;
create index ask_turns_owner on ask_turns (owner_id, asked_at) where owner_id is not null;
create index ask_turns_actor on ask_turns (actor, asked_at) where owner_id is null;
"""

# By names again: what an account owns goes under the name that it has now.
BACK = """
update ask_conversations set actor = a.name from accounts a where a.id = owner_id;
update ask_turns set actor = a.name from accounts a where a.id = owner_id;
drop index ask_conversations_owner, ask_conversations_actor, ask_turns_owner, ask_turns_actor;
alter table ask_conversations drop column owner_id;
alter table ask_turns drop column owner_id;
create index on ask_conversations (actor, started_at desc);
create index on ask_turns (actor, asked_at);
drop table account_names;
"""


def upgrade() -> None:
    op.execute(NAMES)
    op.execute(OWNERS)


def downgrade() -> None:
    op.execute(BACK)
