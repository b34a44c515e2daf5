"""The Jobs pages as a person has them: a real Chromium on a real, whole console."""

import re
from collections.abc import Iterator

import psycopg2
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.chromium import ARGUMENTS, executable
from tests.system import Console

# A queue that no worker of this console has: nothing moves but by hand.
MAKE = """
    update schedules set paused_at = now(), paused_by = 'tests';
    truncate jobs cascade;
    insert into jobs (kind, queue, args) select 'browser.waits', 'browser', jsonb_build_object('n', n) from generate_series(1, 30) n;
    insert into jobs (kind, queue, state, attempt, error_class, error, fingerprint, finished_at)
        select 'browser.dead', 'browser', 'dead', 3, 'ValueError', '<b>no</b> ' || n, 'feed', now() from generate_series(1, 3) n;
"""


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
    """A tab that came in by a one-time link; there are 30 jobs that wait and three dead letters."""
    run(console, MAKE)
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.goto(console.link())
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible(timeout=20_000)
    yield page
    run(console, "update schedules set paused_at = null, paused_by = null; truncate jobs cascade; truncate job_limits")
    context.close()


def run(console: Console, statement: str) -> None:
    server = psycopg2.connect(console.environment["DATABASE_URL"])
    with server, server.cursor() as cursor:
        cursor.execute(statement)
    server.close()


def opened(tab: Page, console: Console, address: str) -> None:
    tab.goto(f"{console.url}{address}")
    expect(tab.get_by_text("Somebody is needed")).to_be_visible(timeout=20_000)


def test_it_keeps_filters_and_pages_in_the_address(tab: Page, console: Console) -> None:
    opened(tab, console, "/jobs")
    tab.get_by_role("button", name="Older").click()
    expect(tab).to_have_url(re.compile(r"before=\d+"))
    expect(tab.get_by_text("8 of 33 that match")).to_be_visible()
    tab.get_by_role("radio", name="dead", exact=True).click()
    expect(tab).to_have_url(re.compile("state=dead"))
    expect(tab).not_to_have_url(re.compile("before="))
    expect(tab.get_by_text("3 of 3 that match")).to_be_visible()
    tab.get_by_role("button", name="Filters").click()
    tab.get_by_role("textbox", name="Args").fill("n:5")
    tab.get_by_role("textbox", name="Args").press("Enter")
    expect(tab).to_have_url(re.compile(r"args=n(%3A|:)5"))
    expect(tab.get_by_text("No job matches.")).to_be_visible()


def test_an_operator_cancels_the_rows_that_were_chosen(tab: Page, console: Console) -> None:
    opened(tab, console, "/jobs?state=waiting")
    expect(tab.get_by_text("25 of 30 that match")).to_be_visible()
    table = tab.get_by_test_id("stDataFrame").last
    for row in (1, 3):
        table.click(position={"x": 16, "y": 17 + 35 * row})
        expect(tab.get_by_text("the list holds still meanwhile")).to_be_visible()
    expect(tab.get_by_text("With the 2 jobs chosen")).to_be_visible()
    run(console, "insert into jobs (kind, queue) values ('browser.waits', 'browser')")  # a row more above them
    tab.wait_for_timeout(3_000)
    expect(tab.get_by_text("With the 2 jobs chosen")).to_be_visible()
    tab.get_by_role("radio", name="Cancel", exact=True).click()
    tab.get_by_role("button", name="Cancel 2 jobs").click()
    expect(tab.get_by_text("2 jobs cancelled, or asked to stop.")).to_be_visible()
    assert console.psql("select string_agg(args ->> 'n', ' ' order by id) from jobs where state = 'cancelled'") == "28 30"
    assert (
        console.psql("select actor || ' ' || (detail ->> 'n') from audit where action = 'job.cancel' order by id desc limit 1") == "admin 2"
    )
    expect(tab.get_by_text("With everything that matches: 29 jobs")).to_be_visible()


def test_dead_letters_are_retried_and_the_page_follows(tab: Page, console: Console) -> None:
    opened(tab, console, "/jobs")
    tab.get_by_role("tab", name="Dead letters").click()
    expect(tab).to_have_url(re.compile("view=Dead"))
    expect(tab.get_by_text("ValueError: <b>no</b> 3").last).to_be_visible()
    tab.get_by_role("button", name="Show the 3 jobs").click()
    expect(tab).to_have_url(re.compile("fingerprint=feed"))
    expect(tab.get_by_text("With everything that matches: 3 jobs")).to_be_visible()
    tab.get_by_role("radio", name="Retry", exact=True).click()
    tab.get_by_role("button", name="Retry 3 jobs").click()
    expect(tab.get_by_text("3 jobs will run again.")).to_be_visible()
    assert console.psql("select count(*) from jobs where state = 'retry'") == "3"


def test_it_keeps_itself_current_and_can_be_paused(tab: Page, console: Console) -> None:
    opened(tab, console, "/jobs")
    asked = tab.get_by_text(re.compile(r"^Asked at \d\d:\d\d:\d\d UTC"))
    first = asked.inner_text()
    expect(asked).not_to_have_text(first, timeout=15_000)
    tab.get_by_text("Pause updates").click()
    tab.wait_for_timeout(2_500)
    paused = asked.inner_text()
    tab.wait_for_timeout(5_000)
    assert asked.inner_text() == paused


def test_a_limit_is_set_and_lifted(tab: Page, console: Console) -> None:
    opened(tab, console, "/jobs")
    tab.get_by_text("Pause or limit a queue or a kind").click()
    limit = tab.get_by_label("At once, at most")
    limit.fill("4")
    limit.press("Enter")
    tab.get_by_role("button", name="Set the limit").click()
    expect(tab.get_by_text("may run 4 at once")).to_be_visible()
    tab.get_by_role("button", name="Lift the limit").click()
    expect(tab.get_by_text("has no limit any more")).to_be_visible()
    assert console.psql("select count(*) from job_limits") == "0"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_one_job_fits_a_phone_and_complains_of_nothing(browser: Browser, tab: Page, console: Console, width: int, scheme: str) -> None:
    wrong: list[str] = []
    job_id = console.psql("select max(id) from jobs")
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    phone = context.new_page()
    phone.on("pageerror", lambda error: wrong.append(str(error)))
    phone.goto(console.link())
    phone.goto(f"{console.url}/job?id={job_id}")
    expect(phone.get_by_role("heading", name="browser.dead")).to_be_visible(timeout=20_000)
    expect(phone.get_by_text("ValueError: <b>no</b> 3").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []
    context.close()
