"""Records as a person has them: a file brought in, a record found and opened, the way back."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.chromium import ARGUMENTS, executable
from tests.services.records.conftest import as_csv
from tests.services.records.test_communities import HEADER, PLACES, place
from tests.system import Console, wait_for

MANY = [place(f"03014{n:05}", f"Barangay {n}", "Bgy") for n in range(1, 121)]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = executable()
    assert found, "no Chromium: run `python -m tests.chromium`"
    launched = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
    yield launched
    launched.close()


@pytest.fixture
def tab(browser: Browser, console: Console) -> Iterator[Page]:
    """A tab that came in by a one-time link."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(console.link())
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible(timeout=20_000)
    yield page
    context.close()


def test_it_brings_a_file_in_and_opens_a_record(tab: Page, console: Console) -> None:
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Records", exact=True).click()
    tab.locator("input[type=file]").set_input_files({"name": "p.csv", "mimeType": "text/csv", "buffer": as_csv(HEADER, *PLACES, *MANY)})
    expect(tab.get_by_text("p.csv")).to_be_visible()
    tab.get_by_role("button", name="Import", exact=True).click()
    expect(tab.get_by_text("Import 1 of p.csv has begun.")).to_be_visible(timeout=20_000)
    wait_for(lambda: console.psql("select state || ' ' || new from record_imports") == "done 124", "the import", 60)
    expect(tab.get_by_test_id("stProgress")).to_have_count(0, timeout=20_000)

    tab.goto(f"{console.url}/records")
    expect(tab.get_by_text("124 communities, page 1 of 3.")).to_be_visible(timeout=20_000)
    tab.get_by_role("button", name=re.compile(r"(page |^)2$", re.IGNORECASE)).first.click()
    expect(tab).to_have_url(re.compile("page=2"))
    tab.go_back()
    expect(tab.get_by_text("page 1 of 3")).to_be_visible(timeout=20_000)
    tab.get_by_placeholder("Words of a name").fill("adams norte")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("2 communities.")).to_be_visible(timeout=20_000)
    expect(tab).to_have_url(re.compile(r"q=adams\+norte"))

    table = tab.get_by_test_id("stDataFrame").first.bounding_box()
    assert table is not None
    tab.mouse.click(table["x"] + 18, table["y"] + 35 + 17)
    expect(tab).to_have_url(re.compile(r"/record\?kind=communities&id=\d+"))
    expect(tab.get_by_role("heading", name="Adams", exact=True)).to_be_visible(timeout=20_000)
    tab.go_back()
    expect(tab.get_by_text("2 communities.")).to_be_visible(timeout=20_000)
    assert wrong == []


@pytest.mark.parametrize("address", ["records", "record?kind=communities&id=1"])
def test_it_fits_a_phone(browser: Browser, console: Console, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    page.goto(console.link())
    page.goto(f"{console.url}/{address}")
    expect(page.get_by_test_id("stHeading").first).to_be_visible(timeout=20_000)
    page.wait_for_timeout(1_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
