"""Conversations: what was said before goes along with the next question, the newest first, as far as the tokens of the task reach."""

from sqlalchemy import Connection, text

from services.ai.providers.spoken import PER_TURN, Turn

KEPT_DAYS = 30
MOST = 200


def before(connection: Connection, conversation: str, most_tokens: int) -> tuple[Turn, ...]:
    """The last turns that fit, oldest first; an answer without its question is left out."""
    rows = connection.execute(
        text("select role, text, tokens from ai_turns where conversation = :conversation order by id desc limit :most"),
        {"conversation": conversation, "most": MOST},
    ).all()
    fitting: list[Turn] = []
    for row in rows:
        most_tokens -= row.tokens
        if most_tokens < 0:
            break
        fitting.append(Turn(row.role, row.text))
    while fitting and fitting[-1].role == "model":
        fitting.pop()
    return tuple(reversed(fitting))


def add(connection: Connection, conversation: str, user: str | None, question: str, answer: str) -> None:
    """Go on with a conversation. Tokens are counted as in a reservation: a turn has at most as many as bytes."""
    for role, words in (("user", question), ("model", answer)):
        connection.execute(
            text("insert into ai_turns (conversation, user_key, role, text, tokens) values (:conversation, :user, :role, :text, :tokens)"),
            {"conversation": conversation, "user": user, "role": role, "text": words, "tokens": len(words.encode()) + PER_TURN},
        )


def forget_old(connection: Connection) -> int:
    """Drop turns past their keep; how many."""
    return connection.execute(text("delete from ai_turns where at < now() - make_interval(days => :days)"), {"days": KEPT_DAYS}).rowcount


def forget_user(connection: Connection, user_key: str) -> int:
    """Drop what a user said and was told; how many turns."""
    return connection.execute(text("delete from ai_turns where user_key = :user"), {"user": user_key}).rowcount
