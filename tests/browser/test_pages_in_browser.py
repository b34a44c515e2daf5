"""The console as a person has it: a real Chromium on a real, whole console."""

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from services.clock import utc_now
from tests.chromium import ARGUMENTS, executable
from tests.system import Console, wait_for
from tests.traffic import many

PAGES = ("Health", "Cost", "Performance", "Sessions")
# On a deep link Streamlit first asks below the page's own address, then finds its server.
EXPECTED_404 = re.compile(r"/(cost|performance|sessions)/_stcore/(health|host-config)$")


@pytest.fixture(scope="module")
def traffic(console: Console) -> str:
    """Sends a month of traffic through the door and waits until it is on the pages; the key that sent it."""
    printed = console.command("keys", "create", "--name", "browser", "--scope", "telemetry", "--scope", "metrics").stdout
    key = re.search(r"bnk_\S+", printed)
    assert key is not None
    start = utc_now() - timedelta(days=29)
    sessions = [
        {
            "id": f"s{n}",
            "started_at": (start + timedelta(hours=6 * n)).isoformat(),
            "rating": 1 + n % 5,
            "topics": ["maths"],
            "user_id": f"u{n}",
        }
        for n in range(100)
    ]
    headers = {"Authorization": f"Bearer {key.group()}"}
    body = {"operations": many(2_000, start, timedelta(days=29)), "sessions": sessions}
    answer = httpx.post(f"{console.url}/api/operations", json=body, headers=headers, timeout=60)
    assert answer.json()["accepted"] == 2_100

    def arrived() -> bool:
        query = {"measures": "operations", "start": start.date().isoformat(), "end": (utc_now().date() + timedelta(days=1)).isoformat()}
        rows = httpx.get(f"{console.url}/api/metrics/query", params=query, headers=headers).json()["rows"]
        return bool(rows[0]["operations"] == 2_000)

    wait_for(arrived, "the traffic in the rollups", 30)
    return key.group()


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
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def signed_in(tab: Page, console: Console, traffic: str) -> Page:
    """A tab that came in by a one-time link."""
    tab.goto(console.link())
    expect(tab.get_by_role("heading", name="Home", exact=True)).to_be_visible(timeout=20_000)
    return tab


def drawn(tab: Page, charts: int) -> None:
    """Wait until a page has all its charts."""
    expect(tab.locator(".js-plotly-plot .main-svg").nth(charts - 1)).to_be_attached(timeout=20_000)


def test_it_shows_four_pages_without_a_complaint(signed_in: Page, console: Console) -> None:
    wrong: list[str] = []
    signed_in.on("pageerror", lambda error: wrong.append(str(error)))
    signed_in.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    for name in PAGES:
        signed_in.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=name, exact=True).click()
        expect(signed_in.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=20_000)
        drawn(signed_in, 4)
        expect(signed_in.get_by_test_id("stMetric").first).to_be_visible()
        expect(signed_in.get_by_test_id("stDataFrame").last).to_be_visible()
        expect(signed_in.get_by_test_id("stAlert").filter(has_text="does not answer")).to_have_count(0)
    assert wrong == []
    assert signed_in.evaluate("document.cookie").find("binnacle_session") == -1


def test_it_keeps_range_and_filters_in_the_address(signed_in: Page, console: Console) -> None:
    signed_in.goto(f"{console.url}/cost?range=7d&module=chat")
    expect(signed_in.get_by_text("Only module chat")).to_be_visible(timeout=20_000)
    expect(signed_in.get_by_role("radio", name="7d")).to_be_checked()
    signed_in.get_by_role("radio", name="30d").click()
    expect(signed_in).to_have_url(re.compile("range=30d"))
    expect(signed_in).to_have_url(re.compile("module=chat"))
    drawn(signed_in, 4)


def test_it_complains_of_nothing_on_a_deep_link(signed_in: Page, console: Console) -> None:
    wrong: list[str] = []
    signed_in.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
    signed_in.goto(f"{console.url}/performance")
    drawn(signed_in, 4)
    assert [url for url in wrong if not EXPECTED_404.search(url)] == []


def test_it_sends_who_is_not_signed_in_to_the_door_and_back(tab: Page, console: Console) -> None:
    tab.goto(f"{console.url}/cost")
    expect(tab).to_have_url(re.compile(r"/sign-in\?next="))
    expect(tab.get_by_label("Password")).to_be_visible()
    assert tab.get_by_text("$").count() == 0


def test_it_stops_where_the_session_ends(signed_in: Page, console: Console) -> None:
    signed_in.goto(f"{console.url}/account")
    signed_in.get_by_role("button", name=re.compile("sign out", re.IGNORECASE)).first.click()
    signed_in.goto(f"{console.url}/cost")
    expect(signed_in).to_have_url(re.compile("/sign-in"))


def test_it_keeps_its_health_current_and_can_be_paused(signed_in: Page, console: Console) -> None:
    signed_in.goto(f"{console.url}/health")
    asked = signed_in.get_by_text(re.compile(r"Asked at \d\d:\d\d:\d\d UTC"))
    first = asked.inner_text()
    expect(asked).not_to_have_text(first, timeout=15_000)
    signed_in.get_by_text("Pause updates").click()
    signed_in.wait_for_timeout(2_500)
    paused = asked.inner_text()
    signed_in.wait_for_timeout(6_000)
    assert asked.inner_text() == paused


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "dark"), (390, "light")])
def test_it_fits_a_phone_and_the_dark(browser: Browser, console: Console, traffic: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.goto(console.link())
    tab.goto(f"{console.url}/cost")
    drawn(tab, 4)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    brightness = tab.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor.match(/\\d+/g).map(Number)[0]"
    )
    assert (brightness < 100) == (scheme == "dark")
    context.close()
