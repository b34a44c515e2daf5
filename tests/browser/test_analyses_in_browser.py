"""The Analyses page in a real Chromium, on a whole console whose worker asks a model that takes its time."""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.chromium import ARGUMENTS, executable
from tests.models import Act, ModelServer
from tests.orders import PLACES
from tests.services.records.conftest import as_csv
from tests.system import Console

SWAP_S = 2.0
EVIL = "![pixel](http://198.51.100.7/p.png) <img src=http://198.51.100.7/q.png> [here](http://198.51.100.7/) www.evil.example :red[red]"
POINT = "What is known of this place is usable with warnings."


def worded(summary: str, *points: str) -> Act:
    """A model that takes three seconds."""
    return Act(text=json.dumps({"summary": summary, "points": list(points)}), delay_s=3.0)


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.always = worded("The record of this place was looked at.", POINT)
        yield server


@pytest.fixture(scope="module")
def told(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with three municipalities."""
    file = Path(tmp_path_factory.mktemp("records")) / "places.csv"
    rows = [
        (f"{102800000 + 1000 * n:010d}", name, "", "Mun", "", "", "5th", "", f"{1_000 * n}", "", "")
        for n, name in ((1, "Adams"), (2, "Bacarra"), (3, "Carasi"))
    ]
    file.write_bytes(as_csv(PLACES, *rows))
    with Console.running(GEMINI_API_KEY="a-key-of-tests", GEMINI_ENDPOINT=model.url) as running:
        running.command("records", "import", str(file), "--map", "psgc", "--report", str(file.with_suffix(".findings")))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = executable()
    assert found, "no Chromium: run `python -m tests.chromium`"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def tab(browser: Browser, told: Console) -> Iterator[Page]:
    """A tab that came in by a one-time link."""
    context = browser.new_context(viewport={"width": 1280, "height": 1200})
    opened = context.new_page()
    opened.goto(told.link())
    expect(opened.get_by_role("heading", name="Home", exact=True)).to_be_visible(timeout=30_000)
    yield opened
    context.close()


def finished_at(console: Console) -> float:
    """When the newest job of an analysis ended."""
    return datetime.fromisoformat(console.psql("select max(finished_at) from jobs where 'analysis' = any(tags)")).timestamp()


def start(tab: Page) -> None:
    tab.get_by_role("button", name="Start", exact=True).first.click()


def test_a_result_swaps_in_by_itself_within_two_seconds(tab: Page, told: Console) -> None:
    loads: list[str] = []
    tab.goto(f"{told.url}/analyses?kind=communities&id=1")
    expect(tab.get_by_role("heading", name="Adams")).to_be_visible(timeout=30_000)
    tab.on("framenavigated", lambda frame: loads.append(frame.url))
    start(tab)
    expect(tab.get_by_text("running").first).to_be_visible(timeout=10_000)
    expect(tab.get_by_text("Finding the words")).to_be_visible(timeout=15_000)
    tab.get_by_text(POINT).wait_for(timeout=60_000)
    seen_at = time.time()
    assert seen_at - finished_at(told) <= SWAP_S
    expect(tab.get_by_text(re.compile(r"Worded by gemini-3\.5-flash"))).to_be_visible(timeout=15_000)
    expect(tab.get_by_text("● fresh")).to_be_visible(timeout=15_000)
    assert loads == [], "nobody reloaded the page"


def test_a_models_words_load_and_link_nothing(tab: Page, told: Console, model: ModelServer) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    model.acts.append(worded(f"The record was looked at. {EVIL}"))
    tab.goto(f"{told.url}/analyses?kind=communities&id=2")
    start(tab)
    expect(tab.get_by_text(re.compile(r"!\[pixel\]|were replaced by the template")).first).to_be_visible(timeout=60_000)
    assert [url for url in asked if not url.startswith(told.url) and url.startswith("http")] == []
    assert tab.locator("a[href*='198.51.100.7'], a[href*='evil.example'], img[src*='198.51.100.7']").count() == 0


def test_it_is_found_from_the_list_and_the_record(tab: Page, told: Console) -> None:
    tab.goto(f"{told.url}/record?kind=communities&id=3")
    tab.get_by_role("link", name="Analyses of this record").click(timeout=30_000)
    expect(tab).to_have_url(re.compile(r"/analyses\?kind=communities&id=3"))
    expect(tab.get_by_role("heading", name="Carasi")).to_be_visible(timeout=30_000)
    tab.get_by_role("radio", name="Needs").click()
    expect(tab).to_have_url(re.compile("show=Needs"))
    tab.get_by_role("button", name="Another record").click()
    expect(tab.get_by_text("Choose the record")).to_be_visible(timeout=30_000)
    expect(tab).not_to_have_url(re.compile("id="))
    first = tab.get_by_test_id("stDataFrame").first
    expect(first).to_be_visible(timeout=30_000)
    tab.wait_for_timeout(1_000)  # the table draws itself on a canvas, and nothing tells when
    box = first.bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + 18, box["y"] + 35 + 17)
    expect(tab).to_have_url(re.compile(r"/analyses\?kind=communities&id=1"), timeout=30_000)
    expect(tab.get_by_role("heading", name="Adams")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_it_fits_a_phone_and_the_dark(browser: Browser, told: Console, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    opened = context.new_page()
    opened.goto(told.link())
    opened.goto(f"{told.url}/analyses?kind=communities&id=1")
    expect(opened.get_by_role("heading", name="Adams")).to_be_visible(timeout=30_000)
    expect(opened.get_by_text("Asked at")).to_be_visible(timeout=30_000)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
