"""The pages of the console, for whatever walks over all of them: a new page is one line here."""

from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.system import Console


@dataclass(frozen=True)
class Shown:
    """`reads` is a table that every look asks, None where all is drawn from memory: numbers may be kept, what they are of is not.

    `trusts` says whether it has a trust line; hidden ones have no link on top.
    """

    path: str
    title: str
    reads: str | None
    trusts: bool = False
    hidden: bool = False
    role: str = "viewer"


PAGES = (
    Shown("", "Home", "rollup_state", trusts=True),
    Shown("health", "Health", "rollup_state", trusts=True),
    Shown("cost", "Cost", "rollup_state", trusts=True),
    Shown("performance", "Performance", "rollup_state", trusts=True),
    Shown("sessions", "Sessions", "rollup_state", trusts=True),
    Shown("session", "Session", "sessions", hidden=True),
    Shown("explore", "Explore", "rollup_state", trusts=True),
    Shown("jobs", "Jobs", "jobs"),
    Shown("job", "Job", "jobs", hidden=True),
    Shown("records", "Records", "communities"),
    Shown("record", "Record", "communities", hidden=True),
    Shown("analyses", "Analyses", "communities"),
    Shown("factoids", "Summaries & factoids", None),
    Shown("ask", "Ask", "ask_conversations"),
    Shown("telemetry", "Telemetry", "telemetry_counts"),
    Shown("prices", "Prices", "price_overrides"),
    Shown("admin", "Admin", "audit", role="admin"),
)
LINKED = [page for page in PAGES if not page.hidden]


def click(tab: Page, page: Shown) -> None:
    """Open it from the bar on top, as people do, and wait for its title."""
    tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=page.title, exact=True).click()
    expect(tab.get_by_role("heading", name=page.title, exact=True, level=1)).to_be_visible()


def visit(tab: Page, console: Console, page: Shown, query: str = "") -> None:
    """Open it by its address, and wait for its title."""
    tab.goto(f"{console.url}/{page.path}{query}")
    expect(tab.get_by_role("heading", name=page.title, exact=True, level=1)).to_be_visible()


def settled(tab: Page) -> None:
    """Wait until nothing is being drawn any more."""
    expect(tab.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached()
    expect(tab.get_by_test_id("stSkeletonElement")).to_have_count(0)
