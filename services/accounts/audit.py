"""Who changed what, kept for ever."""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, text


def record(connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, object] | None = None) -> None:
    """Write one line in the caller's transaction: the change and its record stand or fall together. Never a secret."""
    connection.execute(
        text("insert into audit (actor, action, subject, detail) values (:actor, :action, :subject, cast(:detail as jsonb))"),
        {"actor": actor, "action": action, "subject": subject, "detail": json.dumps(detail or {})},
    )
