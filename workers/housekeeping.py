"""The hourly broom."""

from services.accounts import sign_ins
from services.db import transaction
from services.jobs import standing
from services.rollups import cells
from workers.running import Running


def tidy(job: Running) -> dict[str, object] | None:
    """Drop finished jobs past their keep, sign-ins that are over and quarter hours that are too old."""
    with transaction() as connection:
        sign_ins.forget_old(connection)
        job.finish(connection, {"jobs": standing.forget_finished(connection), "quarter_hours": cells.forget_old(connection)})
    return None
