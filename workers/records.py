"""Record jobs: an uploaded file into the tables. A job that is lost is continued by the next attempt, chunk by chunk."""

from services.db import transaction
from services.errors import BadInput
from services.records import imports, load
from workers.running import Running


def bring(job: Running) -> dict[str, object]:
    """Args: id of the import."""
    told = job.args.get("id")
    if not isinstance(told, int):
        raise BadInput(f"'id' must be the number of an import, not '{told}'.")
    with transaction() as connection:
        plan, content = imports.waiting(connection, told)
    outcome = load.import_file(
        told, plan, load.opened(content), lambda rows, consumed: job.report(consumed, len(content), f"{rows:,} rows"), job.stopping
    )
    return {"import": told, "read": outcome.read, "new": outcome.new, "changed": outcome.changed, "rejected": outcome.rejected} | (
        {"fault": outcome.fault} if outcome.fault else {}
    )
