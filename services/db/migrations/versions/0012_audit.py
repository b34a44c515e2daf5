"""The audit log says what was before and what is after, and is read by action and actor; settings changed in the console."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("alter table audit add before jsonb, add after jsonb")
    op.execute("create index audit_action on audit (action, id)")
    op.execute("create index audit_actor on audit (actor, id)")


def downgrade() -> None:
    op.execute("drop index audit_action, audit_actor")
    op.execute("alter table audit drop before, drop after")
