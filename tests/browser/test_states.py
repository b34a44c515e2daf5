"""Every page in every state a person can find it in, walked over one table of pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psycopg2
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from console.auth import rights
from services.clock import utc_now
from tests.browser.pages import LINKED, PAGES, Shown, click, settled, visit
from tests.system import Console, wait_for
from tests.traffic import many

HOSTILE = "?" + "&".join(
    (
        "range='%3Bdrop%20table%20jobs", "versus=%00", "compare=%00", "module=%3Cscript%3Ealert(1)%3C/script%3E", "model=" + "x" * 3_000,
        "from=yesterday",
        "to=9999-99-99", "view=__proto__", "id=-1", "kind=../../etc/passwd", "state=%F0%9F%92%A9", "page=1e309",
        "measure=sum(1)", "by=';--",
        "source=%25s", "key=%00", "before=abc",
    )
)  # fmt: skip
SERIOUS = ("serious", "critical")
# Streamlit draws an empty group into the sparkline of each tile, for the point under the pointer; the tile says its value in words.
EMPTY_GROUP = re.compile(r'<g class="mark-symbol [^>]*highlighted_points_marks"[^>]*></g>')


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    """A console of its own: parts of it are taken away."""
    with Console.running() as running:
        yield running


def signed_in(chromium: Browser, console: Console, name: str = "admin", width: int = 1280) -> Page:
    tab = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    tab.goto(console.command("users", "link", name).stdout.split()[-1])
    expect(tab.get_by_role("heading", name="Home", exact=True)).to_be_visible(timeout=60_000)
    return tab


@pytest.fixture(scope="module")
def tab(chromium: Browser, console: Console) -> Iterator[Page]:
    opened = signed_in(chromium, console)
    yield opened
    opened.context.close()


def complaints(tab: Page) -> list[str]:
    return tab.get_by_test_id("stException").all_inner_texts()


def test_empty(tab: Page, console: Console) -> None:
    """It runs first: nothing has ever arrived."""
    for page in LINKED:
        click(tab, page)
        settled(tab)
        assert complaints(tab) == [], f"{page.title}: {console.log('web')[-2_000:]}"
        if page.title in ("Cost", "Performance", "Sessions"):
            expect(tab.get_by_text(re.compile("in this range|[Nn]othing")).first).to_be_visible()


@pytest.fixture(scope="module")
def traffic(console: Console, tab: Page) -> None:
    """A month of operations and sessions, on the pages."""
    printed = console.command("keys", "create", "--name", "states", "--scope", "telemetry").stdout
    key = re.search(r"bnk_\S+", printed)
    assert key is not None
    start = utc_now() - timedelta(days=29)
    sessions = [
        {
            "id": f"s{n}",
            "started_at": (start + timedelta(hours=9 * n)).isoformat(),
            "rating": 1 + n % 5,
            "topics": ["maths"],
            "user_id": f"u{n}",
        }
        for n in range(60)
    ]
    body = {"operations": many(1_500, start, timedelta(days=29)), "sessions": sessions}
    httpx.post(
        f"{console.url}/api/operations", json=body, headers={"Authorization": f"Bearer {key.group()}"}, timeout=60
    ).raise_for_status()
    wait_for(lambda: console.psql("select coalesce(sum(n), 0) from rollup_day") == "1500", "the traffic in the rollups", 60)


@pytest.mark.usefixtures("traffic")
def test_seeded_and_accessible(tab: Page, console: Console) -> None:
    found: list[str] = []
    for page in LINKED:
        click(tab, page)
        settled(tab)
        assert complaints(tab) == [], f"{page.title}: {console.log('web')[-2_000:]}"
        for broken in Axe().run(tab).response["violations"]:
            nodes = [node["html"] for node in broken["nodes"] if not EMPTY_GROUP.fullmatch(node["html"])]
            if broken["impact"] in SERIOUS and nodes:
                found.append(f"{page.title}: {broken['id']} {nodes[0][:200]}")
        for kind in ("stPlotlyChart", "stDataFrame"):
            for place in tab.get_by_test_id(kind).all():
                told = place.evaluate("e => e.getAttribute('aria-label') || e.querySelector('[aria-label]')?.getAttribute('aria-label')")
                if not told:
                    found.append(f"{page.title}: a {kind} without words")
    assert found == []


@pytest.mark.usefixtures("traffic")
def test_filters_go_along_from_page_to_page(tab: Page, console: Console) -> None:
    visit(tab, console, next(page for page in PAGES if page.path == "cost"), "?range=7d&versus=nothing&module=chat")
    settled(tab)
    for title in ("Performance", "Sessions", "Cost"):
        click(tab, next(page for page in PAGES if page.title == title))
        settled(tab)
        expect(tab.get_by_text("Only module chat")).to_be_visible()
        if title == "Performance":
            expect(tab.get_by_test_id("stMetricDelta")).to_have_count(0)
        for part in ("range=7d", "versus=nothing", "module=chat"):
            expect(tab).to_have_url(re.compile(part))
    tab.get_by_role("button", name="Clear filters").click()
    expect(tab).not_to_have_url(re.compile("module="))


@pytest.mark.usefixtures("traffic")
def test_hostile_addresses(chromium: Browser, console: Console) -> None:
    tab = signed_in(chromium, console)
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("dialog", lambda dialog: wrong.append(dialog.message))
    for page in PAGES:
        tab.goto(f"{console.url}/{page.path}{HOSTILE}")
        expect(tab.get_by_role("heading", level=1).first).to_be_visible()
        settled(tab)
        assert complaints(tab) == [], f"{page.title}: {console.log('web')[-2_000:]}"
        assert tab.locator("script", has_text="alert(1)").count() == 0
    assert wrong == []
    tab.context.close()


@pytest.mark.usefixtures("traffic")
def test_a_phone(chromium: Browser, console: Console) -> None:
    tab = signed_in(chromium, console, width=390)
    for page in PAGES:
        visit(tab, console, page) if not page.hidden else tab.goto(f"{console.url}/{page.path}?id=1&kind=projects")
        settled(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, page.title
    tab.context.close()


@pytest.mark.usefixtures("traffic")
def test_forbidden(chromium: Browser, console: Console) -> None:
    console.command("users", "create", "vera", "--role", "viewer")
    tab = signed_in(chromium, console, "vera")
    for page in PAGES:
        if rights.page(page.path or "home") == "viewer":
            continue
        expect(tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=page.title, exact=True)).to_have_count(0)
        visit(tab, console, page)
        expect(tab.get_by_text(f"This needs the role {page.role}")).to_be_visible()
        assert tab.get_by_test_id("stDataFrame").count() == 0
    tab.context.clear_cookies()
    for page in PAGES:
        tab.goto(f"{console.url}/{page.path}")
        expect(tab).to_have_url(re.compile("/sign-in"))
    tab.context.close()


@pytest.mark.usefixtures("traffic")
def test_stale(tab: Page, console: Console) -> None:
    """Accepted and not yet counted: the numbers say so."""
    server = psycopg2.connect(console.environment["DATABASE_URL"])
    with server.cursor() as cursor:
        cursor.execute("insert into job_limits (scope, name, paused_at, paused_by) values ('queue', 'rollups', now(), 'test')")
        server.commit()
    key = re.search(r"bnk_\S+", console.command("keys", "create", "--name", "late", "--scope", "telemetry").stdout)
    assert key is not None
    body = {"operations": many(3, utc_now() - timedelta(minutes=5), timedelta(minutes=1))}
    httpx.post(f"{console.url}/api/operations", json=body, headers={"Authorization": f"Bearer {key.group()}"}).raise_for_status()
    try:
        for page in LINKED:
            if page.trusts:
                click(tab, page)
                expect(tab.get_by_text("3 received and not yet counted").first).to_be_visible()
    finally:
        with server.cursor() as cursor:
            cursor.execute("delete from job_limits")
        server.commit()
        server.close()


@pytest.mark.usefixtures("traffic")
def test_loading(tab: Page, console: Console) -> None:
    """What a page reads is held up: the place says that something is coming."""
    for page in (page for page in LINKED if page.reads):
        elsewhere = LINKED[0] if page is LINKED[-1] else LINKED[-1]
        click(tab, elsewhere)
        settled(tab)
        with held(console, str(page.reads)):
            tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=page.title, exact=True).click()
            expect(tab.get_by_test_id("stSkeletonElement")).to_be_attached()
        settled(tab)


@contextmanager
def held(console: Console, table: str) -> Iterator[None]:
    server = psycopg2.connect(console.environment["DATABASE_URL"])
    with server.cursor() as cursor:
        cursor.execute(f"lock table {table} in access exclusive mode")
    yield
    server.rollback()
    server.close()


@contextmanager
def away(console: Console, part: str) -> Iterator[None]:
    """A part that is down and stays down: who would start it again sleeps meanwhile."""
    programs = console.programs()
    keeper, gone = programs["supervisord"], programs[part]
    keeper.suspend()
    try:
        gone.send_signal(2 if part == "postgres" else 15)
        wait_for(lambda: not gone.is_running() or gone.status() == "zombie", f"the end of {part}", 30)
        yield
    finally:
        keeper.resume()
        wait_for(lambda: httpx.get(f"{console.url}/api/ai/health/").json()["services"][SERVICE[part]] == "up", f"{part} again", 60)


SERVICE = {"postgres": "database", "valkey": "cache"}


@pytest.mark.usefixtures("traffic")
def test_redis_down(tab: Page, console: Console) -> None:
    with away(console, "valkey"):
        for page in LINKED:
            click(tab, page)
            settled(tab)
            assert complaints(tab) == [], f"{page.title}: {console.log('web')[-2_000:]}"
            expect(tab.get_by_text("does not answer").filter(has_text="database")).to_have_count(0)
        click(tab, LINKED[0])
        expect(tab.get_by_text("Redis does not answer").first).to_be_visible(timeout=40_000)


@pytest.mark.usefixtures("traffic")
def test_database_down(tab: Page, console: Console) -> None:
    pages: list[Shown] = LINKED
    follows = next(page for page in pages if page.title == "Cost")
    visit(tab, console, follows, "?range=24h")
    settled(tab)
    with away(console, "postgres"):
        # What follows by itself asks every ten seconds, says why nothing new comes, and leaves what was there.
        expect(tab.get_by_text("What is shown here is of").first).to_be_visible(timeout=30_000)
        expect(tab.get_by_test_id("stMetric").first).to_be_visible()
        for page in pages:
            tab.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=page.title, exact=True).click()
            expect(tab.get_by_text("The database does not answer").first).to_be_visible()
            assert complaints(tab) == [], f"{page.title}: {console.log('web')[-2_000:]}"
        opened = tab.context.new_page()
        for page in PAGES:
            answer = opened.goto(f"{console.url}/{page.path}")
            assert answer is not None
            assert (answer.status, "This page tries again by itself" in answer.text()) == (503, True)
        opened.close()
    visit(tab, console, pages[0])
    expect(tab.get_by_test_id("stMetric").nth(9)).to_be_visible()
