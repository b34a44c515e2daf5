"""What a person can do about analyses from a page: each checks the role itself, in a transaction of its own, and is audited."""

from console.auth import identity, rights
from services.analyses import orders, overview
from services.db import transaction
from services.jobs import Job
from services.records import Kind

ROLE = rights.action(__name__)


def start(kind: str, record_id: int, variant: str, *, force: bool = False) -> bool:
    """Order an analysis; False where a fresh one is there and `force` is not said. Raises Forbidden, NotFound and BadInput."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return isinstance(orders.place(connection, kind, record_id, variant, actor, force=force), Job)


def start_all(noun: Kind, record_id: int) -> int:
    """Order every analysis of a record that is not fresh; how many are under way then. Raises Forbidden and NotFound."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        views = overview.of_record(connection, noun, record_id)
        placed = [orders.place(connection, view.analysis.kind, record_id, view.variant, actor) for view in views]
    return sum(isinstance(one, Job) for one in placed)


def cancel(job_id: int) -> int:
    """Cancel an analysis that waits, ask one that runs to stop; 0 where it has ended. Raises Forbidden."""
    return orders.cancel(identity.require(ROLE).name, job_id)
