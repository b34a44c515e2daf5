"""A slot: compare what decides the factoids with what decided the edition, and word only what is new. For workers only.

A failed or bad generation leaves the edition and its fingerprint as they are, so the next slot tries again.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import cast

from sqlalchemy import Connection, text

from services.ai import models, templates
from services.ai.outcomes import OUTCOMES, Outcome, Refused, Unanswered, error
from services.db import transaction
from services.sitewide import editions, reading, wording
from services.sitewide.candidates import Candidate, candidates
from services.sitewide.choice import choose
from services.sitewide.editions import Edition, Factoid
from services.sitewide.runs import Run, record
from services.sitewide.wording import Ask, Worded

FORMAT = 1  # a new number makes every edition again
UNFINISHED = "!"  # ends the fingerprint of an edition with words that wait for a model
FIRST_WAIT_S = 60
Finish = Callable[[Connection, Run], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a slot would do: publish `pool`, of which `kept` is worded already and `to_word` is not. `unchanged`: nothing at all."""

    fingerprint: str | None
    edition: Edition | None
    pool: Sequence[Candidate]
    kept: dict[str, Factoid]
    to_word: Sequence[Candidate]
    unchanged: bool

    @property
    def previous(self) -> str | None:
        return None if self.edition is None else self.edition.fingerprint


@dataclass(frozen=True, slots=True)
class Asked:
    """Which job asks, for whom, how it ends, and at which instant: Postgres' own unless a simulation says otherwise."""

    job_id: int
    kind: str
    actor: str
    finish: Finish
    now: datetime | None = None


def plan(connection: Connection, *, force: bool = False) -> Plan:
    """Decide, and write nothing. With `force` everything is worded again, whatever the hashes say."""
    edition = editions.latest(connection)
    fingerprint = _fingerprint(connection)
    if fingerprint is None or (edition is not None and edition.fingerprint == fingerprint and not force):
        return Plan(fingerprint, edition, (), {}, (), unchanged=fingerprint is not None)
    pool = choose(candidates(reading.everything(connection)), None if edition is None else edition.made_at)
    final = ("model", "replaced") if _has_model(connection) else ("model", "replaced", "template")
    before = {} if edition is None or force else {one.key: one for one in edition.factoids if one.by in final}
    kept = {one.key: before[one.key] for one in pool if one.key in before and before[one.key].facts_hash == one.facts_hash}
    return Plan(fingerprint, edition, pool, kept, [one for one in pool if one.key not in kept], unchanged=False)


def generate(asked: Asked, ask: Ask, *, force: bool = False, limit: int | None = None) -> Run:
    """One slot. At most one question goes to a model, about the candidates that are new, at most `limit` of them; the rest wait.

    Raises Unanswered, for a job that may be tried again, and Refused where somebody has to change something first: both after the run
    is written down, and only while there is an edition to serve.
    """
    with transaction() as connection:
        planned = plan(connection, force=force)
    run = _run(asked, planned)
    if planned.fingerprint is None:
        return _finish(asked, replace(run, decision="no data", reason="There is no summary yet: import council figures."))
    if planned.unchanged and planned.edition is not None:
        return _hold(asked, run, planned.edition)
    if not planned.to_word:
        return _publish(asked, replace(run, decision="unaffected"), planned, None)
    to_word = planned.to_word[:limit]
    try:
        worded = wording.word(to_word, ask, asked.job_id)
    except (Unanswered, Refused) as problem:
        _failed(run, problem.outcome, f"{problem}")
        raise
    run = replace(run, outcome=worded.outcome, prompt_characters=worded.prompt_characters, findings=worded.findings[:50])
    if planned.edition is not None:
        if not worded.answered and worded.outcome != "template":
            words = OUTCOMES[worded.outcome].words
            _failed(run, worded.outcome, words)
            raise error(worded.outcome, words, FIRST_WAIT_S)
        if worded.answered and len(worded.texts) * 2 < len(to_word):
            reason = f"Of {len(to_word)} sentences {len(worded.texts)} say what the facts say: the edition before stays."
            return _finish(asked, replace(run, decision="rejected", reason=reason))
    return _publish(asked, run, planned, worded)


def revalidate(asked: Asked) -> Run:
    """A look between slots, which never asks a model: what still holds is good for another six hours, the rest waits for its slot."""
    with transaction() as connection:
        planned = plan(connection)
    run = _run(asked, planned)
    if planned.edition is None:
        return _finish(asked, replace(run, decision="no data", reason="Nothing has been published yet."))
    if planned.unchanged and planned.edition is not None:
        return _hold(asked, run, planned.edition)
    if planned.pool and not planned.to_word:
        return _publish(asked, replace(run, decision="unaffected"), planned, None)
    with transaction() as connection:
        editions.looked_at(connection, planned.edition.id, run.at)
        reason = f"{len(planned.to_word)} factoids are to be worded."
        return _ended(connection, asked, replace(run, decision="waits for its slot", reason=reason, edition_id=planned.edition.id))


def _fingerprint(connection: Connection) -> str | None:
    """Of everything that decides what is said; None while there is no data."""
    data = reading.data_hash(connection)
    if data is None:
        return None
    usable = models.usable(models.rule(connection, wording.TASK))
    told = {"format": FORMAT, "data": data, "prompt": templates.load(wording.PROMPT).digest, "models": usable}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _has_model(connection: Connection) -> bool:
    return bool(models.usable(models.rule(connection, wording.TASK)))


def _run(asked: Asked, planned: Plan) -> Run:
    with transaction() as connection:
        now = asked.now or cast(datetime, connection.execute(text("select now()")).scalar_one())
    return Run(asked.job_id, asked.kind, now, "generated", asked.actor, planned.fingerprint, planned.previous)


def _hold(asked: Asked, run: Run, edition: Edition) -> Run:
    """Nothing changed: what is served is good from now on again."""
    with transaction() as connection:
        editions.revalidate(connection, edition.id, run.at)
        return _ended(connection, asked, replace(run, decision="unchanged", edition_id=edition.id))


def _publish(asked: Asked, run: Run, planned: Plan, worded: Worded | None) -> Run:
    """The whole edition, its run and the end of the job: one transaction."""
    made = [planned.kept.get(one.key) or _factoid(one, worded) for one in planned.pool]
    waiting = any(one.by == "waiting" for one in made)
    new = [one for one in made if one.key not in planned.kept]
    run = replace(run, worded=sum(one.by == "model" for one in new), replaced=sum(one.by == "replaced" for one in new))
    with transaction() as connection:
        fingerprint = f"{planned.fingerprint}{UNFINISHED if waiting else ''}"
        edition_id = editions.publish(connection, fingerprint, made, run.at, asked.job_id)
        return _ended(connection, asked, replace(run, edition_id=edition_id))


def _factoid(one: Candidate, worded: Worded | None) -> Factoid:
    """The model's sentence where it says the facts, else the template's."""
    said = None if worded is None else worded.texts.get(one.key)
    if said is not None:
        by = "model"
    elif worded is not None and worded.outcome == "template":
        by = "template"
    else:
        refused = worded is not None and any(finding["key"] == one.key for finding in worded.findings)
        by = "replaced" if refused else "waiting"
    return Factoid(
        one.key, one.kind, said or one.sentence, by, one.summary.slug, one.summary.title, one.summary.year, one.summary.unit, one.sources,
        one.codes, one.facts.model_dump(exclude_none=True), one.facts_hash,
    )  # fmt: skip


def _failed(run: Run, outcome: Outcome, words: str) -> None:
    """Written down in a transaction of its own: the job fails after it, and is tried again if that may help."""
    with transaction() as connection:
        record(connection, replace(run, decision="failed", outcome=outcome, reason=words))


def _finish(asked: Asked, run: Run) -> Run:
    with transaction() as connection:
        return _ended(connection, asked, run)


def _ended(connection: Connection, asked: Asked, run: Run) -> Run:
    record(connection, run)
    asked.finish(connection, run)
    return run
