"""Jobs: Postgres owns their truth; whatever carries them to a worker only wakes it.

A job is `queued` until a worker claims it; `running` while somebody holds its lease; then `done`, `cancelled` or `dead`, or
`retry`, which is `queued` with a later `run_at`: after a failure, after its worker vanished, or when its worker gave it back.
"""

from services.jobs.truth import Job, cancel, enqueue, get, live

__all__ = ["Job", "cancel", "enqueue", "get", "live"]
