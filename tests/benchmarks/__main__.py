"""`make bench`: how fast it is, as figures beside their budgets and beside the same answer by raw SQL.

Prints a table and writes build/bench.json. ONLY chooses one of the groups below, SIZE the number of operations.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator

from services.settings import ROOT
from tests.benchmarks import ai, analyses, ask, ingest, jobs, navigation, otlp, page_data, sitewide
from tests.benchmarks.figure import Figure


def everything_in(size: int) -> Iterator[Figure]:
    """By file and by trace."""
    yield from ingest.measure(size)
    yield from otlp.measure(size)


GROUPS: dict[str, Callable[[int], Iterator[Figure]]] = {
    "ingest": everything_in,
    "page_data": page_data.measure,
    "pages": navigation.measure,
    "jobs": jobs.measure,
    "ai": ai.measure,
    "analyses": analyses.measure,
    "sitewide": sitewide.measure,
    "ask": ask.measure,
}


def main(chosen: list[str]) -> int:
    """Measure the chosen groups, or all; exit 2 for a group that does not exist."""
    for name in chosen:
        if name not in GROUPS:
            print(f"There is no group '{name}': choose from {', '.join(GROUPS)}.", file=sys.stderr)
            return 2
    size = int(os.environ.get("SIZE", "1000000"))
    logging.disable(logging.WARNING)  # the pages of page_data run without a browser, which Streamlit remarks on
    figures: dict[str, Figure] = {}
    print(f"{'name':22} {'value':>12} {'unit':10} {'budget':>12}  ok   beside", flush=True)
    for name in chosen or GROUPS:
        for figure in GROUPS[name](size):
            figures[figure.name] = figure
            print(figure.line(), flush=True)
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({name: figure.as_json() for name, figure in figures.items()}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
