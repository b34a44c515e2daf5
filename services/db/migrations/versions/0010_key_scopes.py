"""Keys may read records and start analyses."""

from alembic import op

revision = "0010"
down_revision = "0009"

ALLOW = "alter table api_keys drop constraint api_keys_scopes_check, add check (scopes <@ array[{}] and scopes <> '{{}}')"


def upgrade() -> None:
    op.execute(ALLOW.format("'telemetry', 'metrics', 'jobs', 'records', 'analyses', 'ask', 'admin'"))


def downgrade() -> None:
    op.execute("update api_keys set scopes = array_remove(array_remove(scopes, 'records'), 'analyses') where scopes <> '{records}'")
    op.execute("delete from api_keys where scopes <@ array['records', 'analyses']")
    op.execute(ALLOW.format("'telemetry', 'metrics', 'jobs', 'ask', 'admin'"))
