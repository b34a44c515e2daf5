"""Councils, and the amounts that they publish by field and financial year."""

from dataclasses import replace

from services.ask.model import Dimension, Measure, Noun, Subject, count

YEARS = "(select distinct year || '-' || lpad(((year + 1) % 100)::text, 2, '0') as financial_year from summaries) as years"
TYPE = Dimension("type", "council type", "type", ("type", "kind of council", "type of council"))
NATION = Dimension("nation", "nation", "nation", ("nation",))
REGION = Dimension("region", "region", "region", ("region",))  # not shared: these are regions of another country than the communities'

COUNCILS = Subject(
    name="councils",
    category="councils",
    label="councils",
    table="councils",
    nouns=(Noun(("councils", "council", "local authorities", "local authority")),),
    measures=(count("councils"),),
    dimensions=(TYPE, NATION, REGION),
    listing=(("Code", "code"), ("Council", "name"), ("Type", "type"), ("Nation", "nation"), ("Region", "region")),
    order="name, id",
)
FIGURES = Subject(
    name="council_figures",
    category="councils",
    label="council figures",
    table="council_values",
    nouns=(Noun(("council figures", "council figure", "council finances")),),
    measures=(
        Measure("count", "council figures", "count", "count(value)", ()),
        Measure(
            "amount",
            "total council amount",
            "gbp_thousands",
            "sum(value)",
            ("council amount", "council amounts", "council spending", "council finance", "outturn"),
            average="amount_avg",
        ),
        Measure(
            "amount_avg",
            "average council amount",
            "gbp_thousands",
            "avg(value)",
            ("average council spending", "average outturn", "mean council amount"),
            average="amount_avg",
            additive=False,
        ),
    ),
    dimensions=(
        Dimension("field", "council field", "field", (), known_in="(select name as field from council_fields where unit = 'GBP') as f"),
        Dimension("financial_year", "financial year", "financial_year", (), known_in=YEARS),
        Dimension("council", "council", "council", ("local authority",), known_in="(select name as council from councils) as names"),
        *(replace(one, known_in="councils") for one in (TYPE, NATION, REGION)),
    ),
    listing=(
        ("Council", "council"),
        ("Field", "field"),
        ("Financial year", "financial_year"),
        ("GBP thousand", "value"),
    ),
    order="financial_year desc, field, council",
    needs=("field", "financial_year"),
)
SUBJECTS = (COUNCILS, FIGURES)
