"""One question put to one model once: admitted and reserved before, watched while it lasts, settled and told after, whatever happens."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import BaseModel
from sqlalchemy import Connection

from services.ai import admission, cache, settlement, turns, watch
from services.ai.breaker import Place
from services.ai.cache import Kept
from services.ai.ledger import About
from services.ai.outcomes import OUTCOMES, Outcome
from services.ai.providers import gemini, ollama
from services.ai.providers.spoken import Failure, Part, Prompt, Usage
from services.ai.question import Question, Trail
from services.ai.settlement import Heard


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable answer."""

    text: str
    parsed: BaseModel | None
    place: Place
    outcome: Outcome


@dataclass(slots=True)
class Hearing:
    """What came of an answer so far."""

    text: str = ""
    usage: Usage | None = None
    finish: str | None = None
    began: float = field(default_factory=time.monotonic)
    first_s: float | None = None

    def take(self, part: Part) -> None:
        if part.text and self.first_s is None:
            self.first_s = time.monotonic() - self.began
        self.text += part.text
        self.usage = part.usage or self.usage
        self.finish = part.finish or self.finish

    def ended(self, outcome: Outcome, retry_after_s: float | None = None) -> Heard:
        took_s = time.monotonic() - self.began
        return Heard(outcome, self.usage, took_s, self.first_s, answered=bool(self.text), retry_after_s=retry_after_s)


def ask(question: Question, provider: str, model: str, prompt: Prompt, trail: Trail) -> Answer:
    """Raises Failure: before the call, where nothing is asked and nothing written, or for the way it ended."""
    wait_s = question.left_s
    if wait_s <= 0:
        raise Failure("timed_out", "There is no time left to ask.")
    admitted = admission.admit(
        _about(question, provider, model),
        input_tokens=prompt.ceiling_tokens,
        output_tokens=prompt.max_output_tokens,
        allow_unpriced=question.rule.allow_unpriced,
        wait_s=wait_s,
        tried=trail.hosts,
    )
    hearing = Hearing()
    failure: Failure | None = None
    parsed: BaseModel | None = None
    try:
        for part in _parts(question, admitted.place, prompt, wait_s):
            hearing.take(part)
            if question.request.on_text is not None and part.text:
                question.request.on_text(part.text)
        outcome, parsed = _judge(question, hearing)
    except Failure as raised:
        outcome, failure = raised.outcome, raised
        failure.said = hearing.text
    except BaseException:
        # The job was stopped, or its listener failed: nobody will hear the answer, but it may be billed.
        settlement.settle(admitted, hearing.ended("lost"))
        raise

    def beside(connection: Connection) -> None:
        if failure is None:
            _keep(connection, question, outcome, hearing.text, admitted.place, admitted.entry.id)

    ending = settlement.settle(admitted, hearing.ended(outcome, failure.retry_after_s if failure else None), beside)
    trail.add(admitted.entry.id, admitted.place.host, ending.cost_nano)
    if failure is not None:
        raise failure
    return Answer(hearing.text, parsed, admitted.place, ending.outcome)


def _parts(question: Question, place: Place, prompt: Prompt, wait_s: float) -> Iterator[Part]:
    """JSON is of no use before it is whole, so only words are streamed."""
    stream = question.request.schema is None

    def speak() -> Iterator[Part]:
        if place.provider == ollama.NAME:
            return ollama.ask(place.host, place.model, prompt, stream=stream, timeout_s=wait_s)
        return gemini.ask(place.model, prompt, stream=stream, timeout_s=wait_s)

    first_s = question.rule.first_token_s if stream else wait_s
    return watch.watched(speak, first_s=first_s, idle_s=question.rule.idle_s, total_s=wait_s)


def _judge(question: Question, hearing: Hearing) -> tuple[Outcome, BaseModel | None]:
    """Answered or truncated; raises Failure for what is no usable answer."""
    if hearing.finish == "blocked":
        raise Failure("blocked", OUTCOMES["blocked"].words)
    if hearing.finish is None:
        raise Failure("cut", OUTCOMES["cut"].words)
    if not hearing.text.strip():
        raise Failure("empty", OUTCOMES["empty"].words)
    if hearing.finish == "length" and question.request.schema is not None:
        raise Failure("invalid_output", OUTCOMES["truncated"].words)
    return ("truncated" if hearing.finish == "length" else "answered"), question.parse(hearing.text)


def _keep(connection: Connection, question: Question, outcome: Outcome, words: str, place: Place, ledger_id: int) -> None:
    """What an answer leaves behind: a whole one for whoever asks the same, any for the rest of its conversation."""
    if question.cacheable and outcome == "answered":
        kept = Kept(words, place.provider, place.model)
        cache.keep(connection, question.known_by, kept, question.template.title, ledger_id, question.rule.cache_s)
    if question.request.conversation is not None:
        turns.add(connection, question.request.conversation, question.request.user, question.prompt.turns[-1].text, words)


def _about(question: Question, provider: str, model: str) -> About:
    request = question.request
    return About(
        task=request.task, template=question.template.title, module=request.module, operation=request.operation, provider=provider, host="",
        model=model, user=request.user, session=request.session, job_id=request.job_id, request_hash=question.known_by,
    )  # fmt: skip
