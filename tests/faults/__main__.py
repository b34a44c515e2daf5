"""`make faults`: every fault in full, one at a time, as a table and in build/faults.json. ONLY=kills runs what has that in its name."""

import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any, cast

os.environ.setdefault("FAULTS", "full")

import pytest

from services.settings import ROOT
from tests.faults.report import Finding

MIRRORED = ROOT / "tests" / "services"  # what needs no processes is tested beside the unit, with the same switch


@dataclass
class Row:
    """One line of the table: a fault with its findings, or a file of tests that need no numbers."""

    name: str
    done: str
    findings: list[Finding] = field(default_factory=list)
    passed: int = 0
    failed: int = 0

    @property
    def ok(self) -> bool:
        return self.failed == 0 and self.passed > 0 and all(finding.ok for finding in self.findings)

    def line(self) -> str:
        seen = [f"{finding.name} {finding.value:g}{f' ({finding.must})' if finding.must else ''}" for finding in self.findings]
        seen = seen or [f"{self.passed} tests held, {self.failed} did not"]
        return f"{self.name:28} {'yes' if self.ok else 'NO ':3}  {self.done}\n{'':34}{', '.join(seen)}"

    def as_json(self) -> dict[str, dict[str, object]]:
        if not self.findings:
            return {self.name: {"value": self.failed, "must": "= 0", "ok": self.ok}}
        seen: dict[str, dict[str, object]] = {
            f"{self.name}: {finding.name}": {"value": finding.value, "must": finding.must or "told", "ok": finding.ok}
            for finding in self.findings
        }
        return {self.name: {"value": self.done, "must": "all of these", "ok": self.ok}} | seen


class Table:
    """Fills rows from the tests as they end."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._told: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._told = {
            item.nodeid: (item.module.__doc__ or "").split("\n")[0] for item in session.items if isinstance(item, pytest.Function)
        }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not report.failed:
            return
        told = cast(dict[str, Any], dict(report.user_properties).get("fault", {}))
        file = report.nodeid.split("::")[0].rsplit("/test_", 1)[-1].removesuffix(".py")
        name = str(told.get("name", file))
        row = self.rows.setdefault(name, Row(name, told.get("done", self._told.get(report.nodeid, ""))))
        row.findings = row.findings or [Finding(**finding) for finding in told.get("findings", [])]
        row.passed += report.passed
        row.failed += report.failed


def paths() -> list[str]:
    """The faults, and every test beside a unit that runs longer when told to."""
    beside = [
        str(path) for path in sorted(MIRRORED.rglob("test_*.py")) if "FAULTS" in path.read_text() or "faults.report" in path.read_text()
    ]
    return [str(ROOT / "tests" / "faults"), *beside]


def main(chosen: list[str]) -> int:
    """0 when everything held."""
    table = Table()
    only = ["-k", " or ".join(chosen)] if chosen else []
    code = pytest.main(["-q", "-p", "no:cacheprovider", *only, *paths()], plugins=[table])
    print(f"\n{'fault':28} ok   what was done; what was seen (what it must be)")
    for row in table.rows.values():
        print(row.line())
    target = ROOT / "build" / "faults.json"
    target.parent.mkdir(exist_ok=True)
    entries = {name: entry for row in table.rows.values() for name, entry in row.as_json().items()}
    target.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    return int(code) or int(not all(row.ok for row in table.rows.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
