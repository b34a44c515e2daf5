"""The semantic model: subjects with their measures and dimensions. Statements are compiled from nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Category = Literal[
    "communities", "needs assessments", "coordination", "policies", "projects", "staff", "general",
    "health", "cost", "performance", "sessions", "jobs", "councils",
]  # fmt: skip
Grain = Literal["day", "week", "month", "quarter", "year"]
NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Measure:
    """`sql` is an aggregate over the subject's table; for metrics it is empty and the catalogue computes it.

    `unit` is that of the metrics catalogue, or people, php (centavos), days. `average` names the measure that "average" makes of
    this one. `within` are filters that hold unless the question says otherwise: a population is summed over one level only.
    """

    name: str
    label: str
    unit: str
    sql: str
    said: tuple[str, ...]
    average: str | None = None
    within: tuple[tuple[str, str], ...] = ()
    additive: bool = True


@dataclass(frozen=True, slots=True)
class Dimension:
    """`column` is an expression over the table. `values` are fixed ones, value → what people say; None: read from the data.

    `shared` vocabularies (regions, provinces) are those of all subjects together. `label` is singular.
    `known_in` is what to read the values from where the subject's own table is too large to be searched for them.
    """

    name: str
    label: str
    column: str
    said: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] | None = None
    shared: bool = False
    groups: bool = True
    words: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    known_in: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """A date of the subject: the first is the one that is meant where the question does not say. `instant`: timestamptz, not date."""

    name: str
    label: str
    column: str
    said: tuple[str, ...] = ()
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Noun:
    """Words for a subject, with the filters that they imply: a barangay is a community of that level."""

    said: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """`label` is plural. `listing` are the columns of a list, (label, expression). `role` is the weakest that may ask about it.

    `metrics`: asked through the metrics catalogue. `default_days`: the range where the question names none (None: all time).
    `needs` are dimensions over whose values its measures, the count aside, must not be added up: one value is named, or it is grouped by.
    """

    name: str
    category: Category
    label: str
    table: str
    nouns: tuple[Noun, ...]
    measures: tuple[Measure, ...]
    dimensions: tuple[Dimension, ...]
    dates: tuple[When, ...] = ()
    listing: tuple[tuple[str, str], ...] = ()
    order: str = ""
    role: str = "viewer"
    page: str = ""
    metrics: bool = False
    default_days: int | None = None
    needs: tuple[str, ...] = ()

    def measure(self, name: str) -> Measure:
        """KeyError for one it does not have."""
        return {one.name: one for one in self.measures}[name]

    def dimension(self, name: str) -> Dimension:
        """KeyError for one it does not have."""
        return {one.name: one for one in self.dimensions}[name]

    def has(self, dimension: str) -> bool:
        return any(one.name == dimension for one in self.dimensions)

    def when(self, name: str | None) -> When:
        """The date of that name, or the usual one."""
        return next((one for one in self.dates if one.name == name), self.dates[0])


def count(label: str, *said: str) -> Measure:
    """How many rows."""
    return Measure("count", label, "count", "count(*)", said)


def fixed(**values: str) -> dict[str, tuple[str, ...]]:
    """Values by their keyword (underscores are spaces), each with what people say, apart by commas."""
    return {name.replace("_", " "): tuple(part.strip() for part in said.split(",") if part.strip()) for name, said in values.items()}


REGION = Dimension("region", "region", "region", ("region",), shared=True)
PROVINCE = Dimension("province", "province", "province", ("province",), shared=True)
