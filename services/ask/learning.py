"""What could not be answered, grouped by the words that blocked it; and synonyms, which may change no answer that was right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from services.accounts import audit
from services.ask import lexicon, templates, vocabulary
from services.ask.dates import Calendar
from services.ask.frame import Frame
from services.ask.lexicon import Lexicon
from services.ask.normalise import clean, tokens
from services.ask.outcome import Outcome, Understood
from services.ask.subjects import SUBJECTS
from services.ask.understand import understand
from services.clock import today
from services.errors import BadInput, Conflict, NotFound
from services.metrics.freshness import zone_of
from services.settings import settings

MOST_GROUPS = 100
MOST_WORDS = 5
MOST_REPLAYED = 2_000


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that the same words kept from being answered; `words` is empty where nothing could be counted."""

    words: tuple[str, ...]
    n: int
    last_at: datetime
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Synonym:
    """A phrase that was taught, and the known phrase that it means."""

    phrase: str
    means: str
    created_by: str
    created_at: datetime


def unanswered(connection: Connection) -> list[Group]:
    """The most frequent first, with three examples at most. Who asked is left out."""
    rows = connection.execute(
        text(
            "select blocked, count(*) as n, max(asked_at) as last_at, (array_agg(distinct message))[1\\:3] as examples"
            " from ask_turns where source = 'fallback' group by blocked order by n desc, last_at desc limit :most"
        ),
        {"most": MOST_GROUPS},
    )
    return [Group(tuple(row.blocked), row.n, row.last_at, tuple(row.examples)) for row in rows]


def synonyms(connection: Connection) -> list[Synonym]:
    """Those that were taught, by phrase."""
    rows = connection.execute(text("select phrase, means, created_by, created_at from ask_synonyms order by phrase"))
    return [Synonym(*row) for row in rows]


def teach(connection: Connection, phrase: str, means: str, *, actor: str) -> int:
    """Let a phrase mean what another means; how many questions were asked again and are answered as before.

    Raises BadInput for a phrase that means something already or for a meaning that nobody knows, and Conflict naming the question whose
    answer would change.
    """
    connection.execute(text("lock table ask_synonyms in share row exclusive mode"))  # two that are fine alone may not be together
    told, known = " ".join(tokens(phrase)), " ".join(tokens(means))
    now = _lexicon(connection)
    _check(told, known, now)
    checked = _check_answers(connection, now, now.with_synonyms([(told, known)]))
    connection.execute(
        text("insert into ask_synonyms (phrase, means, created_by) values (:phrase, :means, :actor)"),
        {"phrase": told, "means": known, "actor": actor},
    )
    vocabulary.changed(connection)
    audit.record(connection, actor, "ask.teach", told, {"means": known, "checked": checked})
    return checked


def forget(connection: Connection, phrase: str, *, actor: str) -> None:
    """Let a phrase mean nothing again; raises NotFound, and Conflict where another synonym stands on it."""
    if connection.execute(text("select 1 from ask_synonyms where means = :phrase"), {"phrase": phrase}).first():
        raise Conflict(f"Another synonym means '{phrase}': forget that one first.")
    if connection.execute(text("delete from ask_synonyms where phrase = :phrase"), {"phrase": phrase}).rowcount == 0:
        raise NotFound(f"There is no synonym '{phrase}'.")
    vocabulary.changed(connection)
    audit.record(connection, actor, "ask.forget", phrase)


def _lexicon(connection: Connection) -> Lexicon:
    """Everything that can be named, by anybody."""
    return lexicon.build(SUBJECTS, vocabulary.read(connection)).with_synonyms(vocabulary.synonyms(connection))


def _check(phrase: str, means: str, now: Lexicon) -> None:
    words = tuple(phrase.split())
    if not 0 < len(words) <= MOST_WORDS:
        raise BadInput(f"A phrase has one to {MOST_WORDS} words.")
    if words in now.phrases:
        raise BadInput(f"'{phrase}' means something already.")
    if tuple(means.split()) not in now.phrases:
        raise BadInput(f"Nobody knows what '{clean(means)[:100]}' means: name a phrase that works in questions, such as 'barangays'.")


def _check_answers(connection: Connection, before: Lexicon, after: Lexicon) -> int:
    """Ask every example, and every question that was answered, of both."""
    calendar = Calendar(today(zone_of(connection)), settings().school_year_month)
    examples = [template.example for template in templates.of_lexicon(before, calendar)]
    questions = list(dict.fromkeys([*examples, *_answered(connection)]))
    for question in questions:
        was = _frame(understand(question, before, calendar))
        if was is not None and _frame(understand(question, after, calendar)) != was:
            raise Conflict(f"That would change the answer to “{question}”: choose another phrase.")
    return len(questions)


def _answered(connection: Connection) -> Sequence[str]:
    return (
        connection.execute(
            text("select message from ask_turns where source = 'template' group by message order by max(id) desc limit :most"),
            {"most": MOST_REPLAYED},
        )
        .scalars()
        .all()
    )


def _frame(outcome: Outcome) -> Frame | None:
    return outcome.frame if isinstance(outcome, Understood) else None
