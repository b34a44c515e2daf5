"""Jobs: Postgres owns their truth; whatever carries them to a worker only wakes it.

    queued ──claim──▶ running ──finish──▶ done
      ▲                  │ ├── fail, lost, released ──▶ retry (a queued job with a later run_at)
      │                  │ ├── asked to stop ──▶ cancelled
      └── dispatcher ◀───┘ └── no use trying again ──▶ dead
"""

from services.jobs.truth import Job, cancel, enqueue, get, live

__all__ = ["Job", "cancel", "enqueue", "get", "live"]
