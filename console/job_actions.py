"""What a person can do from a page about jobs, queues, workers and schedules: each checks the role itself and is audited."""

from collections.abc import Sequence
from typing import Unpack
from uuid import UUID

from console.auth import identity, rights
from services import schedules
from services.db import transaction
from services.jobs import control
from services.jobs.control import Scope
from services.jobs.filters import Filters

ROLE = rights.action(__name__)


def retry(*, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Let jobs run again: those of `ids`, or all that match; how many. Raises Forbidden and BadInput."""
    return control.retry(identity.require(ROLE).name, ids=ids, **filters)


def cancel(*, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Cancel waiting jobs and ask running ones to stop; how many. Raises Forbidden and BadInput."""
    return control.cancel(identity.require(ROLE).name, ids=ids, **filters)


def discard(*, ids: Sequence[int] | None = None, **filters: Unpack[Filters]) -> int:
    """Put dead jobs aside; how many. Raises Forbidden and BadInput."""
    return control.discard(identity.require(ROLE).name, ids=ids, **filters)


def pause(scope: Scope, name: str) -> int:
    """Start no further job of a queue or kind; 0 when it was paused. Raises Forbidden."""
    return control.pause(identity.require(ROLE).name, scope, name)


def resume(scope: Scope, name: str) -> int:
    """Start jobs of a queue or kind again; 0 when it was not paused. Raises Forbidden."""
    return control.resume(identity.require(ROLE).name, scope, name)


def cap(scope: Scope, name: str, at_once: int | None) -> int:
    """Let at most that many run at once, None for any number; 0 when it was so. Raises Forbidden and BadInput."""
    return control.cap(identity.require(ROLE).name, scope, name, at_once)


def quiet(process_id: UUID, *, on: bool) -> int:
    """Let a worker take no further job, or take jobs again; 0 when it was so or is gone. Raises Forbidden."""
    return control.quiet(identity.require(ROLE).name, process_id, on=on)


def pause_schedule(name: str) -> None:
    """Run nothing of a schedule until it is resumed. Raises Forbidden and NotFound."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        schedules.pause(connection, name, actor=actor)


def resume_schedule(name: str) -> None:
    """Run a schedule again from its next slot on. Raises Forbidden and NotFound."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        schedules.resume(connection, name, actor=actor)


def run_schedule(name: str) -> int:
    """Enqueue the job of a schedule now; the job's id. Raises Forbidden, NotFound and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return schedules.run_now(connection, name, actor=actor)
