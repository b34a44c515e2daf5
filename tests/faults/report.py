"""What a fault test did and saw, as a row of the table that `make faults` prints."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Literal

FULL = os.environ.get("FAULTS") == "full"
SEED = int(os.environ.get("SEED", "20261"))  # of everything that happens by chance
Rule = Literal["=", "≤", "≥"]
RULES: dict[Rule, Callable[[float, float], bool]] = {"=": lambda a, b: a == b, "≤": lambda a, b: a <= b, "≥": lambda a, b: a >= b}


def scale(short: int, full: int) -> int:
    """How much of it: a short seed in `make test`, the whole in `make faults`."""
    return full if FULL else short


@dataclass(frozen=True)
class Finding:
    """One value and what it must be; without a rule it is only told."""

    name: str
    value: float
    rule: Rule | None = None
    bound: float = 0.0

    @property
    def ok(self) -> bool:
        return self.rule is None or RULES[self.rule](self.value, self.bound)

    @property
    def must(self) -> str:
        return "" if self.rule is None else f"{self.rule} {self.bound:g}"


@dataclass
class Fault:
    """`done` says what was done to the system."""

    name: str
    tell: Callable[[str, object], None]
    done: str = ""
    findings: list[Finding] = field(default_factory=list)

    def finds(self, name: str, value: float, rule: Rule | None = None, bound: float = 0.0) -> None:
        self.findings.append(Finding(name, round(float(value), 3), rule, bound))

    def holds(self) -> None:
        """Write the row; fail when anything is not as it must be."""
        self.tell("fault", {"name": self.name, "done": self.done, "findings": [asdict(finding) for finding in self.findings]})
        wrong = [f"{finding.name} is {finding.value:g}, must be {finding.must}" for finding in self.findings if not finding.ok]
        assert not wrong, f"{self.done}: {'; '.join(wrong)}"
