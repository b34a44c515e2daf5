"""Every analysis there is: of which records, for how long its result holds, and who computes and renders it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.analyses import anomalies, forecast, needs, report, risks, similar, validation
from services.analyses.case import Case, Facts
from services.errors import BadInput, NotFound
from services.records import Kind

NO_VARIANT = ("",)
PROJECTS = "project_central"  # the application whose records they are


@dataclass(frozen=True, slots=True)
class Analysis:
    """`noun` is the kind of record; `module` is what its operations are counted under, its kind the operation. `meaning` says
    that embeddings of narratives help."""

    kind: str
    noun: Kind
    title: str
    kept_for: timedelta
    module: str
    model: type[Facts]
    facts: Callable[[Case[Any]], Facts]
    render: Callable[[Any], str]
    variants: tuple[str, ...] = NO_VARIANT
    meaning: bool = False


ANALYSES = {
    analysis.kind: analysis
    for analysis in (
        Analysis(
            "validate-community", "communities", validation.TITLE, timedelta(hours=24), "communities", validation.ValidationFacts,
            validation.facts, validation.render,
        ),
        Analysis(
            "similar-communities", "communities", similar.TITLE, timedelta(days=7), "communities", similar.SimilarFacts,
            similar.facts, similar.render, meaning=True,
        ),
        Analysis(
            "classify-needs", "communities", needs.TITLE, timedelta(days=3), "communities", needs.NeedsFacts, needs.facts, needs.render
        ),
        Analysis(
            "project-risks", "projects", risks.TITLE, timedelta(hours=24), PROJECTS, risks.RiskFacts, risks.facts, risks.render
        ),
        Analysis(
            "project-report", "projects", report.TITLE, timedelta(days=7), PROJECTS, report.ReportFacts, report.facts, report.render,
            variants=report.VARIANTS,
        ),
        Analysis(
            "project-forecast", "projects", forecast.TITLE, timedelta(hours=24), PROJECTS, forecast.ForecastFacts, forecast.facts,
            forecast.render,
        ),
        Analysis(
            "project-anomalies", "projects", anomalies.TITLE, timedelta(hours=12), PROJECTS, anomalies.AnomalyFacts, anomalies.facts,
            anomalies.render,
        ),
    )
}  # fmt: skip


def get(kind: str, variant: str = "") -> Analysis:
    """The analysis of that name; raises NotFound, and BadInput for a variant that it does not have."""
    analysis = ANALYSES.get(kind)
    if analysis is None:
        raise NotFound(f"There is no analysis '{kind[:100]}': there are {', '.join(ANALYSES)}.")
    if variant not in analysis.variants:
        told = f"has no variants, so not '{variant[:50]}'" if analysis.variants == NO_VARIANT else f"is {', '.join(analysis.variants)}"
        raise BadInput(f"The analysis '{kind}' {told}.")
    return analysis


def of(noun: Kind) -> list[Analysis]:
    """The analyses of a kind of record."""
    return [analysis for analysis in ANALYSES.values() if analysis.noun == noun]
