"""What an admin does to the words that Ask knows: each checks the role itself, in a transaction of its own, and is audited."""

from console.auth import identity, rights
from services.ask import learning
from services.db import transaction

ROLE = rights.action(__name__)


def teach(phrase: str, means: str) -> int:
    """Let a phrase mean what another means; how many questions were asked again first. Raises Forbidden, BadInput and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        return learning.teach(connection, phrase, means, actor=actor)


def forget(phrase: str) -> None:
    """Let a phrase mean nothing again. Raises Forbidden, NotFound and Conflict."""
    actor = identity.require(ROLE).name
    with transaction() as connection:
        learning.forget(connection, phrase, actor=actor)
