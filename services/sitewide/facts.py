"""The facts of a factoid: each number with its unit, so that nothing can be said of it that is not among them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from services.ai.grounding.ground import Count, Currency, Name, ShareChange, Unit, Year
from services.ai.grounding.ground import Share as Part

# Money, or a number of the things that the field counts: `unit` says which, and the check of wording takes either.
Figure = Annotated[float, Unit("money")]
Multiple = Annotated[float, Unit("score")]


class Facts(BaseModel):
    """What every factoid is about. The financial year runs from April of `year` to March of `year_ends`."""

    model_config = ConfigDict(frozen=True)

    field: Name
    year: Year
    year_ends: Year
    unit: Name
    currency: Currency | None


class Extreme(Facts):
    council: Name
    value: Figure
    average: Figure
    multiple: Multiple
    councils: Count


class Outlier(Facts):
    council: Name
    value: Figure
    runner_up: Name
    runner_up_value: Figure
    multiple: Multiple


class Share(Facts):
    """`share` of the `total` is held by the top five."""

    share: Part
    total: Figure
    councils: Count
    leader: Name
    top_councils: Count


class Gap(Facts):
    """`higher` and `lower` are types or nations of councils."""

    higher: Name
    higher_average: Figure
    lower: Name
    lower_average: Figure
    multiple: Multiple


class Change(Facts):
    """`change` of the average since the financial year that began in `year_before`."""

    year_before: Year
    average: Figure
    average_before: Figure
    change: ShareChange
    councils: Count
