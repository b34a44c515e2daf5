"""Candidates in words: one question to a model for all that are new, its answer checked sentence by sentence."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.ai import templates
from services.ai.grounding import Finding, check, gather
from services.ai.grounding.ground import Name
from services.ai.outcomes import Outcome
from services.ai.request import Completion, Request, Task
from services.sitewide.candidates import Candidate
from services.sitewide.facts import Facts, Figure

Ask = Callable[[Request], Completion]
PROMPT, MODULE, OPERATION = "factoids", "sitewide", "factoids"
TASK: Task = "primary"
LONGEST = 400


class Sentence(BaseModel):
    """One item in words."""

    model_config = ConfigDict(extra="forbid")

    item: int
    sentence: Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Sentences(BaseModel):
    """What a model is asked for."""

    model_config = ConfigDict(extra="forbid")

    sentences: list[Sentence]


class Sampled(BaseModel):
    """A council of the sample."""

    council: Name
    type: Name
    nation: Name
    value: Figure


class Sampling(BaseModel):
    """Facts with the sample beside them."""

    facts: Facts
    sample: tuple[Sampled, ...]


@dataclass(frozen=True, slots=True)
class Worded:
    """`texts` are the grounded sentences by the candidate's key; what a model said that is no fact is left out and told in `findings`.

    `answered` is whether a model gave an answer of the shape that was asked for.
    """

    texts: dict[str, str]
    findings: list[dict[str, str]]
    answered: bool
    outcome: Outcome
    prompt_characters: int


def word(candidates: Sequence[Candidate], ask: Ask, job_id: int | None) -> Worded:
    """`ask` is the gateway; what it raises goes through."""
    values = prompt_values(candidates)
    told = ask(
        Request(
            task=TASK, template=PROMPT, values=values, module=MODULE, operation=OPERATION, schema=Sentences, job_id=job_id,
            fallback=lambda: _drafts(candidates),
        )
    )  # fmt: skip
    answered = isinstance(told.parsed, Sentences) and told.outcome in ("answered", "cached")
    texts: dict[str, str] = {}
    findings: list[dict[str, str]] = []
    for sentence in told.parsed.sentences if answered and isinstance(told.parsed, Sentences) else []:
        if not 1 <= sentence.item <= len(candidates):
            findings.append({"key": "", "token": str(sentence.item), "reason": "There is no such item."})
            continue
        candidate = candidates[sentence.item - 1]
        said = " ".join(sentence.sentence.split())
        wrong = ungrounded(said, candidate, candidates[0])
        findings += [{"key": candidate.key, "token": one.token[:200], "reason": one.reason} for one in wrong[:3]]
        if not wrong:
            texts[candidate.key] = said
    if answered:
        left_out = [one for one in candidates if one.key not in texts and one.key not in {finding["key"] for finding in findings}]
        findings += [{"key": one.key, "token": "", "reason": "The model left it out."} for one in left_out]
    return Worded(texts, findings, answered, told.outcome, prompt_characters(candidates))


def ungrounded(sentence: str, candidate: Candidate, lead: Candidate) -> list[Finding]:
    """What a sentence says that neither its facts nor, of the lead's field and year, the sample tell."""
    facts: BaseModel = candidate.facts
    if candidate.summary == lead.summary:
        facts = Sampling(facts=candidate.facts, sample=tuple(_sampled(candidate)))
    return check(sentence, gather(facts))


def prompt_values(candidates: Sequence[Candidate]) -> dict[str, object]:
    """What fills the prompt: at most twenty items, and the sample (at most fifty councils) of the first. It does not grow with the data."""
    lead = candidates[0].summary
    return {
        "items": [
            _json({"item": number, "kind": one.kind, "facts": one.facts.model_dump(exclude_none=True), "draft": one.sentence})
            for number, one in enumerate(candidates, 1)
        ],
        "sample_of": _json(f"{lead.title}, {lead.label}"),
        "sample": [_json([one.name, one.type, one.nation, float(one.value)]) for one in lead.sample if one.value is not None],
    }


def prompt_characters(candidates: Sequence[Candidate]) -> int:
    """How long the filled prompt is."""
    return sum(map(len, templates.load(PROMPT).filled(prompt_values(candidates)))) if candidates else 0


def _sampled(candidate: Candidate) -> list[Sampled]:
    return [
        Sampled(council=one.name, type=one.type, nation=one.nation, value=float(one.value))
        for one in candidate.summary.sample
        if one.value is not None
    ]


def _drafts(candidates: Sequence[Candidate]) -> str:
    return Sentences(sentences=[Sentence(item=n, sentence=one.sentence) for n, one in enumerate(candidates, 1)]).model_dump_json()


def _json(value: object) -> str:
    """JSON in which nothing a file tells can end the data: there is no "<" in it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
