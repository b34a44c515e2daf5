"""Pictures of every page for the documentation: `python -m tests.browser.screenshots [FOLDER]`, on a console with sample traffic."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from services.settings import ROOT
from tests.browser.pages import LINKED, click, settled
from tests.chromium import ARGUMENTS, ensure
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
        browser = playwright.chromium.launch(executable_path=ensure(), args=list(ARGUMENTS))
        for suffix, (width, height, scheme) in LOOKS.items():
            _take(browser, console, folder, suffix, width, height, scheme)
        browser.close()


def _take(browser: Browser, console: Console, folder: Path, suffix: str, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(console.link())
    for page in LINKED:
        tab.set_viewport_size({"width": 1280, "height": height})
        click(tab, page)
        settled(tab)
        tab.set_viewport_size({"width": width, "height": height})
        expect(tab.get_by_role("heading", name=page.title, exact=True, level=1)).to_be_visible()
        tab.wait_for_timeout(2_000)  # charts and tables draw themselves, and nothing tells when
        tab.screenshot(path=folder / f"{page.title.lower()}{suffix}.png")
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
