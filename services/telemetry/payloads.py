"""What people and models said, beside the operations and off the hot path; only where the console is set to keep it, redacted."""

import pandas as pd
from sqlalchemy import Connection, text

from services.db.copy import copy_rows
from services.settings import settings


def store(connection: Connection, operations: pd.DataFrame) -> None:
    """Keep prompt and completion of new operations that told them."""
    told = operations[operations["prompt"].notna() | operations["completion"].notna()]
    if len(told):
        copy_rows(connection, "operation_payloads", told[["day", "id", "prompt", "completion"]])


def forget_old(connection: Connection) -> int:
    """Drop payloads past PAYLOAD_DAYS; how many."""
    return connection.execute(
        text("delete from operation_payloads where stored_at < now() - make_interval(days => :days)"), {"days": settings().payload_days}
    ).rowcount
