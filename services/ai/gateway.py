"""The one door to every model, for workers only: a page never waits for a model.

An answer from before; else the models of the task in their order, each call reserved, watched, settled and recorded; else, where the
request brings one, its rendering without a model.
"""

import time

from sqlalchemy import Connection, text

from services.ai import cache, hop, models, outcomes, prices, question, telling, templates
from services.ai.embedding import embed
from services.ai.outcomes import OUTCOMES, WAITS, Outcome
from services.ai.providers import gemini
from services.ai.providers.spoken import Failure
from services.ai.question import Question, Trail
from services.ai.request import Completion, Embeddings, Request, Task
from services.clock import utc_now
from services.db import transaction
from services.settings import settings
from services.telemetry import inbox

__all__ = ["Completion", "Embeddings", "Request", "Task", "embed", "generate", "preload"]

LEAST_LEFT_S = 1.0  # with less of its time left no other model is asked
TEMPLATE = "template"


def generate(request: Request) -> Completion:
    """Answer a question within the time-out of its task, give or take the writing of it (never more than 5 s).

    Raises Unanswered (a job is put back) or Refused (it is not), each with its `outcome`, where no model answers and there is no fallback;
    Unanswered in spite of a fallback where it is known when a model will have room and the job has attempts left; NotFound and BadInput
    for a wrong prompt; Unavailable without Postgres, since without a reservation nothing is asked.
    """
    with transaction() as connection:
        asked = question.ready(connection, request)
        kept = _from_before(connection, asked)
    if kept is not None:
        return kept
    trail = Trail()
    failures: list[Failure] = []
    for provider, model in models.usable(asked.rule):
        try:
            answer = hop.ask(asked, provider, model, trail)
        except Failure as failure:
            failures.append(failure)
            if OUTCOMES[failure.outcome].ends or asked.left_s < LEAST_LEFT_S:
                break
        else:
            return Completion(
                answer.text, answer.parsed, model, provider, cached=False, cost_nano=trail.cost_nano,
                ledger_ids=tuple(trail.ledger_ids), outcome=answer.outcome,
            )  # fmt: skip
    return _without_a_model(asked, trail, failures)


def preload() -> None:
    """Load what calls need, in a worker before it forks for each job; nothing is connected. Without it each job pays for it anew."""
    prices.preload()
    templates.preload()
    inbox.preload()
    if settings().gemini_api_key is not None:
        gemini.load()


def _from_before(connection: Connection, asked: Question) -> Completion | None:
    """The kept answer; one that does not fit a schema that has changed meanwhile is none."""
    began, started_at = time.monotonic(), utc_now()
    kept = cache.find(connection, asked.known_by) if asked.cacheable else None
    if kept is None:
        return None
    try:
        parsed = asked.parse(kept.text)
    except Failure:
        return None
    telling.without_a_call(
        connection, asked.request, provider=kept.provider, model=kept.model, started_at=started_at, latency_s=time.monotonic() - began,
        reason="cached", cached=True,
    )  # fmt: skip
    return Completion(kept.text, parsed, kept.model, kept.provider, cached=True, cost_nano=0, ledger_ids=(), outcome="cached")


def _without_a_model(asked: Question, trail: Trail, failures: list[Failure]) -> Completion:
    """Put the job back for a wait whose end is known; else the fallback, and where there is none the reason."""
    request = asked.request
    reason = _reason(failures)
    waits = [failure.retry_after_s or 0.0 for failure in failures if failure.outcome in WAITS]
    wait_s = min(waits) if waits and not OUTCOMES[reason].ends else None
    words = "; ".join(dict.fromkeys(failure.words for failure in failures)) or OUTCOMES[reason].words
    if request.fallback is None or (wait_s is not None and _has_attempts_left(request.job_id)):
        raise outcomes.error(reason if wait_s is None else _waiting(failures), words, wait_s or _soonest(failures))
    began, started_at = time.monotonic(), utc_now()
    rendered = request.fallback()
    outcome: Outcome = reason if failures else "template"
    with transaction() as connection:
        telling.without_a_call(
            connection, request, provider=TEMPLATE, model=TEMPLATE, started_at=started_at, latency_s=time.monotonic() - began,
            reason=outcome, cached=False,
        )  # fmt: skip
    try:
        parsed = asked.parse(rendered)
    except Failure:
        parsed = None
    return Completion(
        rendered, parsed, TEMPLATE, TEMPLATE, cached=False, cost_nano=trail.cost_nano, ledger_ids=tuple(trail.ledger_ids), outcome=outcome
    )


def _reason(failures: list[Failure]) -> Outcome:
    """What ended it, else why the first choice, the model that was wanted, did not answer."""
    if not failures:
        return "not_set_up"
    return failures[-1].outcome if OUTCOMES[failures[-1].outcome].ends else failures[0].outcome


def _waiting(failures: list[Failure]) -> Outcome:
    return next(failure.outcome for failure in failures if failure.outcome in WAITS)


def _soonest(failures: list[Failure]) -> float | None:
    return min((failure.retry_after_s for failure in failures if failure.retry_after_s is not None), default=None)


def _has_attempts_left(job_id: int | None) -> bool:
    """Whether the job would be tried again if it failed now."""
    with transaction() as connection:
        counted = (
            "select count(*) filter (where a.outcome in ('failed', 'lost')) + 1 < j.max_attempts from jobs j"
            " left join job_attempts a on a.job_id = j.id where j.id = :id group by j.id"
        )
        return bool(connection.execute(text(counted), {"id": job_id}).scalar())
