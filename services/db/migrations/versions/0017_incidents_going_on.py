"""Whether an incident went on when it was last looked for: its end alone cannot tell a silence that is over from one that lasts."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute("alter table incidents add column goes_on boolean not null default false")


def downgrade() -> None:
    op.execute("alter table incidents drop column goes_on")
