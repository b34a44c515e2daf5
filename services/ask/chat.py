"""One question, one answer: from the FAQ, from the data, a question back, or a plain no with what could be asked instead."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from services.accounts.accounts import ROLES
from services.ask import conversation, faq, figures, statistics, suggest, templates, vocabulary, wording
from services.ask.asker import Asker
from services.ask.conversation import Conversation
from services.ask.dates import Calendar, Period
from services.ask.figures import Cell, Figures
from services.ask.frame import Frame
from services.ask.lexicon import Lexicon
from services.ask.model import Subject
from services.ask.normalise import LONGEST, clean
from services.ask.outcome import NotUnderstood, Open
from services.ask.subjects import SUBJECTS
from services.ask.understand import understand
from services.clock import today
from services.db import transaction
from services.errors import BadInput
from services.metrics.freshness import zone_of
from services.settings import settings

Source = Literal["faq", "template", "clarification", "fallback"]


@dataclass(frozen=True, slots=True)
class Reply:
    """`data` is None or {"columns": [{"label", "unit"}], "rows", "chart": "bars"|"lines"|None, "link", "as_of"}; all text is plain."""

    answer: str
    source: Source
    interpretation: str | None
    data: Mapping[str, Any] | None
    suggestions: tuple[str, ...]
    response_time_ms: float = 0.0
    conversation_id: str = ""
    turn_id: int = 0


@dataclass(frozen=True, slots=True)
class _Made:
    reply: Reply
    frame: Frame | None = None
    blocked: tuple[str, ...] = ()


def ask(message: str, asker: Asker, conversation_id: str | None = None) -> Reply:
    """Raises BadInput for an empty or overlong message, NotFound for another's conversation and TooMuch beyond the rate."""
    began = time.perf_counter()
    question = clean(message)
    if not question:
        raise BadInput("Ask something: the message is empty.")
    if len(question) > LONGEST:
        raise BadInput(f"A question has at most {LONGEST} characters; this one has {len(question):,}.")
    with transaction() as connection:
        conversation.check_rate(connection, asker)
        talk = conversation.find(connection, conversation_id, asker)
        known = faq.match(question)
        told, computed_at = statistics.read(connection, known.needs) if known and known.needs else ({}, None)
        version, zone = ("", None) if known else (vocabulary.version(connection), zone_of(connection))
    if known:
        data: Mapping[str, Any] | None = (
            {"columns": [], "rows": [], "chart": None, "link": None, "as_of": _instant(computed_at)} if known.needs else None
        )
        made = _Made(Reply(known.filled(told), "faq", known.name, data, suggest.START[: suggest.MOST]))
    else:
        calendar = Calendar(today(zone or settings().zone), settings().school_year_month)
        made = _answer(question, asker, vocabulary.of_version(version, asker.role), calendar, talk)
    took_ms = (time.perf_counter() - began) * 1_000
    with transaction() as connection:
        turn_id = conversation.keep(
            connection, talk, asker, question, made.reply.source, _kept(made.reply), frame=made.frame, blocked=made.blocked,
            response_ms=took_ms,
        )  # fmt: skip
    total_ms = round((time.perf_counter() - began) * 1_000, 2)
    return replace(made.reply, response_time_ms=total_ms, conversation_id=str(talk.id), turn_id=turn_id)


def _answer(question: str, asker: Asker, lexicon: Lexicon, calendar: Calendar, talk: Conversation) -> _Made:
    outcome = understand(question, lexicon, calendar, talk.frame)
    if isinstance(outcome, NotUnderstood):
        return _fallback(question, asker, lexicon, calendar, outcome.unknown)
    if isinstance(outcome, Open):
        return _Made(Reply(outcome.question, "clarification", None, None, outcome.choices))
    subject = SUBJECTS[outcome.frame.subject]
    if ROLES.index(asker.role) < ROLES.index(subject.role):
        refused = f"Questions about {subject.label} need the role {subject.role}; yours is {asker.role}."
        return _Made(Reply(refused, "fallback", None, None, suggest.START[: suggest.MOST]))
    try:
        found = _ask(outcome.frame, subject)
    except BadInput as impossible:  # the catalogue words what it cannot split or reach
        return _Made(Reply(f"{impossible}", "clarification", None, None, ()))
    said = wording.word(outcome.frame, subject, found)
    read = "".join(f" · read “{told}” as “{meant}”" for told, meant in outcome.repaired)
    data = _data(outcome.frame, subject, found, said.columns)
    return _Made(
        Reply(said.answer, "template", said.interpretation + read, data, suggest.following(outcome.frame, subject)), frame=outcome.frame
    )


def _ask(frame: Frame, subject: Subject) -> Figures:
    if subject.metrics:  # the catalogue has a transaction of its own, and nobody holds two
        return figures.of_metrics(frame)
    with transaction() as connection:
        return figures.of_table(connection, frame, subject)


def _fallback(question: str, asker: Asker, lexicon: Lexicon, calendar: Calendar, unknown: tuple[str, ...]) -> _Made:
    if unknown:
        said = f"I do not know {' or '.join(f'“{word[:40]}”' for word in unknown[:3])}, so I do not answer. You could ask:"
    else:
        said = "I found nothing in this that I could count. You could ask:"
    examples = examples_for(lexicon, calendar, asker.role)
    return _Made(Reply(said, "fallback", None, None, suggest.instead(question, examples, lexicon)), blocked=unknown)


def examples_for(lexicon: Lexicon, calendar: Calendar, role: str) -> tuple[str, ...]:
    """The example questions that somebody of that role may ask."""
    closed = vocabulary.hidden(role)
    return tuple(one.example for one in templates.of_lexicon(lexicon, calendar) if one.frame.subject not in closed)


def _data(frame: Frame, subject: Subject, found: Figures, columns: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    rows = [[_cell(frame, subject, place, value, columns) for place, value in enumerate(row)] for row in _rows(frame, found)]
    chart = None
    if frame.by and len(frame.by) == 1 and len(rows) > 1:
        chart = "lines" if frame.shape == "trend" else "bars"
    return {
        "columns": [{"label": label, "unit": unit} for label, unit in columns],
        "rows": rows,
        "chart": chart,
        "link": link(frame, subject),
        "as_of": _instant(datetime.now(UTC)),
    }


def _rows(frame: Frame, found: Figures) -> list[tuple[Cell, ...]]:
    """With the share itself as a last column where a share was asked."""
    if frame.shape != "share":
        return found.rows
    if frame.part:
        return [(*row, wording.share_of(row[-2], row[-1])) for row in found.rows]
    whole = sum(figures.amount(row[-1]) for row in found.rows)
    return [(*row, wording.share_of(row[-1], whole)) for row in found.rows]


def _cell(frame: Frame, subject: Subject, place: int, value: Cell, columns: tuple[tuple[str, str], ...]) -> str | int | float | None:
    if place < len(frame.by) and frame.shape != "list":
        return wording.key_text(frame, subject, place, value)
    unit = columns[place][1]
    if unit == "php" and value is not None:
        return float(Decimal(str(value)) / 100)
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def link(frame: Frame, subject: Subject) -> str | None:
    """The page that shows the same with the same filters, from the console's root."""
    if not subject.page:
        return None
    if subject.metrics:
        told = [(name, value) for name, values in frame.where for value in values] + _range(frame.period)
        return f"/{subject.page}?{urlencode(told)}" if told else f"/{subject.page}"
    page, _, query = subject.page.partition("?")
    words = [value for name in ("municipality", "province", "region", "department") for value in frame.values(name)]
    told = parse_qsl(query) + ([("q", words[0])] if words and page == "records" else [])
    return f"/{page}?{urlencode(told)}" if told else f"/{page}"


def _range(period: Period | None) -> list[tuple[str, str]]:
    if period is None or period.start is None or period.end is None:
        return []
    return [("range", "custom"), ("from", period.start.isoformat()), ("to", date.fromordinal(period.end.toordinal() - 1).isoformat())]


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _kept(reply: Reply) -> dict[str, Any]:
    """What is shown again; the rest is in columns of its own."""
    told = asdict(reply)
    return {name: told[name] for name in ("answer", "interpretation", "data", "suggestions")}
