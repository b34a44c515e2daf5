"""One measured figure and what it is held against."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Figure:
    """`at_most` or `at_least` the budget; `beside` holds what was measured side by side with it."""

    name: str
    value: float
    unit: str
    rule: Literal["≤", "≥"]
    budget: float
    beside: dict[str, float | str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.value <= self.budget if self.rule == "≤" else self.value >= self.budget

    def line(self) -> str:
        """As a row of the table."""
        beside = ", ".join(f"{name} {value:,.1f}" if isinstance(value, float) else f"{name} {value}" for name, value in self.beside.items())
        return (
            f"{self.name:22} {self.value:12,.2f} {self.unit:10} {self.rule} {self.budget:10,.1f}  {'yes' if self.ok else 'NO ':3}  {beside}"
        )

    def as_json(self) -> dict[str, object]:
        return {"value": self.value, "unit": self.unit, "budget": f"{self.rule} {self.budget}", "ok": self.ok, "beside": self.beside}


def percentile(values: list[float], share: float) -> float:
    """Nearest-rank percentile."""
    return float(np.quantile(np.array(values), share, method="inverted_cdf"))
