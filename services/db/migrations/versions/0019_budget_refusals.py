"""How many calls each period of a budget refused, and when last: a call that is refused leaves nothing in the ledger."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("alter table budget_periods add column refused bigint not null default 0, add column refused_at timestamptz")


def downgrade() -> None:
    op.execute("alter table budget_periods drop column refused, drop column refused_at")
