"""Telemetry jobs."""

import time

from services.telemetry.move import move_once
from workers.running import Running

PACE_S = 0.5  # each move rewrites the current cells of every busy series, so at most two a second
LINGER_S = 2.0
LONGEST_S = 60.0


def move(job: Running) -> dict[str, object]:
    """Move the inbox into operations and rollups until it stays empty; after a minute the next job goes on."""
    began = last_seen = time.monotonic()
    batches = new = duplicates = 0
    while not job.stopping():
        at = time.monotonic()
        moved = move_once()
        if moved.rows:
            last_seen = at
            batches, new, duplicates = batches + moved.rows, new + moved.new, duplicates + moved.duplicates
            job.report(new, new, f"{new} records moved")
        if at - last_seen > LINGER_S or at - began > LONGEST_S:
            break
        time.sleep(max(0.0, at + PACE_S - time.monotonic()))
    return {"batches": batches, "new": new, "duplicates": duplicates}
