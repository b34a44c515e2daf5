"""Needs assessments: what communities say they lack."""

from services.ask.model import PROVINCE, REGION, Dimension, Measure, Noun, Subject, When, count, fixed

NEEDS = Subject(
    name="needs",
    category="needs assessments",
    label="needs assessments",
    table="needs_assessments",
    nouns=(
        Noun(("needs assessments", "needs assessment", "assessments", "assessment", "needs", "community needs", "assessed needs")),
    ),
    measures=(
        count("needs assessments"),
        Measure(
            "households", "affected households", "count", "sum(households)::bigint", ("households", "affected households", "families", "affected families"),
            average="households_avg",
        ),
        Measure("households_avg", "average affected households", "count", "avg(households)::float8", ("average households", "mean households"), additive=False),
        Measure(
            "cost", "estimated cost", "php", "sum(cost_minor)::bigint", ("estimated cost", "estimated costs", "cost estimate", "cost estimates"),
            average="cost_avg",
        ),
        Measure("cost_avg", "average estimated cost", "php", "avg(cost_minor)::float8", ("average estimated cost", "mean estimated cost"), additive=False),
        Measure(
            "waiting_days", "average days to validation", "days", "avg(validated_on - assessed_on)::float8",
            ("days to validation", "time to validation", "days to validate", "validation time"), average="waiting_days", additive=False,
        ),
    ),
    dimensions=(
        Dimension(
            "sector", "sector", "sector", ("sector", "kind of need", "type of need"),
            fixed(
                health="health, medical", education="education, schooling", water_and_sanitation="water and sanitation, water, sanitation, wash",
                livelihood="livelihood, livelihoods", infrastructure="infrastructure", shelter="shelter, housing",
                peace_and_order="peace and order, security", social_protection="social protection",
            ),
        ),
        Dimension(
            "status", "status", "status", ("status",),
            fixed(
                draft="draft, drafts, in draft", submitted="submitted", validated="validated", addressed="addressed, met, resolved",
                rejected="rejected, turned down",
            ),
        ),
        Dimension(
            "priority", "priority", "priority", ("priority", "urgency"),
            fixed(
                critical="critical, critical priority, urgent", high="high priority", medium="medium priority", low="low priority",
            ),
        ),
        REGION,
        PROVINCE,
    ),
    dates=(
        When("assessed", "assessed", "assessed_on", ("assessed",)),
        When("validated", "validated", "validated_on", ("validated in", "validated during", "validated since", "validated on")),
    ),
    listing=(
        ("Code", "code"), ("Need", "title"), ("Community", "community"), ("Province", "province"), ("Sector", "sector"),
        ("Priority", "priority"), ("Status", "status"), ("Assessed", "assessed_on"),
    ),
    order="assessed_on desc, code",
)  # fmt: skip
SUBJECTS = (NEEDS,)
