"""The councils' published amounts with the words that they can be asked by."""

from alembic import op

revision = "0016"
down_revision = "0015"

VIEW = """
-- Money alone, in thousands as it is published; what counts people or answers is not added to it.
create view council_values as
select d.name as field, f.year || '-' || lpad(((f.year + 1) % 100)::text, 2, '0') as financial_year,
       c.name as council, c.type, c.nation, c.region, f.value / 1000 as value
from council_figures f join council_fields d on d.id = f.field_id and d.unit = 'GBP' join councils c on c.id = f.council_id;
"""


def upgrade() -> None:
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("drop view council_values")
