"""What a person can do on the Ask page: each checks the role itself, in a transaction of its own."""

from console.auth import identity, rights
from services.ask import chat, conversation, learning
from services.ask.chat import Asker, Reply
from services.db import transaction

ROLE = rights.action(__name__)


def ask(message: str, conversation_id: str | None) -> Reply:
    """Ask as whoever is signed in. Raises BadInput, NotFound and TooMuch."""
    account = identity.current()
    return chat.ask(message, Asker(account.name, account.role), conversation_id)


def rate(turn_id: int, rating: int) -> None:
    """Mark one's own answer as helpful (1) or not (0). Raises NotFound."""
    actor = identity.current().name
    with transaction() as connection:
        conversation.rate(connection, turn_id, actor, rating)


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
