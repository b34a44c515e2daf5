"""What a person can do on the Ask page: each checks the role itself, in a transaction of its own."""

from console.auth import identity
from services.ask import chat, conversation
from services.ask.asker import Asker
from services.ask.chat import Reply
from services.db import transaction


def ask(message: str, conversation_id: str | None) -> Reply:
    """Ask as whoever is signed in. Raises BadInput, NotFound and TooMuch."""
    return chat.ask(message, Asker.person(identity.current()), conversation_id)


def rate(turn_id: int, rating: int) -> None:
    """Mark one's own answer as helpful (1) or not (0). Raises NotFound."""
    asker = Asker.person(identity.current())
    with transaction() as connection:
        conversation.rate(connection, turn_id, asker, rating)
