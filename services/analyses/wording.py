"""Facts in words: a model's where it says nothing but the facts, else the template's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ai.grounding import Finding, check, gather
from services.ai.outcomes import Outcome
from services.ai.request import Completion, Request
from services.analyses.case import Facts
from services.analyses.catalogue import Analysis

Ask = Callable[[Request], Completion]
Source = Literal["model", "template", "replaced"]
PROMPT = "analysis"


class Wording(BaseModel):
    """What a model is asked for: nothing in a record can change this shape."""

    model_config = ConfigDict(extra="forbid")

    summary: Annotated[str, Field(min_length=1, max_length=2_000)]
    points: Annotated[list[Annotated[str, Field(min_length=1, max_length=800)]], Field(max_length=8)]

    def markdown(self) -> str:
        """A paragraph and a list; a line of its own in the answer cannot begin anything else."""
        lines = [" ".join(self.summary.split()), *(f"- {' '.join(point.split())}" for point in self.points)]
        return "\n".join(lines[:1] + [""] * (len(lines) > 1) + lines[1:])


@dataclass(frozen=True, slots=True)
class Worded:
    """`source` is whose words they are: "replaced" where a model said something that is no fact, as `findings` tell.

    `outcome` is how the call ended; `cost_nano` is None where it is not known."""

    markdown: str
    source: Source
    findings: tuple[Finding, ...]
    model: str
    provider: str
    cost_nano: int | None
    outcome: Outcome


def word(analysis: Analysis, facts: Facts, ask: Ask, *, variant: str = "", user: str | None = None, job_id: int | None = None) -> Worded:
    """The facts in words. `ask` is the gateway; what it raises goes through, and the template's words can still be had by `plainly`."""
    rendered = analysis.render(facts)
    told = ask(
        Request(
            task="analysis", template=PROMPT, values={"title": analysis.title, "variant": variant, "facts": delimited(facts)},
            module=analysis.module, operation=analysis.kind, schema=Wording, user=user, job_id=job_id, fallback=lambda: rendered,
        )
    )  # fmt: skip
    if not isinstance(told.parsed, Wording):
        return Worded(rendered, "template", (), told.model, told.provider, told.cost_nano, told.outcome)
    words = told.parsed.markdown()
    findings = tuple(check(words, gather(facts)))
    title, _, rest = rendered.partition("\n\n")
    markdown = rendered if findings else f"{title}\n\n{words}\n\n{rest}"
    return Worded(markdown, "replaced" if findings else "model", findings, told.model, told.provider, told.cost_nano, told.outcome)


def plainly(analysis: Analysis, facts: Facts, outcome: Outcome) -> Worded:
    """The template's words, while no model answers."""
    return Worded(analysis.render(facts), "template", (), "template", "template", 0, outcome)


def delimited(facts: Facts) -> str:
    """JSON in which nothing a record tells can end the facts: there is no "<" in it."""
    return facts.model_dump_json(exclude_none=False).replace("<", "\\u003c")
