"""Texts as vectors. Vectors of two models cannot be compared, so no other model steps in: it is the first that is set up, or none."""

import time
from collections.abc import Iterator, Sequence
from hashlib import sha256

from services.ai import admission, hop, models, outcomes, settlement, watch
from services.ai.ledger import About
from services.ai.models import Rule
from services.ai.outcomes import OUTCOMES
from services.ai.providers import gemini, ollama
from services.ai.providers.spoken import PER_TURN, Failure, Vectors
from services.ai.question import Trail
from services.ai.request import Embeddings
from services.ai.settlement import Heard
from services.db import transaction
from services.errors import BadInput

MOST_AT_ONCE = 100  # Gemini takes no more in one call


def embed(
    texts: Sequence[str], *, module: str, operation: str, user: str | None = None, session: str | None = None, job_id: int | None = None
) -> Embeddings:
    """One vector a text, in calls of up to a hundred. Raises BadInput for an empty text, and as `generate` does without a fallback."""
    if not all(text.strip() for text in texts):
        raise BadInput("An empty text has no vector.")
    with transaction() as connection:
        rule = models.rule(connection, "embedding")
    usable = models.usable(rule)
    if not usable:
        raise outcomes.error("not_set_up", OUTCOMES["not_set_up"].words)
    provider, model = usable[0]
    trail, vectors = Trail(), list[list[float]]()
    for first in range(0, len(texts), MOST_AT_ONCE):
        some = texts[first : first + MOST_AT_ONCE]
        about = About(
            task="embedding", template="(none)", module=module, operation=operation, provider=provider, host="", model=model, user=user,
            session=session, job_id=job_id, request_hash=sha256("\0".join(some).encode()).digest(),
        )  # fmt: skip
        vectors += _embed(about, rule, some, trail)
    return Embeddings(vectors, model, provider, trail.cost_nano, tuple(trail.ledger_ids))


def _embed(about: About, rule: Rule, texts: Sequence[str], trail: Trail) -> list[list[float]]:
    ends_at = time.monotonic() + rule.timeout_s
    try:
        return hop.tried(lambda: _once(about, rule, texts, ends_at, trail), ends_at)
    except Failure as failure:
        raise outcomes.error(failure.outcome, failure.words, failure.retry_after_s) from failure


def _once(about: About, rule: Rule, texts: Sequence[str], ends_at: float, trail: Trail) -> list[list[float]]:
    wait_s = ends_at - time.monotonic()
    tokens = sum(len(text.encode()) + PER_TURN for text in texts)
    admitted = admission.admit(
        about, input_tokens=tokens, output_tokens=0, allow_unpriced=rule.allow_unpriced, wait_s=wait_s, tried=trail.hosts
    )
    began = time.monotonic()
    failure: Failure | None = None
    told = Vectors([], None)
    try:
        told = _vectors(about.provider, admitted.place.host, about.model, texts, wait_s)
    except Failure as raised:
        failure = raised
    except BaseException:  # the job was stopped: nobody will hear the answer, but it may be billed
        settlement.settle(admitted, Heard("lost", None, time.monotonic() - began, answered=False))
        raise
    heard = Heard(
        failure.outcome if failure else "answered", told.usage, time.monotonic() - began, answered=failure is None,
        retry_after_s=failure.retry_after_s if failure else None,
    )  # fmt: skip
    ending = settlement.settle(admitted, heard)
    trail.add(admitted.entry.id, admitted.place.host, ending.cost_nano)
    if failure is not None:
        raise failure
    return told.values


def _vectors(provider: str, host: str, model: str, texts: Sequence[str], wait_s: float) -> Vectors:
    def speak() -> Iterator[Vectors]:
        if provider == ollama.NAME:
            yield ollama.embed(host, model, texts, timeout_s=wait_s)
        else:
            yield gemini.embed(model, texts, timeout_s=wait_s)

    told = next(watch.watched(speak, first_s=wait_s, idle_s=wait_s, total_s=wait_s))
    if len(told.values) != len(texts) or not all(told.values):
        raise Failure("unreadable", "There is not one vector for each text.")
    return told
