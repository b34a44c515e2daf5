"""Projects of the records. Money is in the currency of each, so it is added up within one currency only."""

from services.ask.model import Dimension, Measure, Noun, Subject, When, count

PROJECTS = Subject(
    name="projects",
    category="projects",
    label="projects",
    table="projects",
    nouns=(Noun(("projects", "project", "programmes", "programs")),),
    measures=(
        count("projects"),
        Measure(
            "variance",
            "average variance",
            "percent",
            "avg(variance_percent)::float8",
            (
                "variance",
                "cost variance",
                "overrun",
                "cost overrun",
                "average variance",
                "average overrun",
                "average cost variance",
                "average cost overrun",
            ),
            average="variance",
            additive=False,
        ),
        Measure(
            "over_budget",
            "projects over budget",
            "count",
            "count(*) filter (where variance_percent > 0)",
            ("over budget", "overspent", "above budget"),
        ),
        Measure(
            "late",
            "projects ending later than planned",
            "count",
            "count(*) filter (where end_current > end_planned)",
            ("late", "delayed", "behind schedule", "ending later than planned"),
        ),
        Measure(
            "length",
            "average planned length",
            "days",
            "avg(end_planned - start_planned)::float8",
            ("planned length", "planned duration", "average length", "average duration", "duration"),
            average="length",
            additive=False,
        ),
        Measure(
            "no_end",
            "projects without an end date",
            "count",
            "count(*) filter (where coalesce(end_current, end_planned) is null)",
            ("no end date", "without an end date", "unknown end date"),
        ),
    ),
    dimensions=(
        Dimension("department", "department", "department", ("department", "ministry", "agency")),
        Dimension(
            "rating",
            "rating",
            "rating",
            ("rating", "confidence rating", "delivery confidence", "rag rating"),
            {
                "Red": ("red", "rated red"),
                "Amber/Red": ("amber red", "rated amber red"),
                "Amber": ("amber", "rated amber"),
                "Amber/Green": ("amber green", "rated amber green"),
                "Green": ("green", "rated green"),
            },
        ),
        Dimension("status", "status", "status", ("status",)),
        Dimension("currency", "currency", "currency", ("currency",), {"GBP": ("gbp", "in pounds"), "USD": ("usd", "in dollars")}),
        Dimension("source", "source", "source", ("source",)),
    ),
    dates=(
        When("starts", "starting", "coalesce(start_current, start_planned)", ("starting", "started", "start", "begin", "began")),
        When("ends", "ending", "coalesce(end_current, end_planned)", ("ending", "ended", "end", "due to end", "finish", "finishing")),
    ),
    listing=(
        ("Project", "name"),
        ("Department", "department"),
        ("Rating", "rating"),
        ("Variance %", "variance_percent"),
        ("Ends", "coalesce(end_current, end_planned)"),
        ("Source", "source"),
    ),
    order="name, id",
    page="records?kind=projects",
)
SUBJECTS = (PROJECTS,)
