"""Pictures of every page for the documentation: `python -m tests.browser.screenshots [FOLDER]`, on a console with sample traffic."""

import sys
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from services.clock import utc_now
from services.settings import ROOT
from tests.browser.pages import LINKED, click, settled
from tests.chromium import ARGUMENTS, ensure
from tests.services.sitewide.files import REGISTER, REVENUE
from tests.system import Console, wait_for

FOLDER = ROOT / "docs" / "screenshots"
LOOKS = {"": (1280, 900, "light"), "-phone-dark": (390, 844, "dark")}


def main(folder: Path) -> None:
    """One picture a page and look."""
    folder.mkdir(parents=True, exist_ok=True)
    with Console.running(None, SAMPLE_DATA="yes") as console, sync_playwright() as playwright:
        wait_for(
            lambda: console.psql("select count(*) from jobs where kind = 'sample.generate' and state = 'done'") == "1", "the sample", 300
        )
        wait_for(lambda: console.psql("select count(*) from telemetry_inbox") == "0", "the sample in the rollups", 300)
        _bring_councils(console)
        browser = playwright.chromium.launch(executable_path=ensure(), args=list(ARGUMENTS))
        for suffix, (width, height, scheme) in LOOKS.items():
            _take(browser, console, folder, suffix, width, height, scheme)
        _tour(browser, console, folder)
        browser.close()


def _bring_councils(console: Console) -> None:
    """The public council figures, summarised, and a slot of factoids."""
    for file, plan in ((REVENUE, "revenue-outturn"), (REGISTER, "uk-la-codes")):
        console.command("sitewide", "import", str(file), "--map", plan)
    console.command("sitewide", "summaries")
    wait_for(lambda: console.psql("select count(*) from summary_pending") == "0", "the summaries", 300)
    console.command("sitewide", "factoids")
    wait_for(lambda: console.psql("select count(*) from factoid_editions") != "0", "the factoids", 120)


def _take(browser: Browser, console: Console, folder: Path, suffix: str, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(console.link())
    for page in LINKED:
        tab.set_viewport_size({"width": 1280, "height": height})
        click(tab, page)
        settled(tab)
        if page.title == "Ask":
            tab.get_by_test_id("stChatInputTextArea").fill("Cost by model this month")
            tab.keyboard.press("Enter")
            expect(tab.get_by_text("Read as:").first).to_be_visible()
            settled(tab)
        tab.set_viewport_size({"width": width, "height": height})
        expect(tab.get_by_role("heading", name=page.title, exact=True, level=1)).to_be_visible()
        tab.wait_for_timeout(2_000)  # charts and tables draw themselves, and nothing tells when
        tab.screenshot(path=folder / f"{page.path or 'home'}{suffix}.png")
    context.close()


def _tour(browser: Browser, console: Console, folder: Path) -> None:
    """The walk of docs/tour.md; it fails where the console does not answer as the walk says."""
    tuesday = next(day for age in range(1, 8) if (day := utc_now().date() - timedelta(days=age)).weekday() == 1)
    tab = browser.new_context(viewport={"width": 1280, "height": 1_980}).new_page()  # down to who made it
    tab.goto(console.link())
    tab.goto(f"{console.url}/cost?range=custom&from={tuesday}&to={tuesday}&versus=a+week+before")
    expect(tab.get_by_role("heading", name="Cost", exact=True, level=1)).to_be_visible()
    settled(tab)
    delta = tab.get_by_test_id("stMetric").first.get_by_test_id("stMetricDelta").inner_text()
    assert float(delta.strip("+%").replace(",", "").split("%")[0]) >= 100, f"the cost did not double: {delta}"
    tab.wait_for_timeout(2_000)
    tab.screenshot(path=folder / "tour-tuesday.png")
    tab.set_viewport_size({"width": 1280, "height": 1_240})
    tab.goto(f"{console.url}/cost?range=custom&from={tuesday}&to={tuesday}&versus=a+week+before&module=project_central&split=model")
    expect(tab.get_by_text("Only module project")).to_be_visible()
    settled(tab)
    tab.wait_for_timeout(2_000)
    tab.screenshot(path=folder / "tour-module.png")
    tab.context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
