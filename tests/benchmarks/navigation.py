"""How long a person waits from a click to a drawn page, in headless Chromium on a console with sample traffic."""

import statistics
import time
from collections.abc import Iterator

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks import sessions
from tests.benchmarks.figure import Figure
from tests.chromium import ARGUMENTS, ensure
from tests.system import Console, wait_for

PAGES = {"Home": 0, "Health": 5, "Cost": 4, "Performance": 6, "Sessions": 4, "Explore": 1}  # how many charts each draws of ninety days
ROUNDS = 5
DRAWN = """([name, charts]) => {
  const drawn = [...document.querySelectorAll('[data-testid=stPlotlyChart]')];
  return document.querySelector('h1')?.innerText === name && drawn.length === charts
    && drawn.every(chart => chart.querySelector('.main-svg')) && document.querySelector('[data-test-script-state=notRunning]') !== null;
}"""


def measure(_size: int) -> Iterator[Figure]:
    """navigation_ms: median over pages and rounds, the first visit of each page left out; sessions_50_p95_ms on the same console."""
    with Console.running(None, SAMPLE_DATA="yes") as console:
        _wait_for_sample(console)
        taken = _visits(console)
        beside: dict[str, float | str] = {name.lower(): statistics.median(times) for name, times in taken.items()}
        yield Figure("navigation_ms", statistics.median([t for times in taken.values() for t in times]), "ms", "≤", 800, beside)
        yield from sessions.measure(console)


def _visits(console: Console) -> dict[str, list[float]]:
    """Milliseconds of every visit but the first, by page."""
    taken: dict[str, list[float]] = {name: [] for name in PAGES}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=ensure(), args=list(ARGUMENTS))
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(console.link())
        for name in [*PAGES] * (ROUNDS + 1):
            taken[name].append(_visit(tab, name))
        browser.close()
    return {name: times[1:] for name, times in taken.items()}


def _visit(tab: Page, name: str) -> float:
    began = time.perf_counter()
    tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=name, exact=True).click()
    tab.wait_for_function(DRAWN, arg=[name, PAGES[name]], timeout=30_000, polling=20)
    return (time.perf_counter() - began) * 1_000


def _wait_for_sample(console: Console) -> None:
    """Until the sample has arrived and is counted."""

    def arrived() -> bool:
        states = console.psql("select count(*) from jobs where kind = 'sample.generate' and state = 'done'")
        return states == "1" and console.psql("select count(*) from telemetry_inbox") == "0"

    wait_for(arrived, "the sample", 180)
    httpx.get(f"{console.url}/api/ai/health/").raise_for_status()
